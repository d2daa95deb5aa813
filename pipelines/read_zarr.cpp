#include "pipelines/read_zarr.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "framework/bytes.hpp"
#include "framework/recording.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/zarr/run_sizes.hpp"

namespace weir {

//  plan ──► fetch ──► split ──► decode ──► scatter
//  source   I/O lane            all cores  all cores
//
//  plan     RunRequest   runs of chunks that the selection touches            nodes/zarr/chunk_runs.hpp
//  fetch    FetchedRun   their stored bytes: one request for a whole shard,   nodes/zarr/stored_chunks.hpp
//                        else its index (kept) and merged ranges              nodes/zarr/shard_indexes.hpp
//  split    RunPart      as many of its chunks as one thread decodes at once  nodes/zarr/read_runs.hpp
//  decode   DecodedPart  their elements, packed                               nodes/zarr/chunk_codec.hpp
//  scatter               into the caller's memory, fill where there is none   nodes/zarr/strided_copy.hpp
//
//  On stores in memory fetch is the compute threads' as well.
//  A unit is a run: its stored bytes and its elements are what it takes from the budget.
//
//  Raw chunks go through a run's buffer, too. Read straight into the caller's rows (preadv), 64 MiB of uint16 on tmpfs take two threads
//  18.8, 10.2, 6.7 and 6.8 ms in files of 16 KiB, 64 KiB, 512 KiB and 4 MiB, whose rows have 256 B to 4 KiB; through a buffer
//  that stays in the cache 17.4, 9.6, 7.4 and 8.1 ms. It would be worth its code from rows of 1 KiB on, by a tenth.
ZarrRead::ZarrRead(std::shared_ptr<const ZarrArray> array, ZarrSelection selection, ZarrTarget target,
                   const ReadZarrOptions& options)
    : array_(std::move(array)),
      decoded_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      graph_(std::make_unique<Graph>(limits_for(options.graph, array_->store()))) {
  const ZarrLayout& layout = *array_->layout();
  check(selection, layout.shape(), array_->name());
  raw_bytes_ = packed_bytes(selection, layout.type().bytes);

  const GraphOptions limits = resolved(graph_->options());
  const std::uint64_t slot = layout.codec().decoder_scratch_bytes();
  std::uint64_t standing = array_->standing_bytes() + limits.threads * slot;
  if (limits.recording != nullptr) standing += limits.recording->bytes();
  const std::uint64_t index = layout.index() ? layout.index()->encoded_bytes() : 0;
  const RunSizes sizes = run_sizes(
      *array_, limits, layout.codec().max_encoded_bytes() + layout.codec().raw_bytes() + item_bytes(layout),
      BufferPool::charge(index) + 2 * BufferPool::charge(1), standing);
  runs_ = std::make_shared<const ChunkRuns>(array_->layout(), std::move(selection), sizes.run);
  const std::shared_ptr<const ChunkRuns> runs = runs_;
  const std::uint64_t chunk_bytes = item_bytes(layout);

  auto requests = graph_->source<RunRequest>(
      "plan", [](std::uint64_t unit, Emit<RunRequest>& emit) { emit(RunRequest{unit}); },
      {.concurrency = 1, .units = runs->count(), .standing_bytes = array_->standing_bytes()});
  NodeOptions fetching{.lane = lane_of(array_->store()),
                       .item_bytes = sizes.run * chunk_bytes,
                       .buffer_bytes = FetchRun::run_bytes(layout, sizes)};
  if (const unsigned at_once = array_->store().requests_at_once(); at_once > 0)
    fetching.concurrency = at_once;
  const auto chunks = [runs](const RunRequest& request) { return runs->chunks_of(request.run); };
  auto fetched =
      graph_->transform<FetchedRun>("fetch", requests, FetchRun(array_, chunks, sizes), std::move(fetching));
  auto parts = graph_->expand<RunPart>("split", fetched, SplitRun(sizes.part),
                                       {.items_of_unit = [runs, part = sizes.part](std::uint64_t unit) {
                                         return SplitRun::parts(runs->size(unit), part);
                                       }});
  auto decoded = graph_->transform<DecodedPart>(
      "decode", parts, DecodePart(array_, decoded_),
      {.buffer_bytes = DecodePart::part_bytes(layout, sizes.part), .is_input = true, .slot_bytes = slot});
  graph_->sink("scatter", decoded, ScatterPart(array_, runs, std::move(target)));
  // One part goes through the nodes one after the other, whatever threads there are: starting them is all they would cost. So it is
  // with one request, too.
  if (runs_->count() == 1 && runs_->size(0) <= sizes.part && options.graph.engine == Engine::automatic)
    graph_->options().engine = Engine::serial;
  for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
}

std::string ZarrRead::explain() const {
  const ZarrLayout& layout = *array_->layout();
  std::string text = fmt::format("chunks      {} of {}, in {} {}\n", runs_->chunks(),
                                 format_bytes(layout.codec().raw_bytes()), runs_->objects(),
                                 layout.index() ? "shards" : "objects");
  text += fmt::format("runs        {}, of up to {} chunks\n", runs_->count(), runs_->chunks_per_run());
  return text + graph_->explain();
}

RunReport ZarrRead::run(const RunOptions& run) {
  RunReport report = graph_->run(run);
  report.source_chunks = runs_->chunks();
  report.source_reads = decoded_->load();
  report.raw_bytes = raw_bytes_;
  add_traffic(array_->store().traffic(), report);
  return report;
}

RunReport read_zarr(std::shared_ptr<const ZarrArray> array, const ZarrSelection& selection,
                    const ZarrTarget& target, const ReadZarrOptions& options, const RunOptions& run) {
  return ZarrRead(std::move(array), selection, target, options).run(run);
}

ZarrSelection everything(const ZarrArray& array) {
  return all_of(*array.layout());
}

}  // namespace weir
