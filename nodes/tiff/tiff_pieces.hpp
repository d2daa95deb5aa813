#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/window.hpp"
#include "nodes/tiff/strile_array.hpp"
#include "nodes/tiff/tiff_info.hpp"

namespace weir {

/// What a chunk is read in: a tile, a strip, or one of the parts of a large uncompressed strip. One plane of
/// it where the file is planar.
struct TiffPiece {
  std::uint32_t plane = 0;         ///< of those that are read: TiffLayout::planes_read
  std::uint64_t row = 0, col = 0;  ///< counted in pieces
  std::uint64_t offset = 0;        ///< of its bytes in the file
  std::uint64_t bytes = 0;         ///< to read there; 0: sparse, the file has none
};

/// The pieces of one chunk, in all planes.
struct TiffPieceRange {
  std::uint64_t row = 0, row_end = 0, col = 0, col_end = 0;
};

/// Windows on the arrays for a walk over pieces. A chunk of several tile rows or planes goes to and fro
/// between far places of the arrays: one lane for each of them keeps them from being read again for every
/// tile.
class StrileLanes {
 public:
  StrileLanes(const ReadableFile& file, const TiffLayout& layout, std::size_t lanes) {
    offsets_.assign(lanes, StrileWindow(file, layout.offsets));
    if (layout.byte_counts) byte_counts_.assign(lanes, StrileWindow(file, *layout.byte_counts));
  }

  std::uint64_t offset(std::uint64_t lane, std::uint64_t strile) {
    return offsets_[lane % offsets_.size()].at(strile);
  }
  std::uint64_t byte_count(std::uint64_t lane, std::uint64_t strile) {
    return byte_counts_[lane % byte_counts_.size()].at(strile);
  }

 private:
  std::vector<StrileWindow> offsets_, byte_counts_;
};

/// The geometry of a file's pieces and their places in the file. Thread-safe.
class TiffPieces {
 public:
  /// Uncompressed strips of more than `rows_wanted` rows are read in parts of at most that many. File and
  /// layout outlive this.
  TiffPieces(const ReadableFile& file, const RasterInfo& info, const TiffLayout& layout,
             std::uint64_t rows_wanted);

  std::uint64_t height() const { return height_; }  ///< of a piece, in pixels
  std::uint64_t width() const { return width_; }   ///< the raster's at most for strips; tiles may overhang it
  bool is_cut() const { return parts_ > 1; }       ///< strips are read in parts
  const Partition& rows() const { return rows_; }  ///< of the raster, in pieces
  const Partition& cols() const { return cols_; }
  std::uint32_t samples() const { return samples_; }      ///< interleaved in a piece
  std::uint64_t row_bytes() const { return row_bytes_; }  ///< of a decoded piece, before samples are unpacked
  /// Decoded bytes of a piece that lie above the raster's lower edge; the rest of an overhanging tile is not
  /// decoded.
  std::uint64_t raw_bytes(std::uint64_t piece_row) const { return rows_.size(piece_row) * row_bytes_; }

  std::uint64_t count(const TiffPieceRange& range) const {
    return (range.row_end - range.row) * (range.col_end - range.col) * layout_->planes_read();
  }
  /// A piece's number in its range: plane by plane, row by row.
  std::uint64_t number_in(const TiffPieceRange& range, const TiffPiece& piece) const {
    return (piece.plane * (range.row_end - range.row) + piece.row - range.row) * (range.col_end - range.col) +
           piece.col - range.col;
  }
  /// Calls `function(piece, reason)` for each piece, in the order in which they should lie in the file: plane by plane and
  /// row by row, or row by row and plane by plane. `reason` is why the place that the file gives for it cannot be true,
  /// or empty. Stops where it returns false.
  template <class Function>
  void for_each(const TiffPieceRange& range, StrileLanes& lanes, Function&& function) const {
    const std::uint64_t rows = range.row_end - range.row, planes = layout_->planes_read();
    const bool by_rows = planes > 1 && rows > 1 && planes_lie_in_rows(range, lanes);
    TiffPiece piece;
    for (std::uint64_t i = 0; i < rows * planes; ++i) {
      piece.plane = static_cast<std::uint32_t>(by_rows ? i % planes : i / rows);
      piece.row = range.row + (by_rows ? i / planes : i % rows);
      const std::uint64_t lane = piece.plane * rows + piece.row - range.row;
      for (piece.col = range.col; piece.col < range.col_end; ++piece.col) {
        const std::string reason = locate(piece, lanes, lane);
        if (!function(std::as_const(piece), reason)) return;
      }
    }
  }

  /// "tile (row 3, col 4)", of a planar file "tile (row 3, col 4, plane 1)"; "strip 12".
  std::string name(const TiffPiece& piece) const;
  /// Throws the Error of a piece: "cannot read tile (row 3, col 4) of a.tif: ...".
  [[noreturn]] void fail(std::string_view action, const TiffPiece& piece, std::string_view reason) const;

 private:
  bool planes_lie_in_rows(const TiffPieceRange& range, StrileLanes& lanes) const;
  std::string locate(TiffPiece& piece, StrileLanes& lanes, std::uint64_t lane) const;
  std::uint64_t strile_of(const TiffPiece& piece) const {
    return (layout_->plane_of(piece.plane) * strile_rows_ + piece.row / parts_) * cols_.count() + piece.col;
  }

  const ReadableFile* file_;
  const TiffLayout* layout_;
  std::uint64_t height_, width_;
  std::uint64_t parts_ = 1;  // pieces of a strip
  std::uint64_t strile_rows_;
  Partition rows_, cols_;
  std::uint32_t samples_;
  std::uint64_t row_bytes_;
  std::uint64_t bytes_limit_;  // of an encoded piece
};

}  // namespace weir
