#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "framework/file.hpp"
#include "nodes/raster/file_check.hpp"
#include "nodes/tiff/ghost_area.hpp"
#include "nodes/tiff/tiff_info.hpp"
#include "nodes/tiff/tiff_pieces.hpp"

// The parts of check_cog() that look at every tile. Arrays are read in pieces; none of this grows with the number of tiles.

namespace weir {

/// One directory of a file: a level, or the mask of one.
struct CogImage {
  std::string where;  ///< "overview 1 (directory 2)"
  std::uint64_t position = 0;
  TiffImage image;  ///< without tags and metadata
};

/// A tile or strip, as the arrays of its directory have it.
struct StoredTile {
  TiffPiece piece;
  std::uint64_t strile = 0;  ///< its index in the arrays
  std::uint64_t bytes = 0;   ///< that are stored; 0: sparse
  std::uint64_t end() const { return piece.offset + bytes; }
};

/// Pieces of an image as they are stored, strips whole.
inline TiffPieces stored_pieces(const ReadableFile& file, const TiffImage& image) {
  return TiffPieces(file, image.info, image.layout, ~std::uint64_t{0});
}

/// Calls `function(tile, reason)` for every tile, see TiffPieces::for_each. Throws Error where reading the arrays fails or a stop
/// is asked for.
template <class Function>
void for_each_tile(const ReadableFile& file, const TiffImage& image, const std::stop_token& stop,
                   Function&& function) {
  constexpr std::uint32_t most_lanes = 64;  // 4 KiB each
  const TiffPieces pieces = stored_pieces(file, image);
  StrileLanes lanes(file, image.layout, std::min(image.layout.planes, most_lanes));
  const std::uint64_t rows = pieces.rows().count(), cols = pieces.cols().count();
  StoredTile tile;
  std::uint64_t number = 0;
  pieces.for_each({0, rows, 0, cols}, lanes, [&](const TiffPiece& piece, const std::string& reason) {
    if (number++ % 4096 == 0 && stop.stop_requested()) throw Error::cancelled();
    const std::uint64_t row = piece.plane * rows + piece.row;
    tile.piece = piece;
    tile.strile = row * cols + piece.col;
    tile.bytes = image.layout.byte_counts ? lanes.byte_count(row, tile.strile) : piece.bytes;
    function(tile, reason);
    return true;
  });
}

/// What a walk over the tiles of an image found.
struct TilePlaces {
  std::uint64_t first =
      0;  ///< where the first tile that has bytes stands, in the order of rows, of the first plane; 0: none has
  std::uint64_t lowest = 0;  ///< of all tiles that stand in the file; 0: none does
};

/// Tiles in the order of their rows: whether each lies in the file with a size that can be true, and what the ghost area says of their
/// order and of the places of `mask`'s tiles, where there is a mask. Errors: tile-outside-file, tile-byte-count, tile-order,
/// mask-place, mask-tile-size.
TilePlaces check_tiles(const ReadableFile& file, const CogImage& image, const CogImage* mask,
                       const GhostArea& ghost, FileCheck& check, const std::stop_token& stop);

/// A part of the file that is no tile: the header, a directory, or values of a tag that lie outside of it.
struct CogPart {
  static constexpr std::uint16_t header = 0, directory = 1;  ///< no tags
  std::uint64_t begin = 0, end = 0;
  std::uint16_t tag = header;
  std::uint32_t image = 0;  ///< whose; of the header nobody's
};
/// "tag 324 of overview 1 (directory 2)"
std::string name_of(const CogPart& part, std::span<const CogImage> images);

/// Tiles of all images in the order in which they stand in the file: whether they overlap each other or `parts` (tiles may share
/// all of their bytes), and, where `has_frames`, whether leaders and trailers are what the ghost area says. Reads 4 KiB per tile at
/// most. Errors: tiles-overlap, tile-over-directory, tile-leader, tile-trailer; tile-outside-file of a tile whose trailer is.
void check_places(const ReadableFile& file, std::span<const CogImage> images, std::span<const CogPart> parts,
                  const GhostArea& ghost, bool has_frames, FileCheck& check, const std::stop_token& stop);

/// Decodes every tile of an image, one after the other: all of it, also what lies below the image, to the checksum or whatever ends it
/// (decode_whole_piece). Errors: tile-decode.
void check_decoding(const std::shared_ptr<const ReadableFile>& file, const CogImage& image, FileCheck& check,
                    const std::stop_token& stop);

}  // namespace weir
