#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/graph.hpp"
#include "nodes/zarr/read_runs.hpp"
#include "nodes/zarr/run_sizes.hpp"
#include "nodes/zarr/window_plan.hpp"

namespace weir {

/// A window of an array, in memory: its elements row-major without gaps, in the machine's byte order.
struct ZarrWindow {
  std::uint64_t number = 0;          ///< of all windows, row-major
  std::vector<std::uint64_t> place;  ///< in their grid
  ZarrSelection selection;  ///< what of the array it is: as many elements on each axis as `count` says
  Buffer data;
};
inline std::uint64_t payload_bytes(const ZarrWindow& window) {
  return window.data.size();
}
inline std::string item_name(const ZarrWindow& window) {
  return "window " + std::to_string(window.number);
}

/// Puts the chunks of each unit into its windows; many to one, one call at a time. A window leaves with its number as its ticket, when all
/// chunks of its unit are there.
class AssembleWindows {
 public:
  /// `parts_per_run`: items that come in for each run.
  AssembleWindows(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const WindowPlan> plan,
                  std::uint64_t chunks_per_run, std::uint64_t parts_per_run)
      : array_(std::move(array)),
        plan_(std::move(plan)),
        chunks_per_run_(chunks_per_run),
        parts_per_run_(parts_per_run) {}
  void operator()(const Item<DecodedPart>& item, Emit<ZarrWindow>& emit, const Context& context);

 private:
  struct Unit {
    std::vector<ZarrWindow> windows;
    std::vector<std::vector<std::ptrdiff_t>> strides;
    std::uint64_t parts_left = 0;
  };
  Unit begin(std::uint64_t unit, const Context& context) const;

  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WindowPlan> plan_;
  std::uint64_t chunks_per_run_, parts_per_run_;
  std::map<std::uint64_t, Unit> units_;  ///< those that have begun
};

/// The beginning of a graph that takes windows of an array, in order: each chunk fetched once, decoded on every core, where the windows
/// that share it fit into a third of the budget; explain() says how often where they do not. What follows is the caller's:
/// a node sees windows in any order on many threads, or in theirs where it is ordered.
///
///   plan ──► fetch ──► split ──► decode ──► windows ──► (the caller's nodes)
///
///   plan ... decode   see read_zarr
///   windows           ZarrWindow   their parts of the chunks, copied into memory of their own; fill where there is none
class ZarrWindows {
 public:
  /// Plans for the graph's budget; touches no chunk. Throws a usage Error for a selection that does not lie in the array, and for
  /// a window of other axes. The graph outlives this.
  ZarrWindows(Graph& graph, std::shared_ptr<const ZarrArray> array, ZarrSelection selection,
              std::vector<std::uint64_t> window);

  Output<ZarrWindow> windows();  ///< adds the nodes; once
  const WindowPlan& plan() const { return *plan_; }
  std::uint64_t decoded() const { return decoded_->load(); }  ///< chunks, so far
  std::string explain() const;

 private:
  Graph& graph_;
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WindowPlan> plan_;
  std::shared_ptr<std::atomic<std::uint64_t>> decoded_;
  RunSizes sizes_;
};

}  // namespace weir
