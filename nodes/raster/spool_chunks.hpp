#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/context.hpp"
#include "framework/file.hpp"
#include "framework/parameters.hpp"
#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/stream_plan.hpp"

namespace weir {

/// Keeps pixels that the next bands need again on disk where the memory cannot hold them, so that the source is read
/// once all the same: a wide raster under a stencil, or whose chunks are higher than the tiles. Between a source and
/// the bands; ordered, on the I/O lane. A chunk that comes for the first time goes on as it is, and those rows of it
/// which later bands need go to the file; for a request that says is_spooled, the rows which its band needs come back.
///
/// The file is an AtomicFile that is never committed: it has no name, or loses it with the run. Chunk (row, col) lies
/// at a slot of its own for as long as it is needed: the rows of chunks that one band needs are all that is ever kept.
/// A slot is
///
///   a page with the block's windows and strides | its bytes, as they lay in memory (rows that nobody needs: a hole)
class SpoolChunks {
 public:
  SpoolChunks(std::shared_ptr<const BandPlan> plan, Spool spool);

  DecodedChunk operator()(DecodedChunk&& chunk, const Context& context);

 private:
  std::uint64_t slot_of(ChunkIndex chunk) const;
  void store(const Block& block, ChunkIndex chunk, std::uint64_t first_row);
  Block load(ChunkIndex chunk, const Window& needed, const Context& context) const;

  std::shared_ptr<const BandPlan> plan_;
  Spool spool_;
  std::uint64_t slot_rows_, slot_bytes_;
  std::unique_ptr<AtomicFile> file_;  ///< from the first chunk on
};

/// The size that the file can reach: holes and all.
std::uint64_t spool_file_bytes(const BandPlan& plan);

/// "spool" of the node types that read rasters.
Parameter spool_parameter();

/// Adds the node that spools, where the plan has a spool; else nothing.
Output<DecodedChunk> spool_chunks(Graph& graph, const std::string& name, Output<DecodedChunk> chunks,
                                  const StreamPlan& plan);

}  // namespace weir
