#include "nodes/raster/sample_rows.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"
#include "nodes/raster/half.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {

NodataSample nodata_sample(const RasterInfo& info) {
  NodataSample nodata;
  if (!info.nodata || !is_arithmetic(info.type)) return nodata;
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    const std::optional<Sample> sample = sample_in<Sample>(*info.nodata);
    if (!sample) return;
    nodata.is_set = true;
    std::memcpy(nodata.sample.data(), &*sample, sizeof(Sample));
  });
  return nodata;
}

void require_arithmetic(std::string_view action, const RasterInfo& info) {
  if (!is_arithmetic(info.type))
    throw Error::usage(action, fmt::format("{} samples", name_of(info.type)),
                       "it takes integers, float32 and float64: read the raster as one of these");
}

RasterInfo computed_from(const RasterInfo& input, SampleType type) {
  RasterInfo info;
  info.height = input.height;
  info.width = input.width;
  info.samples = input.samples;
  info.type = type;
  info.georeferencing = input.georeferencing;
  info.metadata = metadata_of_samples(without_statistics(input.metadata), {});
  info.axis_names = input.axis_names;
  if (input.photometric == 2) {  // colours stay colours
    info.photometric = 2;
    info.extra_samples = input.extra_samples;
    return info;
  }
  // TIFF 6.0 page 31: samples beyond those of the photometric interpretation (1 for MinIsBlack) are extra
  // ones; 0 is unspecified data.
  info.extra_samples.assign(input.samples - 1, 0);
  return info;
}

bool can_hold(SampleType type, const std::string& number) {
  if (type == SampleType::float16) {  // exactly: the text is what readers compare with
    const std::optional<double> value = number_in<double>(number);
    return value &&
           (*value != *value || float_from_half(half_from_float(static_cast<float>(*value))) == *value);
  }
  if (!is_arithmetic(type)) return number_in<double>(number).has_value();
  return with_sample_type(type, [&](auto zero) { return sample_in<decltype(zero)>(number).has_value(); });
}

void check_nodata(std::string_view action, const std::string& text, SampleType type) {
  if (!can_hold(type, text))
    throw Error::usage(action, "with nodata " + text, fmt::format("{} has no such value", name_of(type)));
}

void replace_nodata(RasterInfo& info, const std::string& nodata) {
  if (info.nodata == nodata) return;
  info.nodata = nodata;
  if (!info.nodata_value())
    throw Error::usage("use", "nodata value '" + nodata + "'", "it is neither a number nor nan");
  info.metadata = without_statistics(std::move(info.metadata));
  info.attributes = without_statistics(std::move(info.attributes));
}

std::optional<std::string> output_nodata(const RasterInfo& input, SampleType type,
                                         const std::optional<std::string>& given, std::string_view action) {
  if (given) check_nodata(action, *given, type);
  if (given || !input.nodata || can_hold(type, *input.nodata)) return given ? given : input.nodata;
  if (is_floating(type)) return "nan";
  if (!can_hold(input.type, *input.nodata)) return std::nullopt;  // no pixel of the input has it
  throw Error::usage(action, "with nodata " + *input.nodata,
                     fmt::format("{} has no such value; give another nodata", name_of(type)));
}

}  // namespace weir
