#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/raster_info.hpp"

namespace weir {

/// What a copy of a raster says of its place in place of what the source says. Parts that are absent are the source's,
/// value for value.
struct GeoreferencingEdit {
  std::string crs;           ///< as for crs_keys()
  std::string vertical_crs;  ///< as for vertical_crs_keys(); with or without `crs`
  /// What pixels are. Without one of the next three they stay where they are.
  std::optional<PixelIs> pixel_is;
  // At most one of these.
  std::optional<GeoTransform> transform;
  std::optional<Bounds> bounds;  ///< north-up, from corner to corner
  std::vector<ControlPoint> control_points;

  bool empty() const {
    return crs.empty() && vertical_crs.empty() && !pixel_is && !transform && !bounds &&
           control_points.empty();
  }
};

/// The georeferencing that a copy of the raster has. Throws a usage Error for a CRS that is none or that GeoKeys cannot
/// say, and for parts that exclude each other.
Georeferencing edited(const RasterInfo& info, const GeoreferencingEdit& edit);

/// The edit as parameters of a node, and of the command: crs, vertical_crs, pixel_is, geotransform, bounds, gcps.
std::vector<Parameter> georeferencing_parameters();
/// Throws a usage Error for what does not read.
GeoreferencingEdit georeferencing_edit(const Parameters& parameters);
/// Names and values that georeferencing_edit makes the same edit of.
std::vector<std::pair<std::string, std::string>> to_parameters(const GeoreferencingEdit& edit);

}  // namespace weir
