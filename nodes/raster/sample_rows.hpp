#pragma once

#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "nodes/raster/copy_pixels.hpp"
#include "nodes/raster/tile_kernel.hpp"

// What tile kernels share. They work on runs of at most panel_width pixels of a row, copied to aligned arrays
// on the stack: whatever strides and alignment the caller has, the loops are the same ones, and the compiler
// vectorises them.

namespace weir {

/// Pixels of a run. A few rows of doubles stay in the first-level cache.
inline constexpr std::size_t panel_width = 512;

/// The nodata value of a raster in its own sample type, so that 64-bit integers compare exactly.
struct NodataSample {
  /// False where there is none or the type cannot hold it. NaN never has data, whatever this says.
  bool is_set = false;
  std::array<std::byte, 8> sample{};

  template <class Sample>
  Sample as() const {
    Sample value;
    std::memcpy(&value, sample.data(), sizeof(Sample));
    return value;
  }
};
NodataSample nodata_sample(const RasterInfo& info);

/// Throws a usage Error for float16 and complex samples, which are carried but not computed with.
void require_arithmetic(std::string_view action, const RasterInfo& info);

/// Whether pixels of the raster can be without data.
inline bool can_lack_data(const RasterInfo& info) {
  return is_floating(info.type) || nodata_sample(info).is_set;
}

/// What is left of `input` once its values mean something else: size, samples and place, and the metadata of the whole
/// raster but statistics; no tags about values, and no names, units or scales of samples.
RasterInfo computed_from(const RasterInfo& input, SampleType type);

/// Whether samples of the type can have this value; any number in types that are not computed with.
bool can_hold(SampleType type, const std::string& number);

/// The number of a nodata parameter as text: any finite number of the type, or "nan" in floating types.
/// Throws a usage Error. `action`: what the kernel does, "compute slope".
void check_nodata(std::string_view action, const std::string& text, SampleType type);

/// Gives a raster another nodata value before it is written; statistics that were measured under the old one go. Throws
/// a usage Error where it is no number.
void replace_nodata(RasterInfo& info, const std::string& nodata);

/// The nodata value of an output that keeps its input's values: `given` where there is one, else the input's
/// where the output's type can hold it, else "nan" in floating types. Throws a usage Error where an integer
/// type can hold neither, or not the given one.
std::optional<std::string> output_nodata(const RasterInfo& input, SampleType type,
                                         const std::optional<std::string>& given, std::string_view action);

/// The nodata value of `info` in its sample type; where there is none, NaN, or 0 in integer types.
template <class Sample>
Sample nodata_of(const RasterInfo& info) {
  if constexpr (std::is_floating_point_v<Sample>) {
    const NodataSample nodata = nodata_sample(info);
    return nodata.is_set ? nodata.as<Sample>() : std::numeric_limits<Sample>::quiet_NaN();
  } else {
    return nodata_sample(info).as<Sample>();
  }
}

/// Copies `count` samples of a row, from pixel (row, col) on, counted from the view's corner.
template <class Sample>
void copy_row(const PixelView& from, std::uint64_t row, std::uint64_t col, std::size_t count,
              std::uint32_t sample, Sample* to) {
  copy_pixels(from.at(row, col, sample), {from.row_stride, from.pixel_stride, from.sample_stride},
              reinterpret_cast<std::byte*>(to), interleaved_strides(count, 1, sizeof(Sample)), 1, count, 1,
              sizeof(Sample));
}

/// The other way round.
template <class Sample>
void put_row(const PixelTarget& to, std::uint64_t row, std::uint64_t col, std::size_t count,
             std::uint32_t sample, const Sample* from) {
  copy_pixels(reinterpret_cast<const std::byte*>(from), interleaved_strides(count, 1, sizeof(Sample)),
              to.at(row, col, sample), {to.row_stride, to.pixel_stride, to.sample_stride}, 1, count, 1,
              sizeof(Sample));
}

/// Reads up to 2 * panel_width samples of a row as floating-point numbers, NaN where there is no data.
/// A float holds every sample of 8 and 16 bits; a double all but the largest of 64 bits, which are rounded.
template <class Number>
void read_row(const PixelView& from, const NodataSample& nodata, std::uint64_t row, std::uint64_t col,
              std::size_t count, std::uint32_t sample, Number* __restrict to) {
  static_assert(std::is_floating_point_v<Number>);
  constexpr Number nan = std::numeric_limits<Number>::quiet_NaN();
  assert(count <= 2 * panel_width);
  with_sample_type(from.type, [&](auto zero) {
    using Sample = decltype(zero);
    Sample samples[2 * panel_width];
    copy_row(from, row, col, count, sample, samples);
    if (!nodata.is_set) {
      for (std::size_t i = 0; i < count; ++i) to[i] = static_cast<Number>(samples[i]);
      return;
    }
    const Sample none = nodata.as<Sample>();
    for (std::size_t i = 0; i < count; ++i)
      to[i] = samples[i] == none ? nan : static_cast<Number>(samples[i]);
  });
}

}  // namespace weir
