#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// Writes one raster as a TIFF:
///
///   header | directory and its values | zeros | offset array | byte-count array | tile 0 | tile 1 | ...
///
/// The sizes of all that lies before the tiles are known up front, so the tiles are appended behind it, in
/// file order (see EncodedTiles), back to back from a multiple of 16. The arrays can have tens of millions of
/// entries, and go to the file through one small window per plane; header and directory are written last.
/// Only a close() that returns means that the file is there; destroying the writer before leaves nothing.
/// After an Error it can only be destroyed. The same layout and tiles make the same bytes: no date, no
/// software tag. One thread at a time.
class TiffWriter {
 public:
  /// Throws a usage Error where the layout cannot be written (see check; forced classic where the file could
  /// pass 4 GiB) or the file exists and may not be overwritten; an Error where there is no space for what
  /// is sure to be written: what lies before the tiles and, without a codec, the pixels. Nothing of the
  /// layout is kept but the encoded directory.
  TiffWriter(const TiffOutputLayout& layout, std::string path, bool overwrite,
             FileSystem& files = FileSystem::real());

  /// Appends the next tiles. Throws where others were due, or one is larger than the layout's bound.
  void write(const EncodedTiles& tiles);

  /// Writes the directory and gives the file its name. Throws where tiles are missing, and says how many. An
  /// existing file's sidecars (.ovr, .aux.xml, .msk) told of its pixels: they are removed once the new one is
  /// in place.
  void close();

  bool is_big() const { return is_big_; }
  std::uint64_t bytes_written() const { return end_; }  ///< size of the file so far, the front included

  /// Bytes that a writer of this layout keeps: header and directory, and the windows.
  static std::uint64_t standing_bytes(const TiffOutputLayout& layout);
  /// The largest size that the file could reach: the front, and every tile at its bound.
  static std::uint64_t largest_file_bytes(const TiffOutputLayout& layout);

 private:
  struct Plan;
  static Plan plan(const TiffOutputLayout& layout);
  TiffWriter(Plan plan, std::uint64_t max_tile_bytes, std::string path, bool overwrite, FileSystem& files);

  void append(std::uint32_t size);
  void patch(std::uint64_t offset, std::span<const std::byte> bytes);

  FileSystem& files_;
  AtomicFile file_;
  const bool is_big_;
  const TileLayout tiles_;
  const std::uint64_t max_tile_bytes_;
  const std::uint64_t window_entries_;  // of each plane
  const TiffDirectoryBuilder::Array offsets_, byte_counts_;
  std::vector<std::byte> front_;                            // from 0 to the first array
  std::vector<std::byte> offset_window_, count_window_;     // plane by plane
  std::uint64_t next_ = 0, row_ = 0, plane_ = 0, col_ = 0;  // the tile that is due
  std::uint64_t end_ = 0;
};

}  // namespace weir
