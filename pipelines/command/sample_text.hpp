#pragma once

#include <string>

#include "nodes/raster/raster_info.hpp"
#include "nodes/tiff/tiff_info.hpp"

namespace weir::command {

/// How a file stores its samples, where that is not their type: ", stored in 12 bits", ", stored as float16"; else
/// nothing.
std::string stored_as(const TiffLayout& layout);

/// What the samples of a pixel mean: "2, RGB, and alpha"; "3, a palette of 16 colours".
std::string photometric_text(const RasterInfo& info);

}  // namespace weir::command
