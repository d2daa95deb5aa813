#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

struct ScaleValuesOptions {
  double scale = 1, offset = 0;    ///< finite
  std::optional<SampleType> type;  ///< of the output; default: the input's
  /// Of the output. Default: the input's where the output's type can hold it, else NaN in floating types.
  std::optional<std::string> nodata;
};

/// value * scale + offset, rounded to nearest even and clipped to what the output's type can hold; infinite
/// values stay infinite in floating types. Computed in double; exact at scale 1 with a whole offset for
/// 64-bit integers, too. Nodata and NaN become the output's nodata, and where there is none, NaN or 0. A
/// value that comes out equal to the nodata value is not moved away from it.
class ScaleValues : public TileKernel {
 public:
  static constexpr std::string_view help = "value * scale + offset, rounded and clipped to a sample type";
  static std::vector<Parameter> parameters();
  /// Throws a usage Error where scale or offset is not finite.
  explicit ScaleValues(const ScaleValuesOptions& options);
  explicit ScaleValues(const Parameters& parameters);

  /// Throws a usage Error where the input has a nodata value that the output's type cannot hold, and no other
  /// is given.
  RasterInfo describe(std::span<const RasterInfo> inputs) override;
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
               const Context& context) const override;

 private:
  ScaleValuesOptions options_;
  RasterInfo input_, output_;
};

}  // namespace weir
