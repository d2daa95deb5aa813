#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "nodes/raster/band_plan.hpp"

namespace weir {

/// One axis of a pyramid: how many of its tiles there are on each level, which of them are made when, and how long they are
/// needed. All levels have tiles of one size; level 0 is the raster, level k + 1 has 1 / factor of the pixels of level k, rounded up.
class PyramidAxis {
 public:
  /// `factors[k]` leads from level k to level k + 1; `halos[k]` is how many pixels of level k its pixels see beyond their
  /// cells. `group`: tiles of level 0 that come together (those of a band, or of a segment).
  PyramidAxis(std::uint64_t extent, std::uint64_t tile, std::uint64_t group,
              const std::vector<std::uint32_t>& factors, std::vector<std::uint64_t> halos);

  std::size_t levels() const { return extents_.size(); }
  std::uint64_t extent(std::size_t level) const { return extents_[level]; }
  std::uint64_t tiles(std::size_t level) const { return (extents_[level] + tile_ - 1) / tile_; }

  /// Tiles [0, done) of a level are complete when `groups` groups of level 0 are there.
  std::uint64_t done(std::size_t level, std::uint64_t groups) const;
  /// Tiles [first_needed, needed_end) of the level below (`level` - 1) are what tile `tile` of `level` is made from.
  std::uint64_t first_needed(std::size_t level, std::uint64_t tile) const;
  std::uint64_t needed_end(std::size_t level, std::uint64_t tile) const;
  /// The last tile of `level` + 1 that needs tile `tile` of `level`, and one more; and the first.
  std::uint64_t first_user(std::size_t level, std::uint64_t tile) const;
  std::uint64_t users_end(std::size_t level, std::uint64_t tile) const;

 private:
  std::uint64_t tile_, group_;
  std::vector<std::uint64_t> extents_;  // of each level, in pixels
  std::vector<std::uint64_t> factors_, halos_;
};

/// When the tiles of a pyramid are made, as the units of a band plan go by, and what is held between units. Pure, and a
/// formula: nothing per tile or unit.
///
/// A tile of level k + 1 is complete with the unit in which the last of the tiles of level k that it is made from is complete. So
/// it belongs to that unit, whose lease pays for it. Its own tiles are held until the last tile that needs them is made.
class PyramidPlan {
 public:
  /// Bytes of one tile of a level in the worst case, charged (BufferPool::charge).
  struct TileBytes {
    std::uint64_t pixels = 0, encoded = 0;
  };

  PyramidPlan(std::shared_ptr<const BandPlan> bands, const std::vector<std::uint32_t>& factors,
              const std::vector<std::uint64_t>& halos, std::vector<TileBytes> tile_bytes)
      : PyramidPlan(bands, bands->request().tiles, factors, halos, std::move(tile_bytes)) {}
  /// For tiles of which the band plan's are multiples, as in TileRuns.
  PyramidPlan(std::shared_ptr<const BandPlan> bands, const TileLayout& tiles,
              const std::vector<std::uint32_t>& factors, const std::vector<std::uint64_t>& halos,
              std::vector<TileBytes> tile_bytes);

  std::size_t levels() const { return rows_.levels(); }
  const BandPlan& bands() const { return *bands_; }
  const PyramidAxis& rows() const { return rows_; }
  const PyramidAxis& cols() const { return cols_; }
  std::uint64_t tiles(std::size_t level) const { return rows_.tiles(level) * cols_.tiles(level); }

  /// Tiles of a level that are complete with a unit.
  std::uint64_t tiles_of_unit(std::size_t level, std::uint64_t unit) const;
  /// Whether a tile's place in its level comes after tiles of later units.
  bool waits(std::size_t level, std::uint64_t unit, std::uint64_t tile) const;
  /// Bytes that a unit takes for the pyramid: pixels of all its tiles, and encoded ones above level 0.
  std::uint64_t unit_bytes(std::uint64_t unit) const;
  /// Bytes of earlier units' tiles that are still held before a unit, beside what BandPlan::carried_bytes has: pixels that later
  /// tiles are made from, encoded tiles above level 0 that wait for their place.
  std::uint64_t carried_bytes(std::uint64_t unit) const;

 private:
  struct Place {
    std::uint64_t band, segment;
  };
  Place place(std::uint64_t unit) const;
  std::uint64_t held_tiles(std::size_t level, const Place& place) const;

  std::shared_ptr<const BandPlan> bands_;
  PyramidAxis rows_, cols_;
  std::vector<TileBytes> tile_bytes_;
};

}  // namespace weir
