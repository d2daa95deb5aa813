#include "pipelines/write_geotiff.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/tiff/write_tiff.hpp"

namespace weir {

//  plan ──► fetch ──► decode ──► assemble ──► cut ──► compress ──► tif
//  source   I/O lane  all cores  one at a     lists   all cores    ordered, I/O lane
//                                time         runs
//
//  plan      ChunkRequest   the chunks that a unit of the band plan reads              nodes/raster/chunk_nodes.hpp
//  fetch     FetchedChunk   their stored bytes (sources that compute have no such step)
//  decode    DecodedChunk   their pixels
//  assemble  Band           handles of all chunks that the unit's tiles touch          nodes/raster/assemble_bands.hpp
//  cut       TileRun        which tiles travel together                                nodes/raster/cut_tiles.hpp
//  compress  EncodedTiles   cut out of the band, predictor, codec: one task            nodes/codecs/compress_tiles.hpp
//  tif                      appended in file order; directory, sync, name at the end   nodes/tiff/write_tiff.hpp
//
//  Where the source is a TIFF whose tiles fit the file as they are, they pass through:
//
//  plan ──► fetch ──► tif
//  source   I/O lane  ordered, I/O lane
//
//  plan      TileCopyRequest  tiles that travel together                              nodes/tiff/tile_copy.hpp
//  fetch     EncodedTiles     their stored bytes, read as runs
//  tif                        as above
GeotiffWrite::GeotiffWrite(std::shared_ptr<const ChunkSource> source, std::string path,
                           const WriteGeotiffOptions& options)
    : source_(std::move(source)),
      path_(std::move(path)),
      reads_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      graph_(std::make_unique<Graph>(with_requests(options.graph, requests_at_once(*source_)))) {
  const auto tiff = std::dynamic_pointer_cast<const TiffSource>(source_);
  if (tiff && options.pass_through != PassThrough::never) {
    why_not_copied_ = why_not_copied(*tiff, options);
    if (why_not_copied_.empty()) {
      copy_tiles(tiff, options);
      return;
    }
  }
  if (options.pass_through == PassThrough::required)
    throw Error::usage("pass through", "the tiles",
                       tiff ? why_not_copied_ : std::string("the source is no TIFF file as a whole"));
  stream_.emplace(*graph_, input_of(*source_), path_, options);
  auto requests = stream_->requests();
  auto chunks = read_chunks(
      *graph_, requests, source_, reads_,
      {.fetch = stream_->bytes_per_chunk(source_->fetch_bytes()), .decode = stream_->block_bytes()});
  stream_->write(chunks);
}

void GeotiffWrite::copy_tiles(std::shared_ptr<const TiffSource> source, const GeotiffOptions& options) {
  // The writer's windows depend on how many tiles there are, not on their bytes; those are known after the walk.
  TiffOutputLayout layout = output_layout(source->info(), options);
  layout.max_tile_bytes = 1;
  const std::uint64_t standing = source->standing_bytes() + TiffWriter::standing_bytes(layout);
  copy_ = std::make_shared<const TileCopy>(std::move(source),
                                           copied_run_bytes(resolved(graph_->options()), standing));
  layout = layout_of_copy(*copy_, options);
  graph_->ordered_sink("tif", add_tile_copy(*graph_, copy_, "plan", "fetch"),
                       WriteTiff(layout, path_, options.overwrite, *options.files),
                       {.lane = Lane::io, .standing_bytes = TiffWriter::standing_bytes(layout)});
  for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
  const Plan plan = graph_->plan();
  if (plan.smallest_memory > plan.memory)
    throw Error::usage(
        "copy", "the tiles",
        fmt::format("a memory budget of {} ({} bytes) is too small; the smallest that works is {} ({} bytes)",
                    format_bytes(plan.memory), plan.memory, format_bytes(plan.smallest_memory),
                    plan.smallest_memory));
}

std::optional<std::uint64_t> GeotiffWrite::passed_tiles() const {
  if (!copy_) return std::nullopt;
  return copy_->tiles();
}

std::string GeotiffWrite::explain() const {
  if (copy_)
    return fmt::format("tiles       {} pass through as they are stored, in runs of up to {} bytes\n",
                       copy_->tiles(), copy_->run_bytes()) +
           graph_->explain();
  std::string text = stream_->plan().explain();
  if (!why_not_copied_.empty()) text += "recompress  " + why_not_copied_ + "\n";
  return text + explain_requests(*source_) + graph_->explain();
}

RunReport GeotiffWrite::run(const RunOptions& run) {
  const RasterInfo& info = source_->info();
  RunReport report = graph_->run(run);
  report.source_chunks = copy_ ? copy_->tiles() : source_->grid().count();
  report.source_reads = copy_ ? copy_->tiles() : reads_->load();
  add_traffic(*source_, report);
  report.raw_bytes = copy_ ? info.height * info.width * info.pixel_bytes() : stream_->raw_bytes();
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
