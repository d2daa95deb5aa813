#include "nodes/raster/normalized_difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "framework/error.hpp"

namespace weir {
namespace {

void differences(const double* __restrict positive, const double* __restrict negative, std::size_t count,
                 float nodata, float* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) {
    // 0 / 0 and infinity / infinity are NaN; n / 0 is not.
    const double sum = positive[i] + negative[i], index = (positive[i] - negative[i]) / sum;
    const bool has_data = (index == index) & (sum != 0);
    to[i] = has_data ? static_cast<float>(index) : nodata;
  }
}

}  // namespace

std::vector<Parameter> NormalizedDifference::parameters() {
  return {{.name = "nodata",
           .type = ParameterType::text,
           .help = "what marks pixels without an index, a number or nan",
           .default_value = "-9999"}};
}

NormalizedDifference::NormalizedDifference(const Parameters& parameters)
    : NormalizedDifference(NormalizedDifferenceOptions{parameters.text("nodata")}) {}

RasterInfo NormalizedDifference::describe(std::span<const RasterInfo> inputs) {
  assert(inputs.size() == 2);
  const RasterInfo &positive = inputs[0], &negative = inputs[1];
  const auto size_of = [](const RasterInfo& info) {
    return fmt::format("{} x {} pixels of {} sample{}", info.width, info.height, info.samples,
                       info.samples == 1 ? "" : "s");
  };
  if (size_of(positive) != size_of(negative))
    throw Error::usage("compute", "the normalized difference",
                       fmt::format("positive has {}, negative has {}", size_of(positive), size_of(negative)));
  check_nodata("compute the normalized difference", options_.nodata, SampleType::float32);
  positive_nodata_ = nodata_sample(positive);
  negative_nodata_ = nodata_sample(negative);
  RasterInfo info = computed_from(positive, SampleType::float32);
  info.nodata = options_.nodata;
  nodata_ = nodata_of<float>(info);
  return info;
}

void NormalizedDifference::compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*,
                                   const Context&) const {
  double positive[panel_width], negative[panel_width];
  float index[panel_width];
  for (std::uint32_t sample = 0; sample < out.samples; ++sample)
    for (std::uint64_t row = 0; row < out.window.height; ++row)
      for (std::uint64_t col = 0; col < out.window.width; col += panel_width) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(panel_width, out.window.width - col));
        read_row(inputs[0], positive_nodata_, row, col, count, sample, positive);
        read_row(inputs[1], negative_nodata_, row, col, count, sample, negative);
        differences(positive, negative, count, nodata_, index);
        put_row(out, row, col, count, sample, index);
      }
}

}  // namespace weir
