#pragma once

#include <memory>

#include "framework/plugin_host.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/tile_kernel.hpp"
#include "nodes/raster/tile_sink.hpp"

// A plugin's nodes as what ours are: sources, kernels, codecs and sinks. They check what comes back
// (statuses, sizes, rasters), keep a plugin to the memory that it declared, and throw Error "cannot <action>
// <node> of plugin <name>
// (<file>): <reason>".

namespace weir {

enum class PluginKind { source, transform, stencil, codec, sink };
PluginKind kind_of(const PluginNode& node);
std::string_view name_of(PluginKind kind);

/// A PluginNodeCheck: refuses kinds that there are none of, functions that are missing, and inputs that do
/// not fit.
void check_plugin_node(const PluginNode& node);

/// The node's object with these parameters, which were checked against node.parameters. Throw a usage Error
/// where it refuses them; the node is of that kind.
std::shared_ptr<const ChunkSource> make_plugin_source(const PluginNode& node, const Parameters& parameters);
std::unique_ptr<TileKernel> make_plugin_kernel(const PluginNode& node, const Parameters& parameters);
std::shared_ptr<const CustomCodec> make_plugin_codec(const PluginNode& node, const Parameters& parameters);
std::unique_ptr<TileSink> make_plugin_sink(const PluginNode& node, const Parameters& parameters);

/// Whether a source of this node has stored bytes to fetch.
bool plugin_source_fetches(const PluginNode& node);

}  // namespace weir
