#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/raster/geo_keys.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/window.hpp"

// Where pixels lie, in the terms of GDAL: positions in a raster are (column, row) of corners, so that the first pixel
// reaches from (0, 0) to (1, 1), whatever the file says that a pixel is. World files and .aux.xml beside a file are not
// read.

namespace weir {

struct ModelPoint {
  double x = 0, y = 0;
  bool operator==(const ModelPoint&) const = default;
};

/// The affine way from (column, row) to the CRS: x = x_origin + col * x_per_col + row * x_per_row, y likewise.
/// The members' order is that of GDAL's six numbers.
struct GeoTransform {
  double x_origin = 0, x_per_col = 1, x_per_row = 0;
  double y_origin = 0, y_per_col = 0, y_per_row = 1;

  ModelPoint at(double col, double row) const {
    return {x_origin + col * x_per_col + row * x_per_row, y_origin + col * y_per_col + row * y_per_row};
  }
  /// Columns go east, rows south: what a pixel scale can say.
  bool is_north_up() const { return x_per_row == 0 && y_per_col == 0 && x_per_col > 0 && y_per_row < 0; }
  /// All numbers are finite, and pixels have an area: there is a way back.
  bool is_invertible() const;
  bool operator==(const GeoTransform&) const = default;
};

/// The box of a region in its CRS.
struct Bounds {
  double min_x = 0, min_y = 0, max_x = 0, max_y = 0;
  bool operator==(const Bounds&) const = default;
};

/// A ground control point: (col, row) lies at (x, y, z).
struct ControlPoint {
  double col = 0, row = 0, x = 0, y = 0, z = 0;
  bool operator==(const ControlPoint&) const = default;
};

/// From pixel scale and first tiepoint, else from the matrix, as GDAL chooses (a pixel scale without a tiepoint is
/// none, a negative one of rows counts as positive). Nothing where the raster has control points or no place, or where
/// a number is not finite.
std::optional<GeoTransform> geo_transform_of(const Georeferencing& place);
/// Tiepoints, where they are no part of a transform.
std::vector<ControlPoint> control_points_of(const Georeferencing& place);

/// The same keys, and this transform: as pixel scale and tiepoint where it is north-up, else as matrix.
Georeferencing placed(const Georeferencing& keys, const GeoTransform& transform);
Georeferencing placed(const Georeferencing& keys, const std::vector<ControlPoint>& points);
/// Says that pixels are areas or points, and moves what is said of the place by half a pixel, so that every pixel
/// stays where it is. Untouched where it says so already.
Georeferencing with_pixel_is(const Georeferencing& place, PixelIs is);

/// Of a smaller (or larger) picture of the same place: an overview. Sizes in pixels, none of them 0.
Georeferencing scaled(const Georeferencing& full, std::uint64_t full_height, std::uint64_t full_width,
                      std::uint64_t height, std::uint64_t width);

/// The box around all pixels; of a rotated raster, around its four corners.
Bounds bounds_of(const GeoTransform& transform, std::uint64_t height, std::uint64_t width);
/// North-up, from corner to corner.
GeoTransform transform_over(const Bounds& bounds, std::uint64_t height, std::uint64_t width);

/// All pixels that a box in the raster's CRS touches by more than a thousandth of their size (gdal_translate -projwin
/// has the same tolerance, and takes the pixels of the box's size, rounded); of a rotated raster the smallest
/// window that has them all. Throws a usage Error where the raster has no transform, or the box reaches out of it.
Window window_of(const Bounds& bounds, const RasterInfo& info);

/// "minx,miny,maxx,maxy", finite and not empty; throws a usage Error, as do the other ones, about `what`: "the bounds".
Bounds parse_bounds(std::string_view text, std::string_view what);
std::string to_text(const Bounds& bounds);
/// Six numbers in GDAL's order.
GeoTransform parse_geo_transform(std::string_view text, std::string_view what);
std::string to_text(const GeoTransform& transform);
/// "col,row,x,y" or "col,row,x,y,z".
ControlPoint parse_control_point(std::string_view text, std::string_view what);
std::string to_text(const ControlPoint& point);

}  // namespace weir
