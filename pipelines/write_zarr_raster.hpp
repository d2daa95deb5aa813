#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/zarr/zarr_stream.hpp"

namespace weir {

/// How a raster is stored, and with what means. Nodes: plan, fetch, decode, assemble, cut, encode, store.
struct WriteZarrRasterOptions : ZarrStreamOptions {
  GraphOptions graph;
};

/// A planned write: what explain shows, and what run() runs. The caller keeps the source's outside memory alive.
class ZarrRasterWrite {
 public:
  /// Plans; touches no pixels and writes nothing. `path`, as zarr_output takes it: "OUT.zarr", "OUT.zarr/array",
  /// "s3://bucket/OUT.zarr". Throws a usage Error for options that do not fit together, and where the budget is too small, naming the smallest
  /// that works.
  ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, const std::string& path,
                  const WriteZarrRasterOptions& options);
  /// Into any store that can be written and listed; see store_output.
  ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, std::shared_ptr<const Store> store,
                  const std::string& path, const WriteZarrRasterOptions& options);

  /// Bands, units, reads per chunk, then the graph's own explanation.
  std::string explain() const;
  std::string dot() const { return graph_->dot(); }
  const Graph& graph() const { return *graph_; }
  const StreamPlan& plan() const { return stream_->stream().plan(); }
  /// Once. The array is there, whole, when this returns; otherwise it throws, and a folder is as it was.
  RunReport run(const RunOptions& run = {});

 private:
  ZarrRasterWrite(std::shared_ptr<const ChunkSource> source, std::shared_ptr<ZarrOutput> output,
                  const WriteZarrRasterOptions& options);

  std::shared_ptr<const ChunkSource> source_;
  std::shared_ptr<std::atomic<std::uint64_t>> reads_;
  std::unique_ptr<Graph> graph_;
  std::optional<ZarrStream> stream_;
};

/// Streams a raster of any size into a new array, in bounded memory. The stored bytes depend on the source's pixels and the storage options
/// alone, not on chunks, threads, budget or tokens.
RunReport write_zarr_raster(std::shared_ptr<const ChunkSource> source, const std::string& path,
                            const WriteZarrRasterOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
