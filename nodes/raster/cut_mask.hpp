#pragma once

#include <cstddef>
#include <cstdint>

#include "nodes/raster/band.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// Bytes of a row of a bit mask, and of a whole one.
constexpr std::uint64_t mask_row_bytes(std::uint64_t width) {
  return (width + 7) / 8;
}
constexpr std::uint64_t mask_bytes(std::uint64_t height, std::uint64_t width) {
  return height * mask_row_bytes(width);
}

/// The mask of one tile, cut out of a band whose blocks have one: a bit per pixel, 1 where it is valid, the most significant
/// one first; rows begin on bytes. The tile's overhang over the band is 0. `out` holds mask_bytes(tile.height, tile.width).
/// Thread-safe; allocates nothing.
void cut_mask(const Band& band, const Window& tile, std::byte* out);

}  // namespace weir
