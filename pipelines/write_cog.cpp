#include "pipelines/write_cog.hpp"

#include <filesystem>

#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"

namespace weir {

//  plan ──► fetch ──► decode ──► assemble ──► cut ──► take ──┬──► compress ──► level0
//                                                            └──► gather1 ──► reduce1 ──┬──► compress1 ──► level1
//                                                                                       └──► gather2 ──► ...
//
//  plan       ChunkRequest   the chunks that a unit of the band plan reads             nodes/raster/chunk_nodes.hpp
//  fetch      FetchedChunk   their stored bytes (sources that compute have no such step)
//  decode     DecodedChunk   their pixels
//  assemble   Band           handles of all chunks that the unit's tiles touch         nodes/raster/assemble_bands.hpp
//  cut        TileRun        which tiles there are                                     nodes/raster/cut_tiles.hpp
//  take       TileRun        a tile's pixels, which wait for its neighbours'           nodes/raster/pyramid_nodes.hpp
//  gatherK    PyramidTile    what a tile of level K is made from
//  reduceK    TileRun        its pixels                                                nodes/raster/reduce_pixels.hpp
//  compressK  EncodedTiles   predictor and codec                                       nodes/codecs/compress_tiles.hpp
//  levelK                    into the level's extent; packed at the end                nodes/tiff/cog_writer.hpp
CogWrite::CogWrite(std::shared_ptr<const ChunkSource> source, std::string path,
                   const WriteCogOptions& options)
    : source_(std::move(source)),
      path_(std::move(path)),
      reads_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      graph_(std::make_unique<Graph>(with_requests(options.graph, requests_at_once(*source_)))),
      stream_(*graph_, input_of(*source_), path_, options) {
  auto requests = stream_.requests();
  auto chunks = read_chunks(
      *graph_, requests, source_, reads_,
      {.fetch = stream_.bytes_per_chunk(source_->fetch_bytes()), .decode = stream_.block_bytes()});
  stream_.write(chunks);
}

std::string CogWrite::explain() const {
  return stream_.explain() + explain_requests(*source_) + graph_->explain();
}

RunReport CogWrite::run(const RunOptions& run) {
  RunReport report = graph_->run(run);
  report.source_chunks = source_->grid().count();
  report.source_reads = reads_->load();
  add_traffic(*source_, report);
  report.raw_bytes = stream_.raw_bytes();
  std::error_code ignored;  // the file was just committed; a size that cannot be had is reported as 0
  const std::uintmax_t size = std::filesystem::file_size(path_, ignored);
  report.output_bytes = ignored ? 0 : size;
  return report;
}

RunReport write_cog(std::shared_ptr<const ChunkSource> source, const std::string& path,
                    const WriteCogOptions& options, const RunOptions& run) {
  return CogWrite(std::move(source), path, options).run(run);
}

}  // namespace weir
