#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "framework/buffer.hpp"
#include "nodes/raster/statistics.hpp"

namespace weir {

/// A run of consecutive compressed tiles (or strips), as the encoder makes them and the file takes them. File
/// order: tile row, then plane (where samples lie in separate planes), then tile column. Where the raster has a mask, the
/// tiles of its last plane bring that of theirs: tile, mask, next tile, mask ...
struct EncodedTiles {
  std::uint64_t first_tile = 0;      ///< index of the first one, in file order; masks do not count
  std::vector<std::uint32_t> sizes;  ///< bytes of each tile (and mask); 0: sparse, nothing is stored
  Buffer bytes;                      ///< the tiles back to back; its size is the sum of `sizes`
  bool has_masks = false;
  Buffer statistics = {};  ///< a SampleStatistics for each sample of each tile, or nothing

  std::uint64_t count() const { return sizes.size() / (has_masks ? 2 : 1); }  ///< tiles, without masks
  std::span<const SampleStatistics> measured() const {
    return {reinterpret_cast<const SampleStatistics*>(statistics.data()),
            statistics.size() / sizeof(SampleStatistics)};
  }
};
static_assert(std::is_trivially_copyable_v<SampleStatistics> &&
              std::is_trivially_destructible_v<SampleStatistics>);

inline std::uint64_t payload_bytes(const EncodedTiles& tiles) {
  return tiles.bytes.size() + tiles.statistics.size();
}
/// By their places in the file: "tile 17", "tiles 16 to 19".
inline std::string item_name(const EncodedTiles& tiles) {
  const std::string first = std::to_string(tiles.first_tile);
  if (tiles.count() <= 1) return "tile " + first;
  return "tiles " + first + " to " + std::to_string(tiles.first_tile + tiles.count() - 1);
}

}  // namespace weir
