#pragma once

#include "framework/registry.hpp"

namespace weir {

/// All node types of weir::zarr. Beside those of weir::geotiff (node_types.hpp), whose edges they share.
void add_zarr_nodes(Registry& registry);

}  // namespace weir
