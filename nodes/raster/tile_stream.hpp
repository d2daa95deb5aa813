#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/stream_plan.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// How a raster becomes tiles; see GeotiffOptions.
struct TileStreamOptions {
  std::vector<std::shared_ptr<TileKernel>> kernels;
  std::string spool = "auto";
  std::map<std::string, unsigned> concurrency;
  FileSystem* files = &FileSystem::real();
};

/// A raster on its way to the tiles of a file, kernels and all, for a graph that is made in C++: what read, assemble, cut and
/// kernel nodes of a graph file are, with one source. The caller adds the nodes that read, and those behind the tiles.
///
///   plan ──► (the caller's nodes) ──► (spool) ──► assemble ──► cut ──► (kernel1 ...) ──► (the caller's nodes)
///
/// One thread. First all that comes behind the tiles tells flow() what it takes; then plan_all(), then the nodes, in the way of
/// the data.
class TileStream {
 public:
  /// Throws a usage Error where kernels do not take what they get. The graph outlives the stream's use.
  TileStream(Graph& graph, const StreamInput& input, const TileLayout& tiles, bool is_strips,
             const TileStreamOptions& options);

  GraphSetup& setup() { return *setup_; }
  RasterFlow& flow() { return setup_->shared<RasterFlow>(); }
  const TilesEdge& tiles() const { return *tiles_; }  ///< what the kernels make; without: as they are cut

  /// Throws a usage Error where the budget is too small, naming the smallest that works.
  void plan_all() { plan_ = flow().stream(source_, tiles_->cut); }
  const StreamPlan& plan() const { return plan_; }

  Output<ChunkRequest> requests();                      ///< adds the node plan
  Output<TileRun> add_to(Output<DecodedChunk> chunks);  ///< adds the nodes from spool to the last kernel
  void set_concurrency();                               ///< of the whole graph, when all nodes are there

  /// NodeOptions::buffer_bytes_of_unit of a node that makes the blocks which the bands hold...
  std::function<std::uint64_t(std::uint64_t)> block_bytes() const;
  /// ... and of one that takes `bytes` for each chunk: its part of StreamInput::transient_bytes.
  std::function<std::uint64_t(std::uint64_t)> bytes_per_chunk(std::uint64_t bytes) const;
  std::uint64_t raw_bytes() const { return raw_bytes_; }  ///< of the whole raster, decoded

 private:
  Graph& graph_;
  std::unique_ptr<GraphSetup> setup_;  ///< holds the RasterFlow
  std::vector<std::unique_ptr<NodeInstance>> kernels_;
  std::shared_ptr<TilesEdge> tiles_;
  StreamPlan plan_;
  std::size_t source_ = 0;
  std::uint64_t raw_bytes_ = 0, input_standing_ = 0;
};

}  // namespace weir
