#include "nodes/zarr/zarr_levels.hpp"

#include <fmt/format.h>

#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/raster_attributes.hpp"
#include "nodes/zarr/raster_axes.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"

namespace weir {

ZarrLevels::ZarrLevels(std::string node, std::shared_ptr<ZarrOutput> output, const ZarrStorage& storage,
                       const OverviewOptions& overviews, GraphSetup& setup)
    : output_(std::move(output)),
      storage_(storage),
      overviews_(overviews),
      setup_(setup),
      pyramid_(std::move(node), setup),
      encoders_(std::make_shared<SharedLocals<EncodeTiles::Local>>()) {}

void ZarrLevels::describe(const TilesEdge& tiles) {
  if (tiles.tiles.planes > 1)
    throw Error::usage("write", "a pyramid", "it has all samples of a pixel in a chunk: interleave them");
  if (storage_.dataset)
    throw Error::usage("write", "a pyramid", "it is a group of its own kind, and no dataset of one array");
  const RasterInfo full = stored_info(tiles.info, storage_);
  pyramid_.make(full, tiles.tiles, overviews_);
  std::vector<ZarrLevel> said;
  std::vector<std::uint64_t> encoded;
  for (std::size_t i = 0; i < pyramid_.count(); ++i) {
    const RasterInfo& info = pyramid_.info(i);
    TileLayout layout = tiles.tiles;
    layout.height = info.height;
    layout.width = info.width;
    levels_.push_back(zarr_tiles(i == 0 ? tiles.info : info, layout, storage_, output_, std::to_string(i)));
    said.push_back({std::to_string(i), info.height, info.width});
    encoded.push_back(levels_.back().encoding.tile_charge());
    // What was changed of the full raster has its place in the levels' own terms already.
    storage_.metadata.clear();
    storage_.georeferencing = {};
  }
  std::vector<ZarrArrayMetadata> arrays;
  for (const ZarrTiles& level : levels_) arrays.push_back(level.metadata);
  const std::vector<std::string> axes = dimensions_of(arrays.front());
  const ZarrGroupMetadata group{
      storage_.format,
      multiscales_attributes(full, said, std::string(name_of(pyramid_.resampling())), axes[0], axes[1])};
  for (std::size_t i = 1; i < levels_.size(); ++i) levels_[i].open = levels_[i].commit = [] {};
  levels_.front().commit = [output = output_, arrays, group] {
    for (std::size_t i = 0; i < arrays.size(); ++i) put_array(*output, std::to_string(i), arrays[i]);
    create_zarr(output->store(), output->path(), group);
    output->commit();
  };

  RasterFlow& flow = setup_.shared<RasterFlow>();
  flow.add_encoded(tiles.cut, [bytes = encoded.front()] { return bytes; });
  flow.add_standing([this] { return standing_bytes(); });
  pyramid_.describe(tiles.cut, encoded);
}

std::uint64_t ZarrLevels::standing_bytes() const {
  std::uint64_t bytes =
      pyramid_.workers() * (EncodeTiles(levels_.front().encoding).slot_bytes() + pyramid_.reducer_bytes());
  for (const ZarrTiles& level : levels_) bytes += store_standing_bytes(level);
  return bytes;
}

std::uint64_t ZarrLevels::open_shards() const {
  std::uint64_t shards = 0;
  for (const ZarrTiles& level : levels_) shards += level.open_shards();
  return shards;
}

std::uint64_t ZarrLevels::stored_bytes() const {
  std::uint64_t bytes = 0;
  for (const ZarrTiles& level : levels_) bytes += level.stored->load();
  return bytes;
}

void ZarrLevels::add_to(Graph& graph, Output<TileRun> tiles) {
  pyramid_.add_to(graph, tiles, [&](std::size_t level, Output<TileRun> of_level) {
    const ChunkEncoding& encoding = levels_[level].encoding;
    auto encoded = graph.transform<EncodedTiles>(
        pyramid_.stage("encode", level), of_level,
        WithSharedLocals<EncodeTiles>(EncodeTiles(encoding), encoders_),
        {.buffer_bytes_of_unit = pyramid_.bytes_per_tile(level, encoding.tile_charge()),
         .standing_bytes = level == 0 ? standing_bytes() : 0});
    add_store(graph, encoded, levels_[level], pyramid_.stage("store", level),
              {.waits = pyramid_.waits(level)});
  });
}

}  // namespace weir
