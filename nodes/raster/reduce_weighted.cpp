#include <algorithm>
#include <cmath>

#include "nodes/raster/reduce_rows.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {
namespace {

/// Finer pixels under the cells of a run. Weighted rows of 4 x factor of them stay near: 3 x 16 KiB.
constexpr std::size_t weighted_width = 512;
/// A run's cells, and what the widest kernel (cubic) sees around them.
static_assert(weighted_width + 4 * std::size_t{ReducePixels::largest_factor} <= run_width);
constexpr std::size_t most_taps = 4 * std::size_t{ReducePixels::largest_factor};

/// Weights below this part of all of them (their sum is factor^2) mean nothing: see finish.
constexpr double least_weight = 0.1;

/// The weighted sum of `count` rows, from the first to the last. Four at a time, so that sums are not stored between them.
void add_weighted(const double* const* rows, const double* weights, std::size_t count, std::size_t width,
                  double* __restrict to) {
  std::fill_n(to, width, 0.0);
  std::size_t row = 0;
  for (; row + 4 <= count; row += 4) {
    const double *const a = rows[row], *const b = rows[row + 1], *const c = rows[row + 2],
                        *const d = rows[row + 3];
    const double at_a = weights[row], at_b = weights[row + 1], at_c = weights[row + 2],
                 at_d = weights[row + 3];
    for (std::size_t i = 0; i < width; ++i)
      to[i] = (((to[i] + at_a * a[i]) + at_b * b[i]) + at_c * c[i]) + at_d * d[i];
  }
  for (; row < count; ++row)
    for (std::size_t i = 0; i < width; ++i) to[i] += weights[row] * rows[row][i];
}

/// A separable kernel. Across first: each finer row becomes a number per cell, once, and is kept until the last row of cells
/// that sees it; then down. Sums in the order of rows and, within a row, of columns; what has no data adds 0.
template <class Sample>
class WeightedReduction {
 public:
  /// The kernel ends `reach` x factor pixels from the cell's centre; weight(x) for 0 <= x < reach.
  template <class WeightOf>
  WeightedReduction(const Reduction& reduction, std::uint32_t reach, WeightOf weight_of)
      : to_(reduction.to.pixels),
        finer_(reduction),
        factor_(reduction.factor),
        around_(reach * factor_ - (factor_ + 1) / 2),
        taps_(factor_ + 2 * around_),
        lacks_(finer_.lacks()) {
    // The centre of a cell is (factor - 1) / 2 pixels from its first one's centre.
    const auto factor = static_cast<double>(factor_), before = static_cast<double>(around_);
    for (std::size_t tap = 0; tap < taps_; ++tap)
      weights_[tap] = weight_of(std::abs(static_cast<double>(tap) - before - (factor - 1) / 2) / factor);
  }

  void run() {
    const Window& coarse = to_.window;
    const std::size_t step = weighted_width / factor_;
    for (std::uint32_t sample = 0; sample < to_.samples; ++sample)
      for (std::uint64_t col = 0; col < coarse.width; col += step)
        reduce_columns(col, std::min<std::uint64_t>(step, coarse.width - col), sample);
  }

 private:
  /// A finer row, weighted across; per cell. Where all pixels have data, the weights' sums are those of any row.
  struct AcrossRow {
    double *sum, *total, *own;  ///< own: pixels with data in the cell's own columns
  };
  AcrossRow across_row(std::uint64_t row) {
    const std::size_t at = row % taps_ * count_;
    return {sum_ + at, lacks_ ? total_ + at : total_, own_ + at};
  }

  /// `count` cells of each row of cells; col: from the target's corner.
  void reduce_columns(std::uint64_t col, std::size_t count, std::uint32_t sample) {
    const Window& coarse = to_.window;
    count_ = count;
    std::uint64_t next = 0;
    for (std::uint64_t row = 0; row < coarse.height; ++row) {
      const std::uint64_t cell_row = (coarse.row + row) * factor_;
      const std::uint64_t begin = cell_row - std::min<std::uint64_t>(cell_row, around_),
                          end = std::min<std::uint64_t>(cell_row + factor_ + around_, finer_.height());
      for (next = std::max(next, begin); next < end; ++next)
        weigh_across(next, coarse.col + col, sample, row == 0 && next == begin);
      Sample out[weighted_width / 2];
      weigh_down(coarse.row + row, begin, end);
      finish(coarse.row + row, coarse.col + col, sample, out);
      put_row(to_, row, col, count, sample, out);
    }
  }

  /// is_first: of these columns.
  void weigh_across(std::uint64_t row, std::uint64_t col, std::uint32_t sample, bool is_first) {
    const auto begin = static_cast<std::int64_t>(col * factor_) - static_cast<std::int64_t>(around_);
    const std::int64_t end = begin + static_cast<std::int64_t>(count_ * factor_ + 2 * around_);
    const std::size_t cells = count_ + (2 * around_ + factor_ - 1) / factor_, pixels = cells * factor_;
    finer_.read(row, begin, end, cells, sample, in_);
    for (std::size_t i = 0; i < pixels; ++i) values_[i] = static_cast<double>(in_.samples[i]);
    if (lacks_ || is_first)
      for (std::size_t i = 0; i < pixels; ++i) present_[i] = static_cast<std::int32_t>(in_.has_data[i]);
    const AcrossRow to = across_row(row);
    // Tap t of a cell is pixel t of those from its first one on: in phase t % factor, t / factor cells further.
    const double* taps[most_taps];
    for (std::size_t tap = 0; tap < taps_; ++tap) taps[tap] = values_ + tap % factor_ * cells + tap / factor_;
    add_weighted(taps, weights_, taps_, count_, to.sum);
    if (!lacks_ && !is_first) return;
    for (std::size_t tap = 0; tap < taps_; ++tap) taps[tap] = present_ + (taps[tap] - values_);
    add_weighted(taps, weights_, taps_, count_, to.total);
    if (!lacks_) return;
    std::fill_n(to.own, count_, 0.0);
    for (std::size_t tap = around_; tap < around_ + factor_; ++tap)
      for (std::size_t cell = 0; cell < count_; ++cell) to.own[cell] += taps[tap][cell];
  }

  void weigh_down(std::uint64_t row, std::uint64_t begin, std::uint64_t end) {
    const double *sums[most_taps], *totals[most_taps];
    for (std::uint64_t r = begin; r < end; ++r) {
      sums[r - begin] = across_row(r).sum;
      totals[r - begin] = across_row(r).total;
    }
    const double* const weights = weights_ + (begin + around_ - row * factor_);
    add_weighted(sums, weights, end - begin, count_, cell_sum_);
    add_weighted(totals, weights, end - begin, count_, cell_total_);
    std::fill_n(cell_own_, count_, lacks_ ? 0.0 : 1.0);
    if (!lacks_) return;
    for (std::uint64_t r = row * factor_; r < finer_.row_end(row); ++r) {
      const double* const own = across_row(r).own;
      for (std::size_t cell = 0; cell < count_; ++cell) cell_own_[cell] += own[cell];
    }
  }

  void finish(std::uint64_t row, std::uint64_t col, std::uint32_t sample, Sample* __restrict out) const {
    const double least = least_weight * static_cast<double>(factor_ * factor_);
    for (std::size_t cell = 0; cell < count_; ++cell) {
      const double total = cell_total_[cell];
      out[cell] = sample_of<Sample>(cell_sum_[cell] / (total < least ? 1.0 : total));
    }
    finer_.settle(cell_own_, count_, out);
    // Keys' weights are negative at the rim: where only little of the middle has data, the quotient means nothing. The mean
    // of the cell then.
    for (std::size_t cell = 0; cell < count_; ++cell)
      if (cell_own_[cell] > 0 && cell_total_[cell] < least)
        finer_.average(row, col + cell, 1, sample, out + cell);
  }

  const PixelTarget& to_;
  const FinerCells<Sample> finer_;
  const std::size_t factor_, around_, taps_;  // around: pixels beyond the cell whose weight is not 0
  const bool lacks_;
  std::size_t count_ = 0;  // cells of the run
  double weights_[most_taps];
  PhasedRow<Sample> in_;
  double values_[run_width], present_[run_width];
  double sum_[4 * weighted_width], total_[4 * weighted_width], own_[4 * weighted_width];
  double cell_sum_[weighted_width / 2], cell_total_[weighted_width / 2], cell_own_[weighted_width / 2];
};

double triangle(double x) {
  return 1 - x;
}
double keys(double x) {
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
}

}  // namespace

void reduce_weighted(Resampling resampling, const Reduction& reduction) {
  with_sample_type(reduction.from.pixels.type, [&](auto zero) {
    using Weighted = WeightedReduction<decltype(zero)>;
    if (resampling == Resampling::bilinear)
      Weighted(reduction, 1, triangle).run();
    else
      Weighted(reduction, 2, keys).run();
  });
}

}  // namespace weir
