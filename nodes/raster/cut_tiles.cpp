#include "nodes/raster/cut_tiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {
namespace {

std::uint64_t runs_of(std::uint64_t tiles, std::uint64_t run) {
  return (tiles + run - 1) / run;
}

}  // namespace

std::string item_name(const TileRun& run) {
  if (run.count == 1) return fmt::format("tile ({}, {})", run.tile_row, run.tile_col);
  if (run.is_vertical) return fmt::format("strips {} to {}", run.tile_row, run.tile_row + run.count - 1);
  return fmt::format("tiles ({0}, {1}) to ({0}, {2})", run.tile_row, run.tile_col,
                     run.tile_col + run.count - 1);
}

TileRuns::TileRuns(std::shared_ptr<const BandPlan> plan, const TileLayout& tiles, std::uint64_t run_tiles)
    : plan_(std::move(plan)),
      tiles_(tiles),
      run_tiles_(run_tiles),
      rows_in_planned_(runs_of(plan_->request().tiles.tile_height, tiles.tile_height)),
      cols_in_planned_(runs_of(plan_->request().tiles.tile_width, tiles.tile_width)),
      is_vertical_(tiles_.tile_cols() == 1 && tiles_.planes == 1) {
  [[maybe_unused]] const TileLayout& planned = plan_->request().tiles;
  assert(planned.tile_height % tiles.tile_height == 0 || planned.tile_rows() == 1);
  assert(planned.tile_width % tiles.tile_width == 0 || planned.tile_cols() == 1);
  if (is_vertical_) {
    runs_of_segment_ = runs_of(plan_->band_tiles() * rows_in_planned_, run_tiles_);
    return;
  }
  const std::uint64_t of_segment = plan_->segment_tiles() * cols_in_planned_;
  runs_of_segment_ = runs_of(std::min(of_segment, tiles_.tile_cols()), run_tiles_);
  const std::uint64_t last = tiles_.tile_cols() - (plan_->segments() - 1) * of_segment;
  runs_of_row_ = (plan_->segments() - 1) * runs_of_segment_ + runs_of(last, run_tiles_);
}

std::uint64_t TileRuns::count() const {
  if (!is_vertical_) return tiles_.tile_rows() * tiles_.planes * runs_of_row_;
  const std::uint64_t last =
      tiles_.tile_rows() - (plan_->bands() - 1) * plan_->band_tiles() * rows_in_planned_;
  return (plan_->bands() - 1) * runs_of_segment_ + runs_of(last, run_tiles_);
}

std::uint64_t TileRuns::count(const BandUnit& planned) const {
  const BandUnit unit = in_tiles(planned);
  if (is_vertical_) return runs_of(unit.tile_rows, run_tiles_);
  return unit.tile_rows * tiles_.planes * runs_of(unit.tile_cols, run_tiles_);
}

bool TileRuns::waits(const BandUnit& planned, std::uint64_t ticket) const {
  if (is_vertical_ || plan_->segments() == 1) return false;
  return ticket / runs_of_row_ > in_tiles(planned).tile_row * tiles_.planes;
}

}  // namespace weir
