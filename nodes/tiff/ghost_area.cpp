#include "nodes/tiff/ghost_area.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <string>
#include <string_view>

#include "framework/error.hpp"

namespace weir {
namespace {

constexpr std::string_view start = "GDAL_STRUCTURAL_METADATA_SIZE=";
constexpr std::size_t digits = 6, first_line = 43;  // start, digits, " bytes\n"

/// Shorter where the file ends.
std::string read_text(const ReadableFile& file, std::uint64_t offset, std::size_t bytes) {
  std::string text(bytes, '\0');
  text.resize(file.read_at(offset, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace

GhostArea read_ghost_area(const ReadableFile& file, std::uint64_t header_end) {
  GhostArea area;
  area.end = header_end;
  const std::string line = read_text(file, header_end, first_line);
  if (line.size() < first_line || !line.starts_with(start)) return area;
  std::size_t bytes = 0;  // at most 999999
  const char* number = line.data() + start.size();
  if (const auto [end, error] = std::from_chars(number, number + digits, bytes);
      error != std::errc() || end != number + digits)
    throw Error("read", file.path(),
                "the size of its ghost area (GDAL_STRUCTURAL_METADATA_SIZE) is no number");
  const std::string text = read_text(file, header_end + first_line, bytes);
  if (text.size() != bytes) throw Error("read", file.path(), "it ends inside its ghost area");
  const auto says = [&](std::string_view words) { return text.find(words) != std::string::npos; };
  area.is_there = true;
  area.is_row_major = says("BLOCK_ORDER=ROW_MAJOR");
  area.has_leaders = says("BLOCK_LEADER=SIZE_AS_UINT4");
  area.has_trailers = says("BLOCK_TRAILER=LAST_4_BYTES_REPEATED");
  area.has_interleaved_masks = says("MASK_INTERLEAVED_WITH_IMAGERY=YES");
  area.is_broken_since = says("KNOWN_INCOMPATIBLE_EDITION=YES");
  area.end = header_end + first_line + bytes;
  area.end += area.end % 2;
  return area;
}

}  // namespace weir
