#pragma once

#include <memory>
#include <vector>

#include "framework/plugin_host.hpp"
#include "framework/registry.hpp"
#include "nodes/codecs/codec.hpp"

namespace weir {

/// The codecs of plugins, for compress_tiles and read_tiff. Throws a usage Error where one has the name or the TIFF
/// compression of another, naming both files.
std::vector<std::shared_ptr<const CustomCodec>> plugin_codecs(const std::vector<const Plugin*>& plugins);

/// Adds the sources, transforms, stencils and sinks of plugins as node types. Throws a usage Error where a name is
/// taken, naming both origins.
void add_plugin_nodes(Registry& registry, const std::vector<const Plugin*>& plugins);

}  // namespace weir
