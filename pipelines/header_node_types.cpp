#include "pipelines/header_node_types.hpp"

#include "nodes/headers/header_nodes.hpp"

namespace weir {

void add_header_nodes(Registry& registry) {
  registry.add(list_headers_node_type());
  registry.add(fetch_headers_node_type());
  registry.add(parse_headers_node_type());
  registry.add(write_catalog_node_type());
}

}  // namespace weir
