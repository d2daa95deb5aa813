#include "nodes/zarr/store_tiles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <span>

namespace weir {
namespace {

/// Objects that are being stored at once: making a file waits for its folder.
constexpr unsigned objects_at_once = 4;

/// Axes of rows and columns in the array's shape: (row, col), (band, row, col) or (row, col, band).
std::size_t row_axis(const ZarrTiles& tiles) {
  return tiles.encoding.tiles.planes > 1 ? 1 : 0;
}

}  // namespace

std::string ZarrTiles::key(const ZarrIndex& object) const {
  return joined_path(joined_path(output->path(), path), encoding.layout->key(object));
}

ZarrIndex ZarrTiles::chunk_of(std::uint64_t tile) const {
  const TileLayout& tiles = encoding.tiles;
  const std::uint64_t col = tile % tiles.tile_cols(), row_and_plane = tile / tiles.tile_cols();
  ZarrIndex chunk(encoding.layout->rank());
  const std::size_t axis = tiles.planes > 1 ? 1 : 0;
  if (axis == 1) chunk[0] = row_and_plane % tiles.planes;
  chunk[axis] = row_and_plane / tiles.planes;
  chunk[axis + 1] = col;
  return chunk;
}

std::uint64_t ZarrTiles::open_shards() const {
  if (!encoding.layout->index()) return 0;
  const std::uint64_t cols = encoding.layout->chunks_of_object()[row_axis(*this) + 1];
  return encoding.tiles.planes * ((encoding.tiles.tile_cols() + cols - 1) / cols);
}

void StoreTiles::operator()(const EncodedTiles& run) const {
  std::size_t at = 0;
  for (std::size_t i = 0; i < run.sizes.size(); ++i) {
    if (run.sizes[i] == 0) continue;
    tiles_.output->store().put(tiles_.key(tiles_.chunk_of(run.first_tile + i)),
                               run.bytes.span().subspan(at, run.sizes[i]));
    at += run.sizes[i];
  }
  tiles_.stored->fetch_add(at, std::memory_order_relaxed);
}

/// Whether a chunk is the last of its shard that lies in the array, in row-major order.
bool StoreShardTiles::is_last(const ZarrIndex& chunk) const {
  const ZarrLayout& layout = *tiles_.encoding.layout;
  const std::size_t row = row_axis(tiles_), col = row + 1;
  const auto ends = [&](std::size_t axis, std::uint64_t count) {
    const std::uint64_t next = chunk[axis] + 1;
    return next == count || next % layout.chunks_of_object()[axis] == 0;
  };
  return ends(row, tiles_.encoding.tiles.tile_rows()) && ends(col, tiles_.encoding.tiles.tile_cols());
}

void StoreShardTiles::operator()(const EncodedTiles& run) {
  const ZarrLayout& layout = *tiles_.encoding.layout;
  std::size_t at = 0;
  for (std::size_t i = 0; i < run.sizes.size();) {
    const ZarrIndex object = layout.object_of(tiles_.chunk_of(run.first_tile + i));
    Shard& shard = shards_[object];
    if (shard.entries.empty()) shard.entries.resize(layout.chunk_count());
    // Neighbours in the shard go in one call.
    std::uint64_t end = shard.writer ? shard.writer->size() : 0;
    std::size_t bytes = 0;
    bool is_complete = false;
    for (; i < run.sizes.size(); ++i) {
      const ZarrIndex chunk = tiles_.chunk_of(run.first_tile + i);
      if (layout.object_of(chunk) != object) break;
      if (run.sizes[i] > 0) shard.entries[layout.number_in_object(chunk)] = {end, run.sizes[i]};
      end += run.sizes[i];
      bytes += run.sizes[i];
      is_complete = is_last(chunk);
    }
    if (bytes > 0) {
      if (!shard.writer) shard.writer = tiles_.output->store().writer(tiles_.key(object));
      shard.writer->append(run.bytes.span().subspan(at, bytes));
      at += bytes;
    }
    if (!is_complete) continue;
    finish(shard);
    shards_.erase(object);
  }
}

void StoreShardTiles::finish(Shard& shard) const {
  if (!shard.writer) return;
  shard.writer->append(tiles_.encoding.layout->index()->encode(shard.entries));
  tiles_.stored->fetch_add(shard.writer->size(), std::memory_order_relaxed);
  shard.writer->commit();
}

std::uint64_t store_standing_bytes(const ZarrTiles& tiles) {
  const ZarrLayout& layout = *tiles.encoding.layout;
  std::uint64_t bytes = tiles.output->standing_bytes() + 2 * tiles.metadata.attributes.size() +
                        (tiles.dataset ? put_beside_bytes() : 0);
  if (!layout.index()) return bytes + objects_at_once * tiles.output->writer_bytes();
  // Of each open shard, with a node of the map.
  const std::uint64_t each = 256 + 2 * layout.rank() * sizeof(std::uint64_t) +
                             layout.chunk_count() * sizeof(ShardEntry) + tiles.output->writer_bytes();
  return bytes + tiles.open_shards() * each + layout.index()->scratch_bytes() +
         layout.index()->encoded_bytes();
}

void add_store(Graph& graph, Output<TileRun> runs, const ZarrTiles& tiles, const StreamPlan& plan,
               const std::string& encode, const std::string& store) {
  const EncodeTiles encoding(tiles.encoding);
  auto encoded = graph.transform<EncodedTiles>(
      encode, runs, encoding,
      {.buffer_bytes_of_unit = [plan](std::uint64_t unit) { return plan.encoded_bytes(unit); },
       .slot_bytes = encoding.slot_bytes()});
  add_store(graph, encoded, tiles, store,
            {.waits = [plan](std::uint64_t unit, std::uint64_t ticket) { return plan.waits(unit, ticket); },
             .standing_bytes = store_standing_bytes(tiles)});
}

void add_store(Graph& graph, Output<EncodedTiles> encoded, const ZarrTiles& tiles, const std::string& store,
               NodeOptions options) {
  options.lane = Lane::io;
  if (tiles.encoding.layout->index()) {
    graph.ordered_sink(store, encoded, StoreShardTiles(tiles), std::move(options));
    return;
  }
  options.waits = nullptr;  // nothing has its place in an order
  options.concurrency = objects_at_once;
  graph.sink(store, encoded, StoreTiles(tiles), std::move(options));
}

}  // namespace weir
