#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/scratch_block.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/pyramid_plan.hpp"
#include "nodes/raster/reduce_pixels.hpp"

// The nodes of a pyramid, level by level: a tile's pixels leave level k, are encoded, and are what level k + 1 is made from.
//
//   cut ──► take ──► encode level 0
//             └────► gather ──► reduce ──► encode level 1
//                                  └─────► gather ──► reduce ──► ...

namespace weir {

/// A tile of a level about to be made: the tiles of the level below that it is made from.
struct PyramidTile {
  std::uint64_t row = 0, col = 0;
  std::vector<std::shared_ptr<const TileRun>> parts;  ///< row-major
};
std::string item_name(const PyramidTile& tile);
/// The parts count where they were made.
inline std::uint64_t payload_bytes(const PyramidTile&) {
  return 0;
}

/// Copies the pixels of a tile of level 0 out of its band, so that the tile can wait for its neighbours without the band's
/// chunks. Runs of one tile, of all samples.
class TakeTile {
 public:
  TakeTile(const RasterInfo& info, const TileLayout& tiles) : info_(info), tiles_(tiles) {}
  TileRun operator()(const TileRun& run, const Context& context) const;
  /// Charge of a tile's pixels.
  static std::uint64_t tile_bytes(const RasterInfo& info, const TileLayout& tiles);

 private:
  RasterInfo info_;
  TileLayout tiles_;
};

/// Gathers the tiles of level `level` - 1, which come in any order, into those of `level`, which leave when they are complete;
/// many to one, one call at a time. Holds handles, as long as PyramidPlan says.
class GatherLevel {
 public:
  GatherLevel(std::shared_ptr<const PyramidPlan> plan, std::size_t level)
      : plan_(std::move(plan)), level_(level) {}
  void operator()(const Item<TileRun>& item, Emit<PyramidTile>& emit);

 private:
  using Place = std::pair<std::uint64_t, std::uint64_t>;  // row, column
  struct Part {
    std::shared_ptr<const TileRun> tile;
    std::uint64_t uses = 0;  ///< tiles that will be made from it
  };
  struct Waiting {
    std::uint64_t missing = 0;
    std::optional<Item<TileRun>> owner;  ///< its last part, whose unit it belongs to, when that has come
  };
  PyramidTile take(const Place& place);

  std::shared_ptr<const PyramidPlan> plan_;
  std::size_t level_;
  std::map<Place, Part> parts_;       // of the level below
  std::map<Place, Waiting> waiting_;  // of this level
};

/// Makes the pixels of a tile from those of the level below.
class ReduceTile {
 public:
  struct Local {
    Scratch scratch;
    ScratchBlock gathered;  ///< pixels and mask of all parts; made when it is first needed
  };

  /// `finer`: the level below, whose tiles are as large as `tiles`; `level` and `plan` say which tiles wait for their place.
  ReduceTile(const ReducePixels& reduce, const RasterInfo& finer, const RasterInfo& coarser,
             const TileLayout& tiles, std::shared_ptr<const PyramidPlan> plan, std::size_t level);

  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  TileRun operator()(const PyramidTile& tile, Local& local, const Context& context) const;
  /// Bytes of one Local.
  std::uint64_t slot_bytes() const;
  /// Makes the Locals large enough for other levels' tiles, too: `slot_bytes` of the largest of all that share them.
  void share_locals(std::uint64_t slot_bytes) { shared_slot_bytes_ = slot_bytes; }

 private:
  bool is_cut_along_parts() const;
  std::uint64_t gathered_pixels() const;

  ReducePixels reduce_;
  RasterInfo finer_, coarser_;
  TileLayout tiles_;
  std::shared_ptr<const PyramidPlan> plan_;
  std::size_t level_;
  std::uint64_t shared_slot_bytes_ = 0;
};

}  // namespace weir
