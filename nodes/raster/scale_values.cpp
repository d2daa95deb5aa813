#include "nodes/raster/scale_values.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cmath>

#include "framework/error.hpp"
#include "nodes/raster/cast_rows.hpp"

namespace weir {
namespace {

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
  const SampleType type = options_.type.value_or(input_.type);
  output_ = computed_from(input_, type);
  output_.nodata = output_nodata(input_, type, options_.nodata, "scale values");
  return output_;
}

void ScaleValues::compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*,
                          const Context&) const {
  const CastRows cast(input_, output_, NanRule::zero);
  cast(inputs[0], out, {options_.scale, options_.offset});
}

}  // namespace weir
