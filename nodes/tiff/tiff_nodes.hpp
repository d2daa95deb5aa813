#pragma once

#include <memory>
#include <vector>

#include "framework/node_type.hpp"
#include "nodes/codecs/codec.hpp"

namespace weir {

/// Nothing ──► chunks. `codecs`: those of plugins, beside ours.
NodeType read_tiff_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {});

/// encoded ──► a file.
/// Nothing ──► encoded: the tiles of a file as they are stored.
NodeType copy_tiles_node_type();
NodeType write_tiff_node_type();

}  // namespace weir
