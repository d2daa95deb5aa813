#pragma once

#include <cstdint>
#include <optional>

#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/codec_tags.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/tiff/tiff_directory_builder.hpp"

namespace weir {

/// How a raster becomes a TIFF.
struct TiffOutputLayout {
  enum class BigTiff : std::uint8_t {
    automatic,  ///< where the largest size that the file could reach needs it
    yes,
    no,
  };

  RasterInfo info;
  std::uint64_t tile_height = 256, tile_width = 256;
  bool tiled = true;  ///< else strips: tile_width is the raster's width, tile_height the rows of a strip
  bool planar_separate = false;
  CodecId codec = CodecId::none;
  Predictor predictor = Predictor::none;
  BigTiff big = BigTiff::automatic;
  /// Where info.has_mask the file has a second directory with the mask, deflated: the bound of one of its tiles.
  std::uint64_t max_mask_bytes = 0;
  bool is_mask = false;              ///< this is that directory: see mask_of
  bool is_reduced = false;           ///< an overview, or the mask of one
  bool sparse = false;               ///< tiles may be left out
  bool statistics = false;           ///< GDAL_METADATA has room for them: see StatisticsText
  CodecTags codec_tags = {};         ///< tags_of the codec and its pieces
  std::uint64_t max_tile_bytes = 0;  ///< bound of one encoded tile: max_encoded_bytes of its raw bytes
  /// The encoded bytes of all tiles together, where they are known beforehand: tiles that exist already.
  std::optional<std::uint64_t> all_tile_bytes = {};

  TileLayout tiles() const;
};

/// Adds items to those of a raster that will be written, or replaces them: with_items. Throws a usage Error for samples
/// that it has not, and where its source's metadata could only be carried as a tag.
void add_metadata(RasterInfo& info, const std::vector<MetadataItem>& items);

/// The mask of a layout with one, as a directory of its own: 1 bit per pixel, 1 where it is valid; the same tiles, deflated.
/// What GDAL makes with GDAL_TIFF_INTERNAL_MASK.
TiffOutputLayout mask_of(const TiffOutputLayout& layout);

/// How many tiles the file has, over all planes.
std::uint64_t tile_count(const TiffOutputLayout& layout);
/// The tag that holds the tile (or strip) offsets; the byte counts are in byte_counts_tag. One value per
/// tile, plane by plane, and row-major within a plane.
std::uint16_t offsets_tag(const TiffOutputLayout& layout);
std::uint16_t byte_counts_tag(const TiffOutputLayout& layout);

/// Throws a usage Error where TIFF, or the readers of this world, cannot hold such a file: sides, samples,
/// tile sizes, tile counts, bound of a tile, predictor and codec.
void check(const TiffOutputLayout& layout);

/// The directory of a checked layout, with offsets and byte counts reserved. Tags that the writer decides
/// itself, and those that would point into the file the raster came from, are not taken from info.tags.
/// `subfile_type`: NewSubfileType 254, written where it is not 0 (1 reduced image, 4 mask; a mask has its 4 anyway).
TiffDirectoryBuilder describe(const TiffOutputLayout& layout, bool big, std::uint32_t subfile_type = 0);

}  // namespace weir
