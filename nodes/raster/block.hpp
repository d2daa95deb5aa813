#pragma once

#include <cstddef>
#include <cstdint>

#include "framework/buffer.hpp"
#include "nodes/raster/sample_type.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// Pixels of a window of a raster, in memory. Sample s of pixel (r, c), counted from the window's corner, lies at
/// data + r * row_stride + c * pixel_stride + s * sample_stride. Interleaved: pixel_stride = samples * sample size;
/// planes: sample_stride = one plane.
struct Block {
  Window window;  ///< in pixels of the whole raster
  SampleType type = SampleType::uint8;
  std::uint32_t samples = 1;
  std::size_t row_stride = 0, pixel_stride = 0, sample_stride = 0;  ///< bytes
  std::size_t offset = 0;  ///< of the first pixel in data: a block can be a part of a larger one
  /// Where RasterInfo::has_mask: a byte per pixel, 255 where it is valid and 0 where it is masked. Pixel (r, c) has it at
  /// data + mask_offset + r * mask_row_stride + c.
  std::size_t mask_offset = no_mask, mask_row_stride = 0;
  Buffer data;

  static constexpr std::size_t no_mask = ~std::size_t{0};
  bool has_mask() const { return mask_offset != no_mask; }
  const std::byte* mask_at(std::uint64_t row, std::uint64_t col) const {
    return data.data() + mask_offset + row * mask_row_stride + col;
  }
  std::byte* mask_at(std::uint64_t row, std::uint64_t col) {
    return data.data() + mask_offset + row * mask_row_stride + col;
  }

  const std::byte* at(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    return data.data() + offset + row * row_stride + col * pixel_stride + sample * sample_stride;
  }
  std::byte* at(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) {
    return data.data() + offset + row * row_stride + col * pixel_stride + sample * sample_stride;
  }
};

inline std::uint64_t payload_bytes(const Block& block) {
  return block.data.size();
}

/// A block for `window` with pixel-interleaved strides over `data`, which holds window.height * window.width *
/// samples * sample size bytes.
inline Block interleaved_block(const Window& window, SampleType type, std::uint32_t samples, Buffer data) {
  Block block;
  block.window = window;
  block.type = type;
  block.samples = samples;
  block.sample_stride = bytes_of(type);
  block.pixel_stride = samples * block.sample_stride;
  block.row_stride = window.width * block.pixel_stride;
  block.data = std::move(data);
  return block;
}

}  // namespace weir
