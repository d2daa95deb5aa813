#include "nodes/zarr/raster_storage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <limits>

#include "framework/error.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/raster_axes.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

constexpr std::uint64_t usual_side = 512, most_usual_bytes = 4 << 20;

Error refused(const std::string& what, const std::string& reason) {
  return Error::usage("write", what, reason);
}

std::vector<ZarrCodecSpec> codecs_of(const ZarrStorage& storage) {
  ZarrCodecSpec bytes;
  // As elements lie in memory, so that nothing is turned round.
  bytes.big_endian = std::endian::native == std::endian::big;
  std::vector<ZarrCodecSpec> codecs{bytes};
  if (storage.compressor == "none") {
    if (storage.level) throw refused("a level", "without a codec there is none");
    return codecs;
  }
  ZarrCodecSpec codec;
  codec.level = storage.level;
  if (storage.compressor == "zstd") {
    codec.id = Id::zstd;
  } else if (storage.compressor == "gzip") {
    codec.id = Id::gzip;
  } else if (storage.compressor == "zlib") {
    if (storage.format != 2) throw refused("zlib", "it is a codec of format 2; 3 has gzip");
    codec.id = Id::zlib;
  } else if (storage.compressor == "blosc") {
    codec.id = Id::blosc;
    codec.compressor = "lz4";
  } else {
    throw refused(storage.compressor, "Zarr arrays are written with none, zstd, gzip, blosc or zlib");
  }
  codecs.push_back(codec);
  return codecs;
}

const AxisNames usual_axes{"y", "x", "band"};

bool has_fill(const RasterInfo& info) {
  return info.nodata && can_hold(info.type, *info.nodata);
}

}  // namespace

void put_array(const ZarrOutput& output, const std::string& path, const ZarrArrayMetadata& metadata,
               const RasterDataset* dataset) {
  if (dataset != nullptr) put_beside(output, *dataset, metadata.format);
  create_zarr(output.store(), joined_path(output.path(), path), metadata);
  if (dataset != nullptr)
    create_zarr(output.store(), output.path(), ZarrGroupMetadata{metadata.format, "{}"});
}

RasterInfo stored_info(const RasterInfo& info, const ZarrStorage& storage) {
  RasterInfo stored = info;
  if (storage.nodata) replace_nodata(stored, *storage.nodata);
  stored.metadata = with_items(stored.metadata, storage.metadata);
  stored.georeferencing = edited(info, storage.georeferencing);
  return stored;
}

TileLayout chunk_tiles(const RasterInfo& info, const ZarrStorage& storage) {
  TileLayout tiles;
  tiles.height = info.height;
  tiles.width = info.width;
  tiles.planes = storage.interleaved ? 1 : info.samples;
  std::uint64_t side = usual_side;
  const std::uint64_t pixel = info.pixel_bytes() / tiles.planes;
  while (side > 1 && side * side * pixel > most_usual_bytes) side /= 2;
  // Shards want chunks that divide them, whatever the raster's size.
  const bool may_shrink = !storage.shard_height;
  tiles.tile_height = storage.chunk_height.value_or(may_shrink ? std::min(side, info.height) : side);
  tiles.tile_width = storage.chunk_width.value_or(may_shrink ? std::min(side, info.width) : side);
  if (tiles.tile_height == 0 || tiles.tile_width == 0) throw refused("chunks", "they have no pixels");
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  if (tiles.tile_height > most || tiles.tile_width > most)
    throw refused("chunks", fmt::format("{} x {} pixels are too many", tiles.tile_height, tiles.tile_width));
  return tiles;
}

ZarrArrayMetadata raster_array(const RasterInfo& info, const TileLayout& tiles, const ZarrStorage& storage) {
  if (info.has_mask)
    throw refused("a raster with a mask",
                  "arrays have no place for it: leave it aside, and pixels keep their values");
  const RasterInfo stored = stored_info(info, storage);
  ZarrArrayMetadata array;
  array.format = storage.format;
  array.type = zarr_type_of(info.type);
  array.shape = {info.height, info.width};
  array.chunk_shape = {tiles.tile_height, tiles.tile_width};
  const bool bands_first = tiles.planes > 1;
  const auto add = [&](auto& axes, auto value) {
    axes.insert(bands_first ? axes.begin() : axes.end(), value);
  };
  if (info.samples > 1) {
    add(array.shape, std::uint64_t{info.samples});
    add(array.chunk_shape, std::uint64_t{bands_first ? 1 : info.samples});
  }
  if (storage.format == 2) array.keys = {false, '.'};
  if (storage.format == 3 || has_fill(stored)) {
    const Fill fill = fill_for(stored);
    array.fill.assign(fill.sample.begin(),
                      fill.sample.begin() + static_cast<std::ptrdiff_t>(array.type.bytes));
  }
  array.codecs = codecs_of(storage);
  if (storage.shard_height || storage.shard_width) {
    if (storage.format != 3) throw refused("shards", "they are for format 3");
    ZarrSharding sharding;
    sharding.chunk_shape = array.chunk_shape;
    sharding.codecs = std::move(array.codecs);
    ZarrCodecSpec sum;
    sum.id = Id::crc32c;
    sharding.index_codecs = {ZarrCodecSpec{}, sum};
    const std::uint64_t height = storage.shard_height.value_or(tiles.tile_height);
    const std::uint64_t width = storage.shard_width.value_or(tiles.tile_width);
    if (height % tiles.tile_height != 0 || width % tiles.tile_width != 0 || height == 0 || width == 0)
      throw refused("shards", fmt::format("{} x {} pixels are no multiple of chunks of {} x {}", height,
                                          width, tiles.tile_height, tiles.tile_width));
    const std::size_t row = tiles.planes > 1 ? 1 : 0;
    array.chunk_shape[row] = height;
    array.chunk_shape[row + 1] = width;
    ZarrCodecSpec codec;
    codec.id = Id::sharding_indexed;
    codec.sharding = std::make_shared<const ZarrSharding>(std::move(sharding));
    array.codecs = {codec};
  }
  const auto name_axes = [&](const AxisNames& names) {
    std::vector<std::string> dimensions{names.rows, names.cols};
    if (info.samples > 1) add(dimensions, names.samples);
    if (storage.format == 3) array.dimension_names.assign(dimensions.begin(), dimensions.end());
    array.attributes = raster_attributes(stored, storage.format, dimensions, names.rows, names.cols);
  };
  AxisNames names = usual_axes;
  for (std::string AxisNames::*name : {&AxisNames::rows, &AxisNames::cols, &AxisNames::samples})
    if (!(info.axis_names.*name).empty()) names.*name = info.axis_names.*name;
  name_axes(names);
  const RasterAxes axes = info.samples == 1 ? RasterAxes{0, 1, std::nullopt}
                          : bands_first     ? RasterAxes{1, 2, 0}
                                            : RasterAxes{0, 1, 2};
  if (raster_axes(array, "auto", "the array") != axes) name_axes(usual_axes);
  if (storage.dataset) array.attributes = with_dataset(array.attributes);
  return array;
}

std::shared_ptr<const RasterDataset> dataset_of(const RasterInfo& info, const ZarrStorage& storage,
                                                const ZarrArrayMetadata& array) {
  if (!storage.dataset) return nullptr;
  return std::make_shared<const RasterDataset>(
      raster_dataset(*storage.dataset, stored_info(info, storage), array));
}

ZarrTiles zarr_tiles(const RasterInfo& info, const TileLayout& tiles, const ZarrStorage& storage,
                     std::shared_ptr<ZarrOutput> output, const std::string& path) {
  ZarrTiles made;
  made.output = std::move(output);
  made.path = path.empty() ? storage.dataset.value_or("") : path;
  made.open = [output = made.output] { output->open(); };
  made.stored = std::make_shared<std::atomic<std::uint64_t>>(0);
  made.metadata = raster_array(info, tiles, storage);
  check(made.metadata, made.output->name());
  made.dataset = dataset_of(info, storage, made.metadata);
  made.encoding.layout = std::make_shared<const ZarrLayout>(made.metadata, made.output->name());
  made.encoding.tiles = tiles;
  made.encoding.samples_per_tile = tiles.planes > 1 ? 1 : info.samples;
  made.encoding.type = info.type;
  made.encoding.fill = fill_for(stored_info(info, storage));
  // Pixels stay what they are, but where another value was asked for.
  made.encoding.fill.replace_nan = made.encoding.fill.replace_nan && storage.nodata.has_value();
  made.encoding.stores_empty_chunks = storage.stores_empty_chunks || made.metadata.fill.empty();
  made.commit = [output = made.output, path = made.path, metadata = made.metadata, dataset = made.dataset] {
    put_array(*output, path, metadata, dataset.get());
    output->commit();
  };
  return made;
}

}  // namespace weir
