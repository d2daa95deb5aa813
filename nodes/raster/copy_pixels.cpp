#include "nodes/raster/copy_pixels.hpp"

#include <cassert>
#include <cstring>

namespace weir {
namespace {

/// A complex128.
struct SixteenBytes {
  std::uint64_t words[2];
};

/// One sample of each pixel of a row. Each memcpy becomes one load or store; it is there because the caller's
/// memory may be unaligned.
template <class Sample>
void copy_strided(const std::byte* from, std::size_t from_step, std::byte* to, std::size_t to_step,
                  std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    Sample sample;
    std::memcpy(&sample, from + i * from_step, sizeof(Sample));
    std::memcpy(to + i * to_step, &sample, sizeof(Sample));
  }
}

template <class Sample>
void copy_rows(const std::byte* from, const PixelStrides& from_strides, std::byte* to,
               const PixelStrides& to_strides, std::uint64_t height, std::uint64_t width,
               std::uint32_t samples) {
  // Sample by sample within a row: the row stays in the first-level cache, and each inner loop has two fixed
  // steps.
  for (std::uint64_t row = 0; row < height; ++row)
    for (std::uint32_t sample = 0; sample < samples; ++sample)
      copy_strided<Sample>(from + row * from_strides.row + sample * from_strides.sample, from_strides.pixel,
                           to + row * to_strides.row + sample * to_strides.sample, to_strides.pixel, width);
}

}  // namespace

void copy_pixels(const std::byte* from, const PixelStrides& from_strides, std::byte* to,
                 const PixelStrides& to_strides, std::uint64_t height, std::uint64_t width,
                 std::uint32_t samples, std::size_t sample_bytes) {
  if (height == 0 || width == 0 || samples == 0) return;
  const auto is_packed = [&](const PixelStrides& strides) {
    // The sample stride of a single sample and the pixel stride of a single pixel are never used.
    return (samples == 1 || strides.sample == sample_bytes) &&
           (width == 1 || strides.pixel == samples * sample_bytes);
  };
  if (is_packed(from_strides) && is_packed(to_strides)) {
    const std::size_t row_bytes = width * samples * sample_bytes;
    if (from_strides.row == row_bytes && to_strides.row == row_bytes) {
      std::memcpy(to, from, height * row_bytes);
      return;
    }
    for (std::uint64_t row = 0; row < height; ++row)
      std::memcpy(to + row * to_strides.row, from + row * from_strides.row, row_bytes);
    return;
  }
  switch (sample_bytes) {
    case 1:
      return copy_rows<std::uint8_t>(from, from_strides, to, to_strides, height, width, samples);
    case 2:
      return copy_rows<std::uint16_t>(from, from_strides, to, to_strides, height, width, samples);
    case 4:
      return copy_rows<std::uint32_t>(from, from_strides, to, to_strides, height, width, samples);
    case 8:
      return copy_rows<std::uint64_t>(from, from_strides, to, to_strides, height, width, samples);
    default:
      assert(sample_bytes == 16);
      return copy_rows<SixteenBytes>(from, from_strides, to, to_strides, height, width, samples);
  }
}

}  // namespace weir
