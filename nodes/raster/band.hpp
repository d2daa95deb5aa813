#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nodes/raster/block.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// The decoded chunks that the tiles of one unit are cut from. The blocks overlap nowhere and together cover
/// `window`; they may reach beyond it. They are shared with other units, so nobody writes to them.
struct Band {
  Window window;  ///< in pixels of the whole raster, clipped to it
  std::vector<std::shared_ptr<const Block>> blocks;
};

/// A block that two bands share counts in both.
inline std::uint64_t payload_bytes(const Band& band) {
  std::uint64_t bytes = 0;
  for (const auto& block : band.blocks) bytes += payload_bytes(*block);
  return bytes;
}

}  // namespace weir
