#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/cut_tiles.hpp"

namespace weir {

/// The chunks of a raster that is streamed, and the bytes they take.
struct StreamInput {
  RasterInfo info;
  ChunkGrid grid;
  /// Charge per chunk, besides the block that a band holds: stored bytes, blocks that the block is made of.
  std::uint64_t transient_bytes = 0;
  std::uint64_t standing_bytes = 0;  ///< kept by the sources through the run
  std::uint64_t slot_bytes = 0;      ///< kept per compute thread by the nodes that make blocks
  /// Charge of what a block may hold beyond its own pixels, as long as a band holds it: ChunkSource::excess_bytes.
  std::uint64_t excess_bytes = 0;
  unsigned requests_at_once = 0;  ///< over a network, that should be in flight: as many units more
  StoredPlace place = {};         ///< ChunkSource::place
};
StreamInput input_of(const ChunkSource& source);

/// Where chunks wait that later bands need again and the memory cannot hold; see SpoolChunks.
struct Spool {
  std::string path;  ///< what messages call the file, which never has a name
  FileSystem* files = &FileSystem::real();
};

/// The bytes and counts of a raster streamed as tiles, in the terms of NodeOptions: bands planned for a budget, runs of
/// tiles, and what each step takes per unit. Cheap to copy.
struct StreamPlan {
  std::shared_ptr<const BandPlan> bands;
  std::shared_ptr<const TileRuns> runs;
  std::optional<Spool> spool = std::nullopt;

  std::uint64_t reads() const;                            ///< of the source, by the whole run
  std::uint64_t requests(std::uint64_t unit) const;       ///< chunk requests, at least 1
  std::uint64_t chunk_count(std::uint64_t unit) const;    ///< chunks that the unit reads
  std::uint64_t block_bytes(std::uint64_t unit) const;    ///< charge of their blocks, without spooled ones
  std::uint64_t spooled_bytes(std::uint64_t unit) const;  ///< charge of blocks that come from the spool
  std::uint64_t run_count(std::uint64_t unit) const;      ///< runs of tiles
  std::uint64_t encoded_bytes(std::uint64_t unit) const;  ///< charge of encoded tiles
  std::uint64_t carried_bytes(std::uint64_t unit) const;
  bool waits(std::uint64_t unit, std::uint64_t ticket) const;

  /// Bands, segments, units and reads, in words.
  std::string explain() const;
};

/// Tiles that travel as one item, so that it carries enough work.
std::uint64_t tiles_per_run(const TileLayout& tiles, std::uint64_t raw_tile_bytes);

}  // namespace weir
