#pragma once

#include <cstdint>
#include <memory>

#include "framework/buffer.hpp"
#include "framework/context.hpp"
#include "framework/scratch_block.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/zarr/zarr_layout.hpp"

namespace weir {

/// Tiles of a raster as the chunks of an array: those that are encoded one by one (of a shard, its inner chunks).
struct ChunkEncoding {
  std::shared_ptr<const ZarrLayout> layout;  ///< elements as in row-major memory of this machine
  TileLayout tiles;                          ///< as large as chunks; planes: the bands' axis comes first
  std::uint32_t samples_per_tile = 1;
  SampleType type = SampleType::uint8;
  Fill fill;  ///< of what lies outside of the raster
  bool stores_empty_chunks = false;

  std::uint64_t tile_charge() const { return BufferPool::charge(layout->codec().max_encoded_bytes()); }
};

/// Cuts each tile of a run out of its band and encodes it: one task, so that the tile stays in the core's cache. Tiles that are all
/// fill, bit for bit, have no bytes: nothing is stored.
class EncodeTiles {
 public:
  struct Local {
    ScratchBlock raw;
    std::unique_ptr<ZarrEncoder> encoder;
  };
  explicit EncodeTiles(ChunkEncoding encoding) : encoding_(std::move(encoding)) {}

  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  EncodedTiles operator()(const TileRun& run, Local& local, const Context& context) const;
  /// Bytes of one Local.
  std::uint64_t slot_bytes() const;

 private:
  ChunkEncoding encoding_;
};

}  // namespace weir
