#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "framework/shared_locals.hpp"
#include "nodes/raster/pyramid_levels.hpp"
#include "nodes/zarr/raster_storage.hpp"

namespace weir {

/// What makes a pyramid of arrays of tiles, in one pass: all nodes behind those that cut or compute.
///
///   tiles ──► take ──┬──► encode ─────► store
///                    └──► gather1 ──► reduce1 ──┬──► encode1 ──► store1
///                                               └──► gather2 ──► ...
///
///   take ...  as in PyramidLevels
///   encodeK   EncodedTiles   as EncodeTiles
///   storeK                   the array "K" of the group: objects, or shards
///
/// The group says how they belong together (`multiscales`, raster_attributes.hpp), and is there when all of them are.
class ZarrLevels {
 public:
  /// `node`: as for PyramidLevels. The setup outlives this.
  ZarrLevels(std::string node, std::shared_ptr<ZarrOutput> output, const ZarrStorage& storage,
             const OverviewOptions& overviews, GraphSetup& setup);

  /// Tells the RasterFlow what the levels take. Once; stays where it is from now on. Throws a usage Error where tiles or options are nothing
  /// for a pyramid: it has all samples of a pixel in a chunk.
  void describe(const TilesEdge& tiles);
  /// Adds the nodes. Once.
  void add_to(Graph& graph, Output<TileRun> tiles);

  std::string explain() const { return pyramid_.explain(); }
  std::uint64_t open_shards() const;   ///< at once, of all levels
  std::uint64_t stored_bytes() const;  ///< of objects, so far
  const ZarrTiles& level(std::size_t number) const { return levels_[number]; }

 private:
  std::uint64_t standing_bytes() const;

  std::shared_ptr<ZarrOutput> output_;
  ZarrStorage storage_;
  OverviewOptions overviews_;
  GraphSetup& setup_;
  PyramidLevels pyramid_;
  std::vector<ZarrTiles> levels_;
  std::shared_ptr<SharedLocals<EncodeTiles::Local>> encoders_;
};

}  // namespace weir
