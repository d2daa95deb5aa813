#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/buffer.hpp"

namespace weir {

/// A run of consecutive compressed tiles (or strips), as the encoder makes them and the file takes them. File
/// order: tile row, then plane (where samples lie in separate planes), then tile column.
struct EncodedTiles {
  std::uint64_t first_tile = 0;      ///< index of the first one, in file order
  std::vector<std::uint32_t> sizes;  ///< bytes of each tile; 0: sparse, nothing is stored
  Buffer bytes;                      ///< the tiles back to back; its size is the sum of `sizes`
};

inline std::uint64_t payload_bytes(const EncodedTiles& tiles) {
  return tiles.bytes.size();
}
/// By their places in the file: "tile 17", "tiles 16 to 19".
inline std::string item_name(const EncodedTiles& tiles) {
  const std::string first = std::to_string(tiles.first_tile);
  if (tiles.sizes.size() <= 1) return "tile " + first;
  return "tiles " + first + " to " + std::to_string(tiles.first_tile + tiles.sizes.size() - 1);
}

}  // namespace weir
