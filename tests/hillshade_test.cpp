#include "nodes/raster/hillshade.hpp"

#include <numbers>

#include "framework/error.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr double radians = std::numbers::pi / 180;

/// 254 times the cosine between light and normal, plus 1, for a gradient to the east and to the north; not
/// yet rounded.
double plain_shade(double east, double north, double azimuth, double altitude) {
  const double light[] = {std::sin(azimuth * radians) * std::cos(altitude * radians),
                          std::cos(azimuth * radians) * std::cos(altitude * radians),
                          std::sin(altitude * radians)};
  const double cosine =
      (light[2] - light[0] * east - light[1] * north) / std::sqrt(1 + east * east + north * north);
  return 1 + 254 * std::max(0.0, cosine);
}

KernelRaster plane(RasterInfo info, float to_right, float downwards) {
  KernelRaster raster(std::move(info));
  for (std::uint64_t row = 0; row < raster.info.height; ++row)
    for (std::uint64_t col = 0; col < raster.info.width; ++col)
      raster.set(row, col, 0, to_right * static_cast<float>(col) + downwards * static_cast<float>(row));
  return raster;
}

std::uint8_t shade_of(const KernelRaster& raster, const HillshadeOptions& options) {
  Hillshade hillshade(options);
  const RasterInfo out = hillshade.describe(std::span(&raster.info, 1));
  return compute_whole(hillshade, {&raster}, out).get<std::uint8_t>(1, 1);
}

KernelRaster terrain(SampleType type) {
  TerrainOptions options;
  options.type = type;
  options.height = 200;
  options.width = 700;
  options.chunk_height = 200;
  options.chunk_width = 700;
  options.holes = true;
  const TerrainSource source(options);
  const Block block = source.decode({0, 0}, {}, nullptr, {});
  KernelRaster raster(source.info());
  std::memcpy(raster.bytes.data(), block.data.data(), raster.bytes.size());
  return raster;
}

}  // namespace

TEST_CASE("a plane is lit as its slope and the light say, from every side") {
  for (const double azimuth : {0.0, 45.0, 90.0, 135.0, 200.0, 315.0, 360.0})
    for (const double altitude : {0.0, 30.0, 45.0, 90.0})
      for (const float east : {-2.0F, -0.5F, 0.0F, 1.0F})
        for (const float north : {-1.0F, 0.0F, 0.7F, 3.0F}) {
          HillshadeOptions options;
          options.azimuth = azimuth;
          options.altitude = altitude;
          const std::uint8_t shade =
              shade_of(plane(kernel_info(3, 3, SampleType::float32), east, -north), options);
          const double wanted =
              plain_shade(static_cast<double>(east), static_cast<double>(north), azimuth, altitude);
          CAPTURE(azimuth);
          CAPTURE(altitude);
          CAPTURE(east);
          CAPTURE(north);
          CHECK(std::fabs(shade - wanted) < 0.501);
        }
}

TEST_CASE("what faces the light is 255, what turns away is 1, and without data it is 0") {
  HillshadeOptions options;
  options.azimuth = 90;
  CHECK(shade_of(plane(kernel_info(3, 3, SampleType::float32), -1, 0), options) == 255);
  CHECK(shade_of(plane(kernel_info(3, 3, SampleType::float32), 1, 0), options) == 1);
  CHECK(shade_of(plane(kernel_info(3, 3, SampleType::float32), 100, 0), options) == 1);
  options.altitude = 90;
  CHECK(shade_of(plane(kernel_info(3, 3, SampleType::float32), 0, 0), options) == 255);
  KernelRaster raster = plane(kernel_info(3, 3, SampleType::float32), 0, 0);
  raster.set(1, 1, 0, std::numeric_limits<float>::quiet_NaN());
  CHECK(shade_of(raster, options) == 0);
  raster = plane(kernel_info(3, 3, SampleType::float32, "0"), 0, 1);
  CHECK(shade_of(raster, options) == 0);
}

TEST_CASE("z_factor, scale and cell size make a plane steeper or flatter") {
  const KernelRaster raster = plane(kernel_info(3, 3, SampleType::float32), 1, -2);
  HillshadeOptions options;
  options.gradient.z_factor = 3;
  CHECK(std::fabs(shade_of(raster, options) - plain_shade(3, 6, 315, 45)) < 0.501);
  options.gradient.scale = 2;
  CHECK(std::fabs(shade_of(raster, options) - plain_shade(1.5, 3, 315, 45)) < 0.501);
  options.gradient.cell_size = 10;
  CHECK(std::fabs(shade_of(raster, options) - plain_shade(0.15, 0.3, 315, 45)) < 0.501);
}

TEST_CASE("a raster that is stored upside down is lit from the same side of the world") {
  RasterInfo info = kernel_info(3, 3, SampleType::float32);
  info.georeferencing.transformation = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  CHECK(std::fabs(shade_of(plane(info, 1, 2), HillshadeOptions{}) - plain_shade(1, 2, 315, 45)) < 0.501);
  info.georeferencing.transformation[5] = -1;
  CHECK(std::fabs(shade_of(plane(info, 1, -2), HillshadeOptions{}) - plain_shade(1, 2, 315, 45)) < 0.501);
}

TEST_CASE("a negative pixel scale is north-up, as for GDAL") {
  RasterInfo info = kernel_info(3, 3, SampleType::float32);
  info.georeferencing.pixel_scale = {1, -1, 0};
  CHECK(std::fabs(shade_of(plane(info, 1, -2), HillshadeOptions{}) - plain_shade(1, 2, 315, 45)) < 0.501);
}

TEST_CASE("hillshade has the same bits in any windows, for all types") {
  for (const SampleType type : arithmetic_sample_types)
    for (const bool compute_edges : {false, true}) {
      CAPTURE(name_of(type));
      const KernelRaster raster = terrain(type);
      HillshadeOptions options;
      options.gradient.compute_edges = compute_edges;
      Hillshade hillshade(options);
      const RasterInfo out = hillshade.describe(std::span(&raster.info, 1));
      CHECK(out.type == SampleType::uint8);
      CHECK(out.nodata == "0");
      const KernelRaster whole = compute_whole(hillshade, {&raster}, out);
      CHECK((whole.get<std::uint8_t>(0, 5) == 0) == !compute_edges);
      std::size_t lit = 0;
      for (std::uint64_t row = 0; row < out.height; ++row)
        for (std::uint64_t col = 0; col < out.width; ++col) lit += whole.get<std::uint8_t>(row, col) != 0;
      CHECK(lit > out.height * out.width / 4);
      std::mt19937 random(4);
      for (int i = 0; i < 5; ++i) CHECK(has_same_bits_in_windows(hillshade, {&raster}, whole, random));
    }
}

TEST_CASE("a light below the horizon is refused") {
  HillshadeOptions options;
  options.altitude = -1;
  CHECK_THROWS_WITH_AS(Hillshade{options},
                       "cannot compute hillshade with azimuth 315 and altitude -1: they are degrees from 0 "
                       "to 360 and from 0 to 90",
                       Error);
  CHECK_THROWS_AS(Parameters(Hillshade::parameters(), {{"altitude", "91"}}), Error);
  Hillshade made(Parameters(Hillshade::parameters(), {{"azimuth", "90"}, {"z_factor", "2"}}));
  const KernelRaster raster = plane(kernel_info(3, 3, SampleType::float32), -0.5F, 0);
  const RasterInfo out = made.describe(std::span(&raster.info, 1));
  CHECK(compute_whole(made, {&raster}, out).get<std::uint8_t>(1, 1) == 255);
}
