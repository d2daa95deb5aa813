#pragma once

#include "framework/registry.hpp"

namespace weir {

/// All node types of weir::headers: list_headers, fetch_headers, parse_headers, write_catalog. The graph of write_catalog, from a graph
/// file.
void add_header_nodes(Registry& registry);

}  // namespace weir
