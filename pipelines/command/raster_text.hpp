#pragma once

#include "nodes/raster/chunk_source.hpp"

namespace weir::command {

/// Prints what `weir info` says of every raster: nodata, place, metadata, and how it is read.
void print_raster(const ChunkSource& source);

}  // namespace weir::command
