#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/zarr/chunk_pass.hpp"
#include "nodes/zarr/stored_as.hpp"

namespace weir {

struct CopyZarrOptions : ChunkPassOptions {
  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, fetch, store
  bool overwrite = false;                       ///< see zarr_output
  FileSystem* files = &FileSystem::real();
};

struct CopyZarrReport {
  RunReport run;
  std::uint64_t passed = 0;  ///< chunks that were stored, and are now
};

/// A planned copy of an array's stored chunks: what explain shows, and what run() runs.
class ZarrCopy {
 public:
  /// Plans; touches no chunk and writes nothing. `wanted`, of the new array: see stored_as. `path`: as zarr_output takes it. A usage
  /// Error, with the reason, where the chunks are not those of the new array (why_not_passed).
  ZarrCopy(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted, const std::string& path,
           const CopyZarrOptions& options = {});
  /// Into any store that can be written and listed; see store_output.
  ZarrCopy(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
           std::shared_ptr<const Store> store, const std::string& path, const CopyZarrOptions& options = {});

  std::string explain() const;
  const Graph& graph() const { return *graph_; }
  /// Once. The array is there, whole, when this returns; otherwise it throws, and a folder is as it was.
  CopyZarrReport run(const RunOptions& run = {});

 private:
  ZarrCopy(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
           std::shared_ptr<ZarrOutput> output, const CopyZarrOptions& options);

  std::shared_ptr<const ZarrArray> source_;
  std::shared_ptr<const ChunkPass> pass_;
  std::shared_ptr<std::atomic<std::uint64_t>> stored_;
  std::unique_ptr<Graph> graph_;
};

/// Puts an array of any rank into other shards, into shards or out of them, or into the other format, without decoding a chunk: the stored bytes go
/// where they belong. Shards may be larger than the memory. The new array's bytes do not depend on threads and budget.
CopyZarrReport copy_zarr(std::shared_ptr<const ZarrArray> source, const ZarrArrayMetadata& wanted,
                         const std::string& path, const CopyZarrOptions& options = {},
                         const RunOptions& run = {});

}  // namespace weir
