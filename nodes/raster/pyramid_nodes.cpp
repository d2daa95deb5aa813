#include "nodes/raster/pyramid_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>

#include "framework/buffer.hpp"
#include "nodes/raster/cut_tile.hpp"

namespace weir {
namespace {

/// The pixels of a tile that lie in the raster.
Window window_of(std::uint64_t row, std::uint64_t col, const TileLayout& tiles) {
  const Window whole{row * tiles.tile_height, col * tiles.tile_width, tiles.tile_height, tiles.tile_width};
  return intersect(whole, {0, 0, tiles.height, tiles.width});
}

/// A block of its own for a window, interleaved, the mask behind the pixels.
std::shared_ptr<Block> new_block(const Window& window, const RasterInfo& info, const Context& context) {
  const std::uint64_t pixels = window.height * window.width;
  auto block = std::make_shared<Block>(
      interleaved_block(window, info.type, info.samples, context.buffer(pixels * info.block_pixel_bytes())));
  if (info.has_mask) {
    block->mask_offset = pixels * info.pixel_bytes();
    block->mask_row_stride = window.width;
  }
  return block;
}

/// A run of that one tile, whose band is `block`.
TileRun run_of(std::uint64_t row, std::uint64_t col, const TileLayout& tiles, std::shared_ptr<Block> block) {
  auto band = std::make_shared<Band>();
  band->window = block->window;
  TileRun run;
  run.first_tile = row * tiles.tile_cols() + col;
  run.tile_row = row;
  run.tile_col = col;
  run.count = 1;
  run.computed_bytes = payload_bytes(*block);
  band->blocks.push_back(std::move(block));
  run.band = std::move(band);
  return run;
}

void copy_mask(const Band& band, const Window& window, std::byte* to, std::size_t row_stride) {
  for (const auto& block : band.blocks) {
    const Window part = intersect(window, block->window);
    for (std::uint64_t row = part.row; row < part.row_end(); ++row)
      std::memcpy(to + (row - window.row) * row_stride + (part.col - window.col),
                  block->mask_at(row - block->window.row, part.col - block->window.col), part.width);
  }
}

MaskedView view_of(const Block& block, const Window& window) {
  const std::uint64_t row = window.row - block.window.row, col = window.col - block.window.col;
  return {{block.at(row, col), window, block.type, block.samples, block.row_stride, block.pixel_stride,
           block.sample_stride},
          block.has_mask() ? block.mask_at(row, col) : nullptr,
          block.mask_row_stride};
}
MaskedTarget target_of(Block& block, const Window& window) {
  const std::uint64_t row = window.row - block.window.row, col = window.col - block.window.col;
  return {{block.at(row, col), window, block.type, block.samples, block.row_stride, block.pixel_stride,
           block.sample_stride},
          block.has_mask() ? block.mask_at(row, col) : nullptr,
          block.mask_row_stride};
}

}  // namespace

std::string item_name(const PyramidTile& tile) {
  return fmt::format("overview tile ({}, {})", tile.row, tile.col);
}

TileRun TakeTile::operator()(const TileRun& run, const Context& context) const {
  assert(run.count == 1 && run.plane == 0);
  const Window window = window_of(run.tile_row, run.tile_col, tiles_);
  auto block = new_block(window, info_, context);
  cut_tile(*run.band, window, 0, info_.samples, Fill{}, block->data.data());
  if (block->has_mask()) copy_mask(*run.band, window, block->mask_at(0, 0), block->mask_row_stride);
  TileRun taken = run_of(run.tile_row, run.tile_col, tiles_, std::move(block));
  taken.waits = run.waits;
  return taken;
}

std::uint64_t TakeTile::tile_bytes(const RasterInfo& info, const TileLayout& tiles) {
  return BufferPool::charge(std::min(tiles.tile_height, tiles.height) *
                            std::min(tiles.tile_width, tiles.width) * info.block_pixel_bytes());
}

void GatherLevel::operator()(const Item<TileRun>& item, Emit<PyramidTile>& emit) {
  const PyramidAxis &rows = plan_->rows(), &cols = plan_->cols();
  const Place here{item->tile_row, item->tile_col};
  const std::uint64_t first_row = rows.first_user(level_ - 1, here.first),
                      rows_end = rows.users_end(level_ - 1, here.first);
  const std::uint64_t first_col = cols.first_user(level_ - 1, here.second),
                      cols_end = cols.users_end(level_ - 1, here.second);
  parts_[here] = {item.share(), (rows_end - first_row) * (cols_end - first_col)};
  for (std::uint64_t row = first_row; row < rows_end; ++row)
    for (std::uint64_t col = first_col; col < cols_end; ++col) {
      const std::uint64_t part_rows_end = rows.needed_end(level_, row),
                          part_cols_end = cols.needed_end(level_, col);
      Waiting& waiting = waiting_[{row, col}];
      if (waiting.missing == 0)
        waiting.missing = (part_rows_end - rows.first_needed(level_, row)) *
                          (part_cols_end - cols.first_needed(level_, col));
      if (here == Place{part_rows_end - 1, part_cols_end - 1}) waiting.owner = item;
      if (--waiting.missing > 0) continue;
      assert(waiting.owner);
      const Item<TileRun> owner = *waiting.owner;
      waiting_.erase({row, col});
      emit.on_behalf_of(owner, row * cols.tiles(level_) + col, take({row, col}));
    }
}

PyramidTile GatherLevel::take(const Place& place) {
  const PyramidAxis &rows = plan_->rows(), &cols = plan_->cols();
  PyramidTile tile{place.first, place.second, {}};
  for (std::uint64_t row = rows.first_needed(level_, place.first); row < rows.needed_end(level_, place.first);
       ++row)
    for (std::uint64_t col = cols.first_needed(level_, place.second);
         col < cols.needed_end(level_, place.second); ++col) {
      const auto part = parts_.find({row, col});
      assert(part != parts_.end());
      tile.parts.push_back(part->second.tile);
      if (--part->second.uses == 0) parts_.erase(part);
    }
  return tile;
}

ReduceTile::ReduceTile(const ReducePixels& reduce, const RasterInfo& finer, const RasterInfo& coarser,
                       const TileLayout& tiles, std::shared_ptr<const PyramidPlan> plan, std::size_t level)
    : reduce_(reduce),
      finer_(finer),
      coarser_(coarser),
      tiles_(tiles),
      plan_(std::move(plan)),
      level_(level) {}

/// Whether no cell lies in two parts: then each part is reduced where it lies.
bool ReduceTile::is_cut_along_parts() const {
  return reduce_.halo() == 0 && tiles_.tile_height % reduce_.factor() == 0 &&
         tiles_.tile_width % reduce_.factor() == 0;
}

std::uint64_t ReduceTile::gathered_pixels() const {
  if (is_cut_along_parts()) return 0;
  const std::uint64_t factor = reduce_.factor(), around = 2 * reduce_.halo();
  return std::min(std::min(tiles_.tile_height, tiles_.height) * factor + around, finer_.height) *
         std::min(std::min(tiles_.tile_width, tiles_.width) * factor + around, finer_.width);
}

std::uint64_t ReduceTile::slot_bytes() const {
  const std::uint64_t pixels = gathered_pixels();
  return pixels == 0 ? 0 : scratch_block_bytes(pixels * finer_.block_pixel_bytes());
}

std::unique_ptr<ReduceTile::Local> ReduceTile::make_local(const Scratch& scratch) const {
  return std::make_unique<Local>(Local{scratch, {}});
}

TileRun ReduceTile::operator()(const PyramidTile& tile, Local& local, const Context& context) const {
  const Window window = window_of(tile.row, tile.col, tiles_);
  auto block = new_block(window, coarser_, context);
  if (is_cut_along_parts()) {
    const std::uint64_t factor = reduce_.factor();
    for (const auto& part : tile.parts) {
      const Block& finer = *part->band->blocks.front();
      const std::uint64_t row = finer.window.row / factor, col = finer.window.col / factor;
      const Window made = intersect(window, {row, col, (finer.window.row_end() + factor - 1) / factor - row,
                                             (finer.window.col_end() + factor - 1) / factor - col});
      reduce_(view_of(finer, finer.window), target_of(*block, made));
    }
  } else {
    Band band;
    band.window = reduce_.needed(window);
    for (const auto& part : tile.parts)
      for (const auto& finer : part->band->blocks) band.blocks.push_back(finer);
    const std::uint64_t bytes = gathered_pixels() * finer_.block_pixel_bytes();
    if (local.gathered.data() == nullptr) {
      const std::uint64_t shared = shared_slot_bytes_ - std::min(shared_slot_bytes_, scratch_block_bytes(0));
      local.gathered = ScratchBlock(local.scratch, std::max(bytes, shared), "the tiles of a finer level");
    }
    assert(local.gathered.size() >= bytes);
    auto* pixels = static_cast<std::byte*>(local.gathered.data());
    cut_tile(band, band.window, 0, finer_.samples, Fill{}, pixels);
    const PixelStrides strides =
        interleaved_strides(band.window.width, finer_.samples, bytes_of(finer_.type));
    MaskedView view{
        {pixels, band.window, finer_.type, finer_.samples, strides.row, strides.pixel, strides.sample}};
    if (finer_.has_mask) {
      std::byte* mask = pixels + band.window.height * strides.row;
      copy_mask(band, band.window, mask, band.window.width);
      view.mask = mask;
      view.mask_row_stride = band.window.width;
    }
    reduce_(view, target_of(*block, window));
  }
  TileRun run = run_of(tile.row, tile.col, tiles_, std::move(block));
  run.waits = plan_->waits(level_, context.unit(), run.first_tile);
  return run;
}

}  // namespace weir
