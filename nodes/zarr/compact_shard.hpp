#pragma once

#include <cstdint>
#include <memory>

#include "nodes/zarr/write_runs.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

/// What compacting has found and done.
struct Compaction {
  std::uint64_t shards = 0, rewritten = 0;  ///< that are there, and of these
  std::uint64_t bytes = 0, saved = 0;       ///< of all of them before, and less after
};

/// Writes shards that have unused room (updates in place leave it) anew: the stored chunks as they are, in `order`, none of it passes
/// through here where the store copies by itself. Each under its lock, whole or as it was. For the I/O lane, one at a time.
class CompactShard {
 public:
  CompactShard(std::shared_ptr<const ZarrArray> array, ShardOrder order, std::shared_ptr<Compaction> done);
  std::uint64_t shards() const { return runs_->objects(); }  ///< that the array has room for
  /// Number of a shard, row-major.
  void operator()(const WriteRequest& request, const Context& context);
  std::uint64_t standing_bytes() const;

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const WriteRuns> runs_;
  StoreShards store_;
  std::shared_ptr<Compaction> done_;
};

}  // namespace weir
