#include "nodes/raster/map_tiles.hpp"

#include <algorithm>
#include <limits>

#include "framework/error.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/masked_pixels.hpp"

namespace weir {

Window window_of(const TileRun& run, const TileLayout& tiles) {
  const std::uint64_t rows = run.is_vertical ? run.count : 1, cols = run.is_vertical ? 1 : run.count;
  const Window whole{run.tile_row * tiles.tile_height, run.tile_col * tiles.tile_width,
                     rows * tiles.tile_height, cols * tiles.tile_width};
  return intersect(whole, {0, 0, tiles.height, tiles.width});
}

Window grown(const Window& window, std::uint64_t pixels, const TileLayout& raster) {
  Window grown;
  grown.row = window.row - std::min(window.row, pixels);
  grown.col = window.col - std::min(window.col, pixels);
  grown.height = std::min(raster.height - grown.row, window.row_end() - grown.row + pixels);
  grown.width = std::min(raster.width - grown.col, window.col_end() - grown.col + pixels);
  return grown;
}

std::uint64_t TileMapping::run_pixels(std::uint64_t around) const {
  const bool is_vertical = tiles.tile_cols() == 1;
  const std::uint64_t rows = (is_vertical ? run_tiles : 1) * tiles.tile_height;
  const std::uint64_t cols = (is_vertical ? 1 : run_tiles) * tiles.tile_width;
  return std::min(rows + 2 * around, tiles.height) * std::min(cols + 2 * around, tiles.width);
}

std::uint64_t TileMapping::tile_bytes() const {
  return BufferPool::charge(std::min(tiles.tile_height + 2 * halo, tiles.height) *
                            std::min(tiles.tile_width + 2 * halo, tiles.width) * output.pixel_bytes());
}

std::uint64_t TileMapping::slot_bytes() const {
  std::uint64_t bytes = kernel->local_bytes(computed_pixels());
  for (const RasterInfo& input : inputs)
    bytes += scratch_block_bytes(gathered_pixels() * input.pixel_bytes());
  return bytes;
}

std::unique_ptr<MapTiles::Local> MapTiles::make_local(const Scratch& scratch) const {
  auto local = std::make_unique<Local>();
  local->scratch = scratch;
  local->gathered.resize(mapping_.inputs.size());
  local->of_kernel = mapping_.kernel->make_local(scratch);
  return local;
}

TileRun MapTiles::operator()(const TileRun& run, Local& local, const Context& context) const {
  const TileRun* const one[] = {&run};
  return compute(one, local, context);
}

TileRun MapTiles::compute(std::span<const TileRun* const> runs, Local& local, const Context& context) const {
  const Window window = grown(window_of(*runs.front(), mapping_.tiles), mapping_.halo, mapping_.tiles);
  const Window needed = grown(window, mapping_.kernel->halo(), mapping_.tiles);
  std::vector<PixelView> views;
  views.reserve(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i)
    views.push_back(pixels_of(*runs[i]->band, needed, mapping_.inputs[i], local.scratch, local.gathered[i],
                              mapping_.gathered_pixels()));

  const RasterInfo& info = mapping_.output;
  auto block = std::make_shared<Block>(interleaved_block(
      window, info.type, info.samples, context.buffer(window.height * window.width * info.pixel_bytes())));
  const PixelTarget target{
      block->data.data(),  window, info.type, info.samples, block->row_stride, block->pixel_stride,
      block->sample_stride};
  mapping_.kernel->compute(views, target, local.of_kernel.get(), context);

  auto band = std::make_shared<Band>();
  band->window = window;
  band->blocks.push_back(std::move(block));
  TileRun out = *runs.front();
  out.computed_bytes = payload_bytes(*band);
  out.band = std::move(band);
  return out;
}

PixelView pixels_of(const Band& band, const Window& window, const RasterInfo& info, const Scratch& scratch,
                    ScratchBlock& gathered, std::uint64_t most_pixels) {
  for (const auto& block : band.blocks)
    if (!info.has_mask && intersect(block->window, window) == window)
      return {block->at(window.row - block->window.row, window.col - block->window.col),
              window,
              block->type,
              block->samples,
              block->row_stride,
              block->pixel_stride,
              block->sample_stride};
  if (gathered.data() == nullptr)
    gathered = ScratchBlock(scratch, most_pixels * info.pixel_bytes(), "a kernel's input");
  auto* pixels = static_cast<std::byte*>(gathered.data());
  cut_tile(band, window, 0, info.samples, Fill{}, pixels);
  if (info.has_mask) fill_masked(band, window, info, pixels);
  const std::size_t sample_bytes = bytes_of(info.type);
  return {pixels,
          window,
          info.type,
          info.samples,
          window.width * info.samples * sample_bytes,
          info.samples * sample_bytes,
          sample_bytes};
}

}  // namespace weir
