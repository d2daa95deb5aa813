#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "nodes/raster/reduce_pixels.hpp"
#include "nodes/raster/sample_rows.hpp"

// What the overview kernels share: one call's work, rows of the finer level as their loops want them, and means.
//
// A row is read as `factor` phases: phase k has column k of every cell, one after the other. So all loops run over cells,
// with nothing between their operands, whatever the factor and the pixels' layout, and become vectors. What is without data,
// or beyond the raster, is a 0 with a flag of 0: sums take it without a branch. Branches on pixels cost most of all here.
// Values, and the order in which they are added, do not depend on the instructions.

namespace weir {

__extension__ using Int128 = __int128;

/// One call of ReducePixels.
struct Reduction {
  const MaskedView& from;
  const MaskedTarget& to;
  std::uint32_t factor;
  std::uint64_t height, width;  ///< of the finer level
  const NodataSample& nodata;
};

/// average, rms, minimum, maximum, median, mode: what a cell's own pixels make.
void reduce_cells(Resampling resampling, const Reduction& reduction);
/// bilinear, cubic: what pixels around the cell make.
void reduce_weighted(Resampling resampling, const Reduction& reduction);

/// Finer pixels of a row that are worked on together: with the largest factor still 16 cells, and a few rows of doubles stay
/// in the first-level cache.
inline constexpr std::size_t run_width = 1024;

/// A sum of up to 64 x 64 samples, exact but for floating types.
template <class Sample>
using SumOf =
    std::conditional_t<std::floating_point<Sample>, double,
                       std::conditional_t<sizeof(Sample) <= 2, std::int32_t,
                                          std::conditional_t<sizeof(Sample) == 4, std::int64_t, Int128>>>;

/// As wide as the sample, so that both are in vectors of one shape; 0 or 1.
template <class Sample>
using FlagOf = std::conditional_t<
    sizeof(Sample) == 1, std::uint8_t,
    std::conditional_t<sizeof(Sample) == 2, std::uint16_t,
                       std::conditional_t<sizeof(Sample) == 4, std::uint32_t, std::uint64_t>>>;

/// floor(number + 1/2) for |number| below 2^51, without a call, so that loops over it become vectors.
inline double half_up(double number) {
  constexpr double rounder = 6755399441055744;  // 1.5 * 2^52
  const double raised = number + 0.5, even = (raised + rounder) - rounder;
  return even > raised ? even - 1 : even;
}

/// A whole number in the type's range. Through int, where that holds it: vectors have no other way from a double.
template <std::integral Sample>
Sample whole_sample(double whole) {
  if constexpr (sizeof(Sample) <= 2)
    return static_cast<Sample>(static_cast<std::int32_t>(whole));
  else
    return static_cast<Sample>(whole);
}

/// The exact quotient, halves up, for integers. Samples of up to 32 bits: their sums and counts are exact in a double, a tie is
/// exact, and anything else is further from a tie than the quotient's rounding error.
template <class Sample>
Sample mean_of(SumOf<Sample> sum, std::int32_t count) {
  if constexpr (std::floating_point<Sample>) {
    return static_cast<Sample>(sum / count);
  } else if constexpr (sizeof(Sample) <= 4) {
    return whole_sample<Sample>(half_up(static_cast<double>(sum) / count));
  } else {
    const Int128 twice = 2 * sum + count, divisor = 2 * static_cast<Int128>(count);
    Int128 quotient = twice / divisor;
    if (twice % divisor < 0) --quotient;
    return static_cast<Sample>(quotient);
  }
}

/// A number as a sample: clipped to its range, integers rounded with halves up.
template <class Sample>
Sample sample_of(double number) {
  using Limits = std::numeric_limits<Sample>;
  if constexpr (std::floating_point<Sample>) {
    if (std::isinf(number)) return static_cast<Sample>(number);
    return static_cast<Sample>(std::clamp<double>(number, Limits::lowest(), Limits::max()));
  } else if constexpr (sizeof(Sample) <= 4) {
    constexpr double least = Limits::min(), most = Limits::max();
    const double above = number > least ? number : least;
    return whole_sample<Sample>(half_up(above < most ? above : most));
  } else {
    const double whole = std::floor(number + 0.5);
    if (whole <= static_cast<double>(Limits::min())) return Limits::min();
    if (whole >= std::ldexp(1.0, Limits::digits)) return Limits::max();
    return static_cast<Sample>(whole);
  }
}

/// The next value, towards where there is room.
template <class Sample>
Sample beside(Sample value) {
  using Limits = std::numeric_limits<Sample>;
  if constexpr (std::floating_point<Sample>)
    return std::nextafter(value, value < 0 ? Limits::max() : Limits::lowest());
  else
    return value == Limits::max() ? static_cast<Sample>(value - 1) : static_cast<Sample>(value + 1);
}

/// A row's finer samples in phases: column k of cell c at [k * cells + c].
template <class Sample>
struct PhasedRow {
  Sample samples[run_width];  ///< 0 where there is no data
  FlagOf<Sample> has_data[run_width];
};

/// Cells of a raster's finer level, in samples of their type.
template <class Sample>
class FinerCells {
 public:
  using Flag = FlagOf<Sample>;

  explicit FinerCells(const Reduction& reduction)
      : from_(reduction.from),
        factor_(reduction.factor),
        height_(reduction.height),
        width_(reduction.width),
        has_nodata_(reduction.nodata.is_set),
        nodata_(reduction.nodata.as<Sample>()),
        beside_nodata_(beside(nodata_)),
        none_(has_nodata_                        ? nodata_
              : std::is_floating_point_v<Sample> ? std::numeric_limits<Sample>::quiet_NaN()
                                                 : Sample{}) {}

  std::uint32_t factor() const { return factor_; }
  std::uint64_t height() const { return height_; }
  std::uint64_t width() const { return width_; }
  const MaskedView& view() const { return from_; }
  /// Whether pixels in the raster may be without data.
  bool lacks() const { return has_nodata_ || std::is_floating_point_v<Sample> || from_.mask != nullptr; }
  /// Cells without data become nodata, and results that are nodata by accident the value beside it. `Count`: of the pixels with
  /// data, or anything else that is 0 where there are none.
  template <class Count>
  void settle(const Count* __restrict counts, std::size_t cells, Sample* __restrict out) const {
    if (!lacks()) return;
    const Sample nodata = nodata_, other = beside_nodata_, none = none_;
    if (has_nodata_)
      for (std::size_t i = 0; i < cells; ++i) out[i] = out[i] == nodata ? other : out[i];
    for (std::size_t i = 0; i < cells; ++i) out[i] = counts[i] != Count{0} ? out[i] : none;
  }
  Sample none() const { return none_; }  ///< what a pixel without data is written as
  /// Where a row of cells ends, in finer rows.
  std::uint64_t row_end(std::uint64_t row) const { return std::min((row + 1) * factor_, height_); }
  std::uint64_t col_end(std::uint64_t col, std::size_t count) const {
    return std::min((col + count) * factor_, width_);
  }

  /// Reads finer columns [begin, end) of a row as `cells` cells from column `begin` on. Both may lie beyond the raster, which
  /// has no data there, and cells may reach beyond `end`.
  void read(std::uint64_t row, std::int64_t begin, std::int64_t end, std::size_t cells, std::uint32_t sample,
            PhasedRow<Sample>& to) const;

  /// Adds up `count` cells from (row, col) on: sum_of(sample) of each sample with data (of 0 it is 0), row by row.
  template <class Sum, class Of>
  void sums(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
            Sum* __restrict sum, std::int32_t* __restrict parts, Of sum_of) const;
  void average(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
               Sample* out) const;

 private:
  void leave_out(Sample* __restrict samples, Flag* __restrict has_data, std::size_t count) const;

  const MaskedView& from_;
  const std::uint32_t factor_;
  const std::uint64_t height_, width_;
  const bool has_nodata_;
  const Sample nodata_, beside_nodata_, none_;
};

template <class Sample>
void FinerCells<Sample>::read(std::uint64_t row, std::int64_t begin, std::int64_t end, std::size_t cells,
                              std::uint32_t sample, PhasedRow<Sample>& to) const {
  const Window& window = from_.pixels.window;
  const auto step = static_cast<std::int64_t>(factor_);
  const auto past = std::min(end, static_cast<std::int64_t>(width_));
  // Cells whose column `at` lies before `limit`.
  const auto cells_before = [&](std::int64_t at, std::int64_t limit) {
    return at >= limit ? std::size_t{0}
                       : std::min(cells, static_cast<std::size_t>((limit - at + step - 1) / step));
  };
  for (std::size_t phase = 0; phase < factor_; ++phase) {
    const std::int64_t at = begin + static_cast<std::int64_t>(phase);
    const std::size_t first = cells_before(at, 0), last = std::max(first, cells_before(at, past));
    Sample* const samples = to.samples + phase * cells;
    Flag* const has_data = to.has_data + phase * cells;
    std::fill(samples, samples + first, Sample{});
    std::fill(samples + last, samples + cells, Sample{});
    std::fill(has_data, has_data + cells, Flag{0});
    if (first == last) continue;
    const auto col = static_cast<std::uint64_t>(at + static_cast<std::int64_t>(first) * step) - window.col;
    copy_pixels(from_.pixels.at(row - window.row, col, sample),
                {from_.pixels.row_stride, factor_ * from_.pixels.pixel_stride, from_.pixels.sample_stride},
                reinterpret_cast<std::byte*>(samples + first),
                interleaved_strides(last - first, 1, sizeof(Sample)), 1, last - first, 1, sizeof(Sample));
    if (from_.mask != nullptr) {
      const std::byte* mask = from_.mask + (row - window.row) * from_.mask_row_stride + col;
      for (std::size_t i = first; i < last; ++i, mask += factor_) has_data[i] = *mask != std::byte{0};
    } else {
      std::fill(has_data + first, has_data + last, Flag{1});
    }
    if (lacks()) leave_out(samples + first, has_data + first, last - first);
  }
}

/// Takes the flag from samples that are no data, and the value from all without one.
template <class Sample>
void FinerCells<Sample>::leave_out(Sample* __restrict samples, Flag* __restrict has_data,
                                   std::size_t count) const {
  const Sample nodata = nodata_;
  if constexpr (std::is_floating_point_v<Sample>)
    for (std::size_t i = 0; i < count; ++i)
      has_data[i] = static_cast<Flag>(has_data[i] & static_cast<Flag>(samples[i] == samples[i]));
  if (has_nodata_)
    for (std::size_t i = 0; i < count; ++i)
      has_data[i] = static_cast<Flag>(has_data[i] & static_cast<Flag>(samples[i] != nodata));
  for (std::size_t i = 0; i < count; ++i) samples[i] = has_data[i] != 0 ? samples[i] : Sample{};
}

template <class Sample>
template <class Sum, class Of>
void FinerCells<Sample>::sums(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
                              Sum* __restrict sum, std::int32_t* __restrict parts, Of sum_of) const {
  std::fill_n(sum, count, Sum{});
  std::fill_n(parts, count, 0);
  PhasedRow<Sample> in;
  for (std::uint64_t r = row * factor_; r < row_end(row); ++r) {
    read(r, static_cast<std::int64_t>(col * factor_), static_cast<std::int64_t>(col_end(col, count)), count,
         sample, in);
    for (std::size_t phase = 0; phase < factor_; ++phase) {
      const Sample* __restrict const samples = in.samples + phase * count;
      const Flag* __restrict const has_data = in.has_data + phase * count;
      for (std::size_t i = 0; i < count; ++i) sum[i] += sum_of(samples[i]);
      for (std::size_t i = 0; i < count; ++i) parts[i] += static_cast<std::int32_t>(has_data[i]);
    }
  }
}

template <class Sample>
void FinerCells<Sample>::average(std::uint64_t row, std::uint64_t col, std::size_t count,
                                 std::uint32_t sample, Sample* out) const {
  using Sum = SumOf<Sample>;
  Sum sum[run_width / 2];
  std::int32_t parts[run_width / 2];
  sums(row, col, count, sample, sum, parts, [](Sample value) { return static_cast<Sum>(value); });
  for (std::size_t i = 0; i < count; ++i) out[i] = mean_of<Sample>(sum[i], std::max(parts[i], 1));
  settle(parts, count, out);
}

}  // namespace weir
