#include "nodes/raster/function_source.hpp"

#include <algorithm>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/chunk_grid.hpp"

namespace weir {

FunctionSource::FunctionSource(RasterInfo info, ChunkGrid grid, Function function)
    : info_(std::move(info)), grid_(std::move(grid)), function_(std::move(function)) {
  check_grid(info_, grid_);
  if (!function_) throw Error::usage("compute", "the raster", "its function is empty");
}

FunctionSource::FunctionSource(RasterInfo info, std::uint64_t chunk_height, std::uint64_t chunk_width,
                               Function function)
    : FunctionSource(info, even_chunks(info, chunk_height, chunk_width), std::move(function)) {}

FunctionSource::FunctionSource(RasterInfo info, Function function)
    : FunctionSource(info, unchunked_grid(info), std::move(function)) {}

ChunkGrid unchunked_grid(const RasterInfo& info, std::uint64_t rows) {
  rows = std::clamp<std::uint64_t>(rows, 1, std::max<std::uint64_t>(info.height, 1));
  const std::uint64_t column_bytes = rows * std::max<std::uint64_t>(info.block_pixel_bytes(), 1);
  const std::uint64_t cols = std::max<std::uint64_t>(unchunked_bytes / column_bytes, 1);
  // A multiple of 256, the width of most tiles: then no tile needs two chunks.
  return even_chunks(info, rows, cols > 256 ? cols / 256 * 256 : cols);
}

Block FunctionSource::decode(ChunkIndex chunk, Buffer, Local*, const Context& context) const {
  const Window window = grid_.window(chunk);
  Block block = interleaved_block(window, info_.type, info_.samples,
                                  context.buffer(window.height * window.width * info_.pixel_bytes()));
  function_(window, block.data.data());
  return block;
}

}  // namespace weir
