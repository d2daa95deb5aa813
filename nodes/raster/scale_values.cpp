#include "nodes/raster/scale_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <concepts>
#include <limits>

#include "framework/error.hpp"

namespace weir {
namespace {

__extension__ using Int128 = __int128;

template <class Out>
void scale_row(const double* __restrict from, std::size_t count, double scale, double offset, Out none,
               Out* __restrict to) {
  using Limits = std::numeric_limits<Out>;
  for (std::size_t i = 0; i < count; ++i) {
    const double value = from[i] * scale + offset;
    const bool has_data = value == value;
    if constexpr (std::floating_point<Out>) {
      constexpr double most = Limits::max(), infinity = std::numeric_limits<double>::infinity();
      const double below = value > most && value < infinity ? most : value;
      const double clipped = below < -most && below > -infinity ? -most : below;
      to[i] = has_data ? static_cast<Out>(clipped) : none;
    } else if constexpr (sizeof(Out) <= 4) {
      constexpr double least = Limits::min(), most = Limits::max();
      constexpr double rounder = 6755399441055744;  // 1.5 * 2^52: leaves no bits for a fraction, ties to even
      const double known = has_data ? value : 0;
      const double below = known > most ? most : known;
      const double clipped = below < least ? least : below;
      const Out whole = static_cast<Out>((clipped + rounder) - rounder);
      to[i] = has_data ? whole : none;
    } else {
      constexpr double least = static_cast<double>(Limits::min());  // exact
      const double end = std::ldexp(1.0, Limits::digits);           // the first that is too large, exact
      const double whole = std::nearbyint(value);
      to[i] = !has_data        ? none
              : whole >= end   ? Limits::max()
              : whole <= least ? Limits::min()
                               : static_cast<Out>(whole);
    }
  }
}

template <class Sample, class Out>
void shift_row(const Sample* from, std::size_t count, std::int64_t offset, const NodataSample& nodata,
               Out none, Out* to) {
  using Limits = std::numeric_limits<Out>;
  const Sample missing = nodata.as<Sample>();
  for (std::size_t i = 0; i < count; ++i) {
    const Int128 value = static_cast<Int128>(from[i]) + offset;
    to[i] = nodata.is_set && from[i] == missing
                ? none
                : static_cast<Out>(std::clamp<Int128>(value, Limits::min(), Limits::max()));
  }
}

ScaleValuesOptions scale_options(const Parameters& parameters) {
  ScaleValuesOptions options;
  options.scale = parameters.number("scale");
  options.offset = parameters.number("offset");
  if (parameters.has("sample_type")) options.type = sample_type_named(parameters.text("sample_type"));
  if (parameters.has("nodata")) options.nodata = parameters.text("nodata");
  return options;
}

}  // namespace

std::vector<Parameter> ScaleValues::parameters() {
  std::vector<std::string> types;
  for (const SampleType type : arithmetic_sample_types) types.emplace_back(name_of(type));
  return {
      {.name = "scale",
       .type = ParameterType::number,
       .help = "values are multiplied by it",
       .default_value = "1"},
      {.name = "offset", .type = ParameterType::number, .help = "added after that", .default_value = "0"},
      {.name = "sample_type",
       .type = ParameterType::choice,
       .help = "of the output, which values are rounded and clipped to; default: the input's",
       .choices = types},
      {.name = "nodata",
       .type = ParameterType::text,
       .help = "of the output, a number or nan; default: the input's where the type can hold it, else nan"},
  };
}

ScaleValues::ScaleValues(const ScaleValuesOptions& options) : options_(options) {
  if (!std::isfinite(options.scale) || !std::isfinite(options.offset))
    throw Error::usage("scale values", fmt::format("by {} with offset {}", options.scale, options.offset),
                       "they are not finite");
}

ScaleValues::ScaleValues(const Parameters& parameters) : ScaleValues(scale_options(parameters)) {}

RasterInfo ScaleValues::describe(std::span<const RasterInfo> inputs) {
  assert(inputs.size() == 1);
  input_ = inputs[0];
  nodata_ = nodata_sample(input_);
  const SampleType type = options_.type.value_or(input_.type);
  output_ = computed_from(input_, type);
  output_.nodata = output_nodata(input_, type, options_.nodata, "scale values");
  is_shift_ = !is_floating(input_.type) && !is_floating(type) &&
              (bytes_of(input_.type) == 8 || bytes_of(type) == 8) && options_.scale == 1 &&
              options_.offset == std::trunc(options_.offset) && std::fabs(options_.offset) < 0x1p63;
  return output_;
}

void ScaleValues::compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*,
                          const Context&) const {
  const PixelView& input = inputs[0];
  const auto each_run = [&](const auto& compute_run) {
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < out.window.height; ++row)
        for (std::uint64_t col = 0; col < out.window.width; col += panel_width)
          compute_run(row, col,
                      static_cast<std::size_t>(std::min<std::uint64_t>(panel_width, out.window.width - col)),
                      sample);
  };
  with_sample_type(output_.type, [&](auto out_zero) {
    using Out = decltype(out_zero);
    const Out none = nodata_of<Out>(output_);
    Out scaled[panel_width];
    if constexpr (std::integral<Out>)
      if (is_shift_)
        return with_sample_type(input_.type, [&](auto zero) {
          using Sample = decltype(zero);
          if constexpr (std::integral<Sample>) {
            Sample samples[panel_width];
            each_run([&](std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample) {
              copy_row(input, row, col, count, sample, samples);
              shift_row(samples, count, static_cast<std::int64_t>(options_.offset), nodata_, none, scaled);
              put_row(out, row, col, count, sample, scaled);
            });
          }
        });
    double samples[panel_width];
    each_run([&](std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample) {
      read_row(input, nodata_, row, col, count, sample, samples);
      scale_row(samples, count, options_.scale, options_.offset, none, scaled);
      put_row(out, row, col, count, sample, scaled);
    });
  });
}

}  // namespace weir
