#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/cut_tile.hpp"

namespace weir {

struct TerrainOptions {
  std::uint64_t height = 4096, width = 4096;  ///< pixels, at most 2^40 each
  SampleType type = SampleType::float32;
  std::uint64_t chunk_height = 512, chunk_width = 512;
  std::uint64_t seed = 1;
  /// Lakes have no elevation: NaN in floating types, else the nodata value. They cover about a tenth of a
  /// large raster; one of a few hundred pixels may have none.
  bool holes = false;
  /// Default: none without holes; with holes "-9999", "-128" for int8, "0" for unsigned types.
  std::optional<std::string> nodata;
};

/// An elevation model out of nothing: the same pixel for the same (row, col, seed), whatever the chunks. For
/// tests, benchmarks and trying things out.
///
/// Twelve octaves of gradient noise, wavelengths from 4096 down to 2 pixels, each of 0.57 times the amplitude
/// of the one before; the middle ones are folded into ridges, and lowlands are smoother than mountains.
/// Elevations lie between about -1500 and 5000 m, slopes around 2.4 m per pixel, values on multiples of 1/128
/// m, as in lidar products. So it compresses like them: tiles of 256 x 256 float32, predictor 3, zstd 3 come
/// to 1/2.35 (single ones 1/2.1 to 1/3.1).
///
/// Units: floating types 1 m; uint16 1/8 m; int16 1 m; uint8 16 m; int8 32 m; 32 and 64 bit integers 1/128 m.
/// What a type cannot hold is clipped. Georeferenced: 10 m pixels in EPSG:32633.
///
/// Decoding takes 7.5 ns per pixel, 540 MB/s of float32, on one core of an AMD EPYC (g++ 12, -O3, baseline
/// x86-64), and 60 KB of stack.
class TerrainSource : public ChunkSource {
 public:
  /// Throws a usage Error where a size is 0 or too large.
  explicit TerrainSource(const TerrainOptions& options);

  const RasterInfo& info() const override { return info_; }
  const ChunkGrid& grid() const override { return grid_; }
  Block decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const override;

  /// Wavelengths 2, 4, 8 ... 4096 pixels.
  static constexpr std::size_t octaves = 12;

 private:
  RasterInfo info_;
  ChunkGrid grid_;
  bool holes_ = false;
  Fill hole_;                                  ///< what a lake's pixel holds
  std::array<std::uint64_t, octaves> keys_{};  ///< the seed, spread: one key per octave
};

}  // namespace weir
