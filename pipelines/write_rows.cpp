#include "pipelines/write_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>

#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/raster/assemble_bands.hpp"
#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/raster/spool_chunks.hpp"
#include "nodes/raster/write_rows.hpp"

namespace weir {

//  plan ──► fetch ──► decode ──► assemble ──► cut ──► copy ──► file
//  source   I/O lane  all cores  one at a     lists   all      ordered, I/O lane
//                                time         runs    cores
//
//  The streaming write of write_geotiff with one-row strips and no codec.
RunReport write_rows(std::shared_ptr<const ChunkSource> source, const std::string& path,
                     const WriteRowsOptions& options, const RunOptions& run) {
  const GraphOptions limits = resolved(with_requests(options.graph, requests_at_once(*source)));
  const RasterInfo& info = source->info();
  TileEncoding rows;
  rows.tiles = {info.height, info.width, 1, info.width, 1};
  rows.pads_last_row = false;
  rows.samples = info.samples;
  rows.type = info.type;

  const std::uint64_t run_rows = tiles_per_run(rows.tiles, rows.raw_tile_bytes());
  const CompressTiles copy(rows, run_rows);
  GraphSetup setup;
  setup.limits = limits;
  setup.concurrency = options.concurrency;
  setup.files = options.files;
  RasterFlow& flow = setup.shared<RasterFlow>();
  flow.add_source(input_of(*source));
  flow.add_output(path);
  const std::size_t cut = flow.add_cut(rows.tiles, info.pixel_bytes());
  flow.add_encoded(cut, [bytes = BufferPool::charge(rows.max_tile_bytes())] { return bytes; });
  flow.add_standing([&] { return source->standing_bytes() + setup.slots("decode") * source->local_bytes(); });
  const StreamPlan stream = flow.stream(0, cut);
  auto reads = std::make_shared<std::atomic<std::uint64_t>>(0);

  Graph graph(limits);
  auto requests = graph.source<ChunkRequest>(
      "plan", PlanChunks(stream.bands, stream.spool.has_value()),
      {.concurrency = 1,
       .units = stream.bands->units(),
       .items_of_unit = [stream](std::uint64_t unit) { return stream.requests(unit); },
       .standing_bytes = source->standing_bytes()});
  auto chunks = read_chunks(graph, requests, source, reads,
                            {.fetch = [stream, bytes = source->fetch_bytes()](
                                          std::uint64_t unit) { return stream.chunk_count(unit) * bytes; },
                             .decode = [stream](std::uint64_t unit) { return stream.block_bytes(unit); }});
  chunks = spool_chunks(graph, "spool", chunks, stream);
  auto bands = graph.expand<Band>(
      "assemble", chunks, AssembleBands(stream.bands),
      {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; },
       .carried_bytes = [stream](std::uint64_t unit) { return stream.carried_bytes(unit); }});
  auto runs = graph.expand<TileRun>(
      "cut", bands, CutTiles(stream.bands, stream.runs),
      {.concurrency = 1, .items_of_unit = [stream](std::uint64_t unit) { return stream.run_count(unit); }});
  auto copied = graph.transform<EncodedTiles>(
      "copy", runs, copy,
      {.buffer_bytes_of_unit = [stream](std::uint64_t unit) { return stream.encoded_bytes(unit); }});
  const std::string header = options.format == RowsFormat::npy ? npy_header(info) : std::string();
  graph.ordered_sink("file", copied, WriteRows(header, path, options.overwrite, *options.files));
  for (const auto& [node, concurrency] : options.concurrency) graph.set_concurrency(node, concurrency);

  RunReport report = graph.run(run);
  report.source_chunks = source->grid().count();
  report.source_reads = reads->load();
  add_traffic(*source, report);
  report.raw_bytes = info.height * info.width * info.pixel_bytes();
  report.output_bytes = header.size() + report.raw_bytes;
  return report;
}

}  // namespace weir
