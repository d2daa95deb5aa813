#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/graph.hpp"
#include "nodes/zarr/chunk_runs.hpp"
#include "nodes/zarr/raster_dataset.hpp"
#include "nodes/zarr/stored_chunks.hpp"
#include "nodes/zarr/write_runs.hpp"
#include "nodes/zarr/zarr_array.hpp"
#include "nodes/zarr/zarr_output.hpp"

// Chunks of an array that become those of another as they are stored: into shards, out of them, into other shards, from v2 to v3 and
// back. Nothing is decoded: a chunk that is broken is broken in the copy.
//
//   plan ──► fetch ──► store

namespace weir {

/// An array that is made: its node is in `output`, the array itself at `path` below ("": it is the node).
struct NewZarr {
  std::shared_ptr<ZarrOutput> output;
  std::string path;
  ZarrArrayMetadata metadata;
  std::shared_ptr<const ZarrLayout> layout;
  std::shared_ptr<const RasterDataset> dataset = nullptr;  ///< what lies beside it, if anything

  std::string key(const ZarrIndex& object) const;  ///< in the output's store, from open() on
};

/// Why the stored chunks of an array cannot be those of one with this metadata: empty where they can. Shape, type, chunks (of a
/// shard: inner chunks), codecs and fill value agree. How a compressor was set (level, blosc's own) does not matter: what it
/// has made says so itself.
std::string why_not_passed(const ZarrArray& source, const ZarrArrayMetadata& wanted,
                           const ZarrLayout& wanted_layout);
/// Those of the chunks that are encoded one by one: of shards, of their inner chunks.
const std::vector<ZarrCodecSpec>& chunk_codecs(const ZarrArrayMetadata& array, const ZarrLayout& layout);

struct ChunkPassOptions {
  ShardOrder order = ShardOrder::morton;  ///< of the inner chunks of shards
  /// Chunks that are not stored, which are fill, are. Also where the new array's fill value is v2's null and the source's is not: readers
  /// would take anything for them.
  bool stores_empty_chunks = false;
};

/// Which chunks travel together, and fetching them; for the I/O lane. A run lies in one shard of the new array, in the order in which
/// it is stored; where that has no shards, in one shard of the source. Thread-safe.
class ChunkPass {
 public:
  /// why_not_passed gives nothing. Encodes one chunk of fill where such are to be stored: never more. `limits` are resolved.
  ChunkPass(std::shared_ptr<const ZarrArray> source, NewZarr target, const ChunkPassOptions& options,
            const GraphOptions& limits);

  const NewZarr& target() const { return target_; }
  /// Of the new array where it has shards, else nullptr.
  const std::shared_ptr<const WriteRuns>& shards() const { return shards_; }
  std::uint64_t chunks() const { return chunks_; }  ///< that the array has room for
  std::uint64_t runs() const;
  std::uint64_t chunks_per_run() const { return chunks_per_run_; }
  std::uint64_t run_charge() const { return BufferPool::charge(run_bytes_); }  ///< of the buffer of one run
  std::uint64_t item_bytes() const;
  std::uint64_t standing_bytes() const;

  /// Throws an Error where a chunk of fixed size has another, and where one is longer than its codecs make it.
  EncodedRun operator()(const WriteRequest& request, const Context& context) const;
  std::uint64_t passed() const { return passed_.load(); }  ///< stored chunks, so far
  unsigned requests_at_once() const { return source_->store().requests_at_once(); }

 private:
  void fetch(std::span<const ZarrIndex> chunks, std::span<StoredPiece> pieces, Buffer& data,
             std::uint64_t& used, const Context& context) const;
  void claim(EncodedRun& run) const;

  std::shared_ptr<const ZarrArray> source_;
  NewZarr target_;
  std::shared_ptr<const WriteRuns> shards_;  // either this
  std::optional<ChunkRuns> sources_;         // or that; neither: the array has no elements
  std::vector<std::byte> fill_;              // encoded, where it is stored
  std::uint64_t chunks_ = 1, chunks_per_run_ = 1, run_bytes_ = 0;
  mutable std::atomic<std::uint64_t> passed_ = 0;
};

/// Stores chunks as objects of their own, in any order, from many threads of the I/O lane. Opens the output, and commits it with the
/// metadata.
class StorePassedChunks {
 public:
  StorePassedChunks(NewZarr target, std::shared_ptr<std::atomic<std::uint64_t>> stored)
      : target_(std::move(target)), stored_(std::move(stored)) {}
  void open();
  void operator()(const EncodedRun& run) const;
  void close();

 private:
  NewZarr target_;
  std::shared_ptr<std::atomic<std::uint64_t>> stored_;  // bytes
  std::shared_ptr<const ZarrArray> array_;
};

/// Appends chunks to the one shard that is open, its index last; an ordered sink. A shard without chunks is not stored. Opens and commits
/// the output likewise.
class StorePassedShards {
 public:
  StorePassedShards(NewZarr target, std::shared_ptr<const WriteRuns> runs,
                    std::shared_ptr<std::atomic<std::uint64_t>> stored)
      : target_(std::move(target)), runs_(std::move(runs)), stored_(std::move(stored)) {}
  void open();
  void operator()(const EncodedRun& run);
  void close();

 private:
  NewZarr target_;
  std::shared_ptr<const WriteRuns> runs_;
  std::shared_ptr<std::atomic<std::uint64_t>> stored_;
  std::shared_ptr<const ZarrArray> array_;
  std::optional<StoreShards> store_;
  bool has_chunks_ = false;  // the shard that is open
};

/// Adds the nodes plan, fetch and store. `stored`: bytes of objects.
void add_chunk_pass(Graph& graph, const std::shared_ptr<const ChunkPass>& pass,
                    const std::shared_ptr<std::atomic<std::uint64_t>>& stored);
/// "chunks      up to 60 pass through as they are stored, in runs of up to 8", a line.
std::string explain(const ChunkPass& pass);

}  // namespace weir
