#pragma once

#include <memory>

#include "framework/graph.hpp"
#include "nodes/zarr/compact_shard.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

struct CompactZarrOptions {
  GraphOptions graph;
  ShardOrder order = ShardOrder::morton;  ///< of the inner chunks of what is rewritten
};

struct CompactZarrReport {
  RunReport run;
  Compaction done;
};

/// Rewrites the shards of an array that have unused room, which updates in place leave; chunks are not decoded. A usage Error where the
/// array has no shards, or the store cannot do it. Every shard is as it was or compact, whatever happens.
CompactZarrReport compact_zarr(std::shared_ptr<const ZarrArray> array, const CompactZarrOptions& options = {},
                               const RunOptions& run = {});

}  // namespace weir
