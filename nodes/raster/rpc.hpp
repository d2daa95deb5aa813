#pragma once

#include <cstdint>

#include "nodes/raster/raster_info.hpp"

// Rational polynomials from ground to pixel: RPCCoefficientTag 50844 of 92 doubles ("RPCs in GeoTIFF",
// geotiff.maptools.org/rpc_prop.html), and items LINE_OFF ... of GDAL's metadata domain "RPC". They say where pixels lie
// as offsets and scales of lines and samples, and count from the centre of the first pixel, whatever the file says that
// a pixel is.

namespace weir {

/// The first pixel becomes (row, col) of the same raster: what a window of it needs.
void shift_rpcs(RasterInfo& info, std::uint64_t row, std::uint64_t col);
/// A smaller (or larger) picture of the same place, as scaled() has it: an overview. Sizes in pixels, none of them 0.
/// GDAL 3.10 does the same; 3.6 scales what counts from centres as if it counted from corners.
void scale_rpcs(RasterInfo& info, std::uint64_t full_height, std::uint64_t full_width, std::uint64_t height,
                std::uint64_t width);

// Both leave a tag of another type or count as it is, which no reader takes for RPCs; items whose offset or scale is
// absent or no number go, all of the domain, for what they would say is not true any more.

}  // namespace weir
