#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "framework/item.hpp"
#include "nodes/raster/band_plan.hpp"
#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// A chunk that a unit reads. A unit that borrows all its chunks sends one request for none, so that those behind
/// know that it was admitted; and one that the spool has (see SpoolChunks) goes past the source as one for none.
struct ChunkRequest {
  ChunkIndex chunk;
  bool is_none = false;
  bool is_spooled = false;
  std::uint64_t unit = 0;  ///< only where there is a spool
};
std::string item_name(const ChunkRequest& request);

/// A chunk's stored bytes.
struct FetchedChunk {
  ChunkRequest request;
  Buffer stored;
};
inline std::uint64_t payload_bytes(const FetchedChunk& chunk) {
  return chunk.stored.size();
}
inline std::string item_name(const FetchedChunk& chunk) {
  return item_name(chunk.request);
}

/// A chunk's pixels.
struct DecodedChunk {
  ChunkRequest request;
  Block block;
};
inline std::uint64_t payload_bytes(const DecodedChunk& chunk) {
  return payload_bytes(chunk.block);
}
inline std::string item_name(const DecodedChunk& chunk) {
  return item_name(chunk.request);
}

/// Source: the chunks that each unit of a band plan reads, row-major.
class PlanChunks {
 public:
  /// `has_spool`: chunks that an earlier band read are not read again.
  explicit PlanChunks(std::shared_ptr<const BandPlan> plan, bool has_spool = false)
      : plan_(std::move(plan)), has_spool_(has_spool) {}
  void operator()(std::uint64_t index, Emit<ChunkRequest>& emit) const {
    const BandUnit unit = plan_->unit(index);
    const std::vector<ChunkIndex> chunks = plan_->owned_chunks(unit);
    for (const ChunkIndex chunk : chunks) {
      const bool is_spooled = has_spool_ && plan_->is_reread(unit, chunk.row);
      emit(ChunkRequest{chunk, is_spooled, is_spooled, index});
    }
    if (chunks.empty()) emit(ChunkRequest{{}, true});
  }
  /// How many requests that is.
  static std::uint64_t items(const BandPlan& plan, std::uint64_t unit) {
    return std::max<std::uint64_t>(plan.owned_count(plan.unit(unit)), 1);
  }

 private:
  std::shared_ptr<const BandPlan> plan_;
  bool has_spool_;
};

/// Gets a chunk's stored bytes; for the I/O lane.
class FetchChunk {
 public:
  explicit FetchChunk(std::shared_ptr<const ChunkSource> source) : source_(std::move(source)) {}
  FetchedChunk operator()(const ChunkRequest& request, const Context& context) const {
    return {request, request.is_none ? Buffer() : source_->fetch(request.chunk, context)};
  }

 private:
  std::shared_ptr<const ChunkSource> source_;
};

/// Turns stored bytes into pixels and counts the chunks. Takes the stored bytes over: they are freed here, or become
/// the block.
class DecodeChunk {
 public:
  struct Local {
    std::unique_ptr<ChunkSource::Local> of_source;
  };

  DecodeChunk(std::shared_ptr<const ChunkSource> source, std::shared_ptr<std::atomic<std::uint64_t>> reads)
      : source_(std::move(source)), reads_(std::move(reads)) {}

  std::unique_ptr<Local> make_local(const Scratch& scratch) const {
    return std::make_unique<Local>(Local{source_->make_local(scratch)});
  }
  DecodedChunk operator()(FetchedChunk&& chunk, Local& local, const Context& context) const {
    if (chunk.request.is_none) return {chunk.request, {}};
    reads_->fetch_add(1, std::memory_order_relaxed);
    return {chunk.request,
            source_->decode(chunk.request.chunk, std::move(chunk.stored), local.of_source.get(), context)};
  }

 private:
  std::shared_ptr<const ChunkSource> source_;
  std::shared_ptr<std::atomic<std::uint64_t>> reads_;
};

/// The same for sources that have nothing to fetch.
class MakeChunk {
 public:
  using Local = DecodeChunk::Local;
  MakeChunk(std::shared_ptr<const ChunkSource> source, std::shared_ptr<std::atomic<std::uint64_t>> reads)
      : decode_(std::move(source), std::move(reads)) {}
  std::unique_ptr<Local> make_local(const Scratch& scratch) const { return decode_.make_local(scratch); }
  DecodedChunk operator()(const ChunkRequest& request, Local& local, const Context& context) const {
    return decode_(FetchedChunk{request, {}}, local, context);
  }

 private:
  DecodeChunk decode_;
};

}  // namespace weir
