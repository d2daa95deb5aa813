#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/context.hpp"
#include "framework/item.hpp"
#include "nodes/zarr/chunk_runs.hpp"
#include "nodes/zarr/run_sizes.hpp"
#include "nodes/zarr/stored_chunks.hpp"
#include "nodes/zarr/zarr_array.hpp"

// The nodes that read an array: runs of chunks are fetched, decoded part by part, and scattered.
//
//   plan ──► fetch ──► split ──► decode ──► scatter

namespace weir {

/// A run that is wanted.
struct RunRequest {
  std::uint64_t run = 0;  ///< of its unit, where a unit has several
  std::uint64_t unit = 0;
};
inline std::string item_name(const RunRequest& request) {
  return "run " + std::to_string(request.run);
}

/// The stored bytes of a run's chunks.
struct FetchedRun {
  using Piece = StoredPiece;
  std::uint64_t run = 0;
  std::vector<ZarrIndex> chunks;
  std::vector<Piece> pieces;  ///< one per chunk, in `data`
  Buffer data;
};
inline std::uint64_t payload_bytes(const FetchedRun& run) {
  return run.data.size();
}
std::string item_name(const FetchedRun& run);
/// Plain bytes that an item takes for each of its chunks.
inline std::uint64_t item_bytes(const ZarrLayout& layout) {
  return sizeof(FetchedRun::Piece) + sizeof(ZarrIndex) + layout.rank() * sizeof(std::uint64_t);
}

/// Chunks [first, first + count) of a fetched run: what one thread decodes.
struct RunPart {
  std::shared_ptr<const FetchedRun> run;
  std::size_t first = 0, count = 0;
};
inline std::uint64_t payload_bytes(const RunPart&) {
  return 0;  // counted where it was fetched
}
std::string item_name(const RunPart& part);

/// The elements of a part's chunks, each packed in the stored layout.
struct DecodedPart {
  RunPart part;
  Buffer
      raw;  ///< chunk i of the part at i x raw_bytes; empty where chunks are stored raw, in the run's data then
};
inline std::uint64_t payload_bytes(const DecodedPart& part) {
  return part.raw.size();
}
inline std::string item_name(const DecodedPart& part) {
  return item_name(part.part);
}

/// Gets the stored chunks of a run, as fetch_chunks does; for the I/O lane.
class FetchRun {
 public:
  using ChunksOf = std::function<std::vector<ZarrIndex>(const RunRequest& request)>;
  /// `chunks_of`: of one shard, where there are shards; as many as `sizes` say, at most.
  FetchRun(std::shared_ptr<const ZarrArray> array, ChunksOf chunks_of, const RunSizes& sizes)
      : array_(std::move(array)), chunks_of_(std::move(chunks_of)), sizes_(sizes) {}
  FetchedRun operator()(const RunRequest& request, const Context& context) const;
  /// Charge of the buffer of one run.
  static std::uint64_t run_bytes(const ZarrLayout& layout, const RunSizes& sizes);

 private:
  std::shared_ptr<const ZarrArray> array_;
  ChunksOf chunks_of_;
  RunSizes sizes_;
};

/// Cuts a run into parts of as many chunks; the parts share its bytes.
class SplitRun {
 public:
  /// `least`: parts that leave for each run, the last ones empty where it has not so many chunks.
  explicit SplitRun(std::uint64_t chunks_per_part, std::uint64_t least = 1)
      : chunks_per_part_(chunks_per_part), least_(least) {}
  void operator()(const Item<FetchedRun>& run, Emit<RunPart>& emit) const;
  static std::uint64_t parts(std::uint64_t chunks, std::uint64_t chunks_per_part) {
    return chunks == 0 ? 1 : (chunks + chunks_per_part - 1) / chunks_per_part;
  }

 private:
  std::uint64_t chunks_per_part_, least_;
};

/// Undoes the codecs of a part's chunks. Chunks that are stored raw go on as they are.
class DecodePart {
 public:
  struct Local {
    std::unique_ptr<ZarrDecoder> decoder;
  };
  DecodePart(std::shared_ptr<const ZarrArray> array, std::shared_ptr<std::atomic<std::uint64_t>> decoded)
      : array_(std::move(array)), decoded_(std::move(decoded)) {}
  std::unique_ptr<Local> make_local(const Scratch& scratch) const;
  DecodedPart operator()(const RunPart& part, Local& local, const Context& context) const;
  /// Charge of the buffer of one part.
  static std::uint64_t part_bytes(const ZarrLayout& layout, std::uint64_t chunks);

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<std::atomic<std::uint64_t>> decoded_;  // chunks
};

/// Memory of the caller: element (i, j, ...) of the selection lies at data + i * strides[0] + j * strides[1] + ...; bytes, in the
/// machine's byte order. The caller owns it; it is not counted in the budget.
struct ZarrTarget {
  std::byte* data = nullptr;
  std::vector<std::ptrdiff_t> strides;
};

/// Copies what a selection has of chunk `i` of a part, which it touches, to its place in memory whose first element is the selection's; fill,
/// where there is none.
void scatter_chunk(const ZarrArray& array, const ZarrSelection& selection, const DecodedPart& decoded,
                   std::size_t i, std::byte* data, std::span<const std::ptrdiff_t> strides);

/// Copies each chunk's part of the selection to its place; fill, where there is none. Parts do not overlap: many threads may be
/// inside.
class ScatterPart {
 public:
  ScatterPart(std::shared_ptr<const ZarrArray> array, std::shared_ptr<const ChunkRuns> runs,
              ZarrTarget target)
      : array_(std::move(array)), runs_(std::move(runs)), target_(std::move(target)) {}
  void operator()(const DecodedPart& part) const;

 private:
  std::shared_ptr<const ZarrArray> array_;
  std::shared_ptr<const ChunkRuns> runs_;
  ZarrTarget target_;
};

}  // namespace weir
