#pragma once

#include <vector>

#include "framework/plugin.h"
#include "framework/plugin_host.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// As plugins see it; `info` outlives the result.
weir_raster c_raster(const RasterInfo& info);
/// What a plugin said of a raster, copied and checked. Throws a usage Error.
RasterInfo raster_from_c(const PluginNode& node, const weir_raster& raster);

weir_pixels c_pixels(const PixelTarget& pixels);
weir_pixels c_pixels(const PixelView& pixels);  ///< of which plugins only read

}  // namespace weir
