#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nodes/zarr/axis_walk.hpp"
#include "nodes/zarr/zarr_layout.hpp"

namespace weir {

/// How a selection is cut into windows of one shape, row-major, and how many windows are made as one unit. A unit is some windows
/// that follow each other: of one place on the first axes, of some places on the next one, and of all places on the last axes. So
/// windows of a unit share the chunks that they have in common; windows of two units do not. The unit is chosen that
/// reads the fewest chunks twice and still fits; of those the smallest. A formula: ten million windows cost nothing. Const and thread-safe.
class WindowPlan {
 public:
  /// What takes memory, bytes: a chunk on its way, and a window beside its elements.
  struct Cost {
    std::uint64_t chunk = 0, window = 0;
  };
  /// `window`: elements of the selection on each axis; those at the far ends may be smaller. Throws a usage Error where it
  /// has not the selection's axes, or none of an axis. `unit_bytes`: what a unit may take; the smallest one may take more.
  WindowPlan(std::shared_ptr<const ZarrLayout> layout, ZarrSelection selection,
             std::vector<std::uint64_t> window, const Cost& cost, std::uint64_t unit_bytes,
             const std::string& name);

  const ZarrLayout& layout() const { return *layout_; }
  const std::shared_ptr<const ZarrLayout>& shared_layout() const { return layout_; }
  std::uint64_t count() const;                                ///< windows
  std::uint64_t window_bytes() const;                         ///< charge of the elements of the largest
  std::vector<std::uint64_t> at(std::uint64_t window) const;  ///< its place in the grid of windows
  /// What a window has of the array; the place is one in the grid.
  ZarrSelection selection(const std::vector<std::uint64_t>& place) const;

  std::uint64_t units() const;
  std::uint64_t first_window(std::uint64_t unit) const;
  std::uint64_t window_count(std::uint64_t unit) const;
  ZarrSelection unit_selection(std::uint64_t unit) const;
  /// The windows of a unit that touch a chunk, which it touches: their numbers from its first one on.
  std::vector<std::uint64_t> windows_of(std::uint64_t unit, const std::vector<std::uint64_t>& chunk) const;

  std::uint64_t chunks() const;                   ///< that the selection touches
  std::uint64_t reads() const { return reads_; }  ///< of chunks, by all units

 private:
  struct Cut {
    std::size_t axis = 0;      ///< the one of which a unit has some places
    std::uint64_t places = 1;  ///< so many
  };
  AxisRun elements(std::size_t axis, AxisRun places) const;
  AxisRun places(std::uint64_t unit, std::size_t axis) const;
  std::uint64_t chunks_on(std::size_t axis) const;
  std::uint64_t reads_on(std::size_t axis, std::uint64_t places) const;
  std::uint64_t reads_of(const Cut& cut) const;
  std::uint64_t bytes_of(const Cut& cut, const Cost& cost) const;
  std::uint64_t cuts(const Cut& cut) const;
  void choose(const Cost& cost, std::uint64_t unit_bytes);

  std::shared_ptr<const ZarrLayout> layout_;
  ZarrSelection selection_;
  std::vector<std::uint64_t> window_, grid_;  ///< elements of a window, and windows, on each axis
  Cut cut_;
  std::uint64_t reads_ = 0;
};

}  // namespace weir
