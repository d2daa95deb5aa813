#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/zarr/raster_axes.hpp"
#include "nodes/zarr/zarr_array.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"

// Where xarray, rioxarray and GDAL say that a raster lies: in arrays beside it. CF 1.11, sections 4.1, 4.2, 5 and 5.6:
// https://cfconventions.org/cf-conventions/cf-conventions.html
// - An array of one axis that is called as one of the raster's is (`y` of the dimension y) holds the centres of its rows or columns. It is
//   one where CF says so (`axis` Y or X, `standard_name` projection_y_coordinate, latitude ...) or its name is usual (raster_axes.hpp).
// - The attribute `grid_mapping` names an array of which only the attributes count: `crs_wkt` (CF) or `spatial_ref` (GDAL, rioxarray)
//   is the CRS as WKT, `GeoTransform` six numbers in GDAL's order.

namespace weir {

/// Centres of pixels in the raster's CRS, whose first one and distance these are.
struct EvenCentres {
  double first = 0, step = 0;
};
/// Nothing where one lies further than a hundredth of a pixel from the line through the first and the last, or there is just one.
/// (GDAL wants each step within a thousandth of the mean one, so that many small differences may add up to pixels, and float32
/// fails.) `rounding`: what the centres may have lost by their type; up to a tenth of a pixel of it is allowed.
std::optional<EvenCentres> even_centres(std::span<const double> centres, double rounding = 0);

/// The attribute GeoTransform; nothing where these are not six numbers, or its pixels have no area.
std::optional<GeoTransform> geo_transform_in(const std::string& text);

/// Sets the transform and the CRS that `info` lacks, by what lies beside the array; a raster that has both, or whose array is the root of
/// its store, costs no request, one without arrays beside it a single one. `group`: one above the array, whose consolidated metadata
/// then saves requests, or nullptr. A GeoTransform that fits the coordinates (to a tenth of a pixel) is taken for them; the
/// identity without a CRS is none, as GDAL and rioxarray write it of rasters without a place. What is there and cannot be used
/// (uneven spacing, kilometres and radians, other lengths than the raster's, more than 2^22 coordinates or 256 chunks of them) is a line
/// of `notes`. Waits; throws an Error where the store fails to say whether something is there, or what: a raster without a place would
/// look like one that has none.
void read_place_beside(RasterInfo& info, const ZarrArray& array, const RasterAxes& axes,
                       const ZarrNode* group, std::vector<std::string>& notes);

}  // namespace weir
