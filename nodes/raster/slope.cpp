#include "nodes/raster/slope.hpp"

#include <cassert>
#include <cmath>
#include <numbers>

namespace weir {
namespace {

/// The arc tangent of t >= 0. Above 1 it is the right angle less that of 1 / t, and up to there a polynomial
/// is within 1.7e-8 of atan(x) / x (minimax in x^2, eight coefficients). Without branches, so that compilers
/// make vectors of it; libm's atanf takes three times as long. NaN comes out as some number.
inline float arc_tangent(float t) {
  const float low = t < 1.0F ? t : 1.0F, high = t > 1.0F ? t : 1.0F;
  const float x = low / high, z = x * x;
  float p = 0.002920691317F;
  p = p * z - 0.01636792465F;
  p = p * z + 0.04321185585F;
  p = p * z - 0.07552213904F;
  p = p * z + 0.1066600448F;
  p = p * z - 0.1421105527F;
  p = p * z + 0.1999377283F;
  p = p * z - 0.3333315274F;
  const float angle = x + x * z * p;
  return t > 1.0F ? std::numbers::pi_v<float> / 2 - angle : angle;
}

/// `factor`: of the angle, or of the tangent where is_angle is false.
template <bool is_angle>
void slopes(const float* __restrict east, const float* __restrict north, std::size_t count, float factor,
            float nodata, float* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) {
    const float tangent = std::sqrt(east[i] * east[i] + north[i] * north[i]);
    const float slope = factor * (is_angle ? arc_tangent(tangent) : tangent);
    to[i] = tangent == tangent ? slope : nodata;
  }
}

SlopeOptions slope_options(const Parameters& parameters) {
  SlopeOptions options;
  const std::string& unit = parameters.text("unit");
  options.unit = unit == "percent"   ? SlopeUnit::percent
                 : unit == "radians" ? SlopeUnit::radians
                                     : SlopeUnit::degrees;
  options.nodata = parameters.text("nodata");
  options.gradient = gradient_options(parameters);
  return options;
}

}  // namespace

std::vector<Parameter> Slope::parameters() {
  std::vector<Parameter> declared = gradient_parameters();
  declared.insert(declared.begin(), {.name = "unit",
                                     .type = ParameterType::choice,
                                     .help = "of the slope: an angle, or rise by run times 100",
                                     .default_value = "degrees",
                                     .choices = {"degrees", "percent", "radians"}});
  declared.push_back({.name = "nodata",
                      .type = ParameterType::text,
                      .help = "what marks pixels without a slope, a number or nan",
                      .default_value = "-9999"});
  return declared;
}

Slope::Slope(const Parameters& parameters) : Slope(slope_options(parameters)) {}

RasterInfo Slope::describe(std::span<const RasterInfo> inputs) {
  assert(inputs.size() == 1);
  check_nodata("compute slope", options_.nodata, SampleType::float32);
  gradient_ = HornGradient(inputs[0], options_.gradient, "compute slope");
  RasterInfo info = computed_from(inputs[0], SampleType::float32);
  info.nodata = options_.nodata;
  nodata_ = nodata_of<float>(info);
  return info;
}

void Slope::compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*, const Context&) const {
  gradient_.each_row(inputs[0], out,
                     [&](std::uint64_t row, std::uint64_t col, std::uint32_t sample, std::size_t count,
                         const float* east, const float* north) {
                       float slope[panel_width];
                       switch (options_.unit) {
                         case SlopeUnit::degrees:
                           slopes<true>(east, north, count, 180 / std::numbers::pi_v<float>, nodata_, slope);
                           break;
                         case SlopeUnit::percent:
                           slopes<false>(east, north, count, 100, nodata_, slope);
                           break;
                         case SlopeUnit::radians:
                           slopes<true>(east, north, count, 1, nodata_, slope);
                           break;
                       }
                       put_row(out, row, col, count, sample, slope);
                     });
}

}  // namespace weir
