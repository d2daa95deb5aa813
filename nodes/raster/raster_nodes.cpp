#include "nodes/raster/raster_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <limits>
#include <map>
#include <tuple>

#include "framework/error.hpp"
#include "nodes/raster/assemble_bands.hpp"
#include "nodes/raster/copy_pixels.hpp"
#include "nodes/raster/map_tiles.hpp"
#include "nodes/raster/masked_pixels.hpp"
#include "nodes/raster/pixel_limit.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/source_view.hpp"
#include "nodes/raster/spool_chunks.hpp"
#include "nodes/raster/terrain_source.hpp"

namespace weir {
namespace {

const Port chunks_in{"input", "chunks", "a raster as its source gives it"};
const Port bands_in{"input", "bands", "rows of the raster, assembled from chunks"};
const Port tiles_in{"input", "tiles", "output tiles, not yet encoded"};

template <class Edge>
const Edge& edge(const std::shared_ptr<EdgeInfo>& info) {
  const auto* typed = dynamic_cast<const Edge*>(info.get());
  assert(typed != nullptr);  // port types were checked
  return *typed;
}

// ---- sources

class SourceInstance : public NodeInstance {
 public:
  SourceInstance(std::string name, std::shared_ptr<const ChunkSource> source, std::string spool,
                 GraphSetup& setup)
      : name_(std::move(name)),
        source_(std::move(source)),
        spool_(std::move(spool)),
        flow_(setup.shared<RasterFlow>()),
        setup_(setup) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>>) override {
    auto out = std::make_shared<ChunksEdge>();
    out->source = number_ = flow_.add_source(input_of(*source_), spool_);
    out->info = source_->info();
    setup_.requests_at_once = std::max(setup_.requests_at_once, requests_at_once(*source_));
    flow_.add_standing([this] {
      return source_->standing_bytes() + setup_.slots(stage_name(name_, "decode")) * source_->local_bytes();
    });
    return out;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput>) override {
    const StreamPlan plan = flow_.stream(number_, 0);
    auto requests = graph.source<ChunkRequest>(
        stage_name(name_, "plan"), PlanChunks(plan.bands, plan.spool.has_value()),
        {.concurrency = 1,
         .units = plan.bands->units(),
         .items_of_unit = [plan](std::uint64_t unit) { return plan.requests(unit); },
         .standing_bytes = source_->standing_bytes()});
    auto chunks = read_chunks(graph, requests, source_, reads_,
                              {.fetch = [plan, bytes = source_->fetch_bytes()](
                                            std::uint64_t unit) { return plan.chunk_count(unit) * bytes; },
                               .decode = [plan](std::uint64_t unit) { return plan.block_bytes(unit); }},
                              name_ + ".");
    return spool_chunks(graph, stage_name(name_, "spool"), chunks, plan);
  }

  void finish(RunReport& report) override {
    const RasterInfo& info = source_->info();
    report.raw_bytes += info.height * info.width * info.pixel_bytes();
    report.source_chunks += source_->grid().count();
    report.source_reads += reads_->load();
    add_traffic(*source_, report);
  }
  std::string explain() const override {
    return (number_ == 0 ? flow_.explain() : "") + explain_requests(*source_);
  }

 private:
  std::string name_;
  std::shared_ptr<const ChunkSource> source_;
  std::string spool_;
  RasterFlow& flow_;
  GraphSetup& setup_;
  std::size_t number_ = 0;
  std::shared_ptr<std::atomic<std::uint64_t>> reads_ = std::make_shared<std::atomic<std::uint64_t>>(0);
};

// ---- assemble_bands

class AssembleInstance : public NodeInstance {
 public:
  AssembleInstance(std::string name, GraphSetup& setup)
      : name_(std::move(name)), flow_(setup.shared<RasterFlow>()) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto& in = edge<ChunksEdge>(inputs.front());
    source_ = in.source;
    carries_ = flow_.claim_carried(source_);
    auto out = std::make_shared<BandsEdge>();
    out->source = in.source;
    out->info = in.info;
    return out;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(source_);
    NodeOptions options{.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }};
    if (carries_)
      options.carried_bytes = [plan](std::uint64_t unit) { return plan->carried_bytes(plan->unit(unit)); };
    return graph.expand<Band>(name_, inputs.front().as<DecodedChunk>(), AssembleBands(plan),
                              std::move(options));
  }

 private:
  std::string name_;
  RasterFlow& flow_;
  std::size_t source_ = 0;
  bool carries_ = false;
};

// ---- cut_tiles

class CutInstance : public NodeInstance {
 public:
  CutInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)),
        tile_(parameters.size("tile")),
        is_planar_(parameters.text("interleave") == "band"),
        flow_(setup.shared<RasterFlow>()) {
    if (parameters.has("strip")) strip_ = static_cast<std::uint64_t>(parameters.integer("strip"));
  }

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto& in = edge<BandsEdge>(inputs.front());
    auto out = std::make_shared<TilesEdge>();
    out->info = in.info;
    out->is_strips = strip_.has_value();
    out->tiles = {in.info.height, in.info.width, strip_ ? std::min(*strip_, in.info.height) : tile_.height,
                  strip_ ? in.info.width : tile_.width, is_planar_ ? in.info.samples : 1};
    out->cut = cut_ = flow_.add_cut(out->tiles, in.info.pixel_bytes());
    out->on_halo = [&flow = flow_, source = in.source](std::uint64_t halo) { flow.need_halo(source, halo); };
    source_ = in.source;
    return out;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(source_);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(cut_);
    return graph.expand<TileRun>(name_, inputs.front().as<Band>(), CutTiles(plan, runs),
                                 {.concurrency = 1, .items_of_unit = [plan, runs](std::uint64_t unit) {
                                    return runs->count(plan->unit(unit));
                                  }});
  }

 private:
  std::string name_;
  PixelSize tile_;
  std::optional<std::uint64_t> strip_;
  bool is_planar_;
  RasterFlow& flow_;
  std::size_t source_ = 0, cut_ = 0;
};

// ---- sinks of pixels

/// Pixels as they are. Makes a run independent of its band, so that it can wait for its place in the file.
class CopyPixels : public TileKernel {
 public:
  RasterInfo describe(std::span<const RasterInfo> inputs) override { return inputs.front(); }
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*,
               const Context&) const override {
    const PixelView& in = inputs.front();
    copy_pixels(in.data, {in.row_stride, in.pixel_stride, in.sample_stride}, out.data,
                {out.row_stride, out.pixel_stride, out.sample_stride}, out.window.height, out.window.width,
                out.samples, bytes_of(out.type));
  }
};

/// An ordered sink of runs of tiles.
class WriteTiles {
 public:
  WriteTiles(std::unique_ptr<TileSink> sink, RasterInfo info)
      : sink_(std::move(sink)), info_(std::move(info)) {}
  void open() { sink_->open(info_); }
  void operator()(const TileRun& run, const Context& context) {
    const Block& block = *run.band->blocks.front();
    sink_->write({block.data.data(), block.window, block.type, block.samples, block.row_stride,
                  block.pixel_stride, block.sample_stride},
                 context);
  }
  void close() { sink_->close(); }

 private:
  std::unique_ptr<TileSink> sink_;
  RasterInfo info_;
};

class TileSinkInstance : public NodeInstance {
 public:
  TileSinkInstance(std::string name, std::unique_ptr<TileSink> sink, GraphSetup& setup)
      : name_(std::move(name)), sink_(std::move(sink)), flow_(setup.shared<RasterFlow>()), setup_(setup) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto& in = edge<TilesEdge>(inputs.front());
    require_arithmetic("write", in.info);
    require_value_for_masked("write", in.info);
    if (in.tiles.planes > 1)
      throw Error::usage("write", "tiles of one sample each",
                         "this sink takes all samples of a pixel: cut with interleave: pixel");
    mapping_.kernel = std::make_shared<CopyPixels>();
    mapping_.tiles = in.tiles;
    mapping_.inputs = {in.info};
    mapping_.output = in.info;
    mapping_.output.has_mask = false;
    cut_ = in.cut;
    flow_.add_encoded(cut_, [this] { return mapping().tile_bytes(); });
    flow_.add_standing([bytes = sink_->standing_bytes()] { return bytes; });
    flow_.add_standing([this] { return setup_.slots(stage_name(name_, "copy")) * mapping().slot_bytes(); });
    return nullptr;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(0);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(cut_);
    const TileMapping mapping = this->mapping();
    auto copies =
        graph.transform<TileRun>(stage_name(name_, "copy"), inputs.front().as<TileRun>(), MapTiles(mapping),
                                 {.buffer_bytes_of_unit =
                                      [plan, runs, bytes = mapping.tile_bytes()](std::uint64_t unit) {
                                        return runs->tile_count(plan->unit(unit)) * bytes;
                                      },
                                  .slot_bytes = mapping.slot_bytes()});
    const std::uint64_t standing = sink_->standing_bytes();
    graph.ordered_sink(
        stage_name(name_, "write"), copies, WriteTiles(std::move(sink_), mapping.output),
        {.lane = Lane::io,
         .waits = [plan, runs](std::uint64_t unit,
                               std::uint64_t ticket) { return runs->waits(plan->unit(unit), ticket); },
         .standing_bytes = standing});
    return {};
  }

 private:
  TileMapping mapping() const {
    TileMapping mapping = mapping_;
    mapping.run_tiles = flow_.run_tiles(cut_);
    return mapping;
  }

  std::string name_;
  std::unique_ptr<TileSink> sink_;
  RasterFlow& flow_;
  GraphSetup& setup_;
  TileMapping mapping_;
  std::size_t cut_ = 0;
};

}  // namespace

NodeType source_node_type(NodeType type, OpenSource open, bool fetches) {
  type.output = chunks_in;
  type.output->name = "output";
  type.stages = fetches ? std::vector<std::string>{"plan", "fetch", "decode"}
                        : std::vector<std::string>{"plan", "decode"};
  if (type.bytes.empty())
    type.bytes =
        fetches ? "per chunk: its stored bytes and its pixels; pixels are kept while later units need them"
                : "per chunk: its pixels, kept while later units need them";
  std::vector<std::string> of_view;
  for (Parameter& parameter : view_parameters()) {
    if (std::ranges::find(type.parameters, parameter.name, &Parameter::name) != type.parameters.end())
      continue;  // a plugin's source has its own meaning for the name
    of_view.push_back(parameter.name);
    type.parameters.push_back(std::move(parameter));
  }
  type.parameters.push_back(spool_parameter());
  type.parameters.push_back({.name = "max_pixels",
                             .type = ParameterType::integer,
                             .help = "refuse a raster (or a window) of more pixels",
                             .unit = "pixels",
                             .least = 1});
  type.make = [open = std::move(open), of_view](const std::string& name, const Parameters& parameters,
                                                GraphSetup& setup) {
    std::map<std::string, ParameterValue> view;
    for (const std::string& each : of_view)
      if (parameters.has(each)) view.emplace(each, parameters.values().at(each));
    auto source = view_of(open(parameters, setup), view_in(Parameters(std::move(view))));
    if (parameters.has("max_pixels"))
      require_pixels(source->info(), static_cast<std::uint64_t>(parameters.integer("max_pixels")), name);
    return std::make_unique<SourceInstance>(name, std::move(source), parameters.text("spool"), setup);
  };
  return type;
}

NodeType tile_sink_node_type(NodeType type, MakeTileSink make) {
  type.inputs = {tiles_in};
  type.needs_order = true;
  type.stages = {"copy", "write"};
  if (type.bytes.empty()) type.bytes = "per tile: a copy of its pixels, until it has its turn";
  type.make = [make = std::move(make)](const std::string& name, const Parameters& parameters,
                                       GraphSetup& setup) {
    return std::make_unique<TileSinkInstance>(name, make(parameters, setup), setup);
  };
  return type;
}

NodeType assemble_bands_node_type() {
  NodeType type;
  type.name = "assemble_bands";
  type.help =
      "gathers the chunks that rows of tiles are cut from; each chunk is read once where the budget allows";
  type.inputs = {chunks_in};
  type.output = Port{"output", bands_in.type, "handles of all chunks that a unit's tiles touch"};
  type.bytes = "nothing of its own: it holds handles of chunks, whose bytes the source's unit paid";
  type.make = [](const std::string& name, const Parameters&, GraphSetup& setup) {
    return std::make_unique<AssembleInstance>(name, setup);
  };
  return type;
}

NodeType cut_tiles_node_type() {
  NodeType type;
  type.name = "cut_tiles";
  type.help = "lists the tiles or strips of each band, in runs that carry enough work";
  type.inputs = {bands_in};
  type.output = Port{"output", tiles_in.type, "runs of tiles that share their band"};
  type.parameters = {
      {.name = "tile",
       .type = ParameterType::size,
       .help = "size of a tile, height x width",
       .default_value = "256",
       .unit = "pixels",
       .least = 1,
       .most = 1 << 20},
      {.name = "strip",
       .type = ParameterType::integer,
       .help = "strips of this many rows, as wide as the raster, instead of tiles",
       .unit = "pixels",
       .least = 1,
       .most = std::numeric_limits<std::uint32_t>::max()},
      {.name = "interleave",
       .type = ParameterType::choice,
       .help = "whether a tile has all samples of its pixels, or each band has tiles of its own",
       .default_value = "pixel",
       .choices = {"pixel", "band"}},
  };
  type.bytes = "nothing of its own: tiles share their band";
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<CutInstance>(name, parameters, setup);
  };
  return type;
}

NodeType terrain_node_type() {
  std::vector<std::string> types;
  for (const SampleType type : arithmetic_sample_types) types.emplace_back(name_of(type));
  NodeType type;
  type.name = "terrain";
  type.help = "makes up an elevation model of any size: the same pixels for the same seed";
  type.parameters = {
      {.name = "size",
       .type = ParameterType::size,
       .help = "of the raster, height x width",
       .default_value = "4096",
       .unit = "pixels",
       .least = 1,
       .most = 0x1p40},
      {.name = "sample_type",
       .type = ParameterType::choice,
       .help = "of the elevations",
       .default_value = "float32",
       .choices = types},
      {.name = "chunk",
       .type = ParameterType::size,
       .help = "pixels that are made together, height x width",
       .default_value = "512",
       .unit = "pixels",
       .least = 1,
       .most = 1 << 16},
      {.name = "seed",
       .type = ParameterType::integer,
       .help = "another seed, another terrain",
       .default_value = "1",
       .least = 0,
       .most = 0x1p53},
      {.name = "holes",
       .type = ParameterType::flag,
       .help = "lakes without elevation: NaN, or the nodata value",
       .default_value = "false"},
      {.name = "nodata", .help = "the nodata value of the raster, a number or nan"},
  };
  return source_node_type(
      std::move(type),
      [](const Parameters& parameters, const GraphSetup&) -> std::shared_ptr<const ChunkSource> {
        TerrainOptions options;
        options.height = parameters.size("size").height;
        options.width = parameters.size("size").width;
        options.type = *sample_type_named(parameters.text("sample_type"));
        options.chunk_height = parameters.size("chunk").height;
        options.chunk_width = parameters.size("chunk").width;
        options.seed = static_cast<std::uint64_t>(parameters.integer("seed"));
        options.holes = parameters.flag("holes");
        if (parameters.has("nodata")) options.nodata = parameters.text("nodata");
        return std::make_shared<const TerrainSource>(options);
      },
      false);
}

}  // namespace weir
