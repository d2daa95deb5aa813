#include "nodes/raster/pyramid_plan.hpp"

#include <algorithm>
#include <cassert>

#include "nodes/raster/band_axis.hpp"

namespace weir {

PyramidAxis::PyramidAxis(std::uint64_t extent, std::uint64_t tile, std::uint64_t group,
                         const std::vector<std::uint32_t>& factors, std::vector<std::uint64_t> halos)
    : tile_(tile), group_(group), extents_{extent}, halos_(std::move(halos)) {
  assert(factors.size() == halos_.size() && tile > 0 && group > 0 && extent > 0);
  for (const std::uint32_t factor : factors) {
    factors_.push_back(factor);
    extents_.push_back(divide_up(extents_.back(), factor));
  }
}

std::uint64_t PyramidAxis::done(std::size_t level, std::uint64_t groups) const {
  std::uint64_t done = std::min(groups * group_, tiles(0));
  for (std::size_t k = 0; k < level; ++k) {
    if (done == tiles(k)) return tiles(level);
    // Tile j is complete when (j + 1) x tile x factor + halo pixels are there.
    const std::uint64_t pixels = done * tile_;
    done = pixels < halos_[k] ? 0 : (pixels - halos_[k]) / (tile_ * factors_[k]);
  }
  return done;
}

std::uint64_t PyramidAxis::first_needed(std::size_t level, std::uint64_t tile) const {
  const std::uint64_t begin = tile * tile_ * factors_[level - 1];
  return (begin - std::min(begin, halos_[level - 1])) / tile_;
}

std::uint64_t PyramidAxis::needed_end(std::size_t level, std::uint64_t tile) const {
  const std::uint64_t end = (tile + 1) * tile_ * factors_[level - 1] + halos_[level - 1];
  return divide_up(std::min(end, extents_[level - 1]), tile_);
}

std::uint64_t PyramidAxis::first_user(std::size_t level, std::uint64_t tile) const {
  // The first whose needed_end lies behind the tile: (j + 1) x tile x factor + halo > the tile's first pixel.
  const std::uint64_t begin = tile * tile_;
  return begin < halos_[level] ? 0 : (begin - halos_[level]) / (tile_ * factors_[level]);
}

std::uint64_t PyramidAxis::users_end(std::size_t level, std::uint64_t tile) const {
  // Those whose first pixel, less the halo, lies before the tile's end.
  const std::uint64_t end = std::min((tile + 1) * tile_, extents_[level]);
  return std::min(divide_up(end + halos_[level], tile_ * factors_[level]), tiles(level + 1));
}

PyramidPlan::PyramidPlan(std::shared_ptr<const BandPlan> bands, const TileLayout& tiles,
                         const std::vector<std::uint32_t>& factors, const std::vector<std::uint64_t>& halos,
                         std::vector<TileBytes> tile_bytes)
    : bands_(std::move(bands)),
      rows_(tiles.height, tiles.tile_height,
            bands_->band_tiles() * divide_up(bands_->request().tiles.tile_height, tiles.tile_height), factors,
            halos),
      cols_(tiles.width, tiles.tile_width,
            bands_->segment_tiles() * divide_up(bands_->request().tiles.tile_width, tiles.tile_width),
            factors, halos),
      tile_bytes_(std::move(tile_bytes)) {
  assert(tile_bytes_.size() == levels());
}

PyramidPlan::Place PyramidPlan::place(std::uint64_t unit) const {
  return {unit / bands_->segments(), unit % bands_->segments()};
}

std::uint64_t PyramidPlan::tiles_of_unit(std::size_t level, std::uint64_t unit) const {
  const auto [band, segment] = place(unit);
  return (rows_.done(level, band + 1) - rows_.done(level, band)) *
         (cols_.done(level, segment + 1) - cols_.done(level, segment));
}

bool PyramidPlan::waits(std::size_t level, std::uint64_t unit, std::uint64_t tile) const {
  // The first tile row that is completed with the unit's band goes out at once; those below it wait for the rest of it.
  return bands_->segments() > 1 && tile / cols_.tiles(level) > rows_.done(level, place(unit).band);
}

std::uint64_t PyramidPlan::unit_bytes(std::uint64_t unit) const {
  std::uint64_t bytes = 0;
  for (std::size_t level = 0; level < levels(); ++level)
    bytes += tiles_of_unit(level, unit) *
             (tile_bytes_[level].pixels + (level > 0 ? tile_bytes_[level].encoded : 0));
  return bytes;
}

// Tiles of a level that the next one still needs before unit (b, s). Rows and columns apart, as in band_plan.cpp:
//
//        rows that come      before b                     with b
//        used up with b      columns from x on            columns [x, C)          x: first that is still needed by
//        needed after b      all columns                  columns [0, C)          the tiles that come with s or later
//
// C are the columns complete with the segments before s.
std::uint64_t PyramidPlan::held_tiles(std::size_t level, const Place& place) const {
  if (level + 1 == levels()) return 0;
  const auto first_kept = [&](const PyramidAxis& axis, std::uint64_t groups) {
    const std::uint64_t users = axis.done(level + 1, groups);
    return users == axis.tiles(level + 1) ? axis.tiles(level) : axis.first_needed(level + 1, users);
  };
  const std::uint64_t before = rows_.done(level, place.band), with = rows_.done(level, place.band + 1);
  const std::uint64_t kept_before = std::min(first_kept(rows_, place.band), before);
  const std::uint64_t kept_after = std::clamp(first_kept(rows_, place.band + 1), kept_before, with);
  const std::uint64_t columns = cols_.done(level, place.segment), all = cols_.tiles(level);
  const std::uint64_t x = std::min(first_kept(cols_, place.segment), columns);

  const std::uint64_t old_used = std::min(kept_after, before) - kept_before;
  const std::uint64_t old_kept = before - std::min(kept_after, before);
  const std::uint64_t new_used = std::max(kept_after, before) - before;
  const std::uint64_t new_kept = with - std::max(kept_after, before);
  return old_used * (all - x) + old_kept * all + new_used * (columns - x) + new_kept * columns;
}

std::uint64_t PyramidPlan::carried_bytes(std::uint64_t unit) const {
  const Place at = place(unit);
  std::uint64_t bytes = 0;
  for (std::size_t level = 0; level < levels(); ++level) {
    bytes += held_tiles(level, at) * tile_bytes_[level].pixels;
    if (level == 0) continue;
    const std::uint64_t rows = rows_.done(level, at.band + 1) - rows_.done(level, at.band);
    if (rows > 1) bytes += (rows - 1) * cols_.done(level, at.segment) * tile_bytes_[level].encoded;
  }
  return bytes;
}

}  // namespace weir
