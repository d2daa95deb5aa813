#include "pipelines/compact_zarr.hpp"

#include <utility>

namespace weir {

//  plan ──► compact
//  source   I/O lane, one at a time
//
//  plan     WriteRequest  every shard that the array has room for
//  compact                locked, its index read; where it has unused room: copied inside the store, chunk by chunk, index and
//                         name last                                                  nodes/zarr/compact_shard.hpp
CompactZarrReport compact_zarr(std::shared_ptr<const ZarrArray> array, const CompactZarrOptions& options,
                               const RunOptions& run) {
  const ZarrLayout& layout = *array->layout();
  if (!layout.index()) throw Error::usage("compact", array->name(), "it has no shards with an index");
  require(array->store(), {.write = true, .patch = !layout.index()->is_at_end(), .copy = true});
  const auto done = std::make_shared<Compaction>();
  CompactShard compact(std::move(array), options.order, done);
  const std::uint64_t shards = compact.shards(), standing = compact.standing_bytes();

  Graph graph(options.graph);
  auto requests = graph.source<WriteRequest>(
      "plan", [](std::uint64_t unit, Emit<WriteRequest>& emit) { emit(WriteRequest{unit}); },
      {.concurrency = 1, .units = shards});
  graph.sink("compact", requests, std::move(compact), {.lane = Lane::io, .standing_bytes = standing});
  CompactZarrReport report{graph.run(run), {}};
  report.done = *done;
  return report;
}

}  // namespace weir
