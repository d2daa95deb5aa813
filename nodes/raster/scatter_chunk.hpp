#pragma once

#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/copy_pixels.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// Copies the part of a chunk that lies in `window` to its place in the caller's memory, whose pixel (0, 0) is the window's
/// corner. Chunks do not overlap, so many threads may be inside.
class ScatterChunk {
 public:
  ScatterChunk(const Window& window, std::byte* target, const PixelStrides& strides)
      : window_(window), target_(target), strides_(strides) {}

  void operator()(const DecodedChunk& chunk) const {
    const Block& block = chunk.block;
    const Window part = intersect(block.window, window_);
    const std::byte* from = block.at(part.row - block.window.row, part.col - block.window.col);
    std::byte* to =
        target_ + (part.row - window_.row) * strides_.row + (part.col - window_.col) * strides_.pixel;
    copy_pixels(from, {block.row_stride, block.pixel_stride, block.sample_stride}, to, strides_, part.height,
                part.width, block.samples, bytes_of(block.type));
  }

 private:
  Window window_;
  std::byte* target_;
  PixelStrides strides_;
};

}  // namespace weir
