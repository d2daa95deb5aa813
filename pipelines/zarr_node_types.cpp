#include "pipelines/zarr_node_types.hpp"

#include "nodes/zarr/zarr_nodes.hpp"

namespace weir {

void add_zarr_nodes(Registry& registry) {
  registry.add(read_zarr_node_type());
  registry.add(write_zarr_node_type());
}

}  // namespace weir
