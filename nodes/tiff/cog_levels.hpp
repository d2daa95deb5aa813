#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/graph.hpp"
#include "framework/shared_locals.hpp"
#include "nodes/raster/pyramid_levels.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/tiff/geotiff_stream.hpp"
#include "nodes/tiff/write_cog.hpp"

namespace weir {

/// How a raster is stored as a Cloud Optimized GeoTIFF: as GeotiffOptions says, in tiles, pixels interleaved; and its overviews.
struct CogOptions : GeotiffOptions, OverviewOptions {
  CogOptions() { tile_height = tile_width = 512; }

  CogPacking packing = CogPacking::automatic;
};

/// Throws a usage Error for `strips` and for `planes`: one of each sample.
void require_cog_layout(bool strips, bool planes);

/// What makes a COG of tiles: all nodes behind those that cut or compute.
///
///   tiles ──► take ──┬──► compress ─────► level0
///                    └──► gather1 ──► reduce1 ──┬──► compress1 ──► level1
///                                               └──► gather2 ──► ...
///
///   take ...  as in PyramidLevels
///   compressK EncodedTiles   predictor and codec; framed by the tile's size and its last bytes
///   levelK                   in file order, into the level's own extent of the one file
///
/// A level is made from the values of the one below as they go into its codec. These are the stored ones where the codec keeps
/// them; of jpeg, lossy webp and lerc with an error they are what was there before: a level is then as far from its kernel as
/// one codec makes it (lerc: by max_error at most), not as all levels below it together, and nothing has to be decoded.
class CogLevels {
 public:
  /// `node`: the name that stands before those of the nodes, as "cog" in cog.take; empty: none does. The setup outlives this.
  CogLevels(std::string node, std::string path, const CogOptions& options, GraphSetup& setup);

  /// Tells the RasterFlow what the levels take. Once; where the tiles are cut otherwise than `options` say, these win. Throws a
  /// usage Error where tiles or options are nothing for a COG. Stays where it is from now on.
  void describe(const TilesEdge& tiles);
  /// Adds the nodes. Once.
  void add_to(Graph& graph, Output<TileRun> tiles);

  const PyramidPlan& pyramid() const { return *pyramid_.plan(); }
  std::string explain() const { return pyramid_.explain(); }  ///< the levels, in words
  const std::string& path() const { return path_; }

 private:
  struct Level {
    TiffOutputLayout layout;
    TileEncoding encoding;
  };
  void make_levels(const RasterInfo& info);
  std::uint64_t standing_bytes() const;  ///< of compressing, reducing and writing
  void add_level(Graph& graph, std::size_t level, Output<TileRun> tiles);

  std::string path_;
  CogOptions options_;
  GraphSetup& setup_;
  PyramidLevels pyramid_;
  std::vector<Level> levels_;
  std::shared_ptr<CogFile> file_;
  std::uint64_t writer_bytes_ = 0;
  std::shared_ptr<SharedLocals<CompressTiles::Local>> encoders_;
};

}  // namespace weir
