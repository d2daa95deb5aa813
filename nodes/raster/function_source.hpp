#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>

#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// Computes a raster chunk by chunk with a function of the caller's.
class FunctionSource : public ChunkSource {
 public:
  /// Writes all samples of all pixels of the window, pixel-interleaved, rows without a gap. Called for many
  /// windows at once, from many threads; what it throws ends the run. `pixels` is page-aligned and not
  /// initialised.
  using Function = std::function<void(const Window& window, std::byte* pixels)>;

  /// Throws a usage Error as check_grid does.
  FunctionSource(RasterInfo info, ChunkGrid grid, Function function);
  /// Even chunks.
  FunctionSource(RasterInfo info, std::uint64_t chunk_height, std::uint64_t chunk_width, Function function);
  /// A function that does not care: it is called for rows of tiles, see unchunked_grid.
  FunctionSource(RasterInfo info, Function function);

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;

 private:
  RasterInfo info_;
  ChunkGrid grid_;
  Function function_;
};

/// The chunks of a raster that has none of its own: `rows` high (a row of tiles, so that no two bands share a chunk)
/// and as wide as the raster, unless that is more than unchunked_bytes: then as wide as that allows.
ChunkGrid unchunked_grid(const RasterInfo& info, std::uint64_t rows = 256);
/// 16 MiB: 256 rows of 16384 float32 pixels. A chunk has to be in memory whole.
inline constexpr std::uint64_t unchunked_bytes = 16 << 20;

/// The function that FunctionSource wants, out of a function of one sample: `value(row, col, sample)`, in
/// pixels of the whole raster, converted to the raster's sample type.
template <class Value>
FunctionSource::Function each_sample(const RasterInfo& info, Value value) {
  return [type = info.type, samples = info.samples, value](const Window& window, std::byte* pixels) {
    with_sample_type(type, [&](auto sample_type) {
      using Sample = decltype(sample_type);
      for (std::uint64_t row = window.row; row < window.row_end(); ++row)
        for (std::uint64_t col = window.col; col < window.col_end(); ++col)
          for (std::uint32_t sample = 0; sample < samples; ++sample, pixels += sizeof(Sample)) {
            const auto converted = static_cast<Sample>(value(row, col, sample));
            std::memcpy(pixels, &converted, sizeof(Sample));
          }
    });
  };
}

}  // namespace weir
