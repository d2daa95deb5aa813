#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "nodes/headers/header_row.hpp"
#include "nodes/raster/geo_transform.hpp"

namespace weir {

/// Where a raster lies on the globe, in degrees.
struct LonLatOutline {
  BoundingBox box;
  /// Polygons without holes, each x, y, x, y ..., closed, counter-clockwise, inside -180 to 180 and -90 to 90. Where the raster
  /// crosses the antimeridian there is one on each side; one around a pole goes along it. Empty: unknown.
  std::vector<std::vector<double>> rings;
  std::string reason;  ///< why there are none, where that is no lack of this build
};

/// Of a raster of these sizes in pixels, in the CRS EPSG:`epsg`, to WGS 84. The edges are densified until they are nowhere off
/// by more than a thousandth of the outline's extent. By PROJ, which is never let into the network; without PROJ, of EPSG:4326 alone.
/// Up to four PROJ contexts, each with its last 4 transformations, are shared by all threads; see lon_lat_bytes(). Any thread.
LonLatOutline lon_lat_outline(int epsg, const GeoTransform& transform, double height, double width);

/// What PROJ keeps of that, in the process: for each context 4.9 MB of its database, and 9 KB to 1.3 MB of each transformation (PROJ
/// 9.1).
std::size_t lon_lat_bytes();

/// The polygons of a closed way around a raster. Its longitudes go on from point to point, beyond 180 where they must; it ends 360
/// degrees off where it goes around a pole. The raster lies to the right of the way where `is_clockwise`. The last point is
/// the first again, up to those 360 degrees.
LonLatOutline outline_of(std::vector<ModelPoint> way, bool is_clockwise);

}  // namespace weir
