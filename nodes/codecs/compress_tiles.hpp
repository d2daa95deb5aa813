#pragma once

#include <cstdint>
#include <memory>

#include "framework/context.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/encoded_tiles.hpp"

namespace weir {

/// What a tile becomes.
struct TileEncoding {
  CodecSpec codec;  ///< resolved
  Predictor predictor = Predictor::none;
  TileLayout tiles;
  bool pads_last_row = true;  ///< tiles are always full; the last strip holds only its rows
  std::uint32_t samples = 1;  ///< of the raster, per pixel
  SampleType type = SampleType::uint8;
  Fill fill;

  std::uint32_t samples_per_tile() const { return tiles.planes > 1 ? 1 : samples; }
  std::uint64_t raw_tile_bytes() const {
    return tiles.tile_height * tiles.tile_width * samples_per_tile() * bytes_of(type);
  }
  std::uint64_t max_tile_bytes() const { return max_encoded_bytes(codec, raw_tile_bytes()); }
};

/// Cuts each tile of a run out of its band, applies the predictor and encodes it: one task, so that the tile stays in
/// the core's cache from the first step to the last. Encoder and raw tile are kept per thread. Without a codec the
/// pixels go straight to the output buffer.
class CompressTiles {
 public:
  /// Encoder and scratch of one thread.
  class Local {
   public:
    virtual ~Local() = default;
  };

  explicit CompressTiles(TileEncoding encoding, std::uint64_t run_tiles);

  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  EncodedTiles operator()(const TileRun& run, Local& local, const Context& context) const;

  /// Bytes of one Local.
  std::uint64_t slot_bytes() const;
  /// Bytes that the output of a run of `count` tiles is charged, at most.
  std::uint64_t run_bytes(std::uint64_t count) const { return BufferPool::charge(count * max_tile_bytes_); }

 private:
  struct ThreadLocal;
  std::size_t encode(const TileRun& run, std::uint64_t index, ThreadLocal& local,
                     std::span<std::byte> out) const;

  TileEncoding encoding_;
  std::uint64_t run_tiles_, raw_tile_bytes_, max_tile_bytes_, row_bytes_;
};

}  // namespace weir
