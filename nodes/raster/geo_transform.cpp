#include "nodes/raster/geo_transform.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "framework/error.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

bool is_finite(std::initializer_list<double> numbers) {
  return std::ranges::all_of(numbers, [](double number) { return std::isfinite(number); });
}

bool is_finite(const GeoTransform& t) {
  return is_finite({t.x_origin, t.x_per_col, t.x_per_row, t.y_origin, t.y_per_col, t.y_per_row});
}

double determinant(const GeoTransform& t) {
  return t.x_per_col * t.y_per_row - t.x_per_row * t.y_per_col;
}

bool has_pixel_scale(const Georeferencing& place) {
  return place.pixel_scale.size() >= 2 && place.pixel_scale[0] != 0 && place.pixel_scale[1] != 0;
}

/// From raster coordinates, as GeoTIFF counts them, to corners: half a pixel where pixels are points.
double corner_of_origin(const Georeferencing& place) {
  return pixel_is(place) == PixelIs::point ? -0.5 : 0;
}

/// The origin moves to (col, row).
GeoTransform from(const GeoTransform& transform, double col, double row) {
  GeoTransform moved = transform;
  const ModelPoint origin = transform.at(col, row);
  moved.x_origin = origin.x;
  moved.y_origin = origin.y;
  return moved;
}

/// The matrix's origin moves to (col, row); its third row, of z, with it.
void move_matrix(std::vector<double>& matrix, double col, double row) {
  for (std::size_t i = 0; i + 4 <= 12; i += 4) matrix[i + 3] += matrix[i] * col + matrix[i + 1] * row;
}

std::vector<double> numbers_in(std::string_view text, std::size_t least, std::size_t most,
                               std::string_view what, std::string_view form) {
  std::vector<double> numbers;
  for (std::string_view rest = text; numbers.size() <= most;) {
    const std::size_t comma = rest.find(',');
    const std::optional<double> number = number_in<double>(rest.substr(0, comma));
    if (!number || !std::isfinite(*number)) break;
    numbers.push_back(*number);
    if (comma == std::string_view::npos) {
      if (numbers.size() < least || numbers.size() > most) break;
      return numbers;
    }
    rest.remove_prefix(comma + 1);
  }
  throw Error::usage("read", what, fmt::format("'{}' is not {}", text, form));
}

}  // namespace

bool GeoTransform::is_invertible() const {
  return is_finite(*this) && std::isfinite(determinant(*this)) && determinant(*this) != 0;
}

std::optional<GeoTransform> geo_transform_of(const Georeferencing& place) {
  GeoTransform transform;
  if (has_pixel_scale(place)) {
    if (place.tiepoints.size() < 6) return std::nullopt;
    transform.x_per_col = place.pixel_scale[0];
    transform.y_per_row = -std::fabs(place.pixel_scale[1]);
    transform.x_origin = place.tiepoints[3] - place.tiepoints[0] * transform.x_per_col;
    transform.y_origin = place.tiepoints[4] - place.tiepoints[1] * transform.y_per_row;
  } else if (place.transformation.size() == 16) {
    const std::vector<double>& m = place.transformation;
    transform = {m[3], m[0], m[1], m[7], m[4], m[5]};
  } else {
    return std::nullopt;
  }
  const double corner = corner_of_origin(place);
  transform = from(transform, corner, corner);
  return is_finite(transform) ? std::optional(transform) : std::nullopt;
}

std::vector<ControlPoint> control_points_of(const Georeferencing& place) {
  std::vector<ControlPoint> points;
  if (has_pixel_scale(place) || place.transformation.size() == 16) return points;
  const double corner = corner_of_origin(place);
  const std::vector<double>& t = place.tiepoints;
  for (std::size_t i = 0; i + 6 <= t.size(); i += 6)
    points.push_back({t[i] - corner, t[i + 1] - corner, t[i + 3], t[i + 4], t[i + 5]});
  return points;
}

Georeferencing placed(const Georeferencing& keys, const GeoTransform& transform) {
  Georeferencing place = keys;
  place.pixel_scale.clear();
  place.tiepoints.clear();
  place.transformation.clear();
  const double corner = corner_of_origin(keys);
  const GeoTransform t = from(transform, -corner, -corner);
  if (t.is_north_up()) {
    place.pixel_scale = {t.x_per_col, -t.y_per_row, 0};
    place.tiepoints = {0, 0, 0, t.x_origin, t.y_origin, 0};
  } else {
    place.transformation = {t.x_per_col, t.x_per_row, 0, t.x_origin, t.y_per_col, t.y_per_row, 0, t.y_origin,
                            0,           0,           0, 0,          0,           0,           0, 1};
  }
  return place;
}

Georeferencing placed(const Georeferencing& keys, const std::vector<ControlPoint>& points) {
  Georeferencing place = keys;
  place.pixel_scale.clear();
  place.tiepoints.clear();
  place.transformation.clear();
  const double corner = corner_of_origin(keys);
  for (const ControlPoint& point : points)
    place.tiepoints.insert(place.tiepoints.end(),
                           {point.col + corner, point.row + corner, 0, point.x, point.y, point.z});
  return place;
}

Georeferencing with_pixel_is(const Georeferencing& place, PixelIs is) {
  if (pixel_is(place) == is) return place;
  Georeferencing changed = place;
  GeoKeys keys = geo_keys_of(place);
  keys.set(geo_key::raster_type, static_cast<std::uint16_t>(is == PixelIs::point ? 2 : 1));
  set_geo_keys(changed, keys);
  // (0, 0) was the corner and becomes the centre, or the other way round.
  const double half = is == PixelIs::point ? 0.5 : -0.5;
  std::vector<double>& t = changed.tiepoints;
  if (has_pixel_scale(place)) {
    for (std::size_t i = 0; i + 6 <= t.size(); i += 6) {
      t[i + 3] += half * place.pixel_scale[0];
      t[i + 4] -= half * std::fabs(place.pixel_scale[1]);
    }
  } else {
    for (std::size_t i = 0; i + 6 <= t.size(); i += 6) {
      t[i] -= half;
      t[i + 1] -= half;
    }
  }
  if (changed.transformation.size() == 16) move_matrix(changed.transformation, half, half);
  return changed;
}

Georeferencing scaled(const Georeferencing& full, std::uint64_t full_height, std::uint64_t full_width,
                      std::uint64_t height, std::uint64_t width) {
  assert(full_height > 0 && full_width > 0 && height > 0 && width > 0);
  // Pixels of the full raster in one of the level, down and across. Not always a power of two: sides are rounded.
  const double down = static_cast<double>(full_height) / static_cast<double>(height);
  const double across = static_cast<double>(full_width) / static_cast<double>(width);
  const double corner = corner_of_origin(full);
  Georeferencing level = full;
  if (level.pixel_scale.size() >= 2) {
    level.pixel_scale[0] *= across;
    level.pixel_scale[1] *= down;
  }
  // Corners keep their place, and raster coordinates are `corner` away from them at every level.
  for (std::size_t i = 0; i + 6 <= level.tiepoints.size(); i += 6) {
    level.tiepoints[i] = (level.tiepoints[i] - corner) / across + corner;
    level.tiepoints[i + 1] = (level.tiepoints[i + 1] - corner) / down + corner;
  }
  if (level.transformation.size() == 16) {
    std::vector<double>& m = level.transformation;
    move_matrix(m, corner - corner * across, corner - corner * down);
    for (std::size_t i = 0; i < 12; i += 4) {
      m[i] *= across;
      m[i + 1] *= down;
    }
  }
  return level;
}

Bounds bounds_of(const GeoTransform& transform, std::uint64_t height, std::uint64_t width) {
  const auto rows = static_cast<double>(height), cols = static_cast<double>(width);
  const std::array corners{transform.at(0, 0), transform.at(cols, 0), transform.at(0, rows),
                           transform.at(cols, rows)};
  Bounds bounds{corners[0].x, corners[0].y, corners[0].x, corners[0].y};
  for (const ModelPoint& corner : corners) {
    bounds.min_x = std::min(bounds.min_x, corner.x);
    bounds.min_y = std::min(bounds.min_y, corner.y);
    bounds.max_x = std::max(bounds.max_x, corner.x);
    bounds.max_y = std::max(bounds.max_y, corner.y);
  }
  return bounds;
}

GeoTransform transform_over(const Bounds& bounds, std::uint64_t height, std::uint64_t width) {
  return {bounds.min_x,
          (bounds.max_x - bounds.min_x) / static_cast<double>(width),
          0,
          bounds.max_y,
          0,
          (bounds.min_y - bounds.max_y) / static_cast<double>(height)};
}

Window window_of(const Bounds& bounds, const RasterInfo& info) {
  const std::string box = fmt::format("bounding box {}", to_text(bounds));
  const std::optional<GeoTransform> transform = geo_transform_of(info.georeferencing);
  if (!transform || !transform->is_invertible())
    throw Error::usage("read", box, "the raster has no transform from pixels to places");
  const GeoTransform& t = *transform;
  const double area = determinant(t);
  double first_col = INFINITY, first_row = INFINITY, last_col = -INFINITY, last_row = -INFINITY;
  for (const double x : {bounds.min_x, bounds.max_x})
    for (const double y : {bounds.min_y, bounds.max_y}) {
      const double dx = x - t.x_origin, dy = y - t.y_origin;
      const double col = (dx * t.y_per_row - dy * t.x_per_row) / area;
      const double row = (dy * t.x_per_col - dx * t.y_per_col) / area;
      first_col = std::min(first_col, col), last_col = std::max(last_col, col);
      first_row = std::min(first_row, row), last_row = std::max(last_row, row);
    }
  // Places are rounded in files and in people's heads; a pixel that is touched by less is not meant.
  constexpr double tolerance = 0.001;
  const auto width = static_cast<double>(info.width), height = static_cast<double>(info.height);
  if (!(first_col >= -tolerance && first_row >= -tolerance && last_col <= width + tolerance &&
        last_row <= height + tolerance)) {
    if (t.x_per_row != 0 || t.y_per_col != 0)  // its own box may well have all of this one
      throw Error::usage("read", box,
                         "its corners are not all in the raster, which is rotated: name a window in pixels");
    throw Error::usage("read", box,
                       fmt::format("the raster's is {}", to_text(bounds_of(t, info.height, info.width))));
  }
  const auto first = [](double position, double size) {
    return std::clamp(std::floor(position + tolerance), 0.0, size - 1);
  };
  // A box of less than a pixel has one, too.
  const auto last = [](double position, double begin, double size) {
    return std::clamp(std::ceil(position - tolerance), begin + 1, size);
  };
  const double col = first(first_col, width), row = first(first_row, height);
  return {static_cast<std::uint64_t>(row), static_cast<std::uint64_t>(col),
          static_cast<std::uint64_t>(last(last_row, row, height) - row),
          static_cast<std::uint64_t>(last(last_col, col, width) - col)};
}

Bounds parse_bounds(std::string_view text, std::string_view what) {
  const std::vector<double> n = numbers_in(text, 4, 4, what, "minx,miny,maxx,maxy");
  if (n[0] >= n[2] || n[1] >= n[3])
    throw Error::usage("read", what, fmt::format("'{}' is empty; it is written minx,miny,maxx,maxy", text));
  return {n[0], n[1], n[2], n[3]};
}

std::string to_text(const Bounds& b) {
  return fmt::format("{},{},{},{}", b.min_x, b.min_y, b.max_x, b.max_y);
}

GeoTransform parse_geo_transform(std::string_view text, std::string_view what) {
  const std::vector<double> n =
      numbers_in(text, 6, 6, what, "six numbers a,b,c,d,e,f: x = a + b col + c row, y = d + e col + f row");
  const GeoTransform transform{n[0], n[1], n[2], n[3], n[4], n[5]};
  if (!transform.is_invertible())
    throw Error::usage("read", what, fmt::format("with '{}' pixels have no area", text));
  return transform;
}

std::string to_text(const GeoTransform& t) {
  return fmt::format("{},{},{},{},{},{}", t.x_origin, t.x_per_col, t.x_per_row, t.y_origin, t.y_per_col,
                     t.y_per_row);
}

ControlPoint parse_control_point(std::string_view text, std::string_view what) {
  const std::vector<double> n = numbers_in(text, 4, 5, what, "col,row,x,y or col,row,x,y,z");
  return {n[0], n[1], n[2], n[3], n.size() == 5 ? n[4] : 0};
}

std::string to_text(const ControlPoint& p) {
  return fmt::format("{},{},{},{},{}", p.col, p.row, p.x, p.y, p.z);
}

}  // namespace weir
