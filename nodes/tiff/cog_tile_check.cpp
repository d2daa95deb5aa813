#include "nodes/tiff/cog_tile_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nodes/tiff/tiff_source.hpp"

namespace weir {
namespace {

/// Places of a mask's tiles beside those of its image; 0 where there is no mask, or it has other tiles.
class MaskTiles {
 public:
  MaskTiles(const ReadableFile& file, const CogImage* mask) {
    if (mask == nullptr || !mask->image.layout.byte_counts) return;
    offsets_.emplace(file, mask->image.layout.offsets);
    byte_counts_.emplace(file, *mask->image.layout.byte_counts);
  }
  std::uint64_t offset(std::uint64_t strile) {
    return offsets_ && byte_counts_->at(strile) > 0 ? offsets_->at(strile) : 0;
  }

 private:
  std::optional<StrileWindow> offsets_, byte_counts_;
};

/// Whether the mask can be interleaved with its image: it has the same grid of tiles.
bool has_grid_of(const CogImage& mask, const CogImage& image) {
  const TiffLayout &a = mask.image.layout, &b = image.image.layout;
  return a.strile_height == b.strile_height && a.strile_width == b.strile_width &&
         mask.image.info.height == image.image.info.height && mask.image.info.width == image.image.info.width;
}

}  // namespace

TilePlaces check_tiles(const ReadableFile& file, const CogImage& image, const CogImage* mask,
                       const GhostArea& ghost, FileCheck& check, const std::stop_token& stop) {
  const TiffPieces pieces = stored_pieces(file, image.image);
  if (!ghost.has_interleaved_masks) mask = nullptr;
  if (mask != nullptr && !has_grid_of(*mask, image)) {
    check.error("mask-tile-size", image.where,
                fmt::format("the ghost area says that masks are interleaved, and its mask has tiles of {} x "
                            "{} pixels instead of {} x {} (height x width)",
                            mask->image.layout.strile_height, mask->image.layout.strile_width,
                            pieces.height(), pieces.width()));
    mask = nullptr;
  }
  MaskTiles masks(file, mask);
  const std::uint64_t behind = (ghost.has_leaders ? 4u : 0u) + (ghost.has_trailers ? 4u : 0u);
  std::vector<std::uint64_t> last(image.image.layout.planes);  // 8 bytes of at most 65535 planes
  TilePlaces places;
  const auto report = [&](std::string_view name, const StoredTile& tile, auto&& text) {
    check.error_of_item(name, image.where, [&](FileProblem& problem) {
      problem.item = pieces.name(tile.piece);
      problem.text = text();
    });
  };
  for_each_tile(file, image.image, stop, [&](const StoredTile& tile, const std::string& reason) {
    const std::uint64_t offset = tile.piece.offset;
    std::uint64_t& before = last[tile.piece.plane];
    if (!reason.empty()) {
      const bool is_outside = offset > file.size() || tile.bytes > file.size() - offset;
      report(is_outside ? "tile-outside-file" : "tile-byte-count", tile, [&] { return reason; });
    }
    const std::uint64_t mask_offset =
        mask != nullptr && tile.piece.plane == 0 ? masks.offset(tile.strile) : 0;
    if (offset == 0 || tile.bytes == 0) {
      before = std::max(before, mask_offset);  // whether that is in order is said of the mask
      return;
    }
    if (places.first == 0 && tile.piece.plane == 0) places.first = offset;
    if (reason.empty() && (places.lowest == 0 || offset < places.lowest)) places.lowest = offset;
    if (ghost.is_row_major && offset < before)
      report("tile-order", tile, [&] {
        return fmt::format("it stands at byte {}, and one before it in the order of rows at byte {}", offset,
                           before);
      });
    if (mask_offset > 0 && mask_offset - offset != tile.bytes + behind)
      report("mask-place", tile, [&] {
        return fmt::format("its mask stands at byte {}, and should be right behind it at byte {}",
                           mask_offset, tile.end() + behind);
      });
    before = offset;
  });
  return places;
}

void check_decoding(const std::shared_ptr<const ReadableFile>& file, const CogImage& image, FileCheck& check,
                    const std::stop_token& stop) {
  TiffReadOptions options;  // a chunk is a tile
  options.chunk_height = image.image.layout.strile_height;
  options.chunk_width = image.image.layout.strile_width;
  options.max_chunk_bytes = 512 << 20;  // the pixels of a strip that is as large as its image
  std::optional<TiffSource> source;
  try {
    source.emplace(file, image.image, options);
  } catch (const Error& error) {
    check.error("tile-decode", image.where, error.reason());
    return;
  }
  const auto local = source->make_local({});
  const ChunkGrid& grid = source->grid();
  for (ChunkIndex chunk; chunk.row < grid.rows.count(); ++chunk.row)
    for (chunk.col = 0; chunk.col < grid.cols.count(); ++chunk.col) {
      if (stop.stop_requested()) throw Error::cancelled();
      try {
        source->decode(chunk, source->fetch(chunk, {}), local.get(), {});
      } catch (const Error& error) {
        check.error_of_item("tile-decode", image.where, [&](FileProblem& problem) {
          problem.item = error.object().substr(0, error.object().rfind(" of "));
          problem.text = error.reason();
        });
      }
    }
}

}  // namespace weir
