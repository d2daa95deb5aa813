#pragma once

#include <cstdint>

#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// Cuts a raster into even chunks; a chunk larger than the raster is the raster. Throws a usage Error as
/// check_grid does, or where the chunk is empty.
ChunkGrid even_chunks(const RasterInfo& info, std::uint64_t chunk_height, std::uint64_t chunk_width);

/// Throws a usage Error where the grid is not a cut of that raster, where the raster is empty, or where the
/// bytes of the largest chunk do not fit 63 bits.
void check_grid(const RasterInfo& info, const ChunkGrid& grid);

}  // namespace weir
