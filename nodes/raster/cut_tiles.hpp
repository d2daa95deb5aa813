#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "framework/item.hpp"
#include "nodes/raster/band.hpp"
#include "nodes/raster/band_plan.hpp"

namespace weir {

/// Tiles of one tile row and plane (or, where there is one tile column and plane, of consecutive rows) that travel as
/// one item: an item should carry 50 to 100 us of work, and tiles can be tiny. Consecutive in file order.
struct TileRun {
  std::shared_ptr<const Band> band;
  std::uint64_t first_tile = 0;  ///< in file order: tile row, then plane, then tile column
  std::uint64_t tile_row = 0, tile_col = 0;
  std::uint32_t plane = 0;
  std::uint64_t count = 0;
  bool is_vertical = false;          ///< the tiles lie below each other
  bool waits = false;                ///< its place in the file comes after tiles of later units
  std::uint64_t computed_bytes = 0;  ///< of pixels made for it alone; 0 where it shares its unit's band
};
std::string item_name(const TileRun& run);
inline std::uint64_t payload_bytes(const TileRun& run) {
  return run.computed_bytes;
}

/// How the tiles of a plan are grouped into runs, and which ticket each run has: its place in the file. Pure.
class TileRuns {
 public:
  TileRuns(std::shared_ptr<const BandPlan> plan, std::uint64_t run_tiles)
      : TileRuns(plan, plan->request().tiles, run_tiles) {}
  /// For tiles of which the plan's are multiples: several outputs of one read share a plan whose tiles all of
  /// theirs divide, or which are as large as the raster.
  TileRuns(std::shared_ptr<const BandPlan> plan, const TileLayout& tiles, std::uint64_t run_tiles);

  std::uint64_t count() const;  ///< of the whole raster
  std::uint64_t count(const BandUnit& unit) const;
  bool waits(const BandUnit& unit, std::uint64_t ticket) const;
  /// Calls function(ticket, run) for the runs of a unit, in file order; runs have no band yet.
  template <class Function>
  void for_each(const BandUnit& planned, Function&& function) const {
    const BandUnit unit = in_tiles(planned);
    if (is_vertical_) {
      for (std::uint64_t done = 0, run = 0; done < unit.tile_rows; done += run_tiles_, ++run)
        function(unit.band * runs_of_segment_ + run,
                 make(unit.tile_row + done, 0, 0, std::min(run_tiles_, unit.tile_rows - done)));
      return;
    }
    for (std::uint64_t row = unit.tile_row; row < unit.tile_row + unit.tile_rows; ++row)
      for (std::uint32_t plane = 0; plane < tiles_.planes; ++plane)
        for (std::uint64_t done = 0, run = 0; done < unit.tile_cols; done += run_tiles_, ++run)
          function((row * tiles_.planes + plane) * runs_of_row_ + unit.segment * runs_of_segment_ + run,
                   make(row, plane, unit.tile_col + done, std::min(run_tiles_, unit.tile_cols - done)));
  }
  const TileLayout& tiles() const { return tiles_; }
  std::uint64_t run_tiles() const { return run_tiles_; }
  /// Tiles of a unit, over all planes.
  std::uint64_t tile_count(const BandUnit& unit) const {
    const BandUnit of_tiles = in_tiles(unit);
    return of_tiles.tile_rows * of_tiles.tile_cols * tiles_.planes;
  }

 private:
  /// The unit with its tile rows and columns counted in these tiles.
  BandUnit in_tiles(BandUnit unit) const {
    unit.tile_row *= rows_in_planned_;
    unit.tile_col *= cols_in_planned_;
    unit.tile_rows = std::min(unit.tile_rows * rows_in_planned_, tiles_.tile_rows() - unit.tile_row);
    unit.tile_cols = std::min(unit.tile_cols * cols_in_planned_, tiles_.tile_cols() - unit.tile_col);
    return unit;
  }
  TileRun make(std::uint64_t row, std::uint32_t plane, std::uint64_t col, std::uint64_t count) const {
    return {nullptr,
            (row * tiles_.planes + plane) * tiles_.tile_cols() + col,
            row,
            col,
            plane,
            count,
            is_vertical_,
            false,
            0};
  }

  std::shared_ptr<const BandPlan> plan_;
  TileLayout tiles_;
  std::uint64_t run_tiles_;
  std::uint64_t rows_in_planned_, cols_in_planned_;  ///< of these tiles in one of the plan's
  bool is_vertical_;
  std::uint64_t runs_of_segment_ = 0;  ///< a full one; vertical: of a full band
  std::uint64_t runs_of_row_ = 0;      ///< of one tile row and plane
};

/// Lists the tiles of a band, as runs that share the band; copies no pixels.
class CutTiles {
 public:
  CutTiles(std::shared_ptr<const BandPlan> plan, std::shared_ptr<const TileRuns> runs)
      : plan_(std::move(plan)), runs_(std::move(runs)) {}
  void operator()(const Item<Band>& band, Emit<TileRun>& emit) const {
    const BandUnit unit = plan_->unit(band.ticket());
    runs_->for_each(unit, [&](std::uint64_t ticket, TileRun run) {
      run.band = band.share();
      run.waits = runs_->waits(unit, ticket);
      emit.at(ticket, std::move(run));
    });
  }

 private:
  std::shared_ptr<const BandPlan> plan_;
  std::shared_ptr<const TileRuns> runs_;
};

}  // namespace weir
