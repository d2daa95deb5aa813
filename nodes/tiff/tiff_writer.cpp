#include "nodes/tiff/tiff_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "framework/error.hpp"

namespace weir {
namespace {

// One write of 64 KiB of offsets and one of 32 KiB of counts per 8,192 tiles. All planes together keep four
// times that; with more planes than entries (32,768), one entry each.
constexpr std::uint64_t plane_window_entries = 8192, all_window_entries = 4 * plane_window_entries;

constexpr std::uint64_t largest_classic = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t largest_file = std::numeric_limits<std::int64_t>::max();  // off_t

// The sidecars of `path`; those of the file itself too, where `path` is a link to it.
std::vector<std::string> sidecars(const std::string& path) {
  std::vector<std::string> rasters{path};
  std::error_code ignored;
  if (const auto real = std::filesystem::canonical(path, ignored);
      !ignored && real != std::filesystem::absolute(path))
    rasters.push_back(real);
  std::vector<std::string> names;
  for (const std::string& raster : rasters)
    for (const char* suffix : {".ovr", ".aux.xml", ".msk"}) names.push_back(raster + suffix);
  return names;
}

void remove_sidecars(const std::string& path, FileSystem& files) {
  std::optional<Error> first;
  for (const std::string& name : sidecars(path)) {
    if (files.unlink(name.c_str()) == 0 || errno == ENOENT) continue;
    const std::string reason = system_reason(errno);
    if (!first)
      first = Error("remove", name, fmt::format("{}; it is stale, for {} is new and whole", reason, path));
  }
  if (first) throw *first;
}

}  // namespace

struct TiffWriter::Plan {
  TiffDirectoryBuilder directory;
  TileLayout tiles;
  TiffDirectoryBuilder::Array offsets, byte_counts;
  std::uint64_t front_bytes = 0;  // to the first array
  std::uint64_t data = 0;         // where the tiles start
  std::uint64_t largest = 0;
  std::uint64_t smallest = 0;  // without a codec the pixels' size is known too
  std::uint64_t window_entries = 0;
  std::uint64_t windows = 0;

  Plan(const TiffOutputLayout& layout, bool big) : directory(describe(layout, big)), tiles(layout.tiles()) {
    const std::uint64_t values_end = directory.place(TiffDirectoryBuilder::header_bytes(big));
    // The padding lies before the arrays, so that they end where the tiles start.
    const std::uint64_t arrays = directory.array_bytes();
    data = (values_end + arrays + 15) / 16 * 16;
    front_bytes = data - arrays;
    smallest = data;
    if (layout.codec == CodecId::none)
      smallest += layout.info.height * layout.info.width * layout.info.pixel_bytes();
    directory.place_arrays(front_bytes);
    offsets = directory.array(offsets_tag(layout));
    byte_counts = directory.array(byte_counts_tag(layout));
    const std::uint64_t count = tile_count(layout);
    if (data > largest_file || layout.max_tile_bytes > (largest_file - data) / count)
      throw Error::usage("write", fmt::format("a TIFF of {} tiles", count),
                         fmt::format("{} bytes each are more than a file can hold", layout.max_tile_bytes));
    largest = data + layout.max_tile_bytes * count;
    windows = tiles.planes;
    window_entries = std::clamp<std::uint64_t>(all_window_entries / windows, 1,
                                               std::min(plane_window_entries, count / windows));
  }
};

TiffWriter::Plan TiffWriter::plan(const TiffOutputLayout& layout) {
  check(layout);
  const bool may_be_classic = layout.big != TiffOutputLayout::BigTiff::yes &&
                              (layout.big == TiffOutputLayout::BigTiff::no ||
                               std::ranges::none_of(layout.info.tags, TiffDirectoryBuilder::needs_big));
  if (may_be_classic) {
    Plan classic(layout, false);
    if (classic.largest <= largest_classic) return classic;
    if (layout.big == TiffOutputLayout::BigTiff::no)
      throw Error::usage("write", "a classic TIFF",
                         fmt::format("it could reach {} bytes, and ends at {}; BigTIFF does not",
                                     classic.largest, largest_classic));
  }
  return Plan(layout, true);
}

std::uint64_t TiffWriter::standing_bytes(const TiffOutputLayout& layout) {
  const Plan made = plan(layout);
  return made.front_bytes +
         made.windows * made.window_entries * (made.offsets.value_bytes + made.byte_counts.value_bytes);
}

std::uint64_t TiffWriter::largest_file_bytes(const TiffOutputLayout& layout) {
  return plan(layout).largest;
}

TiffWriter::TiffWriter(const TiffOutputLayout& layout, std::string path, bool overwrite, FileSystem& files)
    : TiffWriter(plan(layout), layout.max_tile_bytes, std::move(path), overwrite, files) {}

TiffWriter::TiffWriter(Plan plan, std::uint64_t max_tile_bytes, std::string path, bool overwrite,
                       FileSystem& files)
    : files_(files),
      file_(std::move(path), overwrite, files),
      is_big_(plan.directory.is_big()),
      tiles_(plan.tiles),
      max_tile_bytes_(max_tile_bytes),
      window_entries_(plan.window_entries),
      offsets_(plan.offsets),
      byte_counts_(plan.byte_counts),
      front_(plan.front_bytes),
      offset_window_(plan.windows * plan.window_entries * plan.offsets.value_bytes),
      count_window_(plan.windows * plan.window_entries * plan.byte_counts.value_bytes),
      end_(plan.data) {
  const std::vector<std::byte> header = TiffDirectoryBuilder::header(is_big_, plan.directory.offset());
  const std::vector<std::byte> directory = plan.directory.encode(0);
  std::ranges::copy(header, front_.begin());
  std::ranges::copy(directory, front_.begin() + static_cast<std::ptrdiff_t>(plan.directory.offset()));
  file_.require_space(plan.smallest);
}

void TiffWriter::write(const EncodedTiles& tiles) {
  const auto refuse = [&](const std::string& reason) {
    throw Error("write", file_.target(), "internal: " + reason);
  };
  if (tiles.first_tile != next_)
    refuse(fmt::format("tile {} came where tile {} was due", tiles.first_tile, next_));
  if (tiles.sizes.size() > offsets_.count - next_)
    refuse(fmt::format("{} tiles came from tile {} on, and there are {}", tiles.sizes.size(), next_,
                       offsets_.count));
  std::uint64_t sum = 0;
  for (const std::uint32_t size : tiles.sizes) {
    if (size > max_tile_bytes_)
      refuse(fmt::format("a tile from tile {} on has {} bytes, and {} is the bound", next_, size,
                         max_tile_bytes_));
    sum += size;
  }
  if (sum != tiles.bytes.size())
    refuse(fmt::format("the tiles from tile {} on have {} bytes, and their sizes say {}", next_,
                       tiles.bytes.size(), sum));
  if (sum > 0) file_.write_at(end_, tiles.bytes.span());
  for (const std::uint32_t size : tiles.sizes) append(size);
}

// Enters the tile that is due into its plane's windows, which go to the file when they are full or the plane
// ends.
void TiffWriter::append(std::uint32_t size) {
  const std::uint64_t in_plane = row_ * tiles_.tile_cols() + col_;
  const std::uint64_t slot = in_plane % window_entries_;
  const std::uint64_t plane_tiles = tiles_.tile_rows() * tiles_.tile_cols();
  const bool is_full = slot + 1 == window_entries_ || in_plane + 1 == plane_tiles;
  const auto enter = [&](std::vector<std::byte>& windows, const TiffDirectoryBuilder::Array& array,
                         std::uint64_t value) {
    std::byte* window = windows.data() + plane_ * window_entries_ * array.value_bytes;
    std::memcpy(window + slot * array.value_bytes, &value,
                array.value_bytes);  // little-endian: low bytes first
    if (is_full)
      patch(array.offset + (plane_ * plane_tiles + in_plane - slot) * array.value_bytes,
            {window, (slot + 1) * array.value_bytes});
  };
  enter(offset_window_, offsets_, size == 0 ? 0 : end_);  // sparse: 0 and 0, as GDAL writes and reads it
  enter(count_window_, byte_counts_, size);
  end_ += size;
  ++next_;
  if (++col_ < tiles_.tile_cols()) return;
  col_ = 0;
  if (++plane_ < tiles_.planes) return;
  plane_ = 0;
  ++row_;
}

// Arrays of one or two values lie in their entry, in the front, which is written last.
void TiffWriter::patch(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (offset < front_.size()) {
    assert(offset + bytes.size() <= front_.size());
    std::ranges::copy(bytes, front_.begin() + static_cast<std::ptrdiff_t>(offset));
  } else {
    file_.write_at(offset, bytes);
  }
}

void TiffWriter::close() {
  if (next_ != offsets_.count)
    throw Error("finish", file_.target(),
                fmt::format("{} of {} tiles are missing", offsets_.count - next_, offsets_.count));
  file_.write_at(0, front_);
  struct ::stat status;
  const bool existed = files_.stat(file_.target().c_str(), &status) == 0;
  // Not knowing would leave the old file's sidecars beside the new one.
  if (!existed && errno != ENOENT) throw Error("look at", file_.target(), system_reason(errno));
  file_.commit();
  if (existed) remove_sidecars(file_.target(), files_);
}

}  // namespace weir
