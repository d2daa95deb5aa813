#include "pipelines/write_geotiff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "framework/error.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/raster/assemble_bands.hpp"
#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/stream_plan.hpp"
#include "nodes/tiff/write_tiff.hpp"

namespace weir {
namespace {

Predictor default_predictor(CodecId codec, SampleType type) {
  if (codec != CodecId::deflate && codec != CodecId::zstd && codec != CodecId::lzw) return Predictor::none;
  return is_floating(type) ? Predictor::floating_point : Predictor::horizontal;
}

/// How the file will be stored, from what the caller asked for and what the source is.
TiffOutputLayout layout_of(const RasterInfo& info, const WriteGeotiffOptions& options) {
  TiffOutputLayout layout;
  layout.info = info;
  if (options.nodata) layout.info.nodata = options.nodata;
  layout.tiled = !options.strip_rows;
  layout.tile_height = options.strip_rows ? std::min(*options.strip_rows, info.height) : options.tile_height;
  layout.tile_width = options.strip_rows ? info.width : options.tile_width;
  layout.planar_separate = options.planar_separate && info.samples > 1;
  layout.codec = options.codec.id;
  layout.predictor = options.predictor.value_or(default_predictor(options.codec.id, info.type));
  layout.big = options.big;
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
  return encoding;
}

}  // namespace

struct GeotiffWrite::Planned {
  StreamPlan stream;
  std::uint64_t raw_bytes = 0;
  std::shared_ptr<std::atomic<std::uint64_t>> reads = std::make_shared<std::atomic<std::uint64_t>>(0);
};

//  plan ──► fetch ──► decode ──► assemble ──► cut ──► compress ──► tif
//  source   I/O lane  all cores  one at a     lists   all cores    ordered, I/O lane
//                                time         runs
//
//  plan      ChunkRequest   the chunks that a unit of the band plan reads
//  fetch     FetchedChunk   their stored bytes (sources that compute have no such step)
//  decode    DecodedChunk   their pixels
//  assemble  Band           handles of all chunks that the unit's tiles touch, some of them kept from earlier units
//  cut       TileRun        which tiles travel together
//  compress  EncodedTiles   cut out of the band, predictor, codec: one task
//  tif                      appended in file order; directory, sync and name at the end
GeotiffWrite::GeotiffWrite(std::shared_ptr<const ChunkSource> source, std::string path, const WriteGeotiffOptions& options)
    : source_(std::move(source)), path_(std::move(path)), planned_(std::make_unique<Planned>()) {
  const GraphOptions limits = resolved(options.graph);
  const CodecSpec codec = resolved(options.codec);
  TiffOutputLayout layout = layout_of(source_->info(), options);
  check(layout);
  const TileEncoding encoding = encoding_of(layout, codec);
  layout.max_tile_bytes = encoding.max_tile_bytes();

  const std::uint64_t run_tiles = tiles_per_run(layout.tiles(), encoding.raw_tile_bytes());
  const CompressTiles compress(encoding, run_tiles);
  const auto slots = [&](const std::string& node) -> std::uint64_t {
    const auto set = options.concurrency.find(node);
    return limits.engine == Engine::serial ? 1 : set != options.concurrency.end() ? set->second : limits.threads;
  };
  const std::uint64_t standing = source_->standing_bytes() + slots("decode") * source_->local_bytes() +
                                 slots("compress") * compress.slot_bytes() + TiffWriter::standing_bytes(layout);
  const StreamPlan stream = plan_stream(*source_, layout.tiles(), layout.max_tile_bytes, run_tiles, limits.memory, standing,
                                        std::min<std::uint64_t>(limits.tokens, limits.threads + 2));
  planned_->stream = stream;
  planned_->raw_bytes = source_->info().height * source_->info().width * source_->info().pixel_bytes();

  graph_ = std::make_unique<Graph>(limits);
  Graph& graph = *graph_;
  auto requests = graph.source<ChunkRequest>("plan", PlanChunks(stream.bands),
                                             {.concurrency = 1,
                                              .units = stream.bands->units(),
                                              .items_of_unit = [stream](std::uint64_t unit) { return stream.requests(unit); },
                                              .standing_bytes = source_->standing_bytes()});
  auto chunks = read_chunks(graph, requests, source_, planned_->reads,
                            {.buffer_bytes_of_unit = [stream](std::uint64_t unit) { return stream.fetch_bytes(unit); }},
                            {.buffer_bytes_of_unit = [stream](std::uint64_t unit) { return stream.decode_bytes(unit); },
                             .carried_bytes = [stream](std::uint64_t unit) { return stream.carried_bytes(unit); }});
  auto bands = graph.expand<Band>("assemble", chunks, AssembleBands(stream.bands),
                                  {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }});
  auto runs = graph.expand<TileRun>("cut", bands, CutTiles(stream.bands, stream.runs),
                                    {.concurrency = 1, .items_of_unit = [stream](std::uint64_t unit) {
                                       return stream.runs->count(stream.bands->unit(unit));
                                     }});
  auto encoded = graph.transform<EncodedTiles>("compress", runs, compress,
                                               {.buffer_bytes_of_unit = [stream](std::uint64_t unit) { return stream.encoded_bytes(unit); },
                                                .slot_bytes = compress.slot_bytes()});
  graph.ordered_sink("tif", encoded, WriteTiff(layout, path_, options.overwrite, *options.files),
                     {.lane = Lane::io,
                      .waits = [stream](std::uint64_t unit, std::uint64_t ticket) { return stream.waits(unit, ticket); },
                      .standing_bytes = TiffWriter::standing_bytes(layout)});
  for (const auto& [node, concurrency] : options.concurrency) graph.set_concurrency(node, concurrency);
}

GeotiffWrite::~GeotiffWrite() = default;

std::string GeotiffWrite::explain() const { return planned_->stream.explain() + graph_->explain(); }

RunReport GeotiffWrite::run(const RunOptions& run) {
  RunReport report = graph_->run(run);
  report.source_chunks = source_->grid().count();
  report.source_reads = planned_->reads->load();
  report.raw_bytes = planned_->raw_bytes;
  std::error_code ignored;  // the file was just committed; a size that cannot be had is reported as 0
  const std::uintmax_t size = std::filesystem::file_size(path_, ignored);
  report.output_bytes = ignored ? 0 : size;
  return report;
}

RunReport write_geotiff(std::shared_ptr<const ChunkSource> source, const std::string& path,
                        const WriteGeotiffOptions& options, const RunOptions& run) {
  return GeotiffWrite(std::move(source), path, options).run(run);
}

}  // namespace weir
