#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/graph.hpp"
#include "framework/parameters.hpp"
#include "framework/shared_locals.hpp"
#include "nodes/raster/pyramid_nodes.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/reduce_pixels.hpp"

namespace weir {

/// Which overviews a raster gets, and how they are made.
struct OverviewOptions {
  /// Palettes and samples that are not arithmetic: nearest, where none is given.
  Resampling resampling = Resampling::average;
  bool resampling_is_given = false;
  /// Factors of the overviews, of the full raster, growing; nothing: 2, 4, 8 ... until a level fits into one tile; empty: no overviews.
  std::optional<std::vector<std::uint32_t>> overviews = std::nullopt;
};

/// Factors as people write them: "auto" is nothing, "none" an empty list, else "2,4,8". Throws a usage Error.
std::optional<std::vector<std::uint32_t>> parse_overviews(const std::string& text);
/// The same as parameters of a node: overviews, resampling.
std::vector<Parameter> overview_parameters(const std::string& default_overviews);
OverviewOptions overview_options(const Parameters& parameters);
/// The kernel that is used. Throws a usage Error where it would mix indices of a colour table.
Resampling resampling_for(const RasterInfo& info, const OverviewOptions& options);

/// The levels of a pyramid behind the tiles that a graph cuts or computes, whatever they are encoded to:
///
///   tiles ──► take ──┬──► (the caller's nodes of level 0)
///                    └──► gather1 ──► reduce1 ──┬──► (the caller's nodes of level 1)
///                                               └──► gather2 ──► ...
///
///   take      TileRun        the pixels of a tile, which wait for those of its neighbours
///   gatherK   PyramidTile    the tiles of level K - 1 that a tile of level K is made from, once all are there
///   reduceK   TileRun        its pixels
///
/// One admission pays for all levels: a tile of level K belongs to the unit that completes it.
class PyramidLevels {
 public:
  /// `node`: the name that stands before those of the nodes, as "cog" in cog.take; empty: none does. The setup outlives this.
  PyramidLevels(std::string node, GraphSetup& setup)
      : node_(std::move(node)),
        setup_(setup),
        reducers_(std::make_shared<SharedLocals<ReduceTile::Local>>()) {}

  /// Lays the levels out. `full`: the raster as it will be stored. Throws a usage Error.
  void make(const RasterInfo& full, const TileLayout& tiles, const OverviewOptions& options);
  std::size_t count() const { return levels_.size(); }
  /// What a level says of itself: the full raster's place in its own pixels, nodata and colours; no metadata, no attributes and no other tags above level 0.
  const RasterInfo& info(std::size_t level) const { return levels_[level].info; }
  Resampling resampling() const { return resampling_; }

  /// Tells the RasterFlow what the levels take; `encoded`: the charge of an encoded tile of each. Once.
  void describe(std::size_t cut, const std::vector<std::uint64_t>& encoded);
  /// Of ReduceTile, for each of workers(); after describe.
  std::uint64_t reducer_bytes() const;
  /// Bodies inside at once, over all levels; see compute_threads().
  std::uint64_t workers() const;

  const std::shared_ptr<const PyramidPlan>& plan() const {
    return setup_.shared<RasterFlow>().pyramid(number_);
  }
  /// Adds the nodes, and calls for the tiles of each level, level 0 first. Once.
  void add_to(Graph& graph, Output<TileRun> tiles,
              const std::function<void(std::size_t level, Output<TileRun> tiles)>& add_level);
  /// NodeOptions::buffer_bytes_of_unit of a node that takes `bytes` for each tile of a level, and whether a tile waits.
  std::function<std::uint64_t(std::uint64_t)> bytes_per_tile(std::size_t level, std::uint64_t bytes) const;
  std::function<bool(std::uint64_t, std::uint64_t)> waits(std::size_t level) const;

  /// The name of a node of a level: "compress", "compress1" ...
  std::string stage(const char* name, std::size_t level) const;
  std::string explain() const;  ///< the overviews, in words

 private:
  struct Level {
    RasterInfo info;
    TileLayout tiles;
    std::shared_ptr<const ReducePixels> reduce;  ///< to the next level; none for the last
  };
  std::uint64_t tile_bytes(std::size_t level) const;
  ReduceTile reducer(std::size_t level, std::shared_ptr<const PyramidPlan> plan) const;

  std::string node_;
  GraphSetup& setup_;
  Resampling resampling_ = Resampling::average;
  std::vector<std::uint32_t> factors_;  // from each level to the next
  std::vector<Level> levels_;
  std::size_t number_ = 0;  // of the pyramid, in the RasterFlow
  std::shared_ptr<SharedLocals<ReduceTile::Local>> reducers_;
};

}  // namespace weir
