#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/graph.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/raster/stream_plan.hpp"
#include "nodes/zarr/encode_tiles.hpp"
#include "nodes/zarr/raster_dataset.hpp"
#include "nodes/zarr/zarr_output.hpp"

namespace weir {

/// An array of a raster that is being written.
struct ZarrTiles {
  std::shared_ptr<ZarrOutput> output;
  std::string path;  ///< of the array below the output's node; "": it is the node
  ZarrArrayMetadata metadata;
  std::shared_ptr<const RasterDataset> dataset = nullptr;  ///< what lies beside it, if anything
  ChunkEncoding encoding;
  std::shared_ptr<std::atomic<std::uint64_t>> stored;  ///< bytes of objects, so far
  /// Called before the first object and behind the last one: open and commit the output. Of the levels of a pyramid, those of one.
  std::function<void()> open, commit;

  std::string key(const ZarrIndex& object) const;
  /// The chunk that tile `number` in file order is.
  ZarrIndex chunk_of(std::uint64_t tile) const;
  /// Of shards, that are open at once: those of a row of them.
  std::uint64_t open_shards() const;
};

/// Stores tiles as objects of their own; in any order, from many threads of the I/O lane. Opens the output, and commits it with the metadata.
class StoreTiles {
 public:
  explicit StoreTiles(ZarrTiles tiles) : tiles_(std::move(tiles)) {}
  void open() const { tiles_.open(); }
  void operator()(const EncodedTiles& run) const;
  void close() const { tiles_.commit(); }

 private:
  ZarrTiles tiles_;
};

/// Stores tiles as the inner chunks of shards; an ordered sink: it keeps one object open for each shard of a row of shards, appends in
/// the order of the file, which is row-major in each of them, and gives each its index with its last tile. A shard of fill alone is
/// not stored.
class StoreShardTiles {
 public:
  explicit StoreShardTiles(ZarrTiles tiles) : tiles_(std::move(tiles)) {}
  void open() const { tiles_.open(); }
  void operator()(const EncodedTiles& run);
  void close() const { tiles_.commit(); }

 private:
  struct Shard {
    std::unique_ptr<ObjectWriter> writer;
    std::vector<ShardEntry> entries;
  };
  void finish(Shard& shard) const;
  bool is_last(const ZarrIndex& chunk) const;

  ZarrTiles tiles_;
  std::map<ZarrIndex, Shard> shards_;
};

/// What the nodes that store keep.
std::uint64_t store_standing_bytes(const ZarrTiles& tiles);
/// Adds the nodes that encode and store the tiles of a plan.
void add_store(Graph& graph, Output<TileRun> runs, const ZarrTiles& tiles, const StreamPlan& plan,
               const std::string& encode, const std::string& store);
/// Adds the node that stores tiles. `options`: waits of the tiles, standing bytes.
void add_store(Graph& graph, Output<EncodedTiles> encoded, const ZarrTiles& tiles, const std::string& store,
               NodeOptions options);

}  // namespace weir
