#include "nodes/tiff/cog_tile_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "framework/context.hpp"
#include "nodes/codecs/whole_piece.hpp"
#include "nodes/tiff/unpack_samples.hpp"

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
  constexpr std::uint64_t limit = 512 << 20;  // the pixels of a strip that is as large as its image
  const TiffLayout& layout = image.image.layout;
  const TiffPieces pieces = stored_pieces(*file, image.image);
  const bool is_encoded = layout.codec != CodecId::none;
  // What is stored as it is has nothing to decode: it is read, in parts.
  constexpr std::uint64_t part = 1 << 20;
  const std::uint64_t room = is_encoded ? pieces.height() * pieces.row_bytes() : part;
  if (room > limit)
    return check.error("tile-decode", image.where,
                       fmt::format("each of its {} takes {} bytes, and the limit is {} bytes",
                                   layout.is_tiled ? "tiles" : "strips", room, limit));
  const auto decoder = is_encoded ? make_decoder(layout.decode, {}) : nullptr;
  const Context context;
  Buffer raw = context.buffer(room), stored;
  const auto read = [&](std::uint64_t offset, std::span<std::byte> to) {
    const FileRange range{offset, to};
    file->read_ranges({&range, 1}, stop);
  };
  const auto decode = [&](const TiffPiece& piece) {
    if (!is_encoded) {
      for (std::uint64_t at = 0; at < piece.bytes; at += part)
        read(piece.offset + at, raw.span().first(std::min(part, piece.bytes - at)));
      return;
    }
    if (stored.capacity() < piece.bytes) stored = context.buffer(piece.bytes);
    stored.resize(piece.bytes);
    read(piece.offset, stored.span());
    if (layout.is_bit_reversed) reverse_bits(stored.data(), stored.size());
    // Rows below the image are part of a tile, but of a last strip only where its writer put them there.
    const std::uint64_t needed = layout.is_tiled ? room : pieces.raw_bytes(piece.row);
    decode_whole_piece(layout.decode, *decoder, stored.span(), raw.span(), needed);
  };
  for_each_tile(*file, image.image, stop, [&](const StoredTile& tile, std::string reason) {
    if (stop.stop_requested()) throw Error::cancelled();
    if (reason.empty()) try {
        if (tile.piece.bytes > 0) decode(tile.piece);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::cancelled) throw;
        reason = error.reason().empty() ? "its data is broken" : error.reason();
      }
    if (reason.empty()) return;
    check.error_of_item("tile-decode", image.where, [&](FileProblem& problem) {
      problem.item = pieces.name(tile.piece);
      problem.text = reason;
    });
  });
}

}  // namespace weir
