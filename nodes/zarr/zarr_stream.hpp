#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/tile_stream.hpp"
#include "nodes/zarr/raster_storage.hpp"
#include "nodes/zarr/zarr_levels.hpp"

namespace weir {

/// How a raster is streamed into an array. Kernels are for one sample, or for interleaved ones.
struct ZarrStreamOptions : ZarrStorage, TileStreamOptions {
  bool overwrite = false;  ///< see folder_output
  /// A pyramid: a group with an array for each level, full resolution first. For one sample, or interleaved ones.
  std::optional<OverviewOptions> pyramid = std::nullopt;
};

/// Throws a usage Error where so many shards of a local folder cannot be open at once: before the work, not in the middle of it.
void check_open_files(const ZarrOutput& output, std::uint64_t shards);

/// The ends of a graph that streams a raster into a new array: the source of chunk requests, and everything behind the chunks. What lies
/// between is the caller's, as with GeotiffStream.
///
///   plan ──► (the caller's nodes) ──► (spool) ──► assemble ──► cut ──► (kernel1 ...) ──► encode ──► store
///
///   plan ... kernel1           see GeotiffStream
///   encode    EncodedTiles     cut out of the band, the array's codecs: one task
///   store                      whole objects, in any order; shards: appended in order, a row of them open at once. The metadata last
///
/// Where a pyramid is wanted, the nodes of ZarrLevels take the place of the last two.
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
  std::uint64_t stored_bytes() const;  ///< of objects, so far
  std::string explain() const;         ///< after write

 private:
  Graph& graph_;
  TileStream stream_;
  const ZarrTiles& tiles() const { return levels_ ? levels_->level(0) : tiles_; }
  std::uint64_t open_shards() const { return levels_ ? levels_->open_shards() : tiles_.open_shards(); }

  ZarrTiles tiles_;                   // either this
  std::optional<ZarrLevels> levels_;  // or that
};

}  // namespace weir
