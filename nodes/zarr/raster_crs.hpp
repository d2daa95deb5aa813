#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

/// Gives a raster this CRS, as crs_keys takes it, and leaves its pixels where they are. Where GeoKeys cannot say it, a line in `notes`
/// says why, and the raster is as it was.
void set_crs(RasterInfo& info, const std::string& crs, std::vector<std::string>& notes);

/// "projected:32725" or "geographic:4326" of WKT of either kind that names its EPSG code (the AUTHORITY or ID of its root, which is the
/// last of them): what set_crs has in a build without PROJ.
std::optional<std::string> code_in_wkt(std::string_view wkt);

}  // namespace weir
