#pragma once

#include "nodes/raster/block.hpp"
#include "nodes/raster/copy_pixels.hpp"

namespace weir {

/// Puts the mask of `from`, where it has one, behind the samples of `to`, a block of the same window whose samples fill the
/// first height * width * samples * sample size bytes of its data.
inline void copy_mask(const Block& from, Block& to) {
  if (!from.has_mask()) return;
  const std::uint64_t height = to.window.height, width = to.window.width;
  to.mask_offset = height * width * to.samples * bytes_of(to.type);
  to.mask_row_stride = width;
  copy_pixels(from.mask_at(0, 0), {from.mask_row_stride, 1, 1}, to.mask_at(0, 0), {width, 1, 1}, height,
              width, 1, 1);
}

}  // namespace weir
