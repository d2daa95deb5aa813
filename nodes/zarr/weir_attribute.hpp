#pragma once

#include "nodes/raster/raster_info.hpp"
#include "nodes/zarr/json_value.hpp"

namespace weir {

/// The attribute `weir`: what conventions cannot carry, value for value. GeoTIFF's places and keys as arrays, bytes as base64, text that is
/// no UTF-8 as {"base64": ...}. Null where there is nothing to say.
JsonValue weir_attribute(const RasterInfo& info);
/// Sets what it says; throws an Error at the member that is broken.
void read_weir_attribute(RasterInfo& info, const JsonPlace& place);

}  // namespace weir
