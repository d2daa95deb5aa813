#include "pipelines/read_geotiff.hpp"

#include <atomic>

#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/raster/scatter_chunk.hpp"
#include "nodes/raster/source_view.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/tiff/open_tiff.hpp"

namespace weir {
namespace {

/// Up to here compute threads fetch as well: a window of 3 x 3 tiles of 256 x 256 uint16, in the page cache, takes 0.16 ms instead of
/// 0.25 without the start of an I/O lane, and with zstd 0.7 instead of 0.8.
constexpr std::uint64_t few_chunks = 32;

}  // namespace

//  plan ──► fetch ──► decode ──► scatter
//  source   I/O lane  all cores  all cores
//
//  One unit and one item per chunk that the window touches. Sources that compute have no fetch; where a local file is asked for a few
//  chunks, or has nothing to decode, fetch is the compute threads' as well.
RunReport read_region(std::shared_ptr<const ChunkSource> source, const Window& window,
                      const ReadTarget& target, const ReadOptions& options, const RunOptions& run) {
  source = view_of(std::move(source), {{}, {}, options.samples, options.convert});
  const RasterInfo& info = source->info();
  require_inside(window, info);
  const ChunkGrid& grid = source->grid();
  const ChunkIndex first{grid.rows.piece_at(window.row), grid.cols.piece_at(window.col)};
  const std::uint64_t rows = grid.rows.piece_at(window.row_end() - 1) - first.row + 1;
  const std::uint64_t cols = grid.cols.piece_at(window.col_end() - 1) - first.col + 1;
  auto reads = std::make_shared<std::atomic<std::uint64_t>>(0);

  const unsigned at_once = requests_at_once(*source);
  // Two threads that wait for the disk are as many as the lane has, and nobody would compute meanwhile.
  const bool is_copied = source->local_bytes() == 0;
  Graph graph(with_requests(options.graph, at_once));
  // One chunk goes through the nodes one after the other, whatever threads there are.
  if (rows * cols == 1 && options.graph.engine == Engine::automatic) graph.options().engine = Engine::serial;
  auto requests = graph.source<ChunkRequest>(
      "plan",
      [first, cols](std::uint64_t unit, Emit<ChunkRequest>& emit) {
        emit(ChunkRequest{{first.row + unit / cols, first.col + unit % cols}});
      },
      {.concurrency = 1, .units = rows * cols, .standing_bytes = source->standing_bytes()});
  const std::uint64_t decode_bytes = BufferPool::charge(source->block_bytes()) + source->excess_bytes();
  auto chunks =
      read_chunks(graph, requests, source, reads,
                  {.fetch = [bytes = source->fetch_bytes()](std::uint64_t) { return bytes; },
                   .decode = [decode_bytes](std::uint64_t) { return decode_bytes; }},
                  "", at_once == 0 && (rows * cols <= few_chunks || is_copied) ? Lane::compute : Lane::io);
  graph.sink("scatter", chunks,
             ScatterChunk(window, target.data, target.strides, target.mask, target.mask_row_stride));
  for (const auto& [node, concurrency] : options.concurrency) graph.set_concurrency(node, concurrency);

  RunReport report = graph.run(run);
  report.source_chunks = rows * cols;
  report.source_reads = reads->load();
  add_traffic(*source, report);
  report.raw_bytes = window.height * window.width * info.pixel_bytes();
  return report;
}

RunReport read_geotiff(const std::string& path, const Window& window, const ReadTarget& target,
                       const ReadOptions& options, const RunOptions& run) {
  TiffOpenOptions open;
  open.with_mask = target.mask != nullptr;
  open.keep_half = options.convert.type == SampleType::float16;  // bit for bit, not through float32
  open.window = window;
  open.http = options.http;
  return read_region(open_tiff(path, open), window, target, options, run);
}

}  // namespace weir
