#pragma once

#include <cstdint>
#include <string>

#include "nodes/raster/crs.hpp"
#include "nodes/raster/geo_keys.hpp"

namespace weir {

/// Whether this build has PROJ.
bool has_proj();

/// As in crs.hpp, by PROJ; a usage Error that says so in a build without it.
GeoKeys proj_crs_keys(const std::string& crs);
GeoKeys proj_vertical_crs_keys(const std::string& crs);
CrsText proj_crs_text(std::uint16_t epsg);  ///< as in crs.hpp

}  // namespace weir
