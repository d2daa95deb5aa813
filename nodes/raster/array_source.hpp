#pragma once

#include <cstddef>
#include <cstdint>

#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// A raster in the caller's memory. Sample s of pixel (r, c) lies at data + r * row_stride + c * pixel_stride
/// + s * sample_stride, in the byte order of the machine and of any alignment. Strides are in bytes; rows may
/// be padded, samples may be in planes, axes may be swapped.
struct ArrayView {
  const std::byte* data = nullptr;  ///< not owned
  RasterInfo info;
  std::size_t row_stride = 0, pixel_stride = 0, sample_stride = 0;
  /// A byte per pixel, 255 where it is valid and 0 where it is masked; nullptr: there is no mask. Not owned, kept as the
  /// data is.
  const std::byte* mask = nullptr;
  std::size_t mask_row_stride = 0;
};

/// An array with the samples of a pixel back to back, and rows without a gap.
ArrayView interleaved_view(const void* data, RasterInfo info);
/// An array with one whole plane per sample, back to back.
ArrayView planar_view(const void* data, RasterInfo info);

/// Gives the caller's array chunk by chunk, as interleaved blocks; there is nothing to fetch. The array must
/// outlive the source and not change while a run reads it; it is not counted in the run's memory.
class ArraySource : public ChunkSource {
 public:
  /// Throws a usage Error as check_grid does, or where the array has no data.
  ArraySource(ArrayView array, ChunkGrid grid);
  /// Even chunks.
  ArraySource(ArrayView array, std::uint64_t chunk_height, std::uint64_t chunk_width);

  const RasterInfo& info() const override { return array_.info; }
  const ChunkGrid& grid() const override { return grid_; }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;

 private:
  ArrayView array_;
  ChunkGrid grid_;
};

}  // namespace weir
