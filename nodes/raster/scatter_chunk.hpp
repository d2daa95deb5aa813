#pragma once

#include <cstring>

#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/copy_pixels.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// Copies the part of a chunk that lies in `window` to its place in the caller's memory, whose pixel (0, 0) is the window's
/// corner. Chunks do not overlap, so many threads may be inside.
class ScatterChunk {
 public:
  /// `mask`: where the mask goes, a byte per pixel; nullptr where it is not wanted.
  ScatterChunk(const Window& window, std::byte* target, const PixelStrides& strides,
               std::byte* mask = nullptr, std::size_t mask_row_stride = 0)
      : window_(window), target_(target), strides_(strides), mask_(mask), mask_row_stride_(mask_row_stride) {}

  void operator()(const DecodedChunk& chunk) const {
    const Block& block = chunk.block;
    const Window part = intersect(block.window, window_);
    const std::byte* from = block.at(part.row - block.window.row, part.col - block.window.col);
    std::byte* to =
        target_ + (part.row - window_.row) * strides_.row + (part.col - window_.col) * strides_.pixel;
    copy_pixels(from, {block.row_stride, block.pixel_stride, block.sample_stride}, to, strides_, part.height,
                part.width, block.samples, bytes_of(block.type));
    if (mask_ == nullptr) return;
    std::byte* to_mask = mask_ + (part.row - window_.row) * mask_row_stride_ + part.col - window_.col;
    for (std::uint64_t row = 0; row < part.height; ++row, to_mask += mask_row_stride_) {
      if (block.has_mask())
        std::memcpy(to_mask, block.mask_at(part.row + row - block.window.row, part.col - block.window.col),
                    part.width);
      else
        std::memset(to_mask, 255, part.width);
    }
  }

 private:
  Window window_;
  std::byte* target_;
  PixelStrides strides_;
  std::byte* mask_;
  std::size_t mask_row_stride_;
};

}  // namespace weir
