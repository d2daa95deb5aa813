#include "nodes/tiff/strile_entries.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace weir {
namespace {

// One write of 64 KiB of offsets and one of 32 KiB of counts per 8,192 tiles. All planes together keep four
// times that; with more planes than entries (32,768), one entry each.
constexpr std::uint64_t plane_window_entries = 8192, all_window_entries = 4 * plane_window_entries;

std::uint64_t window_entries(const TiffFront::Image& image) {
  const std::uint64_t planes = image.tiles.planes;
  return std::clamp<std::uint64_t>(all_window_entries / planes, 1,
                                   std::min(plane_window_entries, image.offsets.count / planes));
}

}  // namespace

StrileEntries::StrileEntries(const TiffFront::Image& image)
    : tiles_(image.tiles),
      max_tile_bytes_(image.max_tile_bytes),
      window_entries_(window_entries(image)),
      offsets_(image.offsets),
      byte_counts_(image.byte_counts),
      offset_window_(tiles_.planes * window_entries_ * offsets_.value_bytes),
      count_window_(tiles_.planes * window_entries_ * byte_counts_.value_bytes) {}

std::uint64_t StrileEntries::standing_bytes(const TiffFront::Image& image) {
  return image.tiles.planes * window_entries(image) *
         (image.offsets.value_bytes + image.byte_counts.value_bytes);
}

void StrileEntries::enter(std::uint64_t offset, std::uint32_t bytes, const Patch& patch) {
  assert(next_ < count());
  const std::uint64_t in_plane = row_ * tiles_.tile_cols() + col_;
  const std::uint64_t slot = in_plane % window_entries_;
  const std::uint64_t plane_tiles = tiles_.tile_rows() * tiles_.tile_cols();
  const bool is_full = slot + 1 == window_entries_ || in_plane + 1 == plane_tiles;
  const auto put = [&](std::vector<std::byte>& windows, const TiffDirectoryBuilder::Array& array,
                       std::uint64_t value) {
    std::byte* window = windows.data() + plane_ * window_entries_ * array.value_bytes;
    std::memcpy(window + slot * array.value_bytes, &value,
                array.value_bytes);  // little-endian: low bytes first
    if (is_full)
      patch(array.offset + (plane_ * plane_tiles + in_plane - slot) * array.value_bytes,
            {window, (slot + 1) * array.value_bytes});
  };
  put(offset_window_, offsets_, bytes == 0 ? 0 : offset);
  put(count_window_, byte_counts_, bytes);
  ++next_;
  if (++col_ < tiles_.tile_cols()) return;
  col_ = 0;
  if (++plane_ < tiles_.planes) return;
  plane_ = 0;
  ++row_;
}

}  // namespace weir
