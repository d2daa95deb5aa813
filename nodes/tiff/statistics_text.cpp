#include "nodes/tiff/statistics_text.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cmath>

#include "nodes/raster/metadata.hpp"
#include "nodes/tiff/gdal_metadata.hpp"

namespace weir {
namespace {

// "-2.2250738585072014e-308": no double has a longer shortest text, and no 64-bit integer.
const std::string longest_number(24, '9');

constexpr const char* names[] = {"STATISTICS_MAXIMUM", "STATISTICS_MEAN", "STATISTICS_MINIMUM",
                                 "STATISTICS_STDDEV", "STATISTICS_VALID_PERCENT"};

std::string text_of(const SampleValue& value) {
  return std::visit([](auto number) { return fmt::format("{}", number); }, value);
}

bool is_finite(const SampleValue& value) {
  const double* number = std::get_if<double>(&value);
  return number == nullptr || std::isfinite(*number);
}

/// As GDALRasterBand::SetValidPercent writes it: four digits, and 100 only where all samples have data.
std::string valid_percent(const SampleStatistics& of) {
  if (of.nodata == 0) return "100";
  const double all = static_cast<double>(of.count + of.nodata);
  const std::string text = fmt::format("{:.4g}", 100 * static_cast<double>(of.count) / all);
  return text == "100" ? "99.999" : text;
}

void append(std::vector<MetadataItem>& items, std::uint32_t sample, const SampleStatistics& of) {
  const auto add = [&](const char* name, const std::string& text) {
    items.push_back({name, text, sample, "", ""});
  };
  if (of.count > 0) {
    const double deviation = of.standard_deviation();
    if (is_finite(of.most)) add(names[0], text_of(of.most));
    if (std::isfinite(of.mean)) add(names[1], fmt::format("{}", of.mean));
    if (is_finite(of.least)) add(names[2], text_of(of.least));
    if (std::isfinite(deviation)) add(names[3], fmt::format("{}", deviation));
  }
  add(names[4], valid_percent(of));
}

/// The text with every number at its longest.
std::string longest(const RasterInfo& info) {
  std::vector<MetadataItem> items = without_statistics(info.metadata);
  for (std::uint32_t sample = 0; sample < info.samples; ++sample)
    for (const char* name : names) items.push_back({name, longest_number, sample, "", ""});
  return print_gdal_metadata(items);
}

}  // namespace

StatisticsText::StatisticsText(const RasterInfo& info)
    : others_(without_statistics(info.metadata)), samples_(info.samples), length_(longest(info).size()) {}

std::uint64_t StatisticsText::standing_bytes(const RasterInfo& info) {
  // The items' texts are in the text that is printed of them, too; their structs are not.
  return info.samples * sizeof(SampleStatistics) + info.metadata.size() * sizeof(MetadataItem) +
         longest(info).size();
}

std::string StatisticsText::text() const {
  std::vector<MetadataItem> items = others_;
  for (std::uint32_t sample = 0; sample < samples_.size(); ++sample) append(items, sample, samples_[sample]);
  std::string text = print_gdal_metadata(items);
  assert(text.size() <= length_);
  text.resize(length_, ' ');
  return text;
}

}  // namespace weir
