#include "nodes/raster/reduce_pixels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <type_traits>

#include "framework/error.hpp"

namespace weir {
namespace {

__extension__ using Int128 = __int128;

struct ResamplingName {
  Resampling resampling;
  std::string_view name;
};
constexpr std::array names = {
    ResamplingName{Resampling::nearest, "nearest"}, ResamplingName{Resampling::average, "average"},
    ResamplingName{Resampling::rms, "rms"},         ResamplingName{Resampling::minimum, "min"},
    ResamplingName{Resampling::maximum, "max"},     ResamplingName{Resampling::median, "median"},
    ResamplingName{Resampling::mode, "mode"},       ResamplingName{Resampling::bilinear, "bilinear"},
    ResamplingName{Resampling::cubic, "cubic"},
};

/// Finer pixels of a row that are worked on together: with the widest halo (cubic, 64) room for one cell and more.
constexpr std::size_t run_width = 1024;

/// A sum of up to 64 x 64 samples, exact but for floating types.
template <class Sample>
using SumOf =
    std::conditional_t<std::floating_point<Sample>, double,
                       std::conditional_t<sizeof(Sample) <= 2, std::int32_t,
                                          std::conditional_t<sizeof(Sample) == 4, std::int64_t, Int128>>>;

/// floor(number + 1/2) for |number| below 2^51, without a call, so that loops over it become vectors.
inline double half_up(double number) {
  constexpr double rounder = 6755399441055744;  // 1.5 * 2^52
  const double raised = number + 0.5, even = (raised + rounder) - rounder;
  return even > raised ? even - 1 : even;
}

/// The exact quotient, halves up, for integers. Samples of up to 32 bits: their sums and counts are exact in a double, a tie is
/// exact, and anything else is further from a tie than the quotient's rounding error.
template <class Sample>
Sample mean_of(SumOf<Sample> sum, std::uint32_t count) {
  if constexpr (std::floating_point<Sample>) {
    return static_cast<Sample>(sum / count);
  } else if constexpr (sizeof(Sample) <= 4) {
    return static_cast<Sample>(half_up(static_cast<double>(sum) / count));
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

/// One row of finer samples and which of them have data.
template <class Sample>
struct Row {
  Sample samples[run_width];
  std::uint8_t has_data[run_width];
};

/// One call's work: all that does not change from cell to cell.
template <class Sample>
class Reduction {
 public:
  Reduction(const MaskedView& from, const MaskedTarget& to, std::uint32_t factor, std::uint64_t finer_height,
            std::uint64_t finer_width, const NodataSample& nodata)
      : from_(from),
        to_(to),
        factor_(factor),
        height_(finer_height),
        width_(finer_width),
        has_nodata_(nodata.is_set),
        nodata_(nodata.as<Sample>()),
        none_(nodata.is_set                      ? nodata_
              : std::is_floating_point_v<Sample> ? std::numeric_limits<Sample>::quiet_NaN()
                                                 : Sample{}),
        lacks_(nodata.is_set || std::is_floating_point_v<Sample> || from.mask != nullptr) {}

  void run(Resampling resampling) {
    const Window& coarse = to_.pixels.window;
    for (std::uint64_t row = 0; row < coarse.height; ++row) {
      for (std::uint32_t sample = 0; sample < to_.pixels.samples; ++sample) {
        const std::uint64_t step = run_width / factor_;
        for (std::uint64_t col = 0; col < coarse.width; col += step) {
          const std::size_t count = std::min(step, coarse.width - col);
          reduce_run(resampling, coarse.row + row, coarse.col + col, count, sample);
        }
      }
      if (to_.mask != nullptr) reduce_mask(row);
    }
  }

 private:
  /// `count` cells of a row of cells, from (row, col) on, in pixels of the coarser level.
  void reduce_run(Resampling resampling, std::uint64_t row, std::uint64_t col, std::size_t count,
                  std::uint32_t sample) {
    Sample out[run_width / 2];
    switch (resampling) {
      case Resampling::average:
        average(row, col, count, sample, out);
        break;
      case Resampling::rms:
        root_mean_square(row, col, count, sample, out);
        break;
      case Resampling::minimum:
        extreme(row, col, count, sample, out, [](Sample a, Sample b) { return b < a ? b : a; });
        break;
      case Resampling::maximum:
        extreme(row, col, count, sample, out, [](Sample a, Sample b) { return a < b ? b : a; });
        break;
      case Resampling::median:
        each_cell(row, col, count, sample, out, median);
        break;
      case Resampling::mode:
        each_cell(row, col, count, sample, out, mode);
        break;
      case Resampling::bilinear:
        weighted(row, col, count, sample, out, 1, [](double x) { return 1 - x; });
        break;
      default:
        weighted(row, col, count, sample, out, 2, [](double x) {
          return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
        });
        break;
    }
    put_row(to_.pixels, row - to_.pixels.window.row, col - to_.pixels.window.col, count, sample, out);
  }

  /// Finer samples [col, col + count) of a row, in pixels of the finer level.
  void read(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
            Row<Sample>& to) const {
    assert(count <= run_width);
    const Window& window = from_.pixels.window;
    copy_row(from_.pixels, row - window.row, col - window.col, count, sample, to.samples);
    if (!lacks_) return;
    if (from_.mask != nullptr) {
      const std::byte* mask = from_.mask + (row - window.row) * from_.mask_row_stride + (col - window.col);
      for (std::size_t i = 0; i < count; ++i) to.has_data[i] = mask[i] != std::byte{0};
    } else {
      std::fill_n(to.has_data, count, std::uint8_t{1});
    }
    if constexpr (std::is_floating_point_v<Sample>)
      for (std::size_t i = 0; i < count; ++i)
        to.has_data[i] = static_cast<std::uint8_t>(to.has_data[i] & (to.samples[i] == to.samples[i]));
    if (has_nodata_)
      for (std::size_t i = 0; i < count; ++i)
        to.has_data[i] = static_cast<std::uint8_t>(to.has_data[i] & (to.samples[i] != nodata_));
  }

  std::uint64_t row_end(std::uint64_t row) const { return std::min((row + 1) * factor_, height_); }
  /// Finer columns of `count` cells.
  std::size_t columns(std::uint64_t col, std::size_t count) const {
    return static_cast<std::size_t>(std::min((col + count) * factor_, width_) - col * factor_);
  }
  /// A result that is not nodata by accident.
  Sample kept(Sample value) const { return has_nodata_ && value == nodata_ ? beside(value) : value; }

  /// Adds up the cells: sum_of(sample) of each one with data.
  template <class Sum, class Of>
  void sums(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample, Sum* sum,
            std::uint32_t* parts, Of sum_of) const {
    const std::size_t finer = columns(col, count);
    std::fill_n(sum, count, Sum{});
    std::fill_n(parts, count, 0u);
    Row<Sample> in;
    for (std::uint64_t r = row * factor_; r < row_end(row); ++r) {
      read(r, col * factor_, finer, sample, in);
      if (!lacks_) std::fill_n(in.has_data, finer, std::uint8_t{1});
      const auto add = [&](std::size_t cell, std::size_t i) {
        sum[cell] += in.has_data[i] ? sum_of(in.samples[i]) : Sum{};
        parts[cell] += in.has_data[i];
      };
      if (factor_ == 2) {
        const std::size_t whole = finer / 2;
        for (std::size_t cell = 0; cell < whole; ++cell) {
          add(cell, 2 * cell);
          add(cell, 2 * cell + 1);
        }
        if (finer % 2 != 0) add(whole, 2 * whole);
      } else {
        for (std::size_t i = 0, cell = 0, in_cell = 0; i < finer; ++i) {
          add(cell, i);
          if (++in_cell == factor_) {
            in_cell = 0;
            ++cell;
          }
        }
      }
    }
  }

  void average(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
               Sample* out) const {
    if constexpr (std::integral<Sample> && sizeof(Sample) <= 4) {
      if (!lacks_ && factor_ == 2 && row_end(row) - row * 2 == 2 && columns(col, count) == 2 * count)
        return average_of_four(row, col, count, sample, out);
    }
    using Sum = SumOf<Sample>;
    Sum sum[run_width / 2];
    std::uint32_t parts[run_width / 2];
    sums(row, col, count, sample, sum, parts, [](Sample value) { return static_cast<Sum>(value); });
    for (std::size_t i = 0; i < count; ++i) {
      const Sample mean = mean_of<Sample>(sum[i], std::max(parts[i], 1u));
      out[i] = parts[i] == 0 ? none_ : kept(mean);
    }
  }

  /// The common case: whole cells of 2 x 2 integers that all have data. Shifts instead of divisions.
  void average_of_four(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
                       Sample* out) const {
    using Sum = SumOf<Sample>;
    Row<Sample> upper, lower;
    read(row * 2, col * 2, 2 * count, sample, upper);
    read(row * 2 + 1, col * 2, 2 * count, sample, lower);
    for (std::size_t i = 0; i < count; ++i) {
      const Sum sum = static_cast<Sum>(upper.samples[2 * i]) + upper.samples[2 * i + 1] +
                      lower.samples[2 * i] + lower.samples[2 * i + 1];
      out[i] = static_cast<Sample>((sum + 2) >> 2);
    }
  }

  void root_mean_square(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample,
                        Sample* out) const {
    double sum[run_width / 2];
    std::uint32_t parts[run_width / 2];
    sums(row, col, count, sample, sum, parts, [](Sample value) {
      const auto number = static_cast<double>(value);
      return number * number;
    });
    for (std::size_t i = 0; i < count; ++i)
      out[i] = parts[i] == 0 ? none_ : kept(sample_of<Sample>(std::sqrt(sum[i] / parts[i])));
  }

  template <class Better>
  void extreme(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample, Sample* out,
               Better better) const {
    const std::size_t finer = columns(col, count);
    std::uint8_t is_set[run_width / 2]{};
    Row<Sample> in;
    for (std::uint64_t r = row * factor_; r < row_end(row); ++r) {
      read(r, col * factor_, finer, sample, in);
      for (std::size_t i = 0; i < finer; ++i) {
        if (lacks_ && !in.has_data[i]) continue;
        const std::size_t cell = i / factor_;
        out[cell] = is_set[cell] ? better(out[cell], in.samples[i]) : in.samples[i];
        is_set[cell] = 1;
      }
    }
    for (std::size_t i = 0; i < count; ++i)
      if (!is_set[i]) out[i] = none_;
  }

  static Sample median(Sample* values, std::size_t count) {
    Sample* middle = values + (count - 1) / 2;
    std::nth_element(values, middle, values + count);
    return *middle;
  }
  static Sample mode(Sample* values, std::size_t count) {
    std::size_t best = 0, most = 0;
    for (std::size_t i = 0; i < count && most < count - i; ++i) {
      const auto same = static_cast<std::size_t>(std::count(values + i, values + count, values[i]));
      if (same > most) {
        most = same;
        best = i;
      }
    }
    return values[best];
  }

  /// choose(values, count) out of the values with data of each cell, row by row.
  template <class Choose>
  void each_cell(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample, Sample* out,
                 Choose choose) const {
    Row<Sample> in;
    Sample values[ReducePixels::largest_factor * ReducePixels::largest_factor];
    for (std::size_t cell = 0; cell < count; ++cell) {
      std::size_t found = 0;
      const std::size_t finer = columns(col + cell, 1);
      for (std::uint64_t r = row * factor_; r < row_end(row); ++r) {
        read(r, (col + cell) * factor_, finer, sample, in);
        for (std::size_t i = 0; i < finer; ++i)
          if (!lacks_ || in.has_data[i]) values[found++] = in.samples[i];
      }
      out[cell] = found == 0 ? none_ : choose(values, found);
    }
  }

  /// A separable kernel that ends `reach` x factor pixels from the cell's centre; weight(x) for 0 <= x < reach.
  template <class WeightOf>
  void weighted(std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample, Sample* out,
                std::uint32_t reach, WeightOf weight_of) const {
    const Span rows = span(row, reach, height_);
    std::array<double, 4 * ReducePixels::largest_factor + 1> down, across;
    weights(row, rows, weight_of, down.data());
    Row<Sample> in;
    for (std::size_t cell = 0; cell < count; ++cell) {
      const Span cols = span(col + cell, reach, width_);
      const auto wide = static_cast<std::size_t>(cols.end - cols.begin);
      weights(col + cell, cols, weight_of, across.data());
      const std::uint64_t cell_begin = (col + cell) * factor_,
                          cell_end = std::min(cell_begin + factor_, width_);
      double sum = 0, total = 0;
      bool is_set = false;
      for (std::uint64_t r = rows.begin; r < rows.end; ++r) {
        read(r, cols.begin, wide, sample, in);
        const bool is_cell_row = r >= row * factor_ && r < row_end(row);
        double row_sum = 0, row_total = 0;
        for (std::size_t i = 0; i < wide; ++i) {
          if (lacks_ && !in.has_data[i]) continue;
          row_sum += across[i] * static_cast<double>(in.samples[i]);
          row_total += across[i];
          const std::uint64_t at = cols.begin + i;
          is_set = is_set || (is_cell_row && at >= cell_begin && at < cell_end);
        }
        sum += down[r - rows.begin] * row_sum;
        total += down[r - rows.begin] * row_total;
      }
      // Keys' weights are negative at the rim: where only little of the middle has data, the quotient means nothing. The mean
      // of the cell then.
      if (!is_set)
        out[cell] = none_;
      else if (total < least_weight * factor_ * factor_)
        average(row, col + cell, 1, sample, out + cell);
      else
        out[cell] = kept(sample_of<Sample>(sum / total));
    }
  }
  static constexpr double least_weight = 0.1;  // of all weights, whose sum is factor^2

  struct Span {
    std::uint64_t begin, end;
  };
  Span span(std::uint64_t cell, std::uint32_t reach, std::uint64_t extent) const {
    const std::uint64_t around =
        reach * factor_ - (factor_ + 1) / 2;  // pixels beyond the cell whose weight is not 0
    const std::uint64_t begin = cell * factor_;
    return {begin - std::min(begin, around), std::min(begin + factor_ + around, extent)};
  }
  template <class WeightOf>
  void weights(std::uint64_t cell, Span span, WeightOf weight_of, double* to) const {
    // The centre of the cell, in pixels from its first one's centre: (factor - 1) / 2.
    const double centre = static_cast<double>(cell * factor_) + (factor_ - 1) / 2.0;
    for (std::uint64_t at = span.begin; at < span.end; ++at)
      *to++ = weight_of(std::abs(static_cast<double>(at) - centre) / factor_);
  }

  void reduce_mask(std::uint64_t row) const {
    const Window& coarse = to_.pixels.window;
    const Window& window = from_.pixels.window;
    std::byte* out = to_.mask + row * to_.mask_row_stride;
    std::fill_n(out, coarse.width, std::byte{0});
    for (std::uint64_t r = (coarse.row + row) * factor_; r < row_end(coarse.row + row); ++r) {
      const std::byte* in =
          from_.mask + (r - window.row) * from_.mask_row_stride + (coarse.col * factor_ - window.col);
      const std::size_t finer = columns(coarse.col, coarse.width);
      for (std::size_t i = 0; i < finer; ++i)
        if (in[i] != std::byte{0}) out[i / factor_] = std::byte{255};
    }
  }

  const MaskedView& from_;
  const MaskedTarget& to_;
  const std::uint32_t factor_;
  const std::uint64_t height_, width_;
  const bool has_nodata_;
  const Sample nodata_, none_;
  const bool lacks_;  ///< some pixels may be without data
};

/// Whatever the samples are: they are carried.
void take_nearest(const MaskedView& from, const MaskedTarget& to, std::uint32_t factor) {
  const Window &coarse = to.pixels.window, &window = from.pixels.window;
  const std::size_t bytes = bytes_of(to.pixels.type);
  const std::uint64_t first = coarse.col * factor - window.col;
  for (std::uint64_t row = 0; row < coarse.height; ++row) {
    const std::uint64_t finer = (coarse.row + row) * factor - window.row;
    copy_pixels(from.pixels.at(finer, first),
                {from.pixels.row_stride, factor * from.pixels.pixel_stride, from.pixels.sample_stride},
                to.pixels.at(row, 0), {to.pixels.row_stride, to.pixels.pixel_stride, to.pixels.sample_stride},
                1, coarse.width, to.pixels.samples, bytes);
    if (to.mask == nullptr) continue;
    const std::byte* mask = from.mask + finer * from.mask_row_stride + first;
    for (std::uint64_t col = 0; col < coarse.width; ++col)
      to.mask[row * to.mask_row_stride + col] =
          mask[col * factor] != std::byte{0} ? std::byte{255} : std::byte{0};
  }
}

}  // namespace

std::string_view name_of(Resampling resampling) {
  for (const ResamplingName& each : names)
    if (each.resampling == resampling) return each.name;
  return "unknown";
}

std::optional<Resampling> resampling_named(std::string_view name) {
  for (const ResamplingName& each : names)
    if (each.name == name) return each.resampling;
  return std::nullopt;
}

ReducePixels::ReducePixels(Resampling resampling, const RasterInfo& finer, std::uint32_t factor)
    : resampling_(resampling),
      type_(finer.type),
      factor_(factor),
      finer_height_(finer.height),
      finer_width_(finer.width),
      nodata_(nodata_sample(finer)) {
  if (factor < 2 || factor > largest_factor)
    throw Error::usage("make overviews", fmt::format("with a factor of {} between two levels", factor),
                       fmt::format("it must be from 2 to {}", largest_factor));
  if (resampling != Resampling::nearest) require_arithmetic("make overviews", finer);
}

std::uint64_t ReducePixels::halo() const {
  const std::uint64_t half = (factor_ + 1) / 2;
  if (resampling_ == Resampling::bilinear) return factor_ - half;
  if (resampling_ == Resampling::cubic) return 2 * factor_ - half;
  return 0;
}

Window ReducePixels::needed(const Window& coarse) const {
  Window needed;
  needed.row = coarse.row * factor_ - std::min(coarse.row * factor_, halo());
  needed.col = coarse.col * factor_ - std::min(coarse.col * factor_, halo());
  needed.height = std::min(coarse.row_end() * factor_ + halo(), finer_height_) - needed.row;
  needed.width = std::min(coarse.col_end() * factor_ + halo(), finer_width_) - needed.col;
  return needed;
}

void ReducePixels::operator()(const MaskedView& from, const MaskedTarget& to) const {
  assert(intersect(from.pixels.window, needed(to.pixels.window)) == needed(to.pixels.window));
  assert(from.pixels.type == type_ && to.pixels.type == type_ && from.pixels.samples == to.pixels.samples);
  assert((from.mask == nullptr) == (to.mask == nullptr));
  if (resampling_ == Resampling::nearest) return take_nearest(from, to, factor_);
  with_sample_type(type_, [&](auto zero) {
    Reduction<decltype(zero)>(from, to, factor_, finer_height_, finer_width_, nodata_).run(resampling_);
  });
}

}  // namespace weir
