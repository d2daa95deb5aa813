#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/cut_tiles.hpp"

namespace weir {

/// The bytes and counts of a raster streamed as tiles, in the terms of NodeOptions: bands planned for a budget, runs of
/// tiles, and what each step takes per unit.
struct StreamPlan {
  std::shared_ptr<const BandPlan> bands;
  std::shared_ptr<const TileRuns> runs;
  std::uint64_t chunk_fetch_bytes = 0;  ///< charge of one chunk's stored bytes

  std::uint64_t requests(std::uint64_t unit) const;       ///< chunk requests, at least 1
  std::uint64_t fetch_bytes(std::uint64_t unit) const;    ///< charge of stored chunks
  std::uint64_t decode_bytes(std::uint64_t unit) const;   ///< charge of decoded chunks
  std::uint64_t encoded_bytes(std::uint64_t unit) const;  ///< charge of encoded tiles
  std::uint64_t carried_bytes(std::uint64_t unit) const;
  bool waits(std::uint64_t unit, std::uint64_t ticket) const;

  /// Bands, segments, units and reads, in words.
  std::string explain() const;
};

/// Tiles that travel as one item, so that it carries enough work.
std::uint64_t tiles_per_run(const TileLayout& tiles, std::uint64_t raw_tile_bytes);

/// Plans for `memory` bytes of which `standing` are taken. Throws a usage Error where no plan fits, naming the smallest
/// memory that works.
StreamPlan plan_stream(const ChunkSource& source, const TileLayout& tiles, std::uint64_t max_tile_bytes,
                       std::uint64_t run_tiles, std::uint64_t memory, std::uint64_t standing, std::uint64_t units_wanted);

}  // namespace weir
