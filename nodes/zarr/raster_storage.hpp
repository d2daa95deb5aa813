#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/georeferencing_edit.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/zarr/store_tiles.hpp"

namespace weir {

/// How a raster is stored as an array of Zarr.
struct ZarrStorage {
  int format = 3;  ///< 2 or 3
  /// Pixels of a chunk (of a shard: of an inner chunk). Default: 512, less where the raster is smaller, or all its samples of a pixel are in a
  /// chunk and would be more than 4 MiB.
  std::optional<std::uint64_t> chunk_height = std::nullopt, chunk_width = std::nullopt;
  /// Pixels of a shard, multiples of the chunk's; v3. Default: no shards.
  std::optional<std::uint64_t> shard_height = std::nullopt, shard_width = std::nullopt;
  /// Axes y, x, band with all samples of a pixel in a chunk, instead of band, y, x with one sample in a chunk. Of one sample: y, x.
  bool interleaved = false;
  std::string compressor = "zstd";  ///< none, zstd, gzip, blosc (lz4, with its bytes shuffled), or v2's zlib
  std::optional<int> level = std::nullopt;
  std::optional<std::string> nodata = std::nullopt;  ///< in place of the source's; NaN becomes it
  /// Added to the source's, or in place of what says the same; see with_items.
  std::vector<MetadataItem> metadata = {};
  GeoreferencingEdit georeferencing = {};  ///< in place of the source's
  /// The array lies under this name in a group, with coordinates beside it: raster_dataset.hpp.
  std::optional<std::string> dataset = std::nullopt;
  /// Chunks that hold nothing but fill (the nodata value, else 0) are stored as well.
  bool stores_empty_chunks = false;
};

/// The raster as an array says it.
RasterInfo stored_info(const RasterInfo& info, const ZarrStorage& storage);
/// How a raster is cut into chunks. Throws a usage Error.
TileLayout chunk_tiles(const RasterInfo& info, const ZarrStorage& storage);
/// What an array says of itself that a raster is stored as. Axes keep their names (info.axis_names) where a reader finds rows and columns
/// by these, else they are y, x and band. Of v2 without a nodata value the fill is null: nobody takes 0 for it, and
/// all chunks are stored. Throws a usage Error for options that do not fit together, and for a raster that Zarr cannot store.
ZarrArrayMetadata raster_array(const RasterInfo& info, const TileLayout& tiles, const ZarrStorage& storage);
/// All that the nodes which encode and store it need. `path`: of the array below the output's node.
ZarrTiles zarr_tiles(const RasterInfo& info, const TileLayout& tiles, const ZarrStorage& storage,
                     std::shared_ptr<ZarrOutput> output, const std::string& path = "");

/// Of storage.dataset; nothing without.
std::shared_ptr<const RasterDataset> dataset_of(const RasterInfo& info, const ZarrStorage& storage,
                                                const ZarrArrayMetadata& array);
/// Puts the metadata of an array below the output's node; of a dataset what lies beside it before, and the group's last.
void put_array(const ZarrOutput& output, const std::string& path, const ZarrArrayMetadata& metadata,
               const RasterDataset* dataset = nullptr);

}  // namespace weir
