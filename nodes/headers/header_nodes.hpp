#pragma once

#include "framework/node_type.hpp"

namespace weir {

NodeType list_headers_node_type();
NodeType fetch_headers_node_type();
NodeType parse_headers_node_type();
NodeType write_catalog_node_type();

}  // namespace weir
