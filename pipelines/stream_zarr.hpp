#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/graph.hpp"
#include "nodes/zarr/zarr_windows.hpp"

namespace weir {

struct StreamZarrOptions {
  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, fetch, split, decode, windows
};

/// A planned stream of an array's windows: what explain shows, and what run() runs.
class ZarrWindowStream {
 public:
  /// Plans; touches no chunk. `window`: elements of the selection on each axis; those at its far ends may be smaller. A usage Error
  /// for a selection that does not lie in the array, and for a budget too small, with the smallest that works.
  ZarrWindowStream(std::shared_ptr<const ZarrArray> array, ZarrSelection selection,
                   std::vector<std::uint64_t> window, const StreamZarrOptions& options = {});

  std::string explain() const;
  const Graph& graph() const { return *graph_; }
  const WindowPlan& plan() const { return windows_->plan(); }
  /// Calls with each window, row-major, one at a time, on one thread beside the computing ones. The window is the caller's during the
  /// call. What it throws ends the run with an Error that names the window. Once.
  RunReport run(std::function<void(const ZarrWindow&)> each, const RunOptions& run = {});

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::unique_ptr<Graph> graph_;
  std::unique_ptr<ZarrWindows> windows_;
  std::shared_ptr<std::function<void(const ZarrWindow&)>> each_;
  std::uint64_t raw_bytes_ = 0;
};

/// Gives an array's windows to a call, in order, inside the budget. Graphs of one's own begin with ZarrWindows.
RunReport stream_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                      const std::vector<std::uint64_t>& window, std::function<void(const ZarrWindow&)> each,
                      const StreamZarrOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
