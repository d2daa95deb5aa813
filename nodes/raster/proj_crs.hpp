#pragma once

#include <string>

#include "nodes/raster/geo_keys.hpp"

namespace weir {

/// Whether this build has PROJ.
bool has_proj();

/// As in crs.hpp, by PROJ; a usage Error that says so in a build without it.
GeoKeys proj_crs_keys(const std::string& crs);
GeoKeys proj_vertical_crs_keys(const std::string& crs);

}  // namespace weir
