#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "framework/scratch_block.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// What MapTiles needs to know of the rasters and their tiles.
struct TileMapping {
  std::shared_ptr<const TileKernel> kernel;
  TileLayout tiles;
  std::uint64_t run_tiles = 1;  ///< most tiles of a run
  std::uint64_t halo = 0;       ///< pixels to compute around the tiles, because a later kernel needs them
  std::vector<RasterInfo> inputs;
  RasterInfo output;

  /// Pixels of the largest window that a run computes, and of the one that it takes them from.
  std::uint64_t computed_pixels() const { return run_pixels(halo); }
  std::uint64_t gathered_pixels() const { return run_pixels(halo + kernel->halo()); }
  /// Charge of the computed pixels, for one tile; a run takes no more than its tiles together.
  std::uint64_t tile_bytes() const;
  /// Bytes of one Local.
  std::uint64_t slot_bytes() const;

 private:
  std::uint64_t run_pixels(std::uint64_t around) const;
};

/// Computes the pixels of each run of tiles from those of one to four others: one task per run, so that tiles
/// which are encoded next are still in the core's cache. Inputs whose pixels lie in one block are read where
/// they are; others are gathered into scratch first. The result is a run of the same tiles, whose band is one
/// new block.
class MapTiles {
 public:
  struct Local {
    Scratch scratch;
    std::vector<ScratchBlock> gathered;  ///< per input; made when it is first needed
    std::unique_ptr<TileKernel::Local> of_kernel;
  };

  explicit MapTiles(TileMapping mapping) : mapping_(std::move(mapping)) {}

  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  TileRun operator()(const TileRun& run, Local& local, const Context& context) const;
  /// Runs of the same tiles of several rasters; by ticket these are the same run.
  template <class... Runs>
  TileRun operator()(const std::tuple<std::shared_ptr<const Runs>...>& runs, Local& local,
                     const Context& context) const {
    return std::apply(
        [&](const auto&... run) {
          const TileRun* all[] = {run.get()...};
          return compute(all, local, context);
        },
        runs);
  }

 private:
  TileRun compute(std::span<const TileRun* const> runs, Local& local, const Context& context) const;
  TileMapping mapping_;
};

/// How errors name a joined item.
template <class... Runs>
std::string item_name(const std::tuple<std::shared_ptr<const TileRun>, Runs...>& runs) {
  return item_name(*std::get<0>(runs));
}

/// The pixels of `window`, which lies inside of the band: where they are, if one block has them all; else
/// gathered into `gathered`, which is made with room for `most_pixels` when it is first needed. Those of a raster with a mask
/// are gathered always: masked ones get its nodata value, or NaN.
PixelView pixels_of(const Band& band, const Window& window, const RasterInfo& info, const Scratch& scratch,
                    ScratchBlock& gathered, std::uint64_t most_pixels);

/// Pixels of a run's tiles, without overhang.
Window window_of(const TileRun& run, const TileLayout& tiles);
/// `window` with `pixels` more on each side, as far as the raster goes.
Window grown(const Window& window, std::uint64_t pixels, const TileLayout& raster);

}  // namespace weir
