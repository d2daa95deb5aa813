#include "pipelines/write_zarr_raster.hpp"

#include <utility>

#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/remote_reading.hpp"

namespace weir {

//  plan ──► fetch ──► decode ──► assemble ──► cut ──► encode ──► store
//  source   I/O lane  all cores  one at a     lists   all cores  I/O lane; shards: ordered
//                                time         runs
//
//  plan      ChunkRequest   the chunks that a unit of the band plan reads              nodes/raster/chunk_nodes.hpp
//  fetch     FetchedChunk   their stored bytes (sources that compute have no such step)
//  decode    DecodedChunk   their pixels
//  assemble  Band           handles of all chunks that the unit's tiles touch          nodes/raster/assemble_bands.hpp
//  cut       TileRun        which tiles (chunks of the array) travel together          nodes/raster/cut_tiles.hpp
//  encode    EncodedTiles   cut out of the band, the array's codecs: one task          nodes/zarr/encode_tiles.hpp
//  store                    objects, or appended to the shards of a row of them; the   nodes/zarr/store_tiles.hpp
//                           metadata and the name last                                 nodes/zarr/zarr_output.hpp
ZarrRasterWrite::ZarrRasterWrite(std::shared_ptr<const ChunkSource> source,
                                 std::shared_ptr<ZarrOutput> output, const WriteZarrRasterOptions& options)
    : source_(std::move(source)),
      reads_(std::make_shared<std::atomic<std::uint64_t>>(0)),
      graph_(std::make_unique<Graph>(with_requests(options.graph, requests_at_once(*source_)))) {
  stream_.emplace(*graph_, input_of(*source_), std::move(output), options);
  auto requests = stream_->requests();
  auto chunks = read_chunks(*graph_, requests, source_, reads_,
                            {.fetch = stream_->stream().bytes_per_chunk(source_->fetch_bytes()),
                             .decode = stream_->stream().block_bytes()});
  stream_->write(chunks);
}

ZarrRasterWrite::ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, const std::string& path,
                                 const WriteZarrRasterOptions& options)
    : ZarrRasterWrite(std::move(source), zarr_output(path, options.format, options.overwrite, *options.files),
                      options) {}

ZarrRasterWrite::ZarrRasterWrite(std::shared_ptr<const ChunkSource> source,
                                 std::shared_ptr<const Store> store, const std::string& path,
                                 const WriteZarrRasterOptions& options)
    : ZarrRasterWrite(std::move(source), store_output(std::move(store), path, options.overwrite), options) {}

std::string ZarrRasterWrite::explain() const {
  return stream_->explain() + explain_requests(*source_) + graph_->explain();
}

RunReport ZarrRasterWrite::run(const RunOptions& run) {
  const RasterInfo& info = source_->info();
  RunReport report = graph_->run(run);
  report.source_chunks = source_->grid().count();
  report.source_reads = reads_->load();
  add_traffic(*source_, report);
  report.raw_bytes = info.height * info.width * info.pixel_bytes();
  report.output_bytes = stream_->stored_bytes();
  return report;
}

RunReport write_zarr_raster(std::shared_ptr<const ChunkSource> source, const std::string& path,
                            const WriteZarrRasterOptions& options, const RunOptions& run) {
  return ZarrRasterWrite(std::move(source), path, options).run(run);
}

}  // namespace weir
