#pragma once

#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/tile_stream.hpp"
#include "nodes/zarr/raster_storage.hpp"

namespace weir {

/// How a raster is streamed into an array. Kernels are for one sample, or for interleaved ones.
struct ZarrStreamOptions : ZarrStorage, TileStreamOptions {
  bool overwrite = false;  ///< see folder_output
};

/// The ends of a graph that streams a raster into a new array: the source of chunk requests, and everything behind the chunks. What lies
/// between is the caller's, as with GeotiffStream.
///
///   plan ──► (the caller's nodes) ──► (spool) ──► assemble ──► cut ──► (kernel1 ...) ──► encode ──► store
///
///   plan ... kernel1           see GeotiffStream
///   encode    EncodedTiles     cut out of the band, the array's codecs: one task
///   store                      whole objects, in any order; shards: appended in order, a row of them open at once. The metadata last
class ZarrStream {
 public:
  /// Plans for the graph's budget; writes nothing. Throws a usage Error for options that do not fit together, and where the budget is too
  /// small, naming the smallest that works. The graph outlives the stream's use.
  ZarrStream(Graph& graph, const StreamInput& input, std::shared_ptr<ZarrOutput> output,
             const ZarrStreamOptions& options);

  Output<ChunkRequest> requests() { return stream_.requests(); }  ///< adds the node plan; once, before write
  void write(
      Output<DecodedChunk> chunks);  ///< adds the nodes behind the chunks; once, as the last of the graph

  const TileStream& stream() const { return stream_; }
  const ZarrTiles& tiles() const { return tiles_; }
  std::string explain() const;

 private:
  Graph& graph_;
  TileStream stream_;
  ZarrTiles tiles_;
};

}  // namespace weir
