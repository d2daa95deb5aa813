#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/zarr/write_runs.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

struct WriteZarrOptions {
  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, claim, fetch, merge, encode, store
  /// Of the inner chunks of shards that are written; in place: of the layout whose free slots are used.
  ShardOrder order = ShardOrder::morton;
  /// In place: for shards, on stores that can put ranges and lock (folder, memory); see nodes/zarr/patch_shards.hpp for what other
  /// programs may see while it runs, and after a crash until the array is opened again.
  ZarrUpdate update = ZarrUpdate::copy_on_write;
  /// Chunks that are all fill are stored, too.
  bool stores_empty_chunks = false;
  /// Each object is kept from other writers, in this process and others, while it is written; in a store that has no locks (S3)
  /// one that changes in part replaces the version that it was made from alone, and where another writer was faster it is made again
  /// (RunReport::counts, "objects written again"). Without, writers of the same object lose each other's updates.
  bool with_locks = true;
  /// Without locks: an object that other writers have replaced so often meanwhile is an Error. Of all that try at the same time one
  /// gets through, so among 16 writers 15 tries are enough; between tries there are pauses of up to 2 s.
  unsigned tries = 100;
};

/// A planned write into a part of an array: what explain shows, and what run() runs.
class ZarrWrite {
 public:
  /// Plans; touches nothing. A usage Error where the selection does not lie in the array, the store cannot be written, or the
  /// budget is too small, with the smallest that works. The caller keeps the origin's memory alive until run() has returned.
  ZarrWrite(std::shared_ptr<const ZarrArray> array, ZarrSelection selection, ZarrOrigin origin,
            const WriteZarrOptions& options = {});

  std::string explain() const;
  const Graph& graph() const { return *graph_; }
  /// Once. The caller's elements may be read several times. Every object is as it was or as it is to be, whatever happens; after an
  /// Error some are the one and some the other. In place that holds once the array was opened again, or the next update has begun.
  RunReport run(const RunOptions& run = {});

 private:
  void write_again(const LostUpdates::Lost& lost, const RunOptions& run, RunReport& report);

  std::shared_ptr<const ZarrArray> array_;
  ZarrOrigin origin_;
  WriteZarrOptions options_;
  std::shared_ptr<const WriteRuns> runs_;
  std::shared_ptr<LostUpdates> lost_ = std::make_shared<LostUpdates>();
  std::unique_ptr<Graph> graph_;
  std::uint64_t raw_bytes_ = 0;
};

/// Writes the caller's strided elements into a part of an array. Complete chunks are not read, complete inner chunks of a shard not
/// decoded, other inner chunks of it are taken over as they are stored; a shard may be larger than the memory. The stored bytes do not
/// depend on threads and budget.
RunReport write_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                     const ZarrOrigin& origin, const WriteZarrOptions& options = {},
                     const RunOptions& run = {});

}  // namespace weir
