#pragma once

// What the tests of tile kernels share: rasters in memory, any strides, and computing them in pieces.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir::test {

/// Pixels of a whole raster, interleaved, with room for odd strides: `gap` bytes after each pixel and 3 * gap
/// after each row, the first pixel at byte `gap`.
struct KernelRaster {
  RasterInfo info;
  std::size_t gap = 0;
  std::vector<std::byte> bytes;

  KernelRaster(RasterInfo of, std::size_t gap_bytes = 0) : info(std::move(of)), gap(gap_bytes) {
    bytes.assign(gap + info.height * row_stride(), std::byte{0xA5});
  }
  std::size_t pixel_stride() const { return info.pixel_bytes() + gap; }
  std::size_t row_stride() const { return info.width * pixel_stride() + 3 * gap; }
  std::byte* at(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) {
    return bytes.data() + gap + row * row_stride() + col * pixel_stride() + sample * bytes_of(info.type);
  }
  const std::byte* at(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    return const_cast<KernelRaster*>(this)->at(row, col, sample);
  }
  template <class Sample>
  Sample get(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    Sample value;
    std::memcpy(&value, at(row, col, sample), sizeof value);
    return value;
  }
  template <class Sample>
  void set(std::uint64_t row, std::uint64_t col, std::uint32_t sample, Sample value) {
    std::memcpy(at(row, col, sample), &value, sizeof value);
  }
  PixelView view(const Window& window) const {
    return {at(window.row, window.col), window, info.type, info.samples, row_stride(), pixel_stride(),
            bytes_of(info.type)};
  }
  PixelTarget target(const Window& window) {
    return {at(window.row, window.col), window, info.type, info.samples, row_stride(), pixel_stride(),
            bytes_of(info.type)};
  }
};

inline RasterInfo kernel_info(std::uint64_t height, std::uint64_t width, SampleType type,
                              std::optional<std::string> nodata = {}, std::uint32_t samples = 1) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.type = type;
  info.samples = samples;
  info.nodata = std::move(nodata);
  return info;
}

inline Window grown(const Window& window, std::uint64_t halo, const RasterInfo& info) {
  Window grown;
  grown.row = window.row - std::min(window.row, halo);
  grown.col = window.col - std::min(window.col, halo);
  grown.height = std::min(info.height, window.row_end() + halo) - grown.row;
  grown.width = std::min(info.width, window.col_end() + halo) - grown.col;
  return grown;
}

/// One call for one window. Inputs are given their window alone, so that reading beside it is seen by the
/// sanitizers.
inline void compute_window(const TileKernel& kernel, const std::vector<const KernelRaster*>& inputs,
                           KernelRaster& out, const Window& window, TileKernel::Local* local) {
  std::vector<KernelRaster> cut;
  std::vector<PixelView> views;
  for (const KernelRaster* input : inputs) {
    const Window needed = grown(window, kernel.halo(), input->info);
    RasterInfo info = input->info;
    info.height = needed.height;
    info.width = needed.width;
    KernelRaster part(info, input->gap);
    for (std::uint64_t row = 0; row < needed.height; ++row)
      for (std::uint64_t col = 0; col < needed.width; ++col)
        std::memcpy(part.at(row, col), input->at(needed.row + row, needed.col + col), info.pixel_bytes());
    cut.push_back(std::move(part));
  }
  for (std::size_t i = 0; i < cut.size(); ++i) {
    PixelView view = cut[i].view({0, 0, cut[i].info.height, cut[i].info.width});
    view.window = grown(window, kernel.halo(), inputs[i]->info);
    views.push_back(view);
  }
  kernel.compute(views, out.target(window), local, Context());
}

/// The whole raster in one call. describe() has been called with the inputs' infos and gave `info`.
inline KernelRaster compute_whole(const TileKernel& kernel, const std::vector<const KernelRaster*>& inputs,
                                  const RasterInfo& info) {
  KernelRaster out(info);
  const auto local = kernel.make_local(Scratch());
  compute_window(kernel, inputs, out, {0, 0, info.height, info.width}, local.get());
  return out;
}

/// Windows that cover the raster, cut in two again and again at random places.
inline std::vector<Window> random_windows(const RasterInfo& info, std::mt19937& random) {
  std::vector<Window> windows{{0, 0, info.height, info.width}};
  const std::size_t cuts = random() % 12;
  for (std::size_t i = 0; i < cuts; ++i) {
    const std::size_t chosen = random() % windows.size();
    Window& first = windows[chosen];
    Window second = first;
    const bool is_row = random() % 2 == 0;
    std::uint64_t& length = is_row ? first.height : first.width;
    if (length < 2) continue;
    const std::uint64_t at = 1 + random() % (length - 1);
    if (is_row) {
      second.row += at;
      second.height -= at;
    } else {
      second.col += at;
      second.width -= at;
    }
    length = at;
    windows.push_back(second);
  }
  std::shuffle(windows.begin(), windows.end(), random);
  return windows;
}

/// Whether the raster computed in random windows, from and to memory with odd strides, has the bits of the
/// one-piece raster.
inline bool has_same_bits_in_windows(const TileKernel& kernel, const std::vector<const KernelRaster*>& inputs,
                                     const KernelRaster& whole, std::mt19937& random) {
  std::vector<KernelRaster> odd;
  for (const KernelRaster* input : inputs) {
    KernelRaster copy(input->info, random() % 4);
    for (std::uint64_t row = 0; row < input->info.height; ++row)
      for (std::uint64_t col = 0; col < input->info.width; ++col)
        std::memcpy(copy.at(row, col), input->at(row, col), input->info.pixel_bytes());
    odd.push_back(std::move(copy));
  }
  std::vector<const KernelRaster*> from;
  for (const KernelRaster& raster : odd) from.push_back(&raster);
  KernelRaster out(whole.info, random() % 4);
  const auto local = kernel.make_local(Scratch());
  for (const Window& window : random_windows(whole.info, random))
    compute_window(kernel, from, out, window, local.get());
  for (std::uint64_t row = 0; row < whole.info.height; ++row)
    for (std::uint64_t col = 0; col < whole.info.width; ++col)
      if (std::memcmp(out.at(row, col), whole.at(row, col), whole.info.pixel_bytes()) != 0) {
        MESSAGE("the first difference is at row " << row << ", column " << col);
        return false;
      }
  // Bytes between pixels are not ours.
  if (out.gap > 0)
    for (std::uint64_t row = 0; row < whole.info.height; ++row)
      for (std::uint64_t col = 0; col < whole.info.width; ++col)
        for (std::size_t i = 0; i < out.gap; ++i)
          if (out.at(row, col)[whole.info.pixel_bytes() + i] != std::byte{0xA5}) return false;
  return true;
}

/// A value of the type for a small number; the whole range for `is_wide`.
template <class Sample>
Sample random_sample(std::mt19937& random, bool is_wide) {
  const std::uint64_t bits = (std::uint64_t{random()} << 32) | random();
  if constexpr (std::is_floating_point_v<Sample>) {
    const double number = static_cast<double>(bits >> 11) * 0x1p-53 * 2 - 1;
    return static_cast<Sample>(is_wide ? number * 1e6 : number * 100);
  } else {
    return is_wide ? static_cast<Sample>(bits) : static_cast<Sample>(bits % 100);
  }
}

/// Random values, about one in `nodata_each` without data (0: none): the nodata value, or NaN in floating
/// types.
inline KernelRaster random_raster(const RasterInfo& info, std::mt19937& random, bool is_wide,
                                  unsigned nodata_each) {
  KernelRaster raster(info);
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    const auto nodata = info.nodata_value();
    for (std::uint64_t row = 0; row < info.height; ++row)
      for (std::uint64_t col = 0; col < info.width; ++col)
        for (std::uint32_t sample = 0; sample < info.samples; ++sample) {
          Sample value = random_sample<Sample>(random, is_wide);
          if (nodata_each > 0 && random() % nodata_each == 0) {
            if (nodata) value = static_cast<Sample>(*nodata);
            if constexpr (std::is_floating_point_v<Sample>)
              if (!nodata || random() % 2 == 0) value = std::numeric_limits<Sample>::quiet_NaN();
          }
          raster.set(row, col, sample, value);
        }
  });
  return raster;
}

/// The sample as a long double, which holds every type exactly, or nothing where there is no data.
inline std::optional<long double> value_at(const KernelRaster& raster, std::uint64_t row, std::uint64_t col,
                                           std::uint32_t sample = 0) {
  return with_sample_type(raster.info.type, [&](auto zero) -> std::optional<long double> {
    using Sample = decltype(zero);
    const Sample value = raster.get<Sample>(row, col, sample);
    if (value != value) return std::nullopt;
    if (raster.info.nodata && std::stold(*raster.info.nodata) == static_cast<long double>(value))
      return std::nullopt;
    return static_cast<long double>(value);
  });
}

}  // namespace weir::test
