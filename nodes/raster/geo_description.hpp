#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

/// Where a raster lies, for people: label and text, one line each, short. Says as well what is broken.
std::vector<std::pair<std::string, std::string>> describe_place(const RasterInfo& info);

}  // namespace weir
