#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/gradient.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

enum class SlopeUnit : std::uint8_t { degrees, percent, radians };

struct SlopeOptions {
  SlopeUnit unit = SlopeUnit::degrees;
  std::string nodata = "-9999";  ///< of the output; a number or "nan"
  GradientOptions gradient;
};

/// Steepness of an elevation model, per sample: float32, from Horn's gradient (see HornGradient for edges,
/// nodata, cell size and degrees). As gdaldem slope, but for rounding: within 3e-7 of its value.
class Slope : public TileKernel {
 public:
  static constexpr std::string_view help = "how steep an elevation model is, after Horn, as float32";
  static std::vector<Parameter> parameters();
  explicit Slope(const SlopeOptions& options) : options_(options) {}
  explicit Slope(const Parameters& parameters);

  RasterInfo describe(std::span<const RasterInfo> inputs) override;
  std::uint64_t halo() const override { return HornGradient::halo; }
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
               const Context& context) const override;

 private:
  SlopeOptions options_;
  HornGradient gradient_;
  float nodata_ = 0;
};

}  // namespace weir
