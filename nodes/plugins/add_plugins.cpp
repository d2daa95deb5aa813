#include "nodes/plugins/add_plugins.hpp"

#include <fmt/format.h>

#include <utility>

#include "framework/error.hpp"
#include "nodes/plugins/plugin_nodes.hpp"
#include "nodes/raster/raster_nodes.hpp"

namespace weir {
namespace {

NodeType node_type_of(const PluginNode& node) {
  NodeType type;
  type.name = node.name;
  type.help = node.help;
  type.bytes = node.bytes;
  type.parameters = node.parameters;
  type.origin = node.origin;
  for (const PluginNode::Input& input : node.inputs) type.inputs.push_back({input.name, "tiles", input.help});
  return type;
}

}  // namespace

std::vector<std::shared_ptr<const CustomCodec>> plugin_codecs(const std::vector<const Plugin*>& plugins) {
  std::vector<std::shared_ptr<const CustomCodec>> codecs;
  std::vector<const PluginNode*> nodes;
  for (const Plugin* plugin : plugins)
    for (const PluginNode& node : plugin->nodes) {
      if (kind_of(node) != PluginKind::codec) continue;
      const auto codec = make_plugin_codec(node, Parameters());
      const auto refuse = [&](const std::string& reason) {
        throw Error::usage("add", fmt::format("codec {} of {}", node.name, node.origin), reason);
      };
      if (codec_named(node.name)) refuse("weir itself has one of that name");
      for (std::size_t i = 0; i < codecs.size(); ++i) {
        if (codecs[i]->name() == codec->name())
          refuse(fmt::format("{} has one of that name", nodes[i]->origin));
        if (codecs[i]->tiff_compression() == codec->tiff_compression())
          refuse(fmt::format("{} of {} has its TIFF compression, {}", nodes[i]->name, nodes[i]->origin,
                             codec->tiff_compression()));
      }
      codecs.push_back(codec);
      nodes.push_back(&node);
    }
  return codecs;
}

void add_plugin_nodes(Registry& registry, const std::vector<const Plugin*>& plugins) {
  for (const Plugin* plugin : plugins)
    for (const PluginNode& node : plugin->nodes) {
      // Plugins live as long as the process.
      switch (kind_of(node)) {
        case PluginKind::source:
          registry.add(source_node_type(
              node_type_of(node),
              [&node](const Parameters& parameters, const GraphSetup&) {
                return make_plugin_source(node, parameters);
              },
              plugin_source_fetches(node)));
          break;
        case PluginKind::transform:
        case PluginKind::stencil:
          registry.add(kernel_node_type(node_type_of(node),
                                        [&node](const Parameters& parameters) -> std::shared_ptr<TileKernel> {
                                          return make_plugin_kernel(node, parameters);
                                        }));
          break;
        case PluginKind::sink:
          registry.add(tile_sink_node_type(node_type_of(node),
                                           [&node](const Parameters& parameters, const GraphSetup&) {
                                             return make_plugin_sink(node, parameters);
                                           }));
          break;
        case PluginKind::codec:
          break;  // no node of its own: plugin_codecs
      }
    }
}

}  // namespace weir
