#include "nodes/raster/spool_chunks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <span>
#include <type_traits>

#include "framework/error.hpp"

namespace weir {
namespace {

constexpr std::uint64_t page = 4096;

/// A block without its bytes, as it stands at the beginning of a slot.
struct Stored {
  Window window;
  SampleType type = SampleType::uint8;
  std::uint32_t samples = 1;
  std::uint64_t row_stride = 0, pixel_stride = 0, sample_stride = 0, offset = 0;
  std::uint64_t mask_offset = 0, mask_row_stride = 0, size = 0;
};
static_assert(sizeof(Stored) <= page && std::is_trivially_copyable_v<Stored>);
// A field that Block gets has to be kept here, too.
static_assert(sizeof(Block) == 4 * 8 + 8 + 6 * 8 + sizeof(Buffer));

/// Whether rows lie one after the other, so that some of them can be kept without the others.
bool has_whole_rows(const Stored& stored) {
  const std::uint64_t row_bytes = (stored.window.width - 1) * stored.pixel_stride +
                                  (stored.samples - 1) * stored.sample_stride + bytes_of(stored.type);
  return stored.mask_offset == Block::no_mask && row_bytes <= stored.row_stride;
}

/// Where rows [first, end) of the block lie in its bytes.
struct Span {
  std::uint64_t begin = 0, end = 0;
};
Span span_of(const Stored& stored, std::uint64_t first, std::uint64_t end) {
  if (!has_whole_rows(stored)) return {0, stored.size};
  return {stored.offset + first * stored.row_stride,
          std::min(stored.offset + end * stored.row_stride, stored.size)};
}

std::uint64_t slot_bytes_of(const BandPlanRequest& request) {
  const std::uint64_t pixels = request.chunks.rows.largest() * request.chunks.cols.largest();
  const std::uint64_t bytes = page + BufferPool::charge(pixels * request.pixel_bytes) + request.excess_bytes;
  return (bytes + page - 1) / page * page;
}

}  // namespace

std::uint64_t spool_file_bytes(const BandPlan& plan) {
  return plan.most_chunk_rows() * plan.request().chunks.cols.count() * slot_bytes_of(plan.request());
}

SpoolChunks::SpoolChunks(std::shared_ptr<const BandPlan> plan, Spool spool)
    : plan_(std::move(plan)),
      spool_(std::move(spool)),
      slot_rows_(plan_->most_chunk_rows()),
      slot_bytes_(slot_bytes_of(plan_->request())) {
  assert(plan_->keeps_cols() && !plan_->keeps_rows());
}

/// Rows of chunks take turns: one that is slot_rows_ further down is first needed by a band that needs this one no
/// more, and bands come in order.
std::uint64_t SpoolChunks::slot_of(ChunkIndex chunk) const {
  return (chunk.row % slot_rows_ * plan_->request().chunks.cols.count() + chunk.col) * slot_bytes_;
}

DecodedChunk SpoolChunks::operator()(DecodedChunk&& chunk, const Context& context) {
  const ChunkRequest request = chunk.request;
  if (request.is_none && !request.is_spooled) return std::move(chunk);
  if (!file_) {
    file_ = std::make_unique<AtomicFile>(spool_.path, true, *spool_.files);
    file_->require_space(spool_file_bytes(*plan_));
  }
  const BandUnit unit = plan_->unit(request.unit);
  if (request.is_spooled) {
    ChunkRequest found = request;
    found.is_none = false;
    return {found, load(request.chunk, unit.source, context)};
  }
  if (plan_->is_read_again(unit, request.chunk.row)) {
    const BandUnit next = plan_->unit(unit.index - unit.segment + plan_->segments());
    store(chunk.block, request.chunk, next.source.row);
  }
  return std::move(chunk);
}

/// Rows of the raster from `first_row` on.
void SpoolChunks::store(const Block& block, ChunkIndex chunk, std::uint64_t first_row) {
  const Stored stored{block.window,          block.type,          block.samples, block.row_stride,
                      block.pixel_stride,    block.sample_stride, block.offset,  block.mask_offset,
                      block.mask_row_stride, block.data.size()};
  if (page + stored.size > slot_bytes_)
    throw Error("keep", fmt::format("{} bytes", stored.size),
                "the block is larger than the source said its blocks are");
  const std::uint64_t slot = slot_of(chunk);
  std::array<std::byte, sizeof(Stored)> head;
  std::memcpy(head.data(), &stored, sizeof stored);
  file_->write_at(slot, head);
  const Span kept =
      span_of(stored, std::max(first_row, block.window.row) - block.window.row, block.window.height);
  file_->write_at(slot + page + kept.begin,
                  std::span(block.data.data(), stored.size).subspan(kept.begin, kept.end - kept.begin));
}

/// The rows that `needed` has.
Block SpoolChunks::load(ChunkIndex chunk, const Window& needed, const Context& context) const {
  const auto read = [&](std::uint64_t offset, std::span<std::byte> out) {
    if (file_->read_at(offset, out) != out.size())
      throw Error("read", spool_.path, "it ends before what was written there");
  };
  const std::uint64_t slot = slot_of(chunk);
  Stored stored;
  std::array<std::byte, sizeof(Stored)> head;
  read(slot, head);
  std::memcpy(&stored, head.data(), sizeof stored);
  assert(stored.window == plan_->request().chunks.window(chunk));

  Block block;
  block.window = stored.window;
  block.type = stored.type;
  block.samples = stored.samples;
  block.row_stride = stored.row_stride;
  block.pixel_stride = stored.pixel_stride;
  block.sample_stride = stored.sample_stride;
  block.offset = stored.offset;
  block.mask_offset = stored.mask_offset;
  block.mask_row_stride = stored.mask_row_stride;
  const std::uint64_t first = std::max(needed.row, stored.window.row) - stored.window.row;
  const std::uint64_t end = std::min(needed.row_end(), stored.window.row_end()) - stored.window.row;
  const Span wanted = span_of(stored, first, end);
  block.data = context.buffer(wanted.end - wanted.begin);
  read(slot + page + wanted.begin, block.data.span());
  if (has_whole_rows(stored)) {
    block.window.row += first;
    block.window.height = end - first;
    block.offset = 0;
  }
  return block;
}

Parameter spool_parameter() {
  return {.name = "spool",
          .help =
              "where chunks wait that the memory cannot keep for the next rows: auto: a nameless file beside "
              "the output; none: they are read again; else a folder",
          .default_value = "auto"};
}

Output<DecodedChunk> spool_chunks(Graph& graph, const std::string& name, Output<DecodedChunk> chunks,
                                  const StreamPlan& plan) {
  if (!plan.spool) return chunks;
  return graph.transform<DecodedChunk>(
      name, chunks, SpoolChunks(plan.bands, *plan.spool),
      {.lane = Lane::io,
       .buffer_bytes_of_unit = [plan](std::uint64_t unit) { return plan.spooled_bytes(unit); },
       .ordered = true});
}

}  // namespace weir
