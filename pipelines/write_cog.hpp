#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/tiff/cog_stream.hpp"

namespace weir {

/// How a raster is stored, and with what means. Nodes: plan, fetch, decode, (spool), assemble, cut, (kernel1 ...), take, compress,
/// level0; for each overview K gatherK, reduceK, compressK, levelK.
struct WriteCogOptions : CogOptions {
  GraphOptions graph;
};

/// A planned write: what explain shows, and what run() runs. The caller keeps the source's outside memory alive.
class CogWrite {
 public:
  /// Plans; touches no pixels and writes nothing. Throws a usage Error for options that do not fit together, and where
  /// the budget is too small, naming the smallest that works.
  CogWrite(std::shared_ptr<const ChunkSource> source, std::string path, const WriteCogOptions& options);

  std::string explain() const;
  std::string dot() const { return graph_->dot(); }
  const Graph& graph() const { return *graph_; }
  const CogStream& stream() const { return stream_; }
  /// Once. The file is there, whole, when this returns; otherwise it throws and the target is as it was.
  RunReport run(const RunOptions& run = {});

 private:
  std::shared_ptr<const ChunkSource> source_;
  std::string path_;
  std::shared_ptr<std::atomic<std::uint64_t>> reads_;
  std::unique_ptr<Graph> graph_;
  CogStream stream_;
};

/// Streams a raster of any size to a Cloud Optimized GeoTIFF with all its overviews, in one pass and in bounded memory.
/// There is no second file, but for a nameless spool (GeotiffOptions::spool) where the memory cannot keep what is left of
/// chunks that are higher than tiles. The bytes depend on the source's pixels and the storage options alone.
RunReport write_cog(std::shared_ptr<const ChunkSource> source, const std::string& path,
                    const WriteCogOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
