#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nodes/raster/pyramid_plan.hpp"

namespace weir {

/// What a pyramid takes beside what its BandPlanRequest says of level 0.
struct PyramidRequest {
  std::vector<std::uint32_t> factors;  ///< from each level to the next
  std::vector<std::uint64_t> halos;    ///< that the next level needs of each
  std::vector<PyramidPlan::TileBytes>
      tile_bytes;  ///< of each level; encoded ones of level 0 are the band plan's
};

/// Factors of overviews 2, 4, 8 ... (relative: 2, 2, 2 ...) until a level fits into one tile.
std::vector<std::uint32_t> automatic_factors(const TileLayout& tiles);
/// Given ones, as people write them (of the full raster: 2, 4, 16), as those from level to level (2, 2, 4). Throws a usage Error
/// where they do not grow, or are no multiples of each other.
std::vector<std::uint32_t> relative_factors(const std::vector<std::uint32_t>& of_full);

/// Chooses band height and segment width for both plans together: as BandPlan::make does, fewest reads first, then room for
/// units_wanted units, then enough work in each, then the fewest bytes. Where nothing fits request.available, the smallest.
PyramidPlan choose_pyramid(const BandPlanRequest& request, const PyramidRequest& pyramid);

}  // namespace weir
