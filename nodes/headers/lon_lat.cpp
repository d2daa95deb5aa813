#include "nodes/headers/lon_lat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#ifdef WEIR_WITH_PROJ
#include <proj.h>
#endif

namespace weir {
namespace {

/// Corners from the first pixel's on, over the end of the first row, and the first again.
std::array<ModelPoint, 5> corners_of(const GeoTransform& transform, double height, double width) {
  return {transform.at(0, 0), transform.at(width, 0), transform.at(width, height), transform.at(0, height),
          transform.at(0, 0)};
}

/// Rows go down, so that columns and rows turn clockwise, where x and y turn the other way.
bool is_clockwise(const GeoTransform& t) {
  return t.x_per_col * t.y_per_row - t.x_per_row * t.y_per_col < 0;
}

constexpr int wgs84 = 4326;

/// Pixels may overhang a little, and longitudes count from anywhere; but metres that are said to be degrees are no place.
bool is_on_globe(const ModelPoint& point) {
  return std::fabs(point.y) <= 91 && std::fabs(point.x) <= 541;
}

LonLatOutline off_the_globe(int epsg) {
  return {{}, {}, fmt::format("its edges reach out of what EPSG:{} has on the globe", epsg)};
}

#ifdef WEIR_WITH_PROJ

struct Destroy {
  void operator()(PJ_CONTEXT* context) const { proj_context_destroy(context); }
  void operator()(PJ* object) const { proj_destroy(object); }
};
using ProjContext = std::unique_ptr<PJ_CONTEXT, Destroy>;
using Object = std::unique_ptr<PJ, Destroy>;

/// Threads share four of these at most, so that what PROJ holds is bounded where hundreds of threads make rows now and then; a row takes
/// 3 us of one.
std::size_t sharers() {
  static const std::size_t count = std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, 4);
  return count;  // kept, as the system is asked by way of a file: 5 us
}

/// To longitude and latitude from one CRS after the other. A transformation out of PROJ's database takes 1 to 60 ms to make and up to
/// 1.3 MB; the 120 UTM zones on WGS 84, which most satellite pictures are in, need no database, 35 us and 9 KB. A point takes
/// a third of a microsecond. For one thread at a time.
class Transformations {
 public:
  Transformations() : context_(proj_context_create()) {
    if (!context_) return;
    proj_context_set_enable_network(context_.get(), 0);
    proj_log_func(context_.get(), nullptr, [](void*, int, const char*) {});  // it would print
  }

  /// nullptr, also the next time, where PROJ knows no such CRS, or none of the plane or the globe.
  PJ* from(int epsg) {
    if (const std::optional<int> zone = utm_zone(epsg)) {
      Object& object =
          utm_[static_cast<std::size_t>(epsg / 100 % 2) * 60 + static_cast<std::size_t>(*zone) - 1];
      if (!object) object = make_utm(*zone, epsg / 100 == 327);
      return object.get();
    }
    const auto found = std::ranges::find(kept_, epsg, &Kept::epsg);
    if (found != kept_.end()) {
      std::rotate(kept_.begin(), found, found + 1);  // the last that was used comes first
      return kept_.front().object.get();
    }
    Object made = make(epsg);
    constexpr std::size_t most = 4;
    if (kept_.size() == most) kept_.pop_back();
    kept_.insert(kept_.begin(), Kept{epsg, std::move(made)});
    return kept_.front().object.get();
  }

 private:
  struct Kept {
    int epsg;
    Object object;
  };

  /// EPSG:32601 to 32660 are north, 32701 to 32760 south.
  static std::optional<int> utm_zone(int epsg) {
    const int zone = epsg % 100;
    const bool is_utm = (epsg / 100 == 326 || epsg / 100 == 327) && zone >= 1 && zone <= 60;
    return is_utm ? std::optional(zone) : std::nullopt;
  }

  Object make_utm(int zone, bool is_south) const {
    if (!context_) return nullptr;
    const std::string steps = fmt::format(
        "+proj=pipeline +step +inv +proj=utm +zone={}{} +ellps=WGS84 +step +proj=unitconvert +xy_in=rad "
        "+xy_out=deg",
        zone, is_south ? " +south" : "");
    return Object(proj_create(context_.get(), steps.c_str()));
  }

  Object make(int epsg) const {
    if (!context_) return nullptr;
    const Object crs(proj_create_from_database(context_.get(), "EPSG", std::to_string(epsg).c_str(),
                                               PJ_CATEGORY_CRS, 0, nullptr));
    const PJ_TYPE type = crs ? proj_get_type(crs.get()) : PJ_TYPE_UNKNOWN;
    if (type != PJ_TYPE_PROJECTED_CRS && type != PJ_TYPE_GEOGRAPHIC_2D_CRS) return nullptr;
    const Object globe(proj_create(context_.get(), "OGC:CRS84"));
    if (!globe) return nullptr;
    const Object as_said(
        proj_create_crs_to_crs_from_pj(context_.get(), crs.get(), globe.get(), nullptr, nullptr));
    // GeoTIFF's coordinates go east and north, whatever order EPSG has.
    return Object(as_said ? proj_normalize_for_visualization(context_.get(), as_said.get()) : nullptr);
  }

  ProjContext context_;
  std::array<Object, 120> utm_;
  std::vector<Kept> kept_;
};

/// In place; false where a point has no longitude or latitude.
bool to_lon_lat(PJ* transformation, std::vector<ModelPoint>& points) {
  constexpr std::size_t step = sizeof(ModelPoint);
  proj_errno_reset(transformation);
  proj_trans_generic(transformation, PJ_FWD, &points[0].x, step, points.size(), &points[0].y, step,
                     points.size(), nullptr, 0, 0, nullptr, 0, 0);
  return std::ranges::all_of(points,
                             [](const ModelPoint& p) { return std::isfinite(p.x) && std::isfinite(p.y); });
}

/// Longitudes go on from point to point, beyond 180 where they must.
void unwrap(std::vector<ModelPoint>& way) {
  for (std::size_t i = 1; i < way.size(); ++i) way[i].x -= 360 * std::round((way[i].x - way[i - 1].x) / 360);
}

/// A way along the edges, of `parts[i]` equal parts each.
std::vector<ModelPoint> way_along(const std::array<ModelPoint, 5>& corners, const std::array<int, 4>& parts) {
  std::vector<ModelPoint> way;
  for (std::size_t edge = 0; edge < 4; ++edge)
    for (int i = 0; i < parts[edge]; ++i) {
      const double share = static_cast<double>(i) / parts[edge];
      const ModelPoint &from = corners[edge], &to = corners[edge + 1];
      way.push_back({from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)});
    }
  way.push_back(corners[4]);
  return way;
}

/// How many parts each edge needs. A curve that is nearly a parabola is a quarter as far from its chords where these
/// are half as long.
std::array<int, 4> parts_for(const std::vector<ModelPoint>& halves) {
  constexpr double longest_step = 30, most_off = 1e-3;  // degrees; of the outline's extent
  constexpr int most = 64;
  const auto [west, east] = std::ranges::minmax(halves, {}, &ModelPoint::x);
  const auto [south, north] = std::ranges::minmax(halves, {}, &ModelPoint::y);
  const double allowed = most_off * std::max(east.x - west.x, north.y - south.y);
  std::array<int, 4> parts{};
  for (std::size_t edge = 0; edge < 4; ++edge) {
    const ModelPoint &from = halves[2 * edge], &middle = halves[2 * edge + 1], &to = halves[2 * edge + 2];
    const double off =
        std::max(std::fabs(middle.x - (from.x + to.x) / 2), std::fabs(middle.y - (from.y + to.y) / 2));
    const bool is_long =
        std::fabs(middle.x - from.x) > longest_step || std::fabs(to.x - middle.x) > longest_step;
    const double wanted = std::ceil(std::sqrt(off / allowed));
    parts[edge] = is_long || !(wanted < most) ? most : std::max(1, static_cast<int>(wanted));
  }
  return parts;
}

LonLatOutline by_proj(int epsg, const std::array<ModelPoint, 5>& corners, bool clockwise) {
  struct Shared {
    std::mutex mutex;
    std::optional<Transformations> transformations;
  };
  static std::array<Shared, 4> all;
  static std::atomic<std::size_t> threads = 0;
  thread_local const std::size_t thread = threads++;
  Shared& shared = all[thread % sharers()];
  const std::lock_guard lock(shared.mutex);
  if (!shared.transformations) shared.transformations.emplace();
  PJ* to_globe = shared.transformations->from(epsg);
  if (to_globe == nullptr)
    return {{}, {}, fmt::format("PROJ knows no way from EPSG:{} to longitude and latitude", epsg)};
  std::vector<ModelPoint> way = way_along(corners, {2, 2, 2, 2});
  bool is_known = to_lon_lat(to_globe, way);
  if (is_known) {
    unwrap(way);
    const std::array<int, 4> parts = parts_for(way);
    if (std::ranges::max(parts) > 2) {
      way = way_along(corners, parts);
      is_known = to_lon_lat(to_globe, way);
      unwrap(way);
    }
  }
  if (!is_known) return off_the_globe(epsg);
  return outline_of(std::move(way), clockwise);
}

/// The bands of a scene follow each other in a listing, and lie in the same place.
LonLatOutline as_before_or_by_proj(int epsg, const std::array<ModelPoint, 5>& corners, bool clockwise) {
  struct Last {
    int epsg = 0;
    std::array<ModelPoint, 5> corners;
    LonLatOutline outline;
  };
  thread_local Last last;
  if (last.epsg != epsg || last.corners != corners) last = {epsg, corners, by_proj(epsg, corners, clockwise)};
  return last.outline;
}

#endif

}  // namespace

std::size_t lon_lat_bytes() {
#ifdef WEIR_WITH_PROJ
  return sharers() * (10 << 20);
#else
  return 0;
#endif
}

LonLatOutline lon_lat_outline(int epsg, const GeoTransform& transform, double height, double width) {
  const std::array<ModelPoint, 5> corners = corners_of(transform, height, width);
  if (epsg == wgs84 && !std::ranges::all_of(corners, is_on_globe)) return off_the_globe(epsg);
  if (epsg == wgs84) return outline_of({corners.begin(), corners.end()}, is_clockwise(transform));
#ifdef WEIR_WITH_PROJ
  return as_before_or_by_proj(epsg, corners, is_clockwise(transform));
#else
  return {};
#endif
}

}  // namespace weir
