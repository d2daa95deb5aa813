#pragma once

#include <memory>
#include <vector>

#include "framework/registry.hpp"
#include "nodes/codecs/codec.hpp"

namespace weir {

/// All node types of weir::geotiff: sources, assembly, kernels, codecs, sinks. `codecs`: those of plugins,
/// which compress_tiles and read_tiff then know, too.
void add_geotiff_nodes(Registry& registry,
                       const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {});

}  // namespace weir
