#pragma once

#include "framework/node_type.hpp"

namespace weir {

NodeType read_zarr_node_type();   ///< nothing ──► chunks
NodeType write_zarr_node_type();  ///< tiles ──► nothing

}  // namespace weir
