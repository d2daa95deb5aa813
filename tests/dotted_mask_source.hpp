#pragma once

#include <cstring>
#include <memory>

#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/copy_pixels.hpp"

namespace weir::pipeline_test {

/// Another source with a mask beside its samples: every fifth pixel is masked.
class DottedMaskSource : public ChunkSource {
 public:
  explicit DottedMaskSource(std::shared_ptr<const ChunkSource> inner) : inner_(std::move(inner)) {
    info_ = inner_->info();
    info_.has_mask = true;
  }
  static std::byte mask(std::uint64_t row, std::uint64_t col) {
    return (row * 7 + col) % 5 == 0 ? std::byte{0} : std::byte{255};
  }

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return inner_->grid(); }
  std::uint64_t excess_bytes() const override { return BufferPool::charge(inner_->block_bytes()); }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override {
    const Block from = inner_->decode(chunk, std::move(stored), local, context);
    const std::uint64_t height = from.window.height, width = from.window.width;
    Block block = interleaved_block(from.window, info_.type, info_.samples,
                                    context.buffer(height * width * info_.block_pixel_bytes()));
    copy_pixels(from.at(0, 0), {from.row_stride, from.pixel_stride, from.sample_stride}, block.at(0, 0),
                {block.row_stride, block.pixel_stride, block.sample_stride}, height, width, info_.samples,
                bytes_of(info_.type));
    block.mask_offset = height * width * info_.pixel_bytes();
    block.mask_row_stride = width;
    for (std::uint64_t row = 0; row < height; ++row)
      for (std::uint64_t col = 0; col < width; ++col)
        *block.mask_at(row, col) = mask(from.window.row + row, from.window.col + col);
    return block;
  }

 private:
  std::shared_ptr<const ChunkSource> inner_;
  RasterInfo info_;
};

}  // namespace weir::pipeline_test
