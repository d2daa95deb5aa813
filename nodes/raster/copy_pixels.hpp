#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

/// Bytes from a row, a pixel and a sample to the next.
struct PixelStrides {
  std::size_t row = 0, pixel = 0, sample = 0;
  bool operator==(const PixelStrides&) const = default;
};

/// Pixels of `samples` samples of `sample_bytes`, row after row without a gap.
constexpr PixelStrides interleaved_strides(std::uint64_t width, std::uint32_t samples,
                                           std::size_t sample_bytes) {
  return {width * samples * sample_bytes, samples * sample_bytes, sample_bytes};
}

/// Copies height x width pixels of `samples` samples of `sample_bytes` (1, 2, 4, 8 or 16) each. The two sides do
/// not overlap and need no alignment. Whole rows at once where both sides have their pixels packed.
void copy_pixels(const std::byte* from, const PixelStrides& from_strides, std::byte* to,
                 const PixelStrides& to_strides, std::uint64_t height, std::uint64_t width,
                 std::uint32_t samples, std::size_t sample_bytes);

}  // namespace weir
