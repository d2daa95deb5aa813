#include "pipelines/write_zarr.hpp"

#include <fmt/format.h>

#include <utility>

#include "framework/bytes.hpp"
#include "framework/recording.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/zarr/patch_shards.hpp"
#include "nodes/zarr/run_sizes.hpp"

namespace weir {
namespace {

/// Shards that are being written at once, at most; each keeps an index, and what its writer holds.
constexpr std::uint64_t most_shards_at_once = 4;

}  // namespace

//  plan ──► claim ──► fetch ──► merge ──► encode ──► store
//  source   I/O lane  I/O lane  all cores all cores  I/O lane
//           in order                                 shards: in order
//
//  plan     WriteRequest  runs of chunks, in the order in which they are stored    nodes/zarr/write_runs.hpp
//  claim    ClaimedRun    the object is locked, its index read where parts stay
//  fetch    ExistingRun   stored bytes of chunks that change in part
//  merge    MergedRun     these decoded, the caller's elements over them           nodes/zarr/strided_copy.hpp
//  encode   EncodedRun    all fill: nothing                                        nodes/zarr/chunk_codec.hpp
//  store                  chunk by chunk into its object; what stays is copied there inside the store; index and name last
//                         in place: into a journal, then over the shard        nodes/zarr/patch_shards.hpp
//
//  Several shards are stored at once, a sink for each: two threads that append to one file wait for each other, and one alone is
//  what raw chunks wait for. 64 MiB in four shards on tmpfs, two threads, chunks of 64 KiB: 16.0 ms instead of 26.2; 19.3 where the
//  sinks have threads of their own. All of them are given all runs, so progress counts items and bytes out once for each.
//  On stores in memory fetch and store (chunk by chunk) are the compute threads' as well.
//  A unit is a run. A shard goes through in as many runs as the budget wants, so it may be larger than the memory. In place only the
//  chunks that are touched go through.
ZarrWrite::ZarrWrite(std::shared_ptr<const ZarrArray> array, ZarrSelection selection, ZarrOrigin origin,
                     const WriteZarrOptions& options)
    : array_(std::move(array)), graph_(std::make_unique<Graph>(limits_for(options.graph, array_->store()))) {
  const ZarrLayout& layout = *array_->layout();
  const bool has_shards = layout.index().has_value(), in_place = options.update == ZarrUpdate::in_place;
  check(selection, layout.shape(), array_->name());
  require(array_->store(), {.write = true, .patch = has_shards && !layout.index()->is_at_end()});
  if (in_place) {
    if (!has_shards) throw Error::usage("update in place", array_->name(), "it has no shards with an index");
    if (!options.with_locks)
      throw Error::usage("update in place", array_->name(), "that takes a lock of each shard");
    require(array_->store(), {.put_range = true, .list = true, .lock = true});
  }
  const bool with_locks = options.with_locks && array_->store().abilities().lock;
  raw_bytes_ = layout.type().bytes;
  for (const ZarrAxis& axis : selection) raw_bytes_ *= axis.count;

  const GraphOptions limits = resolved(graph_->options());
  const std::uint64_t decoder = layout.codec().decoder_scratch_bytes();
  const std::uint64_t encoder = layout.codec().encoder_scratch_bytes();
  const std::uint64_t each =
      StoreShards::standing_bytes(layout) + (has_shards ? array_->store().writer_bytes() : 0);
  std::uint64_t kept =
      array_->standing_bytes() + (in_place ? PatchShards::standing_bytes(layout) : each) +
      (has_shards && can_patch(array_->store()) ? journal_buffer_bytes : 0);  // one that is replayed
  // The index of what is there lives as long as the claim, also where the array keeps others by then.
  const std::uint64_t claimed_index = has_shards ? layout.chunk_count() * sizeof(ShardEntry) : 0;
  std::uint64_t standing = kept + limits.threads * (decoder + encoder);
  if (limits.recording != nullptr) standing += limits.recording->bytes();
  const std::uint64_t encoded = layout.codec().max_encoded_bytes(), raw = layout.codec().raw_bytes();
  const std::uint64_t plain = write_item_bytes(layout);
  const std::uint64_t chunk_bytes = 2 * encoded + raw + 4 * plain;
  const std::uint64_t fixed_bytes = 3 * BufferPool::charge(1) + claimed_index;
  std::uint64_t shards_at_once = 1;
  if (has_shards && !in_place) {
    std::uint64_t shards = 1;
    for (std::size_t axis = 0; axis < layout.rank(); ++axis)
      shards *= AxisWalk(selection[axis], layout.object_shape()[axis]).count();
    const std::uint64_t most = std::min({shards, std::uint64_t{limits.threads}, most_shards_at_once});
    // Behind runs of a chunk each for all threads, and half of the rest for larger ones.
    const std::uint64_t smallest = standing + (limits.threads + 2) * (2 * chunk_bytes + fixed_bytes);
    while (shards_at_once < most && smallest + 2 * shards_at_once * each <= limits.memory) ++shards_at_once;
    kept += (shards_at_once - 1) * each;
    standing += (shards_at_once - 1) * each;
  }
  const RunSizes sizes = run_sizes(*array_, limits, chunk_bytes, fixed_bytes, standing);
  runs_ = std::make_shared<const WriteRuns>(array_->layout(), std::move(selection), options.order, sizes.part,
                                            options.update, shards_at_once);
  const std::uint64_t chunks = runs_->chunks_per_run();

  auto requests = graph_->source<WriteRequest>(
      "plan", [](std::uint64_t unit, Emit<WriteRequest>& emit) { emit(WriteRequest{unit}); },
      {.concurrency = 1, .units = runs_->count(), .standing_bytes = kept + runs_->standing_bytes()});
  auto claimed = graph_->transform<ClaimedRun>(
      "claim", requests, ClaimRun(array_, runs_, with_locks),
      {.lane = Lane::io, .item_bytes = chunks * plain + claimed_index, .ordered = true});
  const Lane lane = lane_of(array_->store());
  NodeOptions fetching{
      .lane = lane, .item_bytes = chunks * plain, .buffer_bytes = FetchExisting::run_bytes(layout, chunks)};
  NodeOptions storing{.lane = lane};
  if (const unsigned at_once = array_->store().requests_at_once(); at_once > 0) {
    fetching.concurrency = at_once;
    storing.concurrency = at_once;
  }
  auto existing =
      graph_->transform<ExistingRun>("fetch", claimed, FetchExisting(array_, runs_), std::move(fetching));
  auto merged = graph_->transform<MergedRun>("merge", existing, MergeRun(array_, runs_, std::move(origin)),
                                             {.item_bytes = chunks * plain,
                                              .buffer_bytes = BufferPool::charge(chunks * raw),
                                              .is_input = true,
                                              .slot_bytes = decoder});
  auto made = graph_->transform<EncodedRun>(
      "encode", merged, EncodeRun(array_, options.stores_empty_chunks),
      {.item_bytes = chunks * plain,
       .buffer_bytes = layout.codec().is_raw() ? 0 : BufferPool::charge(chunks * encoded),
       .slot_bytes = encoder});
  if (in_place)
    graph_->ordered_sink("store", made, PatchShards(array_, runs_, options.order));
  else if (has_shards)
    for (std::uint64_t i = 0; i < shards_at_once; ++i)
      graph_->ordered_sink(i == 0 ? "store" : fmt::format("store {}", i + 1), made,
                           StoreShards(array_, runs_, i), {.lane = lane});
  else
    graph_->sink("store", made, StoreChunks(array_), std::move(storing));
  // One run goes through the nodes one after the other, whatever threads there are: starting them is all they would cost.
  if (runs_->count() == 1 && graph_->options().engine == Engine::automatic)
    graph_->options().engine = Engine::serial;
  for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
}

std::string ZarrWrite::explain() const {
  const ZarrLayout& layout = *array_->layout();
  std::string text = fmt::format("objects     {} {}, of {} chunks of {}\n", runs_->objects(),
                                 layout.index() ? "shards" : "chunks", layout.chunk_count(),
                                 format_bytes(layout.codec().raw_bytes()));
  text += fmt::format("runs        {}, of up to {} chunks\n", runs_->count(), runs_->chunks_per_run());
  return text + graph_->explain();
}

RunReport ZarrWrite::run(const RunOptions& run) {
  RunReport report = graph_->run(run);
  report.raw_bytes = raw_bytes_;
  add_traffic(array_->store().traffic(), report);
  return report;
}

RunReport write_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                     const ZarrOrigin& origin, const WriteZarrOptions& options, const RunOptions& run) {
  return ZarrWrite(std::move(array), selection, origin, options).run(run);
}

}  // namespace weir
