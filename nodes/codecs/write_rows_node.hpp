#pragma once

#include "framework/node_type.hpp"

namespace weir {

/// encoded ──► a .npy or .raw file of plain rows.
NodeType write_rows_node_type();

}  // namespace weir
