#include "nodes/raster/hillshade.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cmath>
#include <numbers>

#include "framework/error.hpp"

namespace weir {
namespace {

struct Light {
  float east, north, up;
};

/// The cosine between the light and the surface's normal (-east, -north, 1), times 254.
void shades(const float* __restrict east, const float* __restrict north, std::size_t count,
            const Light& light, std::uint8_t* __restrict to) {
  const float light_east = light.east, light_north = light.north, light_up = light.up;
  for (std::size_t i = 0; i < count; ++i) {
    const float length = std::sqrt(1 + (east[i] * east[i] + north[i] * north[i]));
    const float shade = (light_up - (light_east * east[i] + light_north * north[i])) / length;
    const float lit = shade > 0 ? shade : 0;
    const float rounded = shade == shade ? lit + 1.5F : 0;  // 1 in the shade; half up
    to[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(rounded));
  }
}

HillshadeOptions hillshade_options(const Parameters& parameters) {
  HillshadeOptions options;
  options.azimuth = parameters.number("azimuth");
  options.altitude = parameters.number("altitude");
  options.gradient = gradient_options(parameters);
  return options;
}

}  // namespace

std::vector<Parameter> Hillshade::parameters() {
  std::vector<Parameter> declared = gradient_parameters();
  declared.insert(declared.begin(), {{.name = "azimuth",
                                      .type = ParameterType::number,
                                      .help = "where the light is, clockwise from north",
                                      .default_value = "315",
                                      .unit = "degrees",
                                      .least = 0,
                                      .most = 360},
                                     {.name = "altitude",
                                      .type = ParameterType::number,
                                      .help = "how high the light is above the horizon",
                                      .default_value = "45",
                                      .unit = "degrees",
                                      .least = 0,
                                      .most = 90}});
  return declared;
}

Hillshade::Hillshade(const HillshadeOptions& options) : options_(options.gradient) {
  if (!(options.azimuth >= 0 && options.azimuth <= 360 && options.altitude >= 0 && options.altitude <= 90))
    throw Error::usage("compute hillshade",
                       fmt::format("with azimuth {} and altitude {}", options.azimuth, options.altitude),
                       "they are degrees from 0 to 360 and from 0 to 90");
  constexpr double radians = std::numbers::pi / 180;
  const double azimuth = options.azimuth * radians, altitude = options.altitude * radians;
  east_ = static_cast<float>(254 * std::sin(azimuth) * std::cos(altitude));
  north_ = static_cast<float>(254 * std::cos(azimuth) * std::cos(altitude));
  up_ = static_cast<float>(254 * std::sin(altitude));
}

Hillshade::Hillshade(const Parameters& parameters) : Hillshade(hillshade_options(parameters)) {}

RasterInfo Hillshade::describe(std::span<const RasterInfo> inputs) {
  assert(inputs.size() == 1);
  gradient_ = HornGradient(inputs[0], options_, "compute hillshade");
  RasterInfo info = computed_from(inputs[0], SampleType::uint8);
  info.nodata = "0";
  return info;
}

void Hillshade::compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*,
                        const Context&) const {
  gradient_.each_row(inputs[0], out,
                     [&](std::uint64_t row, std::uint64_t col, std::uint32_t sample, std::size_t count,
                         const float* east, const float* north) {
                       std::uint8_t shade[panel_width];
                       shades(east, north, count, {east_, north_, up_}, shade);
                       put_row(out, row, col, count, sample, shade);
                     });
}

}  // namespace weir
