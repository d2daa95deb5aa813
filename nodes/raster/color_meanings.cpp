#include "nodes/raster/color_meanings.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

namespace weir {
namespace {

constexpr std::string_view role = "colorinterp", interpretation_item = "COLORINTERP";  // as GDAL writes them
constexpr std::string_view rgb_names[] = {"Red", "Green", "Blue"},
                           ink_names[] = {"Cyan", "Magenta", "Yellow", "Black"};
constexpr std::string_view no_color[] = {"Gray", "Palette", "Undefined"};
constexpr std::uint16_t gdal_metadata_tag = 42112, color_map_tag = 320, type_short = 3;

std::span<const std::string_view> names_of(std::uint16_t photometric) {
  if (photometric == 2) return rgb_names;
  if (photometric == 5) return ink_names;
  return {};  // greys, palettes; Lab, whose parts GDAL has no words for
}

bool is_about_color(const MetadataItem& item) {
  return item.sample && item.role == role;
}

/// Without the items.
std::vector<std::string> implied(const RasterInfo& info) {
  std::vector<std::string> meanings(info.samples);
  const std::span<const std::string_view> names = names_of(info.photometric);
  const std::uint32_t colors = std::min(color_samples(info.photometric), info.samples);
  for (std::uint32_t i = 0; i < info.samples; ++i) {
    if (i < colors && i < names.size()) meanings[i] = names[i];
    if (i >= colors && extra_sample(info, i) != 0) meanings[i] = "Alpha";
  }
  return meanings;
}

/// All reds, all greens, all blues; empty where there is none that the type can index.
std::vector<std::uint16_t> color_table(const RasterInfo& info) {
  const bool takes_one = info.photometric <= 1 || info.photometric == 3;
  if (!takes_one || bytes_of(info.type) > 2 || is_floating(info.type)) return {};
  const std::uint64_t colors = std::uint64_t{1} << (8 * bytes_of(info.type));
  for (const RawTag& tag : info.tags) {
    const bool is_one = tag.id == color_map_tag && tag.type == type_short && tag.count > 0 &&
                        tag.count % 3 == 0 && tag.count / 3 <= colors && tag.bytes.size() == tag.count * 2;
    if (!is_one) continue;
    std::vector<std::uint16_t> table(tag.count);
    std::memcpy(table.data(), tag.bytes.data(), tag.bytes.size());
    return table;
  }
  return {};
}

}  // namespace

std::uint32_t color_samples(std::uint16_t photometric) {
  switch (photometric) {
    case 0:  // MinIsWhite
    case 1:  // MinIsBlack
    case 3:  // palette
      return 1;
    case 2:   // RGB
    case 6:   // YCbCr
    case 8:   // CIE L*a*b*
    case 9:   // ICC L*a*b*
    case 10:  // ITU L*a*b*
      return 3;
    case 5:  // separated: CMYK
      return 4;
    default:
      return 0;
  }
}

bool has_color_table(const RasterInfo& info) {
  return !color_table(info).empty();
}

bool has_grey_ramp(const RasterInfo& info) {
  const std::vector<std::uint16_t> table = color_table(info);
  const std::size_t shades = table.size() / 3;
  if (shades < 2) return false;
  const auto is_ramp = [&](bool is_down) {
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::size_t shade = is_down ? shades - 1 - i % shades : i % shades;
      if (table[i] != shade * 65535 / (shades - 1)) return false;
    }
    return true;
  };
  return is_ramp(false) || is_ramp(true);
}

std::uint16_t extra_sample(const RasterInfo& info, std::uint32_t sample) {
  const std::size_t from_end = info.samples - sample;
  return from_end <= info.extra_samples.size() ? info.extra_samples[info.extra_samples.size() - from_end]
                                               : std::uint16_t{0};
}

std::vector<std::string> color_meanings(const RasterInfo& info) {
  std::vector<std::string> meanings = implied(info);
  for (const MetadataItem& item : info.metadata)
    if (is_about_color(item) && *item.sample < info.samples)
      meanings[*item.sample] = std::ranges::find(no_color, item.text) == std::end(no_color) ? item.text : "";
  return meanings;
}

void say_color_meanings(RasterInfo& info, const std::vector<std::string>& meanings) {
  std::erase_if(info.metadata, is_about_color);
  if (std::ranges::find(info.tags, gdal_metadata_tag, &RawTag::id) != info.tags.end()) return;
  const std::vector<std::string> without = implied(info);
  for (std::uint32_t i = 0; i < info.samples; ++i)
    if (meanings[i] != without[i])
      info.metadata.push_back({std::string(interpretation_item),
                               meanings[i].empty() ? "Undefined" : meanings[i], i, std::string(role), ""});
}

}  // namespace weir
