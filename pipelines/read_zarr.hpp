#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/zarr/chunk_runs.hpp"
#include "nodes/zarr/read_runs.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

struct ReadZarrOptions {
  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, fetch, split, decode, scatter
};

/// A planned read of a part of an array: what explain shows, and what run() runs.
class ZarrRead {
 public:
  /// Plans; touches no chunk. `selection` lies in the array, else a usage Error; so is a budget too small, with the smallest
  /// that works. The caller keeps the target's memory alive until run() has returned.
  ZarrRead(std::shared_ptr<const ZarrArray> array, ZarrSelection selection, ZarrTarget target,
           const ReadZarrOptions& options = {});

  std::string explain() const;
  const Graph& graph() const { return *graph_; }
  /// Once. Nothing may be relied on in the target after an Error.
  RunReport run(const RunOptions& run = {});

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const ChunkRuns> runs_;
  std::shared_ptr<std::atomic<std::uint64_t>> decoded_;
  std::unique_ptr<Graph> graph_;
  std::uint64_t raw_bytes_ = 0;
};

/// Reads a part of an array into the caller's strided memory: every chunk that it touches is fetched once, decoded on every core,
/// inner chunks of one shard as well, and scattered without locks.
RunReport read_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                    const ZarrTarget& target, const ReadZarrOptions& options = {},
                    const RunOptions& run = {});

/// All of an array's axes.
ZarrSelection everything(const ZarrArray& array);

}  // namespace weir
