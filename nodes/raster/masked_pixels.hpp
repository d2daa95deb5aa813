#pragma once

#include <cstddef>
#include <string_view>

#include "nodes/raster/band.hpp"
#include "nodes/raster/raster_info.hpp"

// Masked pixels for computations, which know nodata values and NaN but no masks.

namespace weir {

/// Throws a usage Error where the raster has a mask, and no value that says of a masked pixel that it has no data: an
/// integer type without a nodata value. `action`: what is done, "compute".
void require_value_for_masked(std::string_view action, const RasterInfo& info);

/// Overwrites the masked pixels of `window`, which lies inside of the band, with the nodata value, or NaN where there is
/// none. `pixels`: interleaved, rows without a gap.
void fill_masked(const Band& band, const Window& window, const RasterInfo& info, std::byte* pixels);

}  // namespace weir
