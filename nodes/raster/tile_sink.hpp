#pragma once

#include <cstdint>

#include "framework/context.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// Takes a raster tile by tile: every pixel once, tile rows from the top, in each from the left. One thread
/// at a time. Only a close() that returns means that the work is done; destroying it without abandons.
class TileSink {
 public:
  virtual ~TileSink() = default;

  /// Bytes that write takes from its scratch, in all; called before open.
  virtual std::uint64_t standing_bytes() const { return 0; }
  /// Called once, before anything is computed.
  virtual void open(const RasterInfo& info) = 0;
  /// The last tiles of rows and columns hold only the raster's pixels.
  virtual void write(const PixelView& tile, const Context& context) = 0;
  virtual void close() = 0;
};

}  // namespace weir
