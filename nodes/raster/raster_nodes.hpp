#pragma once

#include <functional>
#include <memory>
#include <string>

#include "framework/node_type.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/tile_kernel.hpp"
#include "nodes/raster/tile_sink.hpp"

// Node types of rasters, by name: what turns a source, a kernel or a sink into a node of a graph file. `type`
// has what the node alone knows: name, help, parameters, bytes, origin, and the names of the inputs where
// there are several.

namespace weir {

using OpenSource = std::function<std::shared_ptr<const ChunkSource>(const Parameters&, GraphSetup&)>;
/// Nothing ──► chunks. `fetches`: whether the source has stored bytes to fetch.
NodeType source_node_type(NodeType type, OpenSource open, bool fetches);

using MakeKernel = std::function<std::shared_ptr<TileKernel>(const Parameters&)>;
/// Tiles (of one to four rasters) ──► tiles.
NodeType kernel_node_type(NodeType type, MakeKernel make);

using MakeTileSink = std::function<std::unique_ptr<TileSink>(const Parameters&, const GraphSetup&)>;
/// Tiles ──► nothing, in the order of the file.
NodeType tile_sink_node_type(NodeType type, MakeTileSink make);

NodeType terrain_node_type();         ///< nothing ──► chunks
NodeType assemble_bands_node_type();  ///< chunks ──► bands
NodeType cut_tiles_node_type();       ///< bands ──► tiles
NodeType statistics_node_type();      ///< tiles ──► a JSON file

/// A kernel class with `help`, `parameters()` and a constructor from Parameters. `bytes` as in NodeType.
template <class Kernel>
NodeType kernel_node_type(std::string name, std::vector<Port> inputs = {}) {
  NodeType type;
  type.name = std::move(name);
  type.help = Kernel::help;
  type.inputs = std::move(inputs);
  type.parameters = Kernel::parameters();
  return kernel_node_type(std::move(type), [](const Parameters& parameters) -> std::shared_ptr<TileKernel> {
    return std::make_shared<Kernel>(parameters);
  });
}

}  // namespace weir
