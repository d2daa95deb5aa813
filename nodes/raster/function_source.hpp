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

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;

 private:
  RasterInfo info_;
  ChunkGrid grid_;
  Function function_;
};

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
