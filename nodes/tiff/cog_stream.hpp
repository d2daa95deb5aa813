#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/shared_locals.hpp"
#include "nodes/raster/pyramid_nodes.hpp"
#include "nodes/raster/pyramid_plan.hpp"
#include "nodes/raster/reduce_pixels.hpp"
#include "nodes/tiff/geotiff_stream.hpp"
#include "nodes/tiff/write_cog.hpp"

namespace weir {

/// How a raster is stored as a Cloud Optimized GeoTIFF: as GeotiffOptions says, in tiles, pixels interleaved; and its overviews.
struct CogOptions : GeotiffOptions {
  CogOptions() { tile_height = tile_width = 512; }

  Resampling resampling = Resampling::average;  ///< palettes and samples that are not arithmetic: nearest
  bool resampling_is_given = false;
  /// Factors of the overviews, of the full raster, growing; nothing: 2, 4, 8 ... until a level fits into one tile; empty: no overviews.
  std::optional<std::vector<std::uint32_t>> overviews;
  CogPacking packing = CogPacking::automatic;
};

/// The ends of a graph that streams a raster to a COG in one pass. What lies between is the caller's, as in GeotiffStream.
///
///   plan ──► (the caller's nodes) ──► assemble ──► cut ──► take ──┬──► compress ─────► level 0
///                                                                 └──► gather1 ──► reduce1 ──┬──► compress1 ──► level 1
///                                                                                            └──► gather2 ──► ...
///
///   take      TileRun        the pixels of a tile, which wait for those of its neighbours
///   gatherK   PyramidTile    the tiles of level K - 1 that a tile of level K is made from, once all are there
///   reduceK   TileRun        its pixels
///   compressK EncodedTiles   predictor and codec; framed by the tile's size and its last bytes
///   levelK                   in file order, into the level's own extent of the one file
///
/// A level is made from the stored values of the one below. One admission pays for all levels: a tile of level K belongs to the
/// unit that completes it.
class CogStream {
 public:
  /// Plans for the graph's budget. Throws a usage Error for options that do not fit together, and where the budget is too small,
  /// naming the smallest that works. The graph outlives the stream's use.
  CogStream(Graph& graph, const StreamInput& input, std::string path, const CogOptions& options);

  Output<ChunkRequest> requests();  ///< adds the node plan; once, before write
  void write(
      Output<DecodedChunk> chunks);  ///< adds the nodes behind the chunks; once, as the last of the graph

  std::function<std::uint64_t(std::uint64_t)> block_bytes() const;
  std::function<std::uint64_t(std::uint64_t)> bytes_per_chunk(std::uint64_t bytes) const;

  const StreamPlan& plan() const { return plan_; }
  const PyramidPlan& pyramid() const { return *pyramid_; }
  /// Bands, reads and levels, in words.
  std::string explain() const;
  std::uint64_t raw_bytes() const { return raw_bytes_; }  ///< of the full raster, decoded

 private:
  struct Level {
    TiffOutputLayout layout;
    TileEncoding encoding;
    std::shared_ptr<const ReducePixels> reduce;  ///< to the next level; none for the last
  };
  void make_levels(const RasterInfo& info);
  std::uint64_t standing_bytes() const;  ///< of compressing, reducing and writing
  ReduceTile reducer(std::size_t level) const;
  std::uint64_t reducer_bytes() const;  ///< of one Local, which serves every level
  void add_level(std::size_t level, Output<TileRun> tiles);

  Graph& graph_;
  std::string path_;
  CogOptions options_;
  std::vector<std::uint32_t> factors_;  ///< from each level to the next
  std::vector<Level> levels_;
  StreamPlan plan_;
  std::shared_ptr<const PyramidPlan> pyramid_;
  std::uint64_t raw_bytes_ = 0, input_standing_ = 0, workers_ = 1;
  std::shared_ptr<CogFile> file_;
  std::shared_ptr<SharedLocals<CompressTiles::Local>> encoders_;
  std::shared_ptr<SharedLocals<ReduceTile::Local>> reducers_;
};

}  // namespace weir
