#include "pipelines/command/sample_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace weir::command {
namespace {

constexpr std::uint16_t palette = 3, color_map_tag = 320;

/// TIFF 6.0 and its technical notes; empty where they do not name it.
std::string_view photometric_name(std::uint16_t photometric) {
  switch (photometric) {
    case 0:
      return "grey, 0 is white";
    case 1:
      return "grey, 0 is black";
    case 2:
      return "RGB";
    case palette:
      return "a palette";
    case 4:
      return "a transparency mask";
    case 5:
      return "separated inks (CMYK)";
    case 6:
      return "YCbCr";
    case 8:
      return "CIE L*a*b*";
    case 9:
      return "ICC L*a*b*";
    case 10:
      return "ITU L*a*b*";
    default:
      return {};
  }
}

/// ExtraSamples (338).
std::string_view extra_name(std::uint16_t extra) {
  return extra == 1 ? "premultiplied alpha" : extra == 2 ? "alpha" : "another sample";
}

}  // namespace

std::string stored_as(const TiffLayout& layout) {
  switch (layout.samples.storage) {
    case SampleStorage::plain:
      return {};
    case SampleStorage::half:
      return ", stored as float16";
    case SampleStorage::packed_bits:
      return fmt::format(", stored in {} bit{}", layout.samples.bits, layout.samples.bits == 1 ? "" : "s");
  }
  return {};
}

std::string photometric_text(const RasterInfo& info) {
  std::string text = fmt::format("{}", info.photometric);
  if (const std::string_view name = photometric_name(info.photometric); !name.empty())
    text += fmt::format(", {}", name);
  const auto map = std::ranges::find(info.tags, color_map_tag, &RawTag::id);
  if (info.photometric == palette && map != info.tags.end())
    text += fmt::format(" of {} colours", map->count / 3);
  // In runs: a file may have thousands.
  for (std::size_t i = 0, end = 0; i < info.extra_samples.size(); i = end) {
    while (end < info.extra_samples.size() && info.extra_samples[end] == info.extra_samples[i]) ++end;
    text += end - i == 1 ? fmt::format(", and {}", extra_name(info.extra_samples[i]))
                         : fmt::format(", and {} x {}", end - i, extra_name(info.extra_samples[i]));
  }
  return text;
}

}  // namespace weir::command
