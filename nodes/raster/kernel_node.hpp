#pragma once

#include <memory>
#include <string>

#include "framework/node_type.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// A kernel as a node of a graph: tiles (of one to four rasters, TilesEdge) ──► tiles. Its halo, its bytes and its
/// place are part of the graph's RasterFlow.
std::unique_ptr<NodeInstance> kernel_node(std::string name, std::shared_ptr<TileKernel> kernel,
                                          GraphSetup& setup);

}  // namespace weir
