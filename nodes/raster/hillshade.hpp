#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/gradient.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

struct HillshadeOptions {
  double azimuth = 315;  ///< of the light, degrees clockwise from the raster's upper side, 0 to 360
  double altitude = 45;  ///< of the light above the horizon, degrees, 0 to 90
  GradientOptions gradient;
};

/// An elevation model lit from one side, per sample: uint8, 1 (in the shade) to 255 (facing the light),
/// nodata 0. As gdaldem hillshade, from Horn's gradient (see HornGradient for edges, nodata, cell size and
/// degrees); where rounding decides, a value can be one off. Without georeferencing up is north, which for
/// gdaldem is down.
class Hillshade : public TileKernel {
 public:
  static constexpr std::string_view help = "an elevation model lit from one side, as uint8, 0 is nodata";
  static std::vector<Parameter> parameters();
  /// Throws a usage Error where the light is nowhere in the sky.
  explicit Hillshade(const HillshadeOptions& options);
  explicit Hillshade(const Parameters& parameters);

  RasterInfo describe(std::span<const RasterInfo> inputs) override;
  std::uint64_t halo() const override { return HornGradient::halo; }
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
               const Context& context) const override;

 private:
  GradientOptions options_;
  HornGradient gradient_;
  float east_ = 0, north_ = 0, up_ = 0;  ///< towards the light, length 254
};

}  // namespace weir
