#include "nodes/raster/cut_mask.hpp"

#include <doctest/doctest.h>

#include <random>

#include "framework/context.hpp"

namespace weir {
namespace {

/// A band of blocks of irregular widths with a random mask, cut from (row, col) on; and the mask itself, row-major.
struct MadeBand {
  Band band;
  std::vector<std::byte> mask;

  MadeBand(const Window& window, std::mt19937& random) : mask(window.height * window.width) {
    for (std::byte& valid : mask) valid = random() % 3 == 0 ? std::byte{0} : std::byte{255};
    band.window = window;
    for (std::uint64_t row = 0, height = 0; row < window.height; row += height) {
      height = std::min<std::uint64_t>(1 + random() % 9, window.height - row);
      for (std::uint64_t col = 0, width = 0; col < window.width; col += width) {
        width = std::min<std::uint64_t>(1 + random() % 23, window.width - col);
        const std::uint64_t stride = width + random() % 3;
        auto block = std::make_shared<Block>(
            interleaved_block({window.row + row, window.col + col, height, width}, SampleType::uint8, 1,
                              Context().buffer(height * width + height * stride)));
        block->mask_offset = height * width;
        block->mask_row_stride = stride;
        for (std::uint64_t r = 0; r < height; ++r)
          for (std::uint64_t c = 0; c < width; ++c)
            *block->mask_at(r, c) = mask[(row + r) * window.width + col + c];
        band.blocks.push_back(std::move(block));
      }
    }
  }
};

TEST_CASE("mask bits are those of the pixels, most significant first, and the overhang is masked") {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const Window window{random() % 5, random() % 40, 1 + random() % 30, 1 + random() % 70};
    const MadeBand made(window, random);
    const Window tile{window.row + random() % window.height, window.col + random() % window.width,
                      1 + random() % 40, 1 + random() % 80};
    // What was there does not shine through.
    std::vector<std::byte> bits(mask_bytes(tile.height, tile.width) + 1, std::byte{0x5a});
    cut_mask(made.band, tile, bits.data());
    CHECK(bits.back() == std::byte{0x5a});
    std::uint64_t wrong = 0;
    for (std::uint64_t row = 0; row < tile.height; ++row)
      for (std::uint64_t col = 0; col < mask_row_bytes(tile.width) * 8; ++col) {
        const std::uint64_t r = tile.row + row - window.row, c = tile.col + col - window.col;
        const bool is_valid = col < tile.width && r < window.height && c < window.width &&
                              made.mask[r * window.width + c] != std::byte{0};
        const std::byte bit =
            bits[row * mask_row_bytes(tile.width) + col / 8] >> (7 - col % 8) & std::byte{1};
        wrong += is_valid != (bit == std::byte{1}) ? 1 : 0;
      }
    CHECK(wrong == 0);
  }
}

}  // namespace
}  // namespace weir
