#include "nodes/zarr/read_runs.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "framework/error.hpp"
#include "nodes/zarr/strided_copy.hpp"

namespace weir {
namespace {

std::string named(const ZarrIndex& chunk) {
  return fmt::format("chunk ({})", fmt::join(chunk, ", "));
}

}  // namespace

std::string item_name(const FetchedRun& run) {
  return run.chunks.empty() ? fmt::format("run {}", run.run) : named(run.chunks.front());
}
std::string item_name(const RunPart& part) {
  return part.count == 0 ? item_name(*part.run) : named(part.run->chunks[part.first]);
}

std::uint64_t FetchRun::run_bytes(const ZarrLayout& layout, std::uint64_t chunks) {
  return BufferPool::charge(chunks * layout.codec().max_encoded_bytes() +
                            (layout.index() ? layout.index()->encoded_bytes() : 0));
}

FetchedRun FetchRun::operator()(const RunRequest& request, const Context& context) const {
  FetchedRun run;
  run.run = request.run;
  run.chunks = runs_->chunks_of(request.run);
  run.pieces.resize(run.chunks.size());
  const ZarrLayout& layout = *array_->layout();
  if (run.chunks.empty()) return run;
  if (!layout.index()) {
    fetch_objects(run, context);
    return run;
  }
  const std::string key = array_->key(layout.object_of(run.chunks.front()));
  if (runs_->is_whole_object(request.run) && fetch_whole(run, key, context)) return run;
  const auto index = array_->indexes().get(array_->store(), key, context.stop());
  if (!index->is_there()) refuse_missing(key);
  if (index->is_there()) fetch_parts(run, key, *index, context);
  return run;
}

void FetchRun::refuse_missing(const std::string& key) const {
  if (array_->options().missing_is_error)
    throw Error("read", fmt::format("{}: {}", array_->store().name(), key), "there is no such key");
}

/// False where the object is larger than its chunks can be: in-place updates leave unused room in it.
bool FetchRun::fetch_whole(FetchedRun& run, const std::string& key, const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  run.data = context.buffer(layout.max_object_bytes());
  const std::optional<std::uint64_t> bytes = array_->store().get(key, run.data.span(), context.stop());
  if (!bytes) {
    refuse_missing(key);
    run.data.reset();
    return true;
  }
  if (*bytes > run.data.size()) {
    run.data.reset();
    return false;
  }
  run.data.resize(*bytes);
  const auto index =
      array_->indexes().parse(run.data.span(), fmt::format("{}: {}", array_->store().name(), key));
  array_->indexes().put(key, index);
  for (std::size_t i = 0; i < run.chunks.size(); ++i) {
    const ShardEntry& entry = index->entries[layout.number_in_object(run.chunks[i])];
    if (!entry.is_empty()) run.pieces[i] = {entry.offset, entry.bytes, true};
  }
  return true;
}

// Ranges in the order of the object, merged across gaps that cost less than a request, as long as all fits into the bytes that
// the run was given for the chunks alone.
void FetchRun::fetch_parts(FetchedRun& run, const std::string& key, const ShardIndex& index,
                           const Context& context) const {
  const ZarrLayout& layout = *array_->layout();
  struct Range {
    std::uint64_t begin, end;
  };
  std::vector<std::size_t> order;
  std::vector<const ShardEntry*> entries(run.chunks.size());
  std::uint64_t data = 0;
  for (std::size_t i = 0; i < run.chunks.size(); ++i) {
    const ShardEntry& entry = index.entries[layout.number_in_object(run.chunks[i])];
    if (entry.is_empty()) continue;
    entries[i] = &entry;
    order.push_back(i);
    data += entry.bytes;
  }
  if (order.empty()) return;
  std::ranges::sort(order, {}, [&](std::size_t i) { return entries[i]->offset; });
  std::uint64_t room = run.chunks.size() * layout.codec().max_encoded_bytes() - data;
  std::vector<Range> ranges;
  std::uint64_t at = 0;
  for (const std::size_t i : order) {
    const ShardEntry& entry = *entries[i];
    const std::uint64_t gap = ranges.empty() ? 0 : entry.offset - ranges.back().end;
    if (!ranges.empty() && gap <= std::min(room, array_->store().gap_bytes())) {
      room -= gap;
      at += gap;
    } else {
      ranges.push_back({entry.offset, entry.offset});
    }
    ranges.back().end = entry.offset + entry.bytes;
    run.pieces[i] = {at, entry.bytes, true};
    at += entry.bytes;
  }
  run.data = context.buffer(at);
  std::vector<ObjectRange> wanted;
  at = 0;
  for (const Range& range : ranges) {
    wanted.push_back({range.begin, run.data.span().subspan(at, range.end - range.begin)});
    at += range.end - range.begin;
  }
  if (!array_->store().get_ranges(key, wanted, context.stop()))
    throw Error("read", fmt::format("{}: {}", array_->store().name(), key),
                "it was there when its index was read, and is not any more");
}

void FetchRun::fetch_objects(FetchedRun& run, const Context& context) const {
  const std::uint64_t most = array_->layout()->codec().max_encoded_bytes();
  run.data = context.buffer(run.chunks.size() * most);
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < run.chunks.size(); ++i) {
    const std::string key = array_->key(run.chunks[i]);
    const std::optional<std::uint64_t> bytes =
        array_->store().get(key, run.data.span().subspan(at, most), context.stop());
    if (!bytes) {
      refuse_missing(key);
      continue;
    }
    if (*bytes > most)
      throw Error(
          "read", fmt::format("{}: {}", array_->store().name(), key),
          fmt::format("it has {} bytes, and {} is the most that its codecs make of a chunk", *bytes, most));
    run.pieces[i] = {at, *bytes, true};
    at += *bytes;
  }
  run.data.resize(at);
}

void SplitRun::operator()(const Item<FetchedRun>& run, Emit<RunPart>& emit) const {
  const std::size_t chunks = run->chunks.size();
  std::size_t first = 0;
  do {
    const std::size_t count = std::min<std::size_t>(chunks_per_part_, chunks - first);
    emit(RunPart{run.share(), first, count});
    first += count;
  } while (first < chunks);
}

std::uint64_t DecodePart::part_bytes(const ZarrLayout& layout, std::uint64_t chunks) {
  return layout.codec().is_raw() ? 0 : BufferPool::charge(chunks * layout.codec().raw_bytes());
}

std::unique_ptr<DecodePart::Local> DecodePart::make_local(const Scratch& scratch) const {
  return std::make_unique<Local>(
      Local{array_->layout()->codec().make_decoder(scratch, array_->options().check_sums)});
}

DecodedPart DecodePart::operator()(const RunPart& part, Local& local, const Context& context) const {
  const ChunkCodec& codec = array_->layout()->codec();
  DecodedPart decoded{part, {}};
  const FetchedRun& run = *part.run;
  const auto pieces = std::span(run.pieces).subspan(part.first, part.count);
  decoded_->fetch_add(part.count, std::memory_order_relaxed);
  if (std::ranges::none_of(pieces, &FetchedRun::Piece::is_there)) return decoded;
  if (!codec.is_raw()) decoded.raw = context.buffer(part.count * codec.raw_bytes());
  for (std::size_t i = 0; i < part.count; ++i) {
    if (!pieces[i].is_there) continue;
    try {
      const auto encoded = run.data.span().subspan(pieces[i].offset, pieces[i].bytes);
      if (!codec.is_raw()) {
        local.decoder->decode(encoded, decoded.raw.span().subspan(i * codec.raw_bytes(), codec.raw_bytes()));
      } else if (encoded.size() != codec.raw_bytes()) {
        throw Error(
            "decode", "a chunk",
            fmt::format("it has {} bytes, and its elements take {}", encoded.size(), codec.raw_bytes()));
      }
    } catch (const Error& error) {
      throw Error("decode", fmt::format("{} of {}", named(run.chunks[part.first + i]), array_->name()),
                  error.reason());
    }
  }
  return decoded;
}

void ScatterPart::operator()(const DecodedPart& decoded) const {
  const ZarrLayout& layout = *array_->layout();
  const std::uint64_t raw_bytes = layout.codec().raw_bytes();
  const FetchedRun& run = *decoded.part.run;
  for (std::size_t i = 0; i < decoded.part.count; ++i) {
    const std::size_t number = decoded.part.first + i;
    const ChunkPart part = part_of(layout, runs_->selection(), run.chunks[number]);
    const FetchedRun::Piece& piece = run.pieces[number];
    std::byte* target = target_.data + part.offset(target_.strides);
    if (!piece.is_there) {
      fill_box(target, target_.strides, part.shape, layout.fill(), layout.type().bytes);
      continue;
    }
    const auto raw = layout.codec().is_raw() ? run.data.span().subspan(piece.offset, piece.bytes)
                                             : decoded.raw.span().subspan(i * raw_bytes, raw_bytes);
    scatter_box(layout.codec().layout(), layout.chunk_shape(), raw, {part.begin, part.shape, part.step},
                target, target_.strides);
  }
}

}  // namespace weir
