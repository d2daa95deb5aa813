#pragma once

#include <algorithm>
#include <cassert>
#include <compare>
#include <cstdint>
#include <numeric>

#include "nodes/raster/window.hpp"

// Inside of the band planner: one axis of a plan. The model is told at the top of band_plan.cpp.

namespace weir {

inline std::uint64_t divide_up(std::uint64_t n, std::uint64_t by) {
  return (n + by - 1) / by;
}

/// Tiles [tiles_before, tiles_before + tiles) of an axis, and the pieces they need.
struct BandGroup {
  std::uint64_t first = 0, end = 0;
  std::uint64_t owned_from = 0;  ///< [owned_from, end) are new with this group
  std::uint64_t kept_from = 0;   ///< [kept_from, end) are needed again by the next
  std::uint64_t tiles = 0, tiles_before = 0;
  auto operator<=>(const BandGroup&) const = default;
};

/// Rows cut into bands, or columns cut into segments. Refers to `pieces`, which must outlive it.
class BandAxis {
 public:
  BandAxis(const Partition& pieces, std::uint64_t halo, std::uint64_t tile, std::uint64_t group_tiles,
           bool keeps)
      : pieces_(pieces),
        extent_(pieces.extent()),
        halo_(std::min(halo, extent_)),
        tiles_(divide_up(extent_, tile)),
        group_tiles_(std::min(group_tiles, tiles_)),
        step_(group_tiles_ * tile),
        keeps_(keeps) {}

  std::uint64_t count() const { return divide_up(tiles_, group_tiles_); }

  std::uint64_t pixel_begin(std::uint64_t group) const {
    return group * step_ > halo_ ? group * step_ - halo_ : 0;
  }
  std::uint64_t pixel_end(std::uint64_t group) const {
    return std::min((group + 1) * step_ + halo_, extent_);
  }

  BandGroup at(std::uint64_t group) const {
    BandGroup at;
    at.first = first(group);
    at.end = end(group);
    at.owned_from = keeps_ ? (group == 0 ? 0 : end(group - 1)) : at.first;
    at.kept_from = keeps_ && group + 1 < count() ? first(group + 1) : at.end;
    at.tiles_before = group * group_tiles_;
    at.tiles = std::min(group_tiles_, tiles_ - at.tiles_before);
    return at;
  }

  /// Calls visit(last group of a run, groups in it, times it occurs) for runs that stand for all groups.
  template <typename Visit>
  void visit_runs(Visit&& visit) const {
    // Groups [lo, hi) see no edge of the raster and no short piece. Their first period, [lo, cut), stands for
    // `repeats` more, which are skipped.
    std::uint64_t lo = 0, cut = 0, period = 0, repeats = 0;
    if (!pieces_.is_ragged()) {
      const std::uint64_t piece = pieces_.largest(), whole = extent_ / piece * piece;
      lo = std::max<std::uint64_t>(1, divide_up(halo_, step_));
      const std::uint64_t hi = whole > halo_ ? (whole - halo_) / step_ : 0;
      period = piece / std::gcd(piece, step_);
      if (hi > lo && (hi - lo) / period > 2) repeats = (hi - lo) / period - 2;
      cut = lo + period;
    }
    for (std::uint64_t group = 0; group < count();) {
      std::uint64_t next = run_end(group);
      if (repeats > 0 && group < lo) next = std::min(next, lo);
      if (repeats > 0 && group < cut) next = std::min(next, cut);
      const bool repeated = repeats > 0 && group >= lo && group < cut;
      visit(at(next - 1), next - group, repeated ? repeats + 1 : 1);
      group = repeated && next == cut ? cut + repeats * period : next;
    }
  }

 private:
  std::uint64_t first(std::uint64_t group) const { return pieces_.piece_at(pixel_begin(group)); }
  std::uint64_t end(std::uint64_t group) const { return pieces_.piece_at(pixel_end(group) - 1) + 1; }

  /// The first group whose `first` lies behind this one.
  std::uint64_t first_moves(std::uint64_t first) const {
    return divide_up(pieces_.end(first) + halo_, step_);
  }
  /// The first group whose `end` lies behind this one; past every group where that is the last piece.
  std::uint64_t end_moves(std::uint64_t end) const {
    const std::uint64_t pixel = pieces_.end(end - 1);
    return pixel < extent_ ? (pixel - halo_) / step_ : tiles_;
  }
  std::uint64_t run_end(std::uint64_t group) const {
    const std::uint64_t last = count() - 1;
    if (group == 0 || group == last) return group + 1;
    const std::uint64_t end_of_run = std::min({first_moves(first(group)), first_moves(first(group + 1)) - 1,
                                               end_moves(end(group)), end_moves(end(group - 1)) + 1, last});
    assert(end_of_run > group);
    return end_of_run;
  }

  const Partition& pieces_;
  const std::uint64_t extent_, halo_, tiles_, group_tiles_, step_;
  const bool keeps_;
};

}  // namespace weir
