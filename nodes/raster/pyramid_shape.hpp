#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nodes/raster/pyramid_plan.hpp"

namespace weir {

/// What a pyramid takes beside what the BandPlanRequest says of level 0.
struct PyramidRequest {
  TileLayout tiles;                    ///< of level 0; the band plan's are multiples of them
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

/// Bands, and the pyramids whose level 0 they are cut into.
struct PyramidPlans {
  std::shared_ptr<const BandPlan> bands;
  std::vector<std::shared_ptr<const PyramidPlan>> pyramids;

  std::uint64_t least_required = 0;  ///< required() is this or more: what telling units take

  /// The most that carried and unit bytes of all plans together are, over all units.
  std::uint64_t required() const;
};

/// Chooses band height and segment width for all plans together: as BandPlan::make does, fewest reads first, then room for
/// units_wanted units, then enough work in each, then the fewest bytes. Looks at telling units: required() can be more than
/// request.available. Where nothing fits, the smallest.
PyramidPlans choose_pyramids(const BandPlanRequest& request, const std::vector<PyramidRequest>& pyramids);

}  // namespace weir
