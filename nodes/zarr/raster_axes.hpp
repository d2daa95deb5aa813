#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// Which axes of an array are a raster's.
struct RasterAxes {
  std::size_t row = 0, col = 1;
  std::optional<std::size_t> band = std::nullopt;  ///< the samples of a pixel
  bool operator==(const RasterAxes&) const = default;
};
/// What the dimensions of an array are called: v3's dimension_names, v2's `_ARRAY_DIMENSIONS`; empty where they have no names (one by
/// one, or all).
std::vector<std::string> dimensions_of(const ZarrArrayMetadata& array);
/// Whether that is what rows or columns are usually called, in whatever case: y, lat, latitude, row, rows, northing; x, lon, long,
/// longitude, col, cols, column, easting.
bool is_row_name(const std::string& dimension);
bool is_col_name(const std::string& dimension);
/// `axes`: "auto", or the three axes in the array's order: "band,y,x", "y,x,band". auto: two axes are rows and columns; of three, `spatial:dimensions`
/// says which are, or names that are usual (y and x, lat and lon, row and col ...), and where neither does, the first is the
/// bands. Throws an Error about `name` where that makes no raster.
RasterAxes raster_axes(const ZarrArrayMetadata& array, const std::string& axes, const std::string& name);

}  // namespace weir
