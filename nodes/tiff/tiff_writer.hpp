#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/tiff/statistics_text.hpp"
#include "nodes/tiff/strile_entries.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// Writes one raster as a TIFF, its mask with it as a second image:
///
///   front: header, directories, arrays (see TiffFront) | tile 0 | its mask tile | tile 1 | ...
///
/// The sizes of all that lies before the tiles are known up front, so the tiles are appended behind it, in
/// file order (see EncodedTiles), back to back from a multiple of 16. Header and directories are written last.
/// Only a close() that returns means that the file is there; destroying the writer before leaves nothing.
/// After an Error it can only be destroyed. The same layout and tiles make the same bytes: no date, no
/// software tag. One thread at a time.
class TiffWriter {
 public:
  /// Throws a usage Error where the layout cannot be written (see check; forced classic where the file could
  /// pass 4 GiB) or the file exists and may not be overwritten; an Error where there is no space for what
  /// is sure to be written: what lies before the tiles and, without a codec and unless tiles may be left out,
  /// the pixels. Nothing of the layout is kept but the encoded directories and, for statistics, the metadata.
  TiffWriter(const TiffOutputLayout& layout, std::string path, bool overwrite,
             FileSystem& files = FileSystem::real());

  /// Appends the next tiles. Throws where others were due, or one is larger than the layout's bound, or they come without
  /// the masks or statistics that the layout has.
  void write(const EncodedTiles& tiles);

  /// Writes the directories and gives the file its name. Throws where tiles are missing, and says how many. An
  /// existing file's sidecars (.ovr, .aux.xml, .msk) told of its pixels: they are removed once the new one is
  /// in place.
  void close();

  bool is_big() const { return is_big_; }
  std::uint64_t bytes_written() const { return end_; }  ///< size of the file so far, the front included

  /// Bytes that a writer of this layout keeps: header and directories, windows of the arrays, statistics.
  static std::uint64_t standing_bytes(const TiffOutputLayout& layout);
  /// The largest size that the file could reach: the front, and every tile at its bound.
  static std::uint64_t largest_file_bytes(const TiffOutputLayout& layout);

 private:
  TiffWriter(const TiffOutputLayout& layout, const TiffFront& front, std::string path, bool overwrite,
             FileSystem& files);

  void check_order(const EncodedTiles& tiles) const;
  void append(StrileEntries& image, std::uint32_t size);
  void merge_statistics(const EncodedTiles& tiles, std::uint64_t index, std::uint32_t plane);
  void patch(std::uint64_t offset, std::span<const std::byte> bytes);

  FileSystem& files_;
  AtomicFile file_;
  const bool is_big_;
  std::vector<std::byte> front_;       // from 0 to the first array
  std::vector<StrileEntries> images_;  // the raster, and its mask
  std::optional<StatisticsText> statistics_;
  std::uint64_t statistics_place_ = 0;  // of its text in the front
  std::uint64_t end_ = 0;
};

}  // namespace weir
