#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "nodes/raster/tile_stream.hpp"
#include "nodes/tiff/cog_levels.hpp"

namespace weir {

/// The ends of a graph that streams a raster to a COG in one pass. What lies between is the caller's, as in GeotiffStream.
///
///   plan ──► (the caller's nodes) ──► (spool) ──► assemble ──► cut ──► (kernel1 ...) ──► the nodes of CogLevels
class CogStream {
 public:
  /// Plans for the graph's budget. Throws a usage Error for options that do not fit together, and where the budget is too small,
  /// naming the smallest that works. The graph outlives the stream's use.
  CogStream(Graph& graph, const StreamInput& input, std::string path, const CogOptions& options);

  Output<ChunkRequest> requests() { return stream_.requests(); }  ///< adds the node plan; once, before write
  /// Adds the nodes behind the chunks. Once, as the last of the graph: options.concurrency is applied here.
  void write(Output<DecodedChunk> chunks);

  std::function<std::uint64_t(std::uint64_t)> block_bytes() const { return stream_.block_bytes(); }
  std::function<std::uint64_t(std::uint64_t)> bytes_per_chunk(std::uint64_t bytes) const {
    return stream_.bytes_per_chunk(bytes);
  }

  const StreamPlan& plan() const { return stream_.plan(); }
  const PyramidPlan& pyramid() const { return levels_.pyramid(); }
  /// Bands, reads and levels, in words; after write.
  std::string explain() const { return plan().explain() + levels_.explain(); }
  std::uint64_t raw_bytes() const { return stream_.raw_bytes(); }  ///< of the full raster, decoded

 private:
  Graph& graph_;
  TileStream stream_;
  CogLevels levels_;
};

}  // namespace weir
