#include <algorithm>
#include <cmath>

#include "nodes/headers/lon_lat.hpp"

namespace weir {
namespace {

// In degrees: a centimetre. Longitudes that PROJ gives for the antimeridian are off by less.
constexpr double tolerance = 1e-7;

/// The part of a closed way on one side of a meridian (Sutherland and Hodgman).
std::vector<ModelPoint> clipped(const std::vector<ModelPoint>& way, double meridian, bool keeps_east) {
  const auto is_inside = [&](const ModelPoint& point) {
    return keeps_east ? point.x >= meridian : point.x <= meridian;
  };
  std::vector<ModelPoint> part;
  for (std::size_t i = 0; i < way.size(); ++i) {
    const ModelPoint &from = way[i], &to = way[(i + 1) % way.size()];
    if (is_inside(from)) part.push_back(from);
    if (is_inside(from) == is_inside(to)) continue;
    const double share = (meridian - from.x) / (to.x - from.x);
    part.push_back({meridian, from.y + share * (to.y - from.y)});
  }
  return part;
}

/// Closed and counter-clockwise; empty where it encloses nothing.
std::vector<double> ring_of(std::vector<ModelPoint> way) {
  const auto last = std::unique(way.begin(), way.end());
  way.erase(last, way.end());
  while (way.size() > 1 && way.front() == way.back()) way.pop_back();
  if (way.size() < 3) return {};
  double twice_area = 0;
  for (std::size_t i = 0; i < way.size(); ++i) {
    // Around the first point, so that small areas far from the origin keep their digits.
    const ModelPoint &from = way[i], &to = way[(i + 1) % way.size()], &origin = way.front();
    twice_area += (from.x - origin.x) * (to.y - origin.y) - (to.x - origin.x) * (from.y - origin.y);
  }
  if (twice_area == 0) return {};
  if (twice_area < 0) std::reverse(way.begin() + 1, way.end());
  way.push_back(way.front());
  std::vector<double> ring;
  ring.reserve(2 * way.size());
  for (const ModelPoint& point : way) ring.insert(ring.end(), {point.x, point.y});
  return ring;
}

}  // namespace

LonLatOutline outline_of(std::vector<ModelPoint> way, bool is_clockwise) {
  LonLatOutline outline;
  if (way.size() < 4) return outline;
  for (ModelPoint& point : way) point.y = std::clamp(point.y, -90.0, 90.0);
  const double turn = way.back().x - way.front().x;
  if (std::fabs(turn) > 180) {
    // Going east, the right is south.
    const double pole = (turn > 0) == is_clockwise ? -90 : 90;
    way.push_back({way.back().x, pole});
    way.push_back({way.front().x, pole});
  } else {
    way.pop_back();
  }
  const auto by_x = [](const ModelPoint& a, const ModelPoint& b) { return a.x < b.x; };
  const auto by_y = [](const ModelPoint& a, const ModelPoint& b) { return a.y < b.y; };
  const auto [west, east] = std::minmax_element(way.begin(), way.end(), by_x);
  const auto [south, north] = std::minmax_element(way.begin(), way.end(), by_y);
  const double width = east->x - west->x;
  outline.box = {-180, south->y, 180, north->y};
  if (width > 360 + tolerance) {  // pixels that overhang, of a picture of the whole globe
    way = {{-180, north->y}, {180, north->y}, {180, south->y}, {-180, south->y}};
    std::vector<double> ring = ring_of(std::move(way));
    if (!ring.empty()) outline.rings.push_back(std::move(ring));
    return outline;
  }
  const double first = std::floor((west->x + tolerance + 180) / 360),
               end = std::ceil((east->x - tolerance + 180) / 360);
  const int parts = static_cast<int>(end - first);
  for (int i = 0; i < parts; ++i) {
    const double turns = first + i;
    std::vector<ModelPoint> part = way;
    if (parts > 1) part = clipped(clipped(way, 360 * turns - 180, true), 360 * turns + 180, false);
    for (ModelPoint& point : part) point.x = std::clamp(point.x - 360 * turns, -180.0, 180.0);
    std::vector<double> ring = ring_of(std::move(part));
    if (!ring.empty()) outline.rings.push_back(std::move(ring));
  }
  if (width < 360 - tolerance) {
    outline.box.west = std::max(west->x - 360 * first, -180.0);
    outline.box.east = std::min(east->x - 360 * (end - 1), 180.0);
  }
  return outline;
}

}  // namespace weir
