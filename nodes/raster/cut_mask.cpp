#include "nodes/raster/cut_mask.hpp"

#include <bit>
#include <cassert>
#include <cstring>

namespace weir {
namespace {

static_assert(std::endian::native == std::endian::little, "eight bytes become bits in the order of memory");

/// The top bits of eight bytes, the first byte's on top: each product's bit 8i + 9m lands in the top byte just once, for
/// m = 7 - i, and no two products meet, so nothing carries.
std::byte gather(const std::byte* eight) {
  std::uint64_t word = 0;
  std::memcpy(&word, eight, sizeof word);
  return static_cast<std::byte>((word >> 7 & 0x0101010101010101) * 0x8040201008040201 >> 56);
}

/// Sets the bits of `count` pixels from bit `first` of a row of zeros on.
void set_bits(const std::byte* valid, std::uint64_t count, std::byte* row, std::uint64_t first) {
  const auto set_one = [&](std::uint64_t i) {
    const std::uint64_t bit = first + i;
    row[bit / 8] |= (valid[i] >> 7) << (7 - bit % 8);
  };
  std::uint64_t i = 0;
  while (i < count && (first + i) % 8 != 0) set_one(i++);
  for (; i + 8 <= count; i += 8) row[(first + i) / 8] = gather(valid + i);
  for (; i < count; ++i) set_one(i);
}

}  // namespace

void cut_mask(const Band& band, const Window& tile, std::byte* out) {
  const std::uint64_t row_bytes = mask_row_bytes(tile.width);
  std::memset(out, 0, mask_bytes(tile.height, tile.width));
  const Window inside = intersect(tile, band.window);
  for (const auto& block : band.blocks) {
    assert(block->has_mask());
    const Window part = intersect(inside, block->window);
    for (std::uint64_t row = part.row; row < part.row_end(); ++row)
      set_bits(block->mask_at(row - block->window.row, part.col - block->window.col), part.width,
               out + (row - tile.row) * row_bytes, part.col - tile.col);
  }
}

}  // namespace weir
