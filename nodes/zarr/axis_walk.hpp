#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <vector>

namespace weir {

/// What is selected of one axis: elements begin, begin + step, ... `count` of them.
struct ZarrAxis {
  std::uint64_t begin = 0, count = 0, step = 1;
  std::uint64_t last() const { return begin + (count - 1) * step; }
  bool operator==(const ZarrAxis&) const = default;
};
/// A hyper-rectangle with steps: one per axis of the array.
using ZarrSelection = std::vector<ZarrAxis>;

/// Selected elements of an axis, by their number in the selection.
struct AxisRun {
  std::uint64_t first = 0, count = 0;
};

/// Which pieces (chunks, shards) of one length a selected axis touches: a formula, whatever their number. Pieces that lie between
/// the elements of a wide step are not among them.
class AxisWalk {
 public:
  /// `axis` has at least one element.
  AxisWalk(const ZarrAxis& axis, std::uint64_t piece) : axis_(axis), piece_(piece) {
    assert(axis.count > 0 && axis.step > 0 && piece > 0);
  }

  std::uint64_t count() const { return count_of({0, axis_.count}); }
  std::uint64_t piece(std::uint64_t i) const { return piece_of({0, axis_.count}, i); }  ///< number i of them

  /// Of the elements of `run` alone.
  std::uint64_t count_of(AxisRun run) const {
    if (run.count == 0) return 0;
    if (axis_.step >= piece_) return run.count;
    return at(run.first + run.count - 1) / piece_ - at(run.first) / piece_ + 1;
  }
  std::uint64_t piece_of(AxisRun run, std::uint64_t i) const {
    return axis_.step >= piece_ ? at(run.first + i) / piece_ : at(run.first) / piece_ + i;
  }
  /// The selected elements in a piece.
  AxisRun elements(std::uint64_t piece) const {
    const std::uint64_t first = reach(piece * piece_), end = reach((piece + 1) * piece_);
    return {first, end - first};
  }
  /// Position of a selected element on the axis.
  std::uint64_t at(std::uint64_t element) const { return axis_.begin + element * axis_.step; }

 private:
  /// Selected elements below a position.
  std::uint64_t reach(std::uint64_t position) const {
    if (position <= axis_.begin) return 0;
    return std::min((position - axis_.begin + axis_.step - 1) / axis_.step, axis_.count);
  }

  ZarrAxis axis_;
  std::uint64_t piece_;
};

}  // namespace weir
