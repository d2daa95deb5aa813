#include "pipelines/write_zarr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
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
/// While another writer's request is under way a store may refuse without a new version being there; so often, it does not mean that.
constexpr unsigned most_refusals_of_one_version = 8;
constexpr std::chrono::milliseconds shortest_pause{5}, longest_pause{2000};

/// Of the tries so far; scattered, so that those that met do not meet again.
std::chrono::duration<double> pause_after(unsigned tries, std::mt19937& random) {
  const double most = std::min<double>(
      longest_pause.count(), static_cast<double>(shortest_pause.count()) * (1 << std::min(tries, 16u)));
  return std::chrono::duration<double, std::milli>(std::uniform_real_distribution<double>(0, most)(random));
}

ObjectOwnership ownership_of(const Store& store, bool with_locks) {
  if (!with_locks) return ObjectOwnership::none;
  const StoreAbilities abilities = store.abilities();
  return abilities.lock      ? ObjectOwnership::locked
         : abilities.compare ? ObjectOwnership::compared
                             : ObjectOwnership::none;
}

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
//  In a store without locks an object that changes in part replaces the version that it was made from alone; where another writer
//  was faster, a graph of its own makes it again, from what is there then.
//
//  A unit is a run. A shard goes through in as many runs as the budget wants, so it may be larger than the memory. In place only the
//  chunks that are touched go through.
ZarrWrite::ZarrWrite(std::shared_ptr<const ZarrArray> array, ZarrSelection selection, ZarrOrigin origin,
                     const WriteZarrOptions& options)
    : array_(std::move(array)),
      origin_(std::move(origin)),
      options_(options),
      graph_(std::make_unique<Graph>(limits_for(options.graph, array_->store()))) {
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
  const ObjectOwnership ownership = ownership_of(array_->store(), options.with_locks);
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
      "claim", requests, ClaimRun(array_, runs_, ownership),
      {.lane = Lane::io, .item_bytes = chunks * plain + claimed_index, .ordered = true});
  const Lane lane = lane_of(array_->store());
  NodeOptions fetching{
      .lane = lane, .item_bytes = chunks * plain, .buffer_bytes = FetchExisting::run_bytes(layout, chunks)};
  NodeOptions storing{.lane = lane};
  if (const unsigned at_once = array_->store().requests_at_once(); at_once > 0) {
    fetching.concurrency = at_once;
    storing.concurrency = at_once;
  }
  auto existing = graph_->transform<ExistingRun>("fetch", claimed, FetchExisting(array_, runs_, ownership),
                                                 std::move(fetching));
  auto merged = graph_->transform<MergedRun>("merge", existing, MergeRun(array_, runs_, origin_),
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
                           StoreShards(array_, runs_, i, lost_), {.lane = lane});
  else
    graph_->sink("store", made, StoreChunks(array_, lost_), std::move(storing));
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
  for (const LostUpdates::Lost& each : lost_->take()) {
    const auto begun = std::chrono::steady_clock::now();
    try {
      write_again(each, run, report);
    } catch (const Error& error) {
      report.error = error.what();
      report.failed_node = error.node();
      report.failed_item = error.item();
      if (run.on_failure) run.on_failure(report);
      throw;
    }
    report.wall_seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  }
  report.raw_bytes = raw_bytes_;
  add_traffic(array_->store().traffic(), report);
  return report;
}

/// Until it is there. Adds to the report what that takes.
void ZarrWrite::write_again(const LostUpdates::Lost& lost, const RunOptions& run, RunReport& report) {
  const ZarrLayout& layout = *array_->layout();
  ZarrSelection part;
  ZarrOrigin origin = origin_;
  for (std::size_t axis = 0; axis < layout.rank(); ++axis) {
    const AxisWalk walk(runs_->selection()[axis], layout.object_shape()[axis]);
    const AxisRun elements = walk.elements(lost.object[axis]);
    part.push_back({walk.at(elements.first), elements.count, runs_->selection()[axis].step});
    origin.data += static_cast<std::ptrdiff_t>(elements.first) * origin.strides[axis];
  }
  WriteZarrOptions options = options_;
  options.graph.recording = nullptr;  // that of the whole write is done
  std::erase_if(options.concurrency, [](const auto& node) { return node.first.starts_with("store "); });
  const RunOptions again{
      .stop = run.stop, .before_body = run.before_body, .before_allocation = run.before_allocation};
  std::mt19937 random(std::random_device{}());
  const std::string name = fmt::format("{}: {}", array_->store().name(), array_->key(lost.object));
  ObjectVersion refused = lost.replaced;
  unsigned of_one_version = 1;
  for (unsigned tries = 1; tries <= options.tries; ++tries) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any never;
    never.wait_for(lock, run.stop, pause_after(tries, random), [] { return false; });
    if (run.stop.stop_requested()) throw Error::cancelled();
    ZarrWrite write(array_, part, origin, options);
    const RunReport taken = write.graph_->run(again);
    report.counts["objects written again"] += 1;
    report.cpu_seconds += taken.cpu_seconds;
    for (const auto peak : {&RunReport::peak_planned, &RunReport::peak_leased, &RunReport::peak_payload,
                            &RunReport::peak_resident})
      report.*peak = std::max(report.*peak, taken.*peak);
    const std::vector<LostUpdates::Lost> again_lost = write.lost_->take();
    if (again_lost.empty()) return;
    of_one_version = again_lost.front().replaced == refused ? of_one_version + 1 : 1;
    refused = again_lost.front().replaced;
    if (of_one_version == most_refusals_of_one_version)
      throw Error("update", name,
                  fmt::format("the store has refused to replace it {} times, and nobody else has replaced it",
                              of_one_version));
  }
  throw Error("update", name,
              fmt::format("other writers have replaced it {} times meanwhile", options.tries + 1));
}

RunReport write_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                     const ZarrOrigin& origin, const WriteZarrOptions& options, const RunOptions& run) {
  return ZarrWrite(std::move(array), selection, origin, options).run(run);
}

}  // namespace weir
