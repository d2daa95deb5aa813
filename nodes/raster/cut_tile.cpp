#include "nodes/raster/cut_tile.hpp"

#include <array>
#include <cassert>
#include <cmath>
#include <concepts>
#include <cstring>
#include <optional>

#include "nodes/raster/copy_pixels.hpp"
#include "nodes/raster/half.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

template <class Sample>
void fill_samples(std::byte* to, std::uint64_t count, const Fill& fill) {
  for (std::uint64_t i = 0; i < count; ++i)
    std::memcpy(to + i * sizeof(Sample), fill.sample.data(), sizeof(Sample));
}

/// No branch: compilers make a compare and a blend of it.
template <class Sample>
void replace_nan(std::byte* samples, std::uint64_t count, const Fill& fill) {
  Sample nodata;
  std::memcpy(&nodata, fill.sample.data(), sizeof(Sample));
  for (std::uint64_t i = 0; i < count; ++i) {
    Sample sample;
    std::memcpy(&sample, samples + i * sizeof(Sample), sizeof(Sample));
    sample = sample != sample ? nodata : sample;
    std::memcpy(samples + i * sizeof(Sample), &sample, sizeof(Sample));
  }
}

void fill_run(std::size_t sample_bytes, std::byte* to, std::uint64_t count, const Fill& fill) {
  switch (sample_bytes) {
    case 1:
      return fill_samples<std::uint8_t>(to, count, fill);
    case 2:
      return fill_samples<std::uint16_t>(to, count, fill);
    case 4:
      return fill_samples<std::uint32_t>(to, count, fill);
    case 8:
      return fill_samples<std::uint64_t>(to, count, fill);
    default:
      return fill_samples<std::array<std::uint64_t, 2>>(to, count, fill);
  }
}

/// The same on bits: NaN is all that is above infinity but for the sign.
void replace_half_nan(std::byte* samples, std::uint64_t count, const Fill& fill) {
  std::uint16_t nodata;
  std::memcpy(&nodata, fill.sample.data(), sizeof nodata);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint16_t half;
    std::memcpy(&half, samples + i * sizeof half, sizeof half);
    half = (half & 0x7fffu) > half_infinity ? nodata : half;
    std::memcpy(samples + i * sizeof half, &half, sizeof half);
  }
}

void replace_nan(SampleType type, std::byte* samples, std::uint64_t count, const Fill& fill) {
  if (type == SampleType::float16) replace_half_nan(samples, count, fill);
  if (type == SampleType::float32) replace_nan<float>(samples, count, fill);
  if (type == SampleType::float64) replace_nan<double>(samples, count, fill);
}

}  // namespace

Fill fill_for(const RasterInfo& info) {
  Fill fill;
  if (!info.nodata) return fill;
  const SampleType component = component_of(info.type);  // a complex nodata value has no imaginary part
  if (component == SampleType::float16) {
    const std::optional<float> number = sample_in<float>(*info.nodata);
    if (!number) return fill;
    const std::uint16_t half = half_from_float(*number);
    std::memcpy(fill.sample.data(), &half, sizeof half);
    fill.replace_nan = !std::isnan(*number);
    return fill;
  }
  with_sample_type(component, [&](auto sample_type) {
    using Sample = decltype(sample_type);
    const std::optional<Sample> sample = sample_in<Sample>(*info.nodata);
    if (!sample) return;
    std::memcpy(fill.sample.data(), &*sample, sizeof(Sample));
    if constexpr (std::floating_point<Sample>)
      fill.replace_nan = !is_complex(info.type) && !std::isnan(*sample);
  });
  return fill;
}

bool is_all_fill(std::span<const std::byte> samples, std::size_t sample_bytes, const Fill& fill) {
  assert(samples.size() >= sample_bytes);
  // Each sample equals the one before it: one call at the speed of memory, which ends at the first difference.
  return std::memcmp(samples.data(), fill.sample.data(), sample_bytes) == 0 &&
         std::memcmp(samples.data(), samples.data() + sample_bytes, samples.size() - sample_bytes) == 0;
}

void cut_tile(const Band& band, const Window& tile, std::uint32_t first_sample, std::uint32_t sample_count,
              const Fill& fill, std::byte* out) {
  assert(!band.blocks.empty());
  assert(tile.row >= band.window.row && tile.col >= band.window.col);  // overhang is right and below
  const SampleType type = band.blocks.front()->type;
  const std::size_t sample_bytes = bytes_of(type);
  const PixelStrides out_strides = interleaved_strides(tile.width, sample_count, sample_bytes);
  const Window inside = intersect(tile, band.window);

  [[maybe_unused]] std::uint64_t covered = 0;  // pixels
  for (const auto& block : band.blocks) {
    assert(block->type == type && first_sample + sample_count <= block->samples);
    const Window part = intersect(inside, block->window);
    if (part.empty()) continue;
    covered += part.height * part.width;
    const PixelStrides block_strides{block->row_stride, block->pixel_stride, block->sample_stride};
    const std::byte* from =
        block->at(part.row - block->window.row, part.col - block->window.col, first_sample);
    std::byte* to = out + (part.row - tile.row) * out_strides.row + (part.col - tile.col) * out_strides.pixel;
    if (!fill.replace_nan) {
      copy_pixels(from, block_strides, to, out_strides, part.height, part.width, sample_count, sample_bytes);
      continue;
    }
    // Row by row, so that the second look finds the row in the first-level cache.
    for (std::uint64_t row = 0; row < part.height; ++row) {
      std::byte* to_row = to + row * out_strides.row;
      copy_pixels(from + row * block_strides.row, block_strides, to_row, out_strides, 1, part.width,
                  sample_count, sample_bytes);
      replace_nan(type, to_row, part.width * sample_count, fill);
    }
  }
  assert(covered == inside.height * inside.width);  // disjoint blocks without a hole

  const std::uint64_t right = (tile.width - inside.width) * sample_count;
  if (right > 0)
    for (std::uint64_t row = 0; row < inside.height; ++row)
      fill_run(sample_bytes, out + row * out_strides.row + inside.width * out_strides.pixel, right, fill);
  fill_run(sample_bytes, out + inside.height * out_strides.row,
           (tile.height - inside.height) * tile.width * sample_count, fill);
}

}  // namespace weir
