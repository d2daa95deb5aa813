#include "nodes/raster/array_source.hpp"

#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/chunk_grid.hpp"
#include "nodes/raster/copy_pixels.hpp"

namespace weir {

ArrayView interleaved_view(const void* data, RasterInfo info) {
  const PixelStrides strides = interleaved_strides(info.width, info.samples, bytes_of(info.type));
  return {static_cast<const std::byte*>(data), std::move(info), strides.row, strides.pixel, strides.sample};
}

ArrayView planar_view(const void* data, RasterInfo info) {
  const std::size_t pixel = bytes_of(info.type), row = info.width * pixel, plane = info.height * row;
  return {static_cast<const std::byte*>(data), std::move(info), row, pixel, plane};
}

ArraySource::ArraySource(ArrayView array, ChunkGrid grid) : array_(std::move(array)), grid_(std::move(grid)) {
  array_.info.has_mask = array_.mask != nullptr;
  check_grid(array_.info, grid_);
  if (array_.data == nullptr) throw Error::usage("read", "the array", "it has no data");
}

ArraySource::ArraySource(ArrayView array, std::uint64_t chunk_height, std::uint64_t chunk_width)
    : ArraySource(array, even_chunks(array.info, chunk_height, chunk_width)) {}

Block ArraySource::decode(ChunkIndex chunk, Buffer, Local*, const Context& context) const {
  const Window window = grid_.window(chunk);
  const RasterInfo& info = array_.info;
  Block block = interleaved_block(window, info.type, info.samples,
                                  context.buffer(window.height * window.width * info.block_pixel_bytes()));
  const PixelStrides from{array_.row_stride, array_.pixel_stride, array_.sample_stride};
  const PixelStrides to{block.row_stride, block.pixel_stride, block.sample_stride};
  copy_pixels(array_.data + window.row * from.row + window.col * from.pixel, from, block.data.data(), to,
              window.height, window.width, info.samples, bytes_of(info.type));
  if (array_.mask != nullptr) {
    block.mask_offset = window.height * window.width * info.pixel_bytes();
    block.mask_row_stride = window.width;
    copy_pixels(array_.mask + window.row * array_.mask_row_stride + window.col,
                {array_.mask_row_stride, 1, 1}, block.mask_at(0, 0), interleaved_strides(window.width, 1, 1),
                window.height, window.width, 1, 1);
  }
  return block;
}

}  // namespace weir
