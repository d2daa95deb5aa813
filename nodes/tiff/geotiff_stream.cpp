#include "nodes/tiff/geotiff_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/error.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/raster/assemble_bands.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/kernel_node.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/spool_chunks.hpp"
#include "nodes/tiff/write_tiff.hpp"

namespace weir {
namespace {

/// The raster and how it is cut: all that is known before kernels say what they make of it.
TiffOutputLayout cut_of(const RasterInfo& info, const GeotiffOptions& options) {
  TiffOutputLayout layout;
  layout.info = info;
  layout.tiled = !options.strip_rows;
  layout.tile_height = options.strip_rows ? std::min(*options.strip_rows, info.height) : options.tile_height;
  layout.tile_width = options.strip_rows ? info.width : options.tile_width;
  layout.planar_separate = options.planar_separate && info.samples > 1;
  return layout;
}

}  // namespace

TiffOutputLayout output_layout(const RasterInfo& info, const GeotiffOptions& options) {
  TiffOutputLayout layout = cut_of(info, options);
  if (options.nodata) replace_nodata(layout.info, *options.nodata);
  add_metadata(layout.info, options.metadata);
  layout.info.georeferencing = edited(info, options.georeferencing);
  layout.codec = options.codec.custom ? static_cast<CodecId>(options.codec.custom->tiff_compression())
                                      : options.codec.id;
  layout.predictor = options.predictor.value_or(default_predictor(options.codec, info.type));
  layout.big = options.big;
  layout.sparse = options.sparse;
  layout.statistics = options.statistics;
  return layout;
}

TileEncoding encoding_of(const TiffOutputLayout& layout, const CodecSpec& codec) {
  TileEncoding encoding;
  encoding.codec = codec;
  encoding.predictor = layout.predictor;
  encoding.tiles = layout.tiles();
  encoding.pads_last_row = layout.tiled;
  encoding.samples = layout.info.samples;
  encoding.type = layout.info.type;
  encoding.fill = fill_for(layout.info);
  encoding.set_extras(layout.info, layout.sparse, layout.statistics);
  fit_codec(encoding, layout.info);
  return encoding;
}

GeotiffStream::GeotiffStream(Graph& graph, const StreamInput& input, std::string path,
                             const GeotiffOptions& options)
    : graph_(graph),
      path_(std::move(path)),
      options_(options),
      setup_(std::make_unique<GraphSetup>()),
      codec_(resolved(options.codec)),
      raw_bytes_(input.info.height * input.info.width * input.info.pixel_bytes()),
      input_standing_(input.standing_bytes) {
  setup_->limits = resolved(graph.options());
  setup_->concurrency = options_.concurrency;
  setup_->files = options_.files;
  RasterFlow& flow = setup_->shared<RasterFlow>();
  const std::size_t source = flow.add_source(input, options_.spool);
  flow.add_output(path_);
  flow.add_standing([this, slot_bytes = input.slot_bytes] {
    return input_standing_ + setup_->slots("decode") * slot_bytes;
  });

  const TiffOutputLayout cut = cut_of(input.info, options_);
  check(cut);
  auto edge = std::make_shared<TilesEdge>();
  edge->info = input.info;
  edge->tiles = cut.tiles();
  edge->is_strips = !cut.tiled;
  edge->on_halo = [&flow, source](std::uint64_t halo) { flow.need_halo(source, halo); };
  edge->cut = flow.add_cut(edge->tiles, input.info.pixel_bytes());
  for (const auto& kernel : options_.kernels) {
    kernels_.push_back(kernel_node(fmt::format("kernel{}", kernels_.size() + 1), kernel, *setup_));
    const std::shared_ptr<EdgeInfo> inputs[] = {edge};
    edge = std::static_pointer_cast<TilesEdge>(kernels_.back()->describe(inputs));
  }
  layout_ = output_layout(edge->info, options_);
  check(layout_);
  if (layout_.planar_separate && !kernels_.empty())
    throw Error::usage("write", "one plane per sample", "kernels compute all samples of a pixel together");

  const TileEncoding encoding = encoding_of(layout_, codec_);
  layout_.max_tile_bytes = encoding.max_tile_bytes();
  layout_.max_mask_bytes = encoding.max_mask_bytes();
  layout_.codec_tags = tags_of(encoding.codec);
  flow.add_encoded(edge->cut, [bytes = encoding.tile_charge()] { return bytes; });
  run_tiles_ = flow.run_tiles(edge->cut);
  flow.add_standing([this, encoding] {
    return setup_->slots("compress") * CompressTiles(encoding, run_tiles_).slot_bytes() +
           TiffWriter::standing_bytes(layout_);
  });
  plan_ = flow.stream(source, edge->cut);
}

Output<ChunkRequest> GeotiffStream::requests() {
  return graph_.source<ChunkRequest>(
      "plan", PlanChunks(plan_.bands, plan_.spool.has_value()),
      {.concurrency = 1,
       .units = plan_.bands->units(),
       .items_of_unit = [plan = plan_](std::uint64_t unit) { return plan.requests(unit); },
       .standing_bytes = input_standing_});
}

void GeotiffStream::write(Output<DecodedChunk> chunks) {
  const StreamPlan plan = plan_;
  const CompressTiles compress(encoding_of(layout_, codec_), run_tiles_);
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
  auto encoded = graph_.transform<EncodedTiles>(
      "compress", runs, compress,
      {.buffer_bytes_of_unit = [plan](std::uint64_t unit) { return plan.encoded_bytes(unit); },
       .slot_bytes = compress.slot_bytes()});
  graph_.ordered_sink(
      "tif", encoded, WriteTiff(layout_, path_, options_.overwrite, *options_.files),
      {.lane = Lane::io,
       .waits = [plan](std::uint64_t unit, std::uint64_t ticket) { return plan.waits(unit, ticket); },
       .standing_bytes = TiffWriter::standing_bytes(layout_)});
  for (const auto& [node, concurrency] : options_.concurrency) graph_.set_concurrency(node, concurrency);
}

std::function<std::uint64_t(std::uint64_t)> GeotiffStream::block_bytes() const {
  return [plan = plan_](std::uint64_t unit) { return plan.block_bytes(unit); };
}

std::function<std::uint64_t(std::uint64_t)> GeotiffStream::bytes_per_chunk(std::uint64_t bytes) const {
  return [plan = plan_, bytes](std::uint64_t unit) { return plan.chunk_count(unit) * bytes; };
}

}  // namespace weir
