#pragma once

#include <cstdint>
#include <vector>

#include "nodes/raster/window.hpp"

namespace weir {

/// How the output stores the raster: tiles of tile_height x tile_width, the last ones of a row or column
/// overhanging. Strips are tiles as wide as the raster.
struct TileLayout {
  std::uint64_t height = 0, width = 0;  ///< of the raster
  std::uint64_t tile_height = 0, tile_width = 0;
  std::uint32_t planes = 1;  ///< planar-separate: the samples per pixel; else 1

  std::uint64_t tile_rows() const { return (height + tile_height - 1) / tile_height; }
  std::uint64_t tile_cols() const { return (width + tile_width - 1) / tile_width; }
};

/// What the planner needs to know.
struct BandPlanRequest {
  ChunkGrid chunks;               ///< of the source
  std::uint64_t halo = 0;         ///< pixels that the computation needs on each side
  std::uint64_t pixel_bytes = 0;  ///< of a decoded source pixel, all samples
  std::uint64_t fetch_bytes = 0;  ///< charge of one chunk's stored bytes; 0 where nothing is fetched
  /// Charge of what a decoded chunk may hold beyond its own pixels, as long as it is kept: ChunkSource::excess_bytes.
  std::uint64_t excess_bytes = 0;
  TileLayout tiles;
  std::uint64_t tile_bytes = 0;  ///< charge of one encoded tile in the worst case (one plane's)
  /// Where a tile stands for several smaller ones of an output: the part of its (one plane's) tile_bytes that
  /// is not the first row of these, and so waits for the rest of the row even in a band of one tile row.
  std::uint64_t waiting_tile_bytes = 0;
  std::uint64_t transient_tile_bytes =
      0;                           ///< charge of what is computed for one tile between band and encoder
  std::uint64_t available = 0;     ///< bytes of budget for units: the limit less standing bytes
  std::uint64_t units_wanted = 4;  ///< units in flight that keep every core busy
  std::uint64_t run_tiles = 1;     ///< tiles that travel as one item
};

/// One work unit: the tiles of a band (consecutive tile rows) between two cuts (consecutive tile columns).
struct BandUnit {
  std::uint64_t index = 0;
  std::uint64_t band = 0, segment = 0;
  std::uint64_t tile_row = 0, tile_rows = 0;  ///< first, count
  std::uint64_t tile_col = 0, tile_cols = 0;
  Window source;  ///< pixels needed, halo included, clipped to the raster
};

/// The pure planner of streaming writes: how the output's tiles are grouped into units, so that each source
/// chunk is read once wherever the bytes allow. A formula: it holds nothing per tile, chunk or unit.
///
/// Units go band by band, and within a band from left to right. A chunk that several units need belongs to
/// the first of them; it is kept (as a handle) until the last is done, if `keeps_rows` (next band) or
/// `keeps_cols` (next segment) says so, and is read again otherwise. A band of several tile rows is encoded
/// whole, segment by segment; its tiles below the first tile row wait encoded until the rows above are
/// complete.
class BandPlan {
 public:
  /// Chooses band height and segment width: fewest reads first; then room for `units_wanted` units; then the
  /// smallest units that carry enough work. Where not even the smallest plan fits, `fits()` is false and
  /// `required()` says what the smallest one takes.
  static BandPlan make(const BandPlanRequest& request);
  /// The plan of given shape, for tests and for settings: band of `band_tiles` tile rows, segments of
  /// `segment_tiles` tile columns (both at least 1; more than there are means all). Keeping rows keeps
  /// columns too.
  static BandPlan fixed(const BandPlanRequest& request, std::uint64_t band_tiles, std::uint64_t segment_tiles,
                        bool keeps_rows, bool keeps_cols);

  const BandPlanRequest& request() const { return request_; }
  bool fits() const { return required_ <= request_.available; }
  /// The most that `carried_bytes(u) + unit_bytes(u)` is, over all units.
  std::uint64_t required() const { return required_; }
  /// The smallest `available` with which make() finds a plan that fits.
  static std::uint64_t smallest_available(const BandPlanRequest& request);

  std::uint64_t bands() const;
  std::uint64_t segments() const;
  std::uint64_t units() const { return bands() * segments(); }
  std::uint64_t band_tiles() const { return band_tiles_; }  ///< tile rows of a band (the last may have fewer)
  std::uint64_t segment_tiles() const { return segment_tiles_; }  ///< tile columns of a segment
  bool keeps_rows() const { return keeps_rows_; }
  bool keeps_cols() const { return keeps_cols_; }
  BandUnit unit(std::uint64_t index) const;

  /// The chunks that unit `u` needs, as a range of the grid: rows [row, row + height), cols [col, col +
  /// width).
  Window needed_chunks(const BandUnit& unit) const;
  /// Those of them that the unit reads itself; the others it borrows. In row-major order.
  std::vector<ChunkIndex> owned_chunks(const BandUnit& unit) const;
  /// How many chunks that is.
  std::uint64_t owned_count(const BandUnit& unit) const;
  /// Whether any later unit borrows the chunk that `unit` needs: if not, the handle is dropped after it.
  bool is_kept(const BandUnit& unit, ChunkIndex chunk) const;

  // Where bands do not keep rows, neighbours read the same rows of chunks.
  /// Whether the band before the unit's reads this row of chunks, too: its chunks are read for a second time.
  bool is_reread(const BandUnit& unit, std::uint64_t chunk_row) const;
  /// Whether the band after it will.
  bool is_read_again(const BandUnit& unit, std::uint64_t chunk_row) const;
  /// The most rows of chunks that one band needs.
  std::uint64_t most_chunk_rows() const;

  /// Bytes the unit takes at admission: its own chunks decoded (BufferPool::charge each), their stored bytes,
  /// its encoded tiles.
  std::uint64_t unit_bytes(const BandUnit& unit) const;
  /// The part of it that is the unit's own chunks, decoded.
  std::uint64_t block_bytes(const BandUnit& unit) const;
  /// The part of that which the band before reads, too.
  std::uint64_t reread_bytes(const BandUnit& unit) const;
  /// Bytes of earlier units that can still be held when all that could be delivered before `unit` is
  /// delivered: chunks kept, tiles waiting for rows above them.
  std::uint64_t carried_bytes(const BandUnit& unit) const;

  /// Chunk reads of the whole run; equal to request().chunks.count() where each chunk is read once.
  std::uint64_t reads() const { return reads_; }

 private:
  Window owned_range(const BandUnit& unit) const;
  std::uint64_t reread_end(const BandUnit& unit) const;

  BandPlanRequest request_;
  std::uint64_t band_tiles_ = 1, segment_tiles_ = 1;
  bool keeps_rows_ = true, keeps_cols_ = true;
  std::uint64_t required_ = 0, reads_ = 0;
};

}  // namespace weir
