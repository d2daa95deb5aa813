#include "nodes/raster/tile_stream.hpp"

#include <fmt/format.h>

#include "nodes/raster/assemble_bands.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/kernel_node.hpp"
#include "nodes/raster/spool_chunks.hpp"

namespace weir {

TileStream::TileStream(Graph& graph, const StreamInput& input, const TileLayout& tiles, bool is_strips,
                       const TileStreamOptions& options)
    : graph_(graph),
      setup_(std::make_unique<GraphSetup>()),
      raw_bytes_(input.info.height * input.info.width * input.info.pixel_bytes()),
      input_standing_(input.standing_bytes) {
  setup_->limits = resolved(graph.options());
  setup_->concurrency = options.concurrency;
  setup_->files = options.files;
  RasterFlow& flow = this->flow();
  source_ = flow.add_source(input, options.spool);
  flow.add_standing([setup = setup_.get(), standing = input_standing_, slot_bytes = input.slot_bytes] {
    return standing + setup->slots("decode") * slot_bytes;
  });

  tiles_ = std::make_shared<TilesEdge>();
  tiles_->info = input.info;
  tiles_->tiles = tiles;
  tiles_->is_strips = is_strips;
  tiles_->on_halo = [&flow, source = source_](std::uint64_t halo) { flow.need_halo(source, halo); };
  tiles_->cut = flow.add_cut(tiles, input.info.pixel_bytes());
  for (const auto& kernel : options.kernels) {
    kernels_.push_back(kernel_node(fmt::format("kernel{}", kernels_.size() + 1), kernel, *setup_));
    const std::shared_ptr<EdgeInfo> inputs[] = {tiles_};
    tiles_ = std::static_pointer_cast<TilesEdge>(kernels_.back()->describe(inputs));
  }
}

Output<ChunkRequest> TileStream::requests() {
  return graph_.source<ChunkRequest>(
      "plan", PlanChunks(plan_.bands, plan_.spool.has_value()),
      {.concurrency = 1,
       .units = plan_.bands->units(),
       .items_of_unit = [plan = plan_](std::uint64_t unit) { return plan.requests(unit); },
       .standing_bytes = input_standing_});
}

Output<TileRun> TileStream::add_to(Output<DecodedChunk> chunks) {
  const StreamPlan plan = plan_;
  chunks = spool_chunks(graph_, "spool", chunks, plan);
  auto bands =
      graph_.expand<Band>("assemble", chunks, AssembleBands(plan.bands),
                          {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; },
                           .carried_bytes = [plan](std::uint64_t unit) { return plan.carried_bytes(unit); }});
  auto runs = graph_.expand<TileRun>(
      "cut", bands, CutTiles(plan.bands, plan.runs),
      {.concurrency = 1, .items_of_unit = [plan](std::uint64_t unit) { return plan.run_count(unit); }});
  for (const auto& kernel : kernels_) {
    const AnyOutput inputs[] = {runs};
    runs = kernel->add_to(graph_, inputs).as<TileRun>();
  }
  return runs;
}

void TileStream::set_concurrency() {
  for (const auto& [node, concurrency] : setup_->concurrency) graph_.set_concurrency(node, concurrency);
}

std::function<std::uint64_t(std::uint64_t)> TileStream::block_bytes() const {
  return [plan = plan_](std::uint64_t unit) { return plan.block_bytes(unit); };
}

std::function<std::uint64_t(std::uint64_t)> TileStream::bytes_per_chunk(std::uint64_t bytes) const {
  return [plan = plan_, bytes](std::uint64_t unit) { return plan.chunk_count(unit) * bytes; };
}

}  // namespace weir
