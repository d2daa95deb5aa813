#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

struct FocalMeanOptions {
  std::uint64_t radius = 1;  ///< pixels, 1 to 64: the mean is over (2 radius + 1)^2 pixels
  bool keeps_type = false;   ///< the input's sample type, integers rounded to nearest even; else float32
  /// Of the output. Default: the input's where the output's type can hold it, else NaN.
  std::optional<std::string> nodata;
};

/// The mean of the pixels around each pixel, itself included, that lie in the raster and have data; nodata
/// where there are none. So small holes are filled. Per sample, any type.
///
/// Sums are exact for integers of all sizes. Those of floating types are doubles, added in an order that
/// depends on nothing but the place of the pixel in the raster, so the result has the same bits however the
/// raster is cut. The cost grows with the logarithm of the radius.
class FocalMean : public TileKernel {
 public:
  static constexpr std::string_view help = "the mean of the pixels around each pixel, without nodata";
  static constexpr std::uint64_t largest_radius =
      64;  ///< (2 * 64 + 1)^2 samples of 64 bits sum up in 128 bits
  static std::vector<Parameter> parameters();
  /// Throws a usage Error where the radius is out of range.
  explicit FocalMean(const FocalMeanOptions& options);
  explicit FocalMean(const Parameters& parameters);

  RasterInfo describe(std::span<const RasterInfo> inputs) override;
  std::uint64_t halo() const override { return options_.radius; }
  /// The sums of 2 radius + 1 rows of a panel: 1 MB at radius 64.
  std::uint64_t local_bytes(std::uint64_t pixels) const override;
  std::unique_ptr<Local> make_local(const Scratch& scratch) const override;
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
               const Context& context) const override;

 private:
  class Workspace;
  template <class Sample, class Out>
  void compute_as(const PixelView& input, const PixelTarget& out, Workspace& workspace) const;
  std::size_t sum_bytes() const { return bytes_of(input_.type) == 8 && !is_floating(input_.type) ? 16 : 8; }
  std::size_t workspace_bytes() const;

  FocalMeanOptions options_;
  RasterInfo input_, output_;
};

}  // namespace weir
