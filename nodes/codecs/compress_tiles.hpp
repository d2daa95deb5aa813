#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "framework/context.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/cut_mask.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/encoded_tiles.hpp"
#include "nodes/raster/sample_rows.hpp"

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
  bool has_mask = false;  ///< bits of the mask are deflated beside the tiles of the last plane
  bool sparse = false;    ///< tiles that hold nothing but fill, and masks without a valid pixel, are left out
  bool statistics = false;  ///< of each tile's pixels, as they are stored by a lossless codec
  NodataSample nodata;      ///< what they leave out
  /// A tile, and a mask's tile, stands between its size in 4 bytes and its last 4 bytes once more, as in GDAL's COGs; one that
  /// is left out does not. `sizes` do not count the frame.
  bool framed = false;

  /// Takes from `info`, the raster as it will be written, what goes beside the tiles. Tiles are left out only where all
  /// readers see the fill in their place. Throws a usage Error for statistics of samples that are not computed with.
  void set_extras(const RasterInfo& info, bool wants_sparse, bool wants_statistics);
  std::uint32_t samples_per_tile() const { return tiles.planes > 1 ? 1 : samples; }
  std::uint64_t raw_tile_bytes() const {
    return tiles.tile_height * tiles.tile_width * samples_per_tile() * bytes_of(type);
  }
  std::uint64_t max_tile_bytes() const { return max_encoded_bytes(codec, raw_tile_bytes()); }
  std::uint64_t raw_mask_bytes() const {
    return has_mask ? mask_bytes(tiles.tile_height, tiles.tile_width) : 0;
  }
  std::uint64_t max_mask_bytes() const {
    return has_mask ? max_encoded_bytes(mask_codec(), raw_mask_bytes()) : 0;
  }
  std::uint64_t statistics_bytes() const {
    return statistics ? samples_per_tile() * sizeof(SampleStatistics) : 0;
  }
  /// Of a tile with its mask and frames, at most.
  std::uint64_t max_stored_bytes() const {
    return max_tile_bytes() + max_mask_bytes() + (framed ? frame_bytes * (has_mask ? 2 : 1) : 0);
  }
  static constexpr std::uint64_t frame_bytes = 8;
  /// What leaves for each tile is charged, at most; a run of several takes no more.
  std::uint64_t tile_charge() const {
    return BufferPool::charge(max_stored_bytes()) + (statistics ? BufferPool::charge(statistics_bytes()) : 0);
  }
  /// Deflate at its default level.
  static CodecSpec mask_codec() { return resolved({CodecId::deflate}); }
};

/// Fills in the codec's defaults, see resolved(), and tells it what pieces it gets. Throws a usage Error where it cannot hold
/// them: see check_pieces; and where it changes values and they are indices of a colour table.
void fit_codec(TileEncoding& encoding, const RasterInfo& info);

/// Cuts each tile of a run out of its band, applies the predictor and encodes it: one task, so that the tile stays in
/// the core's cache from the first step to the last; so are its statistics and its mask's tile. Codecs that change values get
/// the raster's last rows and columns repeated in place of the fill, which would ring into them. Encoders and raw tiles are
/// kept per thread. Without a codec the pixels go straight to the output buffer.
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

 private:
  struct ThreadLocal;
  /// Returns the bytes of the tile, then of its mask (0 where there is none).
  std::pair<std::size_t, std::size_t> encode(const TileRun& run, std::uint64_t index, ThreadLocal& local,
                                             std::span<std::byte> out,
                                             std::span<SampleStatistics> statistics) const;
  std::size_t encode_pixels(const Window& window, std::span<std::byte> raw, ThreadLocal& local,
                            std::span<std::byte> out) const;
  std::size_t encode_mask(std::span<const std::byte> raw, ThreadLocal& local, std::span<std::byte> out) const;
  std::span<std::byte> inside_frame(std::span<std::byte> out) const;
  std::size_t framed(std::size_t size, std::span<std::byte> out) const;

  TileEncoding encoding_;
  bool is_lossy_;
  std::uint64_t run_tiles_, raw_tile_bytes_, max_tile_bytes_, row_bytes_, raw_mask_bytes_, max_mask_bytes_;
  std::uint64_t most_;  // of a tile with its mask and frames
  std::uint64_t statistics_bytes_;
  MeasureStatistics measure_;
};

}  // namespace weir
