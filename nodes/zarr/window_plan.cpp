#include "nodes/zarr/window_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

#include "framework/buffer.hpp"
#include "framework/error.hpp"

namespace weir {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? most : product;
}
std::uint64_t divided_up(std::uint64_t number, std::uint64_t by) {
  return number / by + (number % by > 0 ? 1 : 0);
}
/// Of (a i + b) / m rounded down, for i from 0 to n - 1; modulo 2^64, with a and b below m. As Euclid's algorithm, in steps that halve m.
std::uint64_t sum_of_quotients(std::uint64_t n, std::uint64_t m, std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  for (;;) {
    const std::uint64_t pairs = n % 2 == 0 ? n / 2 * (n - 1) : (n - 1) / 2 * n;
    sum += pairs * (a / m) + n * (b / m);
    a %= m;
    b %= m;
    const std::uint64_t end = a * n + b;
    if (end < m) return sum;
    n = end / m;
    b = end % m;
    std::swap(m, a);
  }
}
/// The next number of windows to try: all of the first thousand, then a hundredth more each time.
std::uint64_t next(std::uint64_t places) {
  return places + std::max<std::uint64_t>(places / 100, 1);
}

}  // namespace

WindowPlan::WindowPlan(std::shared_ptr<const ZarrLayout> layout, ZarrSelection selection,
                       std::vector<std::uint64_t> window, const Cost& cost, std::uint64_t unit_bytes,
                       const std::string& name)
    : layout_(std::move(layout)), selection_(std::move(selection)), window_(std::move(window)) {
  if (window_.size() != selection_.size())
    throw Error::usage(
        "stream windows of", name,
        fmt::format("a window has {} axes, and the array {}", window_.size(), selection_.size()));
  for (std::size_t axis = 0; axis < window_.size(); ++axis) {
    if (window_[axis] == 0)
      throw Error::usage("stream windows of", name, fmt::format("a window has nothing of axis {}", axis));
    window_[axis] = std::min(window_[axis], selection_[axis].count);
    grid_.push_back(divided_up(selection_[axis].count, window_[axis]));
  }
  choose(cost, unit_bytes);
}

// From the smallest unit on: one window, then more of them on the last axis, until a row of them is whole; and so on.
void WindowPlan::choose(const Cost& cost, std::uint64_t unit_bytes) {
  bool is_first = true;
  for (std::size_t axis = std::max<std::size_t>(grid_.size(), 1); axis-- > 0;) {
    const std::uint64_t places = grid_.empty() ? 1 : grid_[axis];
    for (std::uint64_t some = 1; some <= places;
         some = some < places ? std::min(next(some), places) : places + 1) {
      const Cut cut{axis, some};
      if (!is_first && bytes_of(cut, cost) > unit_bytes) return;
      const std::uint64_t reads = reads_of(cut);
      if (is_first || reads < reads_) {
        cut_ = cut;
        reads_ = reads;
      }
      is_first = false;
      if (reads_ == chunks()) return;
    }
  }
}

// Of one axis

AxisRun WindowPlan::elements(std::size_t axis, AxisRun places) const {
  const std::uint64_t first = places.first * window_[axis];
  return {first, std::min(places.count * window_[axis], selection_[axis].count - first)};
}

std::uint64_t WindowPlan::chunks_on(std::size_t axis) const {
  return AxisWalk(selection_[axis], layout_->chunk_shape()[axis]).count();
}

/// Chunks on an axis, each as often as there are groups of so many windows that touch it. Two neighbours share a chunk where
/// the element before the second one's first lies in the same: that one is at `step` or more of it. For x = a i + b, x mod m >= s counts
/// as (x + m - s) / m - x / m.
std::uint64_t WindowPlan::reads_on(std::size_t axis, std::uint64_t places) const {
  const ZarrAxis& it = selection_[axis];
  const std::uint64_t chunk = layout_->chunk_shape()[axis], groups = divided_up(grid_[axis], places);
  if (it.step >= chunk || groups == 1) return chunks_on(axis);
  const std::uint64_t far = places * window_[axis] % chunk * it.step % chunk;  // from one group to the next
  const std::uint64_t first = (it.begin + places * window_[axis] * it.step) % chunk;
  const std::uint64_t raised = first + chunk - it.step;
  const std::uint64_t shared = (groups - 1) * (raised / chunk) +
                               sum_of_quotients(groups - 1, chunk, far, raised % chunk) -
                               sum_of_quotients(groups - 1, chunk, far, first);
  return chunks_on(axis) + shared;
}

// Of a cut

std::uint64_t WindowPlan::cuts(const Cut& cut) const {
  std::uint64_t units = 1;
  for (std::size_t axis = 0; axis < grid_.size() && axis <= cut.axis; ++axis)
    units *= axis < cut.axis ? grid_[axis] : divided_up(grid_[axis], cut.places);
  return units;
}

std::uint64_t WindowPlan::reads_of(const Cut& cut) const {
  std::uint64_t reads = 1;
  for (std::size_t axis = 0; axis < grid_.size(); ++axis)
    reads =
        times(reads, axis > cut.axis ? chunks_on(axis) : reads_on(axis, axis == cut.axis ? cut.places : 1));
  return reads;
}

/// Of the largest unit, at most.
std::uint64_t WindowPlan::bytes_of(const Cut& cut, const Cost& cost) const {
  std::uint64_t chunks = 1, windows = 1;
  for (std::size_t axis = 0; axis < grid_.size(); ++axis) {
    const std::uint64_t places = axis < cut.axis ? 1 : axis == cut.axis ? cut.places : grid_[axis];
    const std::uint64_t elements = std::min(times(places, window_[axis]), selection_[axis].count);
    const std::uint64_t chunk = layout_->chunk_shape()[axis], step = std::min(selection_[axis].step, chunk);
    const std::uint64_t spanned = times(elements - 1, step);
    chunks =
        times(chunks, std::min({elements, chunks_on(axis), spanned / chunk + (spanned % chunk > 0) + 1}));
    windows = times(windows, places);
  }
  const std::uint64_t bytes = times(chunks, cost.chunk), more = times(windows, window_bytes() + cost.window);
  return bytes > most - more ? most : bytes + more;
}

std::uint64_t WindowPlan::chunks() const {
  std::uint64_t chunks = 1;
  for (std::size_t axis = 0; axis < grid_.size(); ++axis) chunks = times(chunks, chunks_on(axis));
  return chunks;
}

// Windows

std::uint64_t WindowPlan::window_bytes() const {
  return BufferPool::charge(
      std::accumulate(window_.begin(), window_.end(), std::uint64_t{layout_->type().bytes}, times));
}

std::uint64_t WindowPlan::count() const {
  return std::accumulate(grid_.begin(), grid_.end(), std::uint64_t{1}, times);
}

std::vector<std::uint64_t> WindowPlan::at(std::uint64_t window) const {
  std::vector<std::uint64_t> place(grid_.size());
  for (std::size_t axis = grid_.size(); axis-- > 0; window /= grid_[axis]) place[axis] = window % grid_[axis];
  return place;
}

ZarrSelection WindowPlan::selection(const std::vector<std::uint64_t>& place) const {
  ZarrSelection window = selection_;
  for (std::size_t axis = 0; axis < window.size(); ++axis) {
    const AxisRun of = elements(axis, {place[axis], 1});
    window[axis].begin += of.first * window[axis].step;
    window[axis].count = of.count;
  }
  return window;
}

// Units

std::uint64_t WindowPlan::units() const {
  return cuts(cut_);
}

/// The places on an axis that a unit has.
AxisRun WindowPlan::places(std::uint64_t unit, std::size_t axis) const {
  if (axis > cut_.axis) return {0, grid_[axis]};
  for (std::size_t other = cut_.axis; other > axis; --other)
    unit /= other == cut_.axis ? divided_up(grid_[other], cut_.places) : grid_[other];
  if (axis < cut_.axis) return {unit % grid_[axis], 1};
  const std::uint64_t first = unit % divided_up(grid_[axis], cut_.places) * cut_.places;
  return {first, std::min(cut_.places, grid_[axis] - first)};
}

std::uint64_t WindowPlan::first_window(std::uint64_t unit) const {
  std::uint64_t window = 0;
  for (std::size_t axis = 0; axis < grid_.size(); ++axis)
    window = window * grid_[axis] + places(unit, axis).first;
  return window;
}

std::uint64_t WindowPlan::window_count(std::uint64_t unit) const {
  std::uint64_t windows = 1;
  for (std::size_t axis = 0; axis < grid_.size(); ++axis) windows *= places(unit, axis).count;
  return windows;
}

ZarrSelection WindowPlan::unit_selection(std::uint64_t unit) const {
  ZarrSelection selection = selection_;
  for (std::size_t axis = 0; axis < grid_.size(); ++axis) {
    const AxisRun of = elements(axis, places(unit, axis));
    selection[axis].begin += of.first * selection[axis].step;
    selection[axis].count = of.count;
  }
  return selection;
}

std::vector<std::uint64_t> WindowPlan::windows_of(std::uint64_t unit,
                                                  const std::vector<std::uint64_t>& chunk) const {
  std::vector<std::uint64_t> windows{0};
  for (std::size_t axis = 0; axis < grid_.size(); ++axis) {
    const AxisRun has = places(unit, axis);
    const AxisRun touched = AxisWalk(selection_[axis], layout_->chunk_shape()[axis]).elements(chunk[axis]);
    const std::uint64_t first = std::max(touched.first / window_[axis], has.first);
    const std::uint64_t last =
        std::min((touched.first + touched.count - 1) / window_[axis], has.first + has.count - 1);
    std::vector<std::uint64_t> more;
    for (const std::uint64_t before : windows)
      for (std::uint64_t place = first; place <= last; ++place)
        more.push_back(before * has.count + place - has.first);
    windows = std::move(more);
  }
  return windows;
}

}  // namespace weir
