#include "nodes/raster/chunk_nodes.hpp"

#include <fmt/format.h>

namespace weir {

std::string item_name(const ChunkRequest& request) {
  return fmt::format("chunk ({}, {})", request.chunk.row, request.chunk.col);
}

}  // namespace weir
