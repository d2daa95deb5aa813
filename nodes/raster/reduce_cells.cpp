#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "nodes/raster/reduce_rows.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {
namespace {

/// Values of several cells that are looked at together: those of one cell with the largest factor.
constexpr std::size_t most_values = std::size_t{ReducePixels::largest_factor} * ReducePixels::largest_factor;

template <class Sample>
class CellReduction {
 public:
  explicit CellReduction(const Reduction& reduction) : to_(reduction.to.pixels), finer_(reduction) {}

  void run(Resampling resampling) const {
    const Window& coarse = to_.window;
    const bool chooses = resampling == Resampling::median || resampling == Resampling::mode;
    const std::size_t step =
        chooses ? std::min<std::size_t>(run_width / factor(), most_values / (factor() * factor()))
                : run_width / factor();
    for (std::uint64_t row = 0; row < coarse.height; ++row)
      for (std::uint32_t sample = 0; sample < to_.samples; ++sample)
        for (std::uint64_t col = 0; col < coarse.width; col += step) {
          const std::size_t count = std::min<std::uint64_t>(step, coarse.width - col);
          Sample out[run_width / 2];
          reduce({coarse.row + row, coarse.col + col, count, sample}, resampling, out);
          put_row(to_, row, col, count, sample, out);
        }
  }

 private:
  using Flag = FlagOf<Sample>;
  /// `count` cells of a row of cells, from (row, col) on, in pixels of the coarser level.
  struct Run {
    std::uint64_t row, col;
    std::size_t count;
    std::uint32_t sample;
  };

  std::uint32_t factor() const { return finer_.factor(); }
  void read(const Run& run, std::uint64_t finer_row, PhasedRow<Sample>& to) const {
    finer_.read(finer_row, static_cast<std::int64_t>(run.col * factor()),
                static_cast<std::int64_t>(finer_.col_end(run.col, run.count)), run.count, run.sample, to);
  }

  void reduce(const Run& run, Resampling resampling, Sample* out) const {
    using Limits = std::numeric_limits<Sample>;
    constexpr bool is_floating = std::is_floating_point_v<Sample>;
    constexpr Sample highest = is_floating ? Limits::infinity() : Limits::max(),
                     lowest = is_floating ? -Limits::infinity() : Limits::lowest();
    switch (resampling) {
      case Resampling::average:
        return average(run, out);
      case Resampling::rms:
        return root_mean_square(run, out);
      case Resampling::minimum:
        return extreme(run, out, highest, [](Sample a, Sample b) { return b < a ? b : a; });
      case Resampling::maximum:
        return extreme(run, out, lowest, [](Sample a, Sample b) { return a < b ? b : a; });
      case Resampling::median:
        return factor() <= sorted_factor ? sorted_median(run, out) : each_cell(run, out, median);
      default:
        return factor() == 2 ? mode_of_fours(run, out) : each_cell(run, out, mode);
    }
  }

  void average(const Run& run, Sample* out) const {
    if constexpr (std::integral<Sample> && sizeof(Sample) <= 4) {
      if (!finer_.lacks() && factor() == 2 && finer_.row_end(run.row) - run.row * 2 == 2 &&
          finer_.col_end(run.col, run.count) == (run.col + run.count) * 2)
        return average_of_four(run, out);
    }
    finer_.average(run.row, run.col, run.count, run.sample, out);
  }

  /// The common case: whole cells of 2 x 2 integers that all have data. Shifts instead of divisions, rows as they are.
  void average_of_four(const Run& run, Sample* out) const {
    using Sum = SumOf<Sample>;
    const PixelView& from = finer_.view().pixels;
    Sample upper[run_width], lower[run_width];
    const std::uint64_t row = run.row * 2 - from.window.row, col = run.col * 2 - from.window.col;
    copy_row(from, row, col, 2 * run.count, run.sample, upper);
    copy_row(from, row + 1, col, 2 * run.count, run.sample, lower);
    for (std::size_t i = 0; i < run.count; ++i) {
      const Sum sum = static_cast<Sum>(upper[2 * i]) + upper[2 * i + 1] + lower[2 * i] + lower[2 * i + 1];
      out[i] = static_cast<Sample>((sum + 2) >> 2);
    }
  }

  void root_mean_square(const Run& run, Sample* out) const {
    double sum[run_width / 2];
    std::int32_t parts[run_width / 2];
    finer_.sums(run.row, run.col, run.count, run.sample, sum, parts, [](Sample value) {
      const auto number = static_cast<double>(value);
      return number * number;
    });
    for (std::size_t i = 0; i < run.count; ++i)
      out[i] = sample_of<Sample>(std::sqrt(sum[i] / std::max(parts[i], 1)));
    finer_.settle(parts, run.count, out);
  }

  /// `neutral`: what never wins.
  template <class Better>
  void extreme(const Run& run, Sample* __restrict out, Sample neutral, Better better) const {
    Flag is_set[run_width / 2]{};
    std::fill_n(out, run.count, neutral);
    PhasedRow<Sample> in;
    for (std::uint64_t r = run.row * factor(); r < finer_.row_end(run.row); ++r) {
      read(run, r, in);
      for (std::size_t phase = 0; phase < factor(); ++phase) {
        const Sample* __restrict const samples = in.samples + phase * run.count;
        const Flag* __restrict const has_data = in.has_data + phase * run.count;
        for (std::size_t i = 0; i < run.count; ++i) {
          const Sample value = samples[i];
          const Flag has = has_data[i];
          out[i] = better(out[i], has != 0 ? value : neutral);
          is_set[i] = static_cast<Flag>(is_set[i] | has);
        }
      }
    }
    for (std::size_t i = 0; i < run.count; ++i) out[i] = is_set[i] != 0 ? out[i] : finer_.none();
  }

  /// The values of a cell of 2 x 2, row by row, and which of them count.
  struct Four {
    Sample a, b, c, d;
    Flag has_a, has_b, has_c, has_d;
  };

  void mode_of_fours(const Run& run, Sample* out) const {
    PhasedRow<Sample> upper, lower;
    read(run, run.row * 2, upper);
    if (finer_.row_end(run.row) - run.row * 2 == 2) {
      read(run, run.row * 2 + 1, lower);
    } else {
      std::fill_n(lower.samples, 2 * run.count, Sample{});
      std::fill_n(lower.has_data, 2 * run.count, Flag{0});
    }
    const Sample *const a = upper.samples, *const b = a + run.count;
    const Sample *const c = lower.samples, *const d = c + run.count;
    const Flag *const has_a = upper.has_data, *const has_b = has_a + run.count;
    const Flag *const has_c = lower.has_data, *const has_d = has_c + run.count;
    for (std::size_t i = 0; i < run.count; ++i) {
      const Sample chosen = mode_of_four({a[i], b[i], c[i], d[i], has_a[i], has_b[i], has_c[i], has_d[i]});
      out[i] = (has_a[i] | has_b[i] | has_c[i] | has_d[i]) != 0 ? chosen : finer_.none();
    }
  }

  /// How often each value comes from its place on: of equal ones the first has the most.
  static Sample mode_of_four(const Four& four) {
    const auto same = [](Sample x, Sample y, Flag has_y) { return x == y ? has_y : Flag{0}; };
    const auto& [a, b, c, d, has_a, has_b, has_c, has_d] = four;
    const Flag of_a = has_a != 0
                          ? static_cast<Flag>(1 + same(a, b, has_b) + same(a, c, has_c) + same(a, d, has_d))
                          : Flag{0};
    const Flag of_b = has_b != 0 ? static_cast<Flag>(1 + same(b, c, has_c) + same(b, d, has_d)) : Flag{0};
    const Flag of_c = has_c != 0 ? static_cast<Flag>(1 + same(c, d, has_d)) : Flag{0};
    Flag most = of_a;
    Sample best = a;
    best = of_b > most ? b : best;
    most = of_b > most ? of_b : most;
    best = of_c > most ? c : best;
    most = of_c > most ? of_c : most;
    return has_d > most ? d : best;
  }

  /// choose(values, count) out of the values with data of each cell, row by row.
  template <class Choose>
  void each_cell(const Run& run, Sample* out, Choose choose) const {
    const std::size_t per_cell = factor() * factor();
    Sample values[most_values];
    std::size_t found[run_width / 3]{};
    PhasedRow<Sample> in;
    for (std::uint64_t r = run.row * factor(); r < finer_.row_end(run.row); ++r) {
      read(run, r, in);
      for (std::size_t cell = 0; cell < run.count; ++cell) {
        std::size_t end = cell * per_cell + found[cell];
        for (std::size_t at = cell; at < factor() * run.count; at += run.count) {
          values[end] = in.samples[at];
          end += static_cast<std::size_t>(in.has_data[at]);
        }
        found[cell] = end - cell * per_cell;
      }
    }
    for (std::size_t cell = 0; cell < run.count; ++cell)
      out[cell] = found[cell] == 0 ? finer_.none() : choose(values + cell * per_cell, found[cell]);
  }

  static Sample median(Sample* values, std::size_t count) {
    Sample* middle = values + (count - 1) / 2;
    std::nth_element(values, middle, values + count);
    return *middle;
  }

  /// The values of all cells are put in order at once, by Batcher's merge exchange (Knuth, The Art of Computer Programming 3,
  /// 5.2.2 M): which values are compared does not depend on them. Value k of cell c is at [k * cells + c]. What is without data
  /// goes to the end, as a value that none is above. For factors up to sorted_factor: 5, 63, 543 exchanges for 2, 4, 8.
  void sorted_median(const Run& run, Sample* out) const {
    using Limits = std::numeric_limits<Sample>;
    constexpr Sample last = std::is_floating_point_v<Sample> ? Limits::infinity() : Limits::max();
    Sample values[most_values];
    std::int32_t found[run_width / 2]{};
    PhasedRow<Sample> in;
    const std::size_t rows = finer_.row_end(run.row) - run.row * factor();
    const std::size_t row_values = factor() * run.count, count = rows * factor();
    for (std::size_t row = 0; row < rows; ++row) {
      read(run, run.row * factor() + row, in);
      for (std::size_t i = 0; i < row_values; ++i)
        values[row * row_values + i] = in.has_data[i] != 0 ? in.samples[i] : last;
      for (std::size_t phase = 0; phase < factor(); ++phase)
        for (std::size_t i = 0; i < run.count; ++i)
          found[i] += static_cast<std::int32_t>(in.has_data[phase * run.count + i]);
    }
    for (std::size_t p = std::bit_ceil(count) / 2; p > 0; p /= 2) {
      std::size_t q = std::bit_ceil(count) / 2, distance = p, r = 0;
      for (;;) {
        for (std::size_t i = 0; i + distance < count; ++i)
          if ((i & p) == r)
            put_in_order(values + i * run.count, values + (i + distance) * run.count, run.count);
        if (q == p) break;
        distance = q - p;
        q /= 2;
        r = p;
      }
    }
    for (std::size_t i = 0; i < run.count; ++i) {
      const auto middle = static_cast<std::size_t>(std::max(found[i] - 1, 0) / 2);
      out[i] = found[i] != 0 ? values[middle * run.count + i] : finer_.none();
    }
  }
  static constexpr std::uint32_t sorted_factor = 8;
  static void put_in_order(Sample* __restrict lower, Sample* __restrict upper, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const Sample a = lower[i], b = upper[i];
      lower[i] = b < a ? b : a;
      upper[i] = b < a ? a : b;
    }
  }

  static Sample mode(Sample* values, std::size_t count) {
    std::size_t best = 0, most = 0;
    if (count <= compared_at_once) {
      for (std::size_t i = 0; i < count && most < count - i; ++i) {
        const auto same = static_cast<std::size_t>(std::count(values + i, values + count, values[i]));
        if (same > most) {
          most = same;
          best = i;
        }
      }
      return values[best];
    }
    Sample sorted[most_values];
    std::copy_n(values, count, sorted);
    std::sort(sorted, sorted + count);
    for (std::size_t begin = 0, i = 1; i <= count; ++i) {
      if (i < count && sorted[i] == sorted[begin]) continue;
      most = std::max(most, i - begin);
      begin = i;
    }
    // The first in the cell's order of those that come as often as any.
    for (; best + 1 < count; ++best) {
      const auto [begin, end] = std::equal_range(sorted, sorted + count, values[best]);
      if (static_cast<std::size_t>(end - begin) == most) break;
    }
    return values[best];
  }
  /// Comparing each with each is as fast as sorting up to about here.
  static constexpr std::size_t compared_at_once = 64;

  const PixelTarget& to_;
  const FinerCells<Sample> finer_;
};

}  // namespace

void reduce_cells(Resampling resampling, const Reduction& reduction) {
  with_sample_type(reduction.from.pixels.type,
                   [&](auto zero) { CellReduction<decltype(zero)>(reduction).run(resampling); });
}

}  // namespace weir
