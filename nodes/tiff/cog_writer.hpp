#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/file.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/tiff/statistics_text.hpp"
#include "nodes/tiff/strile_entries.hpp"
#include "nodes/tiff/tiff_front.hpp"
#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// How the room that was reserved and not needed is taken out of a COG.
enum class CogPacking : std::uint8_t {
  automatic,  ///< as the file system can: collapse, else copy. The bytes of the file are the same
  collapse,  ///< whole blocks are taken out without copying (ext4, xfs); an Error where the file system cannot
  copy,      ///< what lies behind is moved up
  holes,     ///< left in: no copying, holes on disk, and other bytes than the three above
};
inline constexpr CogPacking all_cog_packings[] = {CogPacking::automatic, CogPacking::collapse,
                                                  CogPacking::copy, CogPacking::holes};
std::string_view name_of(CogPacking packing);  ///< "automatic"
std::optional<CogPacking> cog_packing_named(std::string_view name);

/// Writes a raster and its overviews as a Cloud Optimized GeoTIFF, all levels at once and in one file, in the layout of GDAL's COG driver
/// (https://gdal.org/drivers/raster/cog.html):
///
///   header | ghost area | directories: level 0, its mask, level 1 ... | arrays | tiles of the smallest level | ... | of level 0
///
/// Sizes of encoded tiles are known only when they come, and the largest level comes last in the file. So each level has an
/// extent of its own, as large as its tiles could become (holes on disk), and its own cursor. In the end the levels move up: each
/// begins at the next multiple of 4096 behind the one before, which is what file systems that take out whole blocks can do
/// without copying. Offsets are kept relative to their level until then.
///
/// A tile: its bytes in 4 bytes | the tile | its last 4 bytes again. Its mask's tile, framed as well, follows it.
///
/// Only a close() that returns means that the file is there. write() may be called for several levels at once, for one level by
/// one thread at a time and in order.
class CogWriter {
 public:
  static constexpr std::uint64_t level_alignment = 4096;  ///< the block of every common file system
  static constexpr std::uint64_t frame_bytes = TileEncoding::frame_bytes;

  /// `levels`: from the full raster to the smallest overview. Throws as TiffWriter does.
  CogWriter(std::vector<TiffOutputLayout> levels, std::string path, bool overwrite, CogPacking packing,
            FileSystem& files = FileSystem::real());

  /// Appends the next tiles of a level, framed (TileEncoding::framed).
  void write(std::size_t level, const EncodedTiles& tiles);
  /// Packs, writes arrays and directories, and gives the file its name. Sidecars as in TiffWriter.
  void close();

  std::size_t levels() const { return levels_.size(); }
  std::uint64_t bytes_written() const { return end_; }  ///< of the finished file; valid after close()

  /// Bytes that a writer of these levels keeps.
  static std::uint64_t standing_bytes(const std::vector<TiffOutputLayout>& levels);

 private:
  struct Level {
    std::vector<StrileEntries> images;  ///< the raster, and its mask
    std::vector<TiffDirectoryBuilder::Array> offsets;
    std::uint64_t begin = 0;  ///< of its extent
    std::uint64_t used = 0;   ///< bytes of it
    std::uint64_t end() const { return begin + used; }
  };
  struct Plan;
  static Plan plan(const std::vector<TiffOutputLayout>& levels);
  CogWriter(const Plan& plan, const std::vector<TiffOutputLayout>& levels, std::string path, bool overwrite,
            CogPacking packing, FileSystem& files);

  void check_order(const Level& level, const EncodedTiles& tiles) const;
  void patch(std::uint64_t offset, std::span<const std::byte> bytes);
  void pack();
  bool collapse_gaps();
  void move_up(Level& level, std::uint64_t to);
  void make_absolute(const Level& level, const TiffDirectoryBuilder::Array& offsets);

  FileSystem& files_;
  AtomicFile file_;
  const CogPacking packing_;
  std::mutex mutex_;              // of file_ and front_
  std::vector<std::byte> front_;  // from 0 to the first array
  std::vector<Level> levels_;
  std::optional<StatisticsText> statistics_;
  std::uint64_t statistics_place_ = 0, data_ = 0, end_ = 0;
  std::vector<std::byte> piece_;  // for moving and for arrays
};

}  // namespace weir
