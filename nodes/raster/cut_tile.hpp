#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "nodes/raster/band.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/window.hpp"

namespace weir {

/// What a tile holds where there is no data.
struct Fill {
  std::array<std::byte, largest_sample_bytes> sample{};  ///< the first bytes_of(type) bytes count
  bool replace_nan = false;  ///< write it in place of every NaN; floating types only
};

/// The fill of a raster: its nodata value in its sample type, 0 where it has none or the type cannot hold it
/// (300 in uint8, 0.5 in any integer). Exact for 64-bit integers, which a double is not. NaN is replaced in
/// floating rasters whose nodata value is a number.
Fill fill_for(const RasterInfo& info);

/// Whether all samples are the fill, bit for bit. There is at least one.
bool is_all_fill(std::span<const std::byte> samples, std::size_t sample_bytes, const Fill& fill);

/// Cuts one tile out of a band: samples [first_sample, first_sample + sample_count) of the pixels of `tile`,
/// interleaved, rows without a gap, into `out` (tile.height * tile.width * sample_count samples, any
/// alignment). The part of the tile outside of band.window is its overhang over the raster's right and lower
/// edge; it is filled. The blocks, shared and immutable, are only read. Thread-safe; allocates nothing.
void cut_tile(const Band& band, const Window& tile, std::uint32_t first_sample, std::uint32_t sample_count,
              const Fill& fill, std::byte* out);

}  // namespace weir
