#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "nodes/tiff/tiff_front.hpp"

namespace weir {

/// The offset and byte-count arrays of one image while its tiles are written. They can have tens of millions of entries, and
/// go to the file through one small window per plane. One thread at a time.
class StrileEntries {
 public:
  /// Puts bytes at a place of the file; that can be inside of the front.
  using Patch = std::function<void(std::uint64_t offset, std::span<const std::byte> bytes)>;

  explicit StrileEntries(const TiffFront::Image& image);
  /// What it keeps.
  static std::uint64_t standing_bytes(const TiffFront::Image& image);

  std::uint64_t count() const { return offsets_.count; }
  std::uint64_t next() const { return next_; }  ///< the tile that is due, in file order (see EncodedTiles)
  std::uint64_t missing() const { return count() - next_; }
  bool is_in_last_plane() const { return plane_ + 1 == tiles_.planes; }       ///< the tile that is due
  std::uint32_t plane() const { return static_cast<std::uint32_t>(plane_); }  ///< of that tile
  std::uint64_t max_tile_bytes() const { return max_tile_bytes_; }

  /// Enters the tile that is due; windows go to the file when they are full or the plane ends. Without bytes it is sparse:
  /// offset and count are 0, as GDAL writes and reads it.
  void enter(std::uint64_t offset, std::uint32_t bytes, const Patch& patch);

 private:
  TileLayout tiles_;
  std::uint64_t max_tile_bytes_, window_entries_;  // of each plane
  TiffDirectoryBuilder::Array offsets_, byte_counts_;
  std::vector<std::byte> offset_window_, count_window_;  // plane by plane
  std::uint64_t next_ = 0, row_ = 0, plane_ = 0, col_ = 0;
};

}  // namespace weir
