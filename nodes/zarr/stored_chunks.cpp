#include "nodes/zarr/stored_chunks.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <vector>

#include "framework/error.hpp"

namespace weir {
namespace {

// Of reading parts of a shard that is replaced again and again: with the pauses between them 13 ms. A shard that takes a
// writer 1 ms, of which reading its index and chunks takes 100 us, is met by one change in ten tries.
constexpr int tries_for_one_version = 8;
constexpr std::chrono::microseconds first_pause{100};

std::string named(const ZarrArray& array, const std::string& key) {
  return fmt::format("{}: {}", array.store().name(), key);
}

void refuse_missing(const ZarrArray& array, const std::string& key) {
  if (array.options().missing_is_error) throw Error("read", named(array, key), "there is no such key");
}

Error broken(const ZarrArray& array, const ZarrIndex& chunk, const std::string& reason) {
  return {"decode", fmt::format("{} of {}", chunk_name(chunk), array.name()), reason};
}

/// Nothing where the object is larger than its chunks can be: in-place updates leave unused room in it.
std::optional<std::uint64_t> fetch_whole(const ZarrArray& array, std::span<const ZarrIndex> chunks,
                                         const std::string& key, std::span<StoredPiece> pieces,
                                         const ChunkRoom& room, const std::stop_token& stop) {
  const ZarrLayout& layout = *array.layout();
  const std::span<std::byte> out = room(layout.max_object_bytes());
  const std::uint64_t age = array.indexes().age();
  ObjectVersion version;
  const std::optional<std::uint64_t> bytes = array.store().get(key, out, stop, &version);
  if (!bytes) {
    refuse_missing(array, key);
    return 0;
  }
  if (*bytes > out.size()) return std::nullopt;
  const auto index = array.indexes().parse(out.first(*bytes), named(array, key), version);
  array.indexes().put(key, index, age);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const ShardEntry& entry = index->entries[layout.number_in_object(chunks[i])];
    if (!entry.is_empty()) pieces[i] = {entry.offset, entry.bytes, true};
  }
  return *bytes;
}

/// The longest gap that is read along, where `most` bytes of all of them are: the smallest go first.
std::uint64_t longest_gap(std::vector<std::uint64_t> gaps, std::uint64_t worth, std::uint64_t most) {
  std::ranges::sort(gaps);
  std::uint64_t longest = 0;
  for (const std::uint64_t gap : gaps) {
    if (gap > worth || gap > most) break;
    most -= gap;
    longest = gap;
  }
  return longest;
}

// Ranges in the order of the object, merged across gaps that cost less than a request, as long as all fits. Nothing where the object is not the one that the index is of.
std::optional<std::uint64_t> fetch_parts(const ZarrArray& array, std::span<const ZarrIndex> chunks,
                                         const std::string& key, const ShardIndex& index,
                                         std::span<StoredPiece> pieces, std::uint64_t room_bytes,
                                         const ChunkRoom& room, const std::stop_token& stop) {
  const ZarrLayout& layout = *array.layout();
  struct Range {
    std::uint64_t begin, end;
  };
  std::vector<std::size_t> order;
  std::vector<const ShardEntry*> entries(chunks.size());
  std::uint64_t data = 0;
  std::ranges::fill(pieces, StoredPiece{});
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const ShardEntry& entry = index.entries[layout.number_in_object(chunks[i])];
    if (entry.is_empty()) continue;
    entries[i] = &entry;
    order.push_back(i);
    data += entry.bytes;
  }
  if (order.empty()) return 0;
  std::ranges::sort(order, {}, [&](std::size_t i) { return entries[i]->offset; });
  std::uint64_t spare = room_bytes - data;
  std::vector<std::uint64_t> gaps;
  for (std::size_t i = 1; i < order.size(); ++i)
    gaps.push_back(entries[order[i]]->offset - entries[order[i - 1]]->offset - entries[order[i - 1]]->bytes);
  const std::uint64_t longest = longest_gap(std::move(gaps), array.store().gap_bytes(), spare);
  std::vector<Range> ranges;
  std::uint64_t used = 0;
  for (const std::size_t i : order) {
    const ShardEntry& entry = *entries[i];
    const std::uint64_t gap = ranges.empty() ? 0 : entry.offset - ranges.back().end;
    if (!ranges.empty() && gap <= std::min(spare, longest)) {
      spare -= gap;
      used += gap;
    } else {
      ranges.push_back({entry.offset, entry.offset});
    }
    ranges.back().end = entry.offset + entry.bytes;
    pieces[i] = {used, entry.bytes, true};
    used += entry.bytes;
  }
  std::span<std::byte> out = room(used);
  std::vector<ObjectRange> wanted;
  for (const Range& range : ranges) {
    wanted.push_back({range.begin, out.first(range.end - range.begin)});
    out = out.subspan(range.end - range.begin);
  }
  ObjectVersion version;
  if (!array.store().get_ranges(key, wanted, stop, &version) || version != index.version) return std::nullopt;
  return used;
}

/// By the index, both of one version of the shard.
std::uint64_t fetch_by_index(const ZarrArray& array, std::span<const ZarrIndex> chunks,
                             const std::string& key, std::span<StoredPiece> pieces, std::uint64_t room_bytes,
                             const ChunkRoom& room, const std::stop_token& stop) {
  std::optional<Error> failed;
  ObjectVersion of_failed;
  std::chrono::microseconds pause{0};
  for (int tries = 1;; ++tries) {
    const auto index = array.indexes().get(array.store(), key, stop);
    if (failed && index->version == of_failed) throw Error(*failed);
    if (!index->is_there()) {
      refuse_missing(array, key);
      std::ranges::fill(pieces, StoredPiece{});
      return 0;
    }
    failed.reset();
    try {
      if (const auto used = fetch_parts(array, chunks, key, *index, pieces, room_bytes, room, stop))
        return *used;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      // Of ranges that the old shard had, and the new one has not? The index says, read anew.
      failed = error;
      of_failed = index->version;
    }
    array.indexes().outdate(key, index);
    if (tries == tries_for_one_version) {
      if (failed) throw Error(*failed);
      throw Error("read", named(array, key), "it is replaced all the time while it is read");
    }
    std::this_thread::sleep_for(pause);
    pause = std::max(first_pause, 2 * pause);
  }
}

std::uint64_t fetch_objects(const ZarrArray& array, std::span<const ZarrIndex> chunks,
                            std::span<StoredPiece> pieces, const ChunkRoom& room,
                            const std::stop_token& stop) {
  const std::uint64_t most = array.layout()->codec().max_encoded_bytes();
  const std::span<std::byte> out = room(chunks.size() * most);
  std::uint64_t used = 0;
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const std::string key = array.key(chunks[i]);
    const std::optional<std::uint64_t> bytes = array.store().get(key, out.subspan(used, most), stop);
    if (!bytes) {
      refuse_missing(array, key);
      continue;
    }
    if (*bytes > most)
      throw Error(
          "read", named(array, key),
          fmt::format("it has {} bytes, and {} is the most that its codecs make of a chunk", *bytes, most));
    pieces[i] = {used, *bytes, true};
    used += *bytes;
  }
  return used;
}

}  // namespace

std::string chunk_name(const ZarrIndex& chunk) {
  return fmt::format("chunk ({})", fmt::join(chunk, ", "));
}

std::uint64_t chunk_room_bytes(const ZarrLayout& layout, std::uint64_t chunks) {
  return chunks * layout.codec().max_encoded_bytes() + (layout.index() ? layout.index()->encoded_bytes() : 0);
}

std::uint64_t all_gap_bytes(const ZarrLayout& layout, std::uint64_t chunks, std::uint64_t gap_bytes) {
  const std::uint64_t own = chunks * layout.codec().max_encoded_bytes(), all = layout.max_object_bytes();
  if (chunks < 2 || own >= all) return 0;
  return std::min(all - own, std::min(gap_bytes, all) * (chunks - 1));
}

std::uint64_t fetch_chunks(const ZarrArray& array, std::span<const ZarrIndex> chunks, bool is_whole_object,
                           std::span<StoredPiece> pieces, std::uint64_t room_bytes, const ChunkRoom& room,
                           const std::stop_token& stop) {
  if (chunks.empty()) return 0;
  const ZarrLayout& layout = *array.layout();
  if (!layout.index()) return fetch_objects(array, chunks, pieces, room, stop);
  const std::string key = array.key(layout.object_of(chunks.front()));
  if (is_whole_object)
    if (const auto used = fetch_whole(array, chunks, key, pieces, room, stop)) return *used;
  return fetch_by_index(array, chunks, key, pieces, room_bytes, room, stop);
}

void decode_chunk(const ZarrArray& array, const ZarrIndex& chunk, ZarrDecoder& decoder,
                  std::span<const std::byte> encoded, std::span<std::byte> raw) {
  try {
    decoder.decode(encoded, raw);
  } catch (const Error& error) {
    throw broken(array, chunk, error.reason());
  }
}

void check_raw_chunk(const ZarrArray& array, const ZarrIndex& chunk, std::span<const std::byte> stored) {
  const std::uint64_t bytes = array.layout()->codec().raw_bytes();
  if (stored.size() != bytes)
    throw broken(array, chunk,
                 fmt::format("it has {} bytes, and its elements take {}", stored.size(), bytes));
}

}  // namespace weir
