#pragma once

#include <cstdint>

#include "framework/file.hpp"

namespace weir {

/// What GDAL's COG driver says of a file's layout between header and first directory
/// (https://gdal.org/drivers/raster/cog.html#header-ghost-area). Where there is no such text, nothing is promised.
struct GhostArea {
  bool is_there = false;
  bool is_row_major = false;  ///< BLOCK_ORDER=ROW_MAJOR: tiles stand in the order of their rows
  bool has_leaders = false;   ///< BLOCK_LEADER=SIZE_AS_UINT4: 4 bytes before a tile, little-endian
  bool has_trailers = false;  ///< BLOCK_TRAILER=LAST_4_BYTES_REPEATED: 4 bytes behind a tile
  bool has_interleaved_masks =
      false;                     ///< MASK_INTERLEAVED_WITH_IMAGERY=YES: a tile's mask is right behind it
  bool is_broken_since = false;  ///< KNOWN_INCOMPATIBLE_EDITION=YES
  std::uint64_t end = 0;         ///< where the first directory should be: at an even byte
};

/// Reads it from behind the header, which ends at `header_end` (8, of a BigTIFF 16). Throws Error where it says that it is there, and
/// its size is no number or goes beyond the end of the file.
GhostArea read_ghost_area(const ReadableFile& file, std::uint64_t header_end);

}  // namespace weir
