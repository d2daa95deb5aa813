#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "framework/context.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// Pixels of a window that somebody else holds. Sample s of pixel (r, c), counted from the window's corner,
/// lies at data + r * row_stride + c * pixel_stride + s * sample_stride; strides in bytes, any alignment.
template <class Byte>
struct BasicPixels {
  Byte* data = nullptr;
  Window window;  ///< in pixels of the whole raster, inside of it
  SampleType type = SampleType::uint8;
  std::uint32_t samples = 1;
  std::size_t row_stride = 0, pixel_stride = 0, sample_stride = 0;

  Byte* at(std::uint64_t row, std::uint64_t col, std::uint32_t sample = 0) const {
    return data + row * row_stride + col * pixel_stride + sample * sample_stride;
  }
};
using PixelView = BasicPixels<const std::byte>;
using PixelTarget = BasicPixels<std::byte>;

/// A computation on pixels of one or several rasters of the same height and width, window by window: a
/// transform of each pixel (halo 0), or a stencil that sees a halo of neighbours. Const and thread-safe; what
/// a thread keeps between windows is its Local. Pixel values must not depend on how the raster is cut into
/// windows.
class TileKernel {
 public:
  class Local {
   public:
    virtual ~Local() = default;
  };

  virtual ~TileKernel() = default;

  /// The raster that leaves, from those that come in; same height and width. Throws a usage Error for rasters
  /// that it cannot take. Called once, before anything else.
  virtual RasterInfo describe(std::span<const RasterInfo> inputs) = 0;
  /// Pixels needed around each pixel, on every side, of every input.
  virtual std::uint64_t halo() const { return 0; }
  /// Bytes that one Local takes from its scratch, for windows of at most `pixels` pixels.
  virtual std::uint64_t local_bytes(std::uint64_t pixels) const {
    static_cast<void>(pixels);
    return 0;
  }
  virtual std::unique_ptr<Local> make_local(const Scratch& scratch) const {
    static_cast<void>(scratch);
    return nullptr;
  }
  /// Fills `out`. Each input's window is out.window grown by the halo and clipped to the raster, so at the
  /// raster's edge it is smaller. Inputs are only read. `local` is what make_local gave.
  virtual void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
                       const Context& context) const = 0;
};

}  // namespace weir
