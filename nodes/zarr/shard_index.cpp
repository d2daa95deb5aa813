#include "nodes/zarr/shard_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <numeric>

#include "framework/error.hpp"

namespace weir {
namespace {

constexpr ZarrType uint64_type{ZarrType::Kind::unsigned_integer, 8};

/// The numbers of those that are stored, by offset. Into about as many buckets as entries first: sorting 32,768 at once takes 1 ms,
/// four times as long as all of this, and an update of one cell waits for it. Hostile ones in one bucket take as long as before.
std::vector<std::uint32_t> by_offset(std::span<const ShardEntry> entries, std::uint64_t object_bytes) {
  const auto bits = static_cast<int>(std::bit_width(object_bytes));
  const auto wanted = static_cast<int>(std::bit_width(entries.size()));
  const int shift = std::max(bits - wanted, 0);
  std::vector<std::uint32_t> ends((object_bytes >> shift) + 1);
  for (const ShardEntry& entry : entries)
    if (!entry.is_empty()) ++ends[entry.offset >> shift];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  std::vector<std::uint32_t> sorted(ends.back());
  for (std::size_t i = entries.size(); i-- > 0;)
    if (!entries[i].is_empty()) sorted[--ends[entries[i].offset >> shift]] = static_cast<std::uint32_t>(i);
  // Now each bucket's beginning.
  for (std::size_t bucket = 0; bucket < ends.size(); ++bucket) {
    const auto begin = sorted.begin() + ends[bucket];
    const auto end = bucket + 1 < ends.size() ? sorted.begin() + ends[bucket + 1] : sorted.end();
    if (end - begin > 1)
      std::ranges::sort(begin, end, {}, [&](std::uint32_t i) { return entries[i].offset; });
  }
  return sorted;
}

}  // namespace

ShardIndexCodec::ShardIndexCodec(const ZarrSharding& sharding, std::uint64_t inner_chunks)
    : inner_chunks_(inner_chunks),
      is_at_end_(sharding.index_at_end),
      codec_(sharding.index_codecs, uint64_type, std::vector<std::uint64_t>{inner_chunks, 2}) {
  if (!codec_.is_fixed_size())
    throw Error::usage("read", "the index codecs of shards",
                       "an index has a fixed size: no codec may compress it");
}

void ShardIndexCodec::decode(std::span<const std::byte> encoded, std::uint64_t object_bytes,
                             std::uint64_t max_chunk_bytes, const std::string& object,
                             std::span<ShardEntry> entries, bool check_sums) const {
  assert(entries.size() == inner_chunks_);
  const auto refuse = [&](std::string_view reason) { throw Error("read the index of", object, reason); };
  static_assert(sizeof(ShardEntry) == 16);
  try {
    codec_.make_decoder({}, check_sums)->decode(encoded, std::as_writable_bytes(entries));
  } catch (const Error& error) {
    refuse(error.reason());
  }
  if (codec_.layout().swapped) {
    for (ShardEntry& entry : entries) {
      entry.offset = __builtin_bswap64(entry.offset);
      entry.bytes = __builtin_bswap64(entry.bytes);
    }
  }
  const std::uint64_t index_begin = offset(object_bytes), index_end = index_begin + encoded_bytes();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const ShardEntry& entry = entries[i];
    if (entry.is_empty()) continue;
    if (entry.offset > object_bytes || entry.bytes > object_bytes - entry.offset)
      refuse(fmt::format("inner chunk {} is said to be {} bytes from {} on, and the object has {}", i,
                         entry.bytes, entry.offset, object_bytes));
    if (entry.offset < index_end && entry.offset + entry.bytes > index_begin)
      refuse(fmt::format("inner chunk {} is said to lie in the index", i));
    if (entry.bytes > max_chunk_bytes)
      refuse(fmt::format(
          "inner chunk {} is said to have {} bytes, and {} is the most that its codecs make of it", i,
          entry.bytes, max_chunk_bytes));
  }
  const std::vector<std::uint32_t> stored = by_offset(entries, object_bytes);
  for (std::size_t i = 1; i < stored.size(); ++i) {
    const ShardEntry &before = entries[stored[i - 1]], &entry = entries[stored[i]];
    if (before.offset + before.bytes > entry.offset)
      refuse(fmt::format("inner chunks {} and {} overlap", stored[i - 1], stored[i]));
  }
}

bool ShardIndexCodec::is_known(std::span<const std::byte> encoded,
                               std::span<const ShardEntry> entries) const {
  const std::span<const std::byte> words = std::as_bytes(entries);
  return codec_.layout().is_plain() && encoded.size() >= words.size() &&
         std::memcmp(encoded.data(), words.data(), words.size()) == 0;
}

std::vector<std::byte> ShardIndexCodec::encode(std::span<const ShardEntry> entries) const {
  assert(entries.size() == inner_chunks_);
  std::vector<ShardEntry> words;
  if (codec_.layout().swapped) {
    words.assign(entries.begin(), entries.end());
    for (ShardEntry& entry : words) {
      entry.offset = __builtin_bswap64(entry.offset);
      entry.bytes = __builtin_bswap64(entry.bytes);
    }
    entries = words;
  }
  std::vector<std::byte> encoded(codec_.max_encoded_bytes());
  encoded.resize(codec_.make_encoder({})->encode(std::as_bytes(entries), encoded));
  return encoded;
}

std::uint64_t ShardIndexCodec::scratch_bytes() const {
  return inner_chunks_ * (sizeof(ShardEntry) + 3 * sizeof(std::uint32_t)) + encoded_bytes() +
         std::max(codec_.decoder_scratch_bytes(), codec_.encoder_scratch_bytes());
}

// Bits are dealt out from the lowest, the first axis first, each axis as many as its count has: what zarr-python does. So a
// count of 1 takes no part, and a long axis has its upper bits alone.
std::vector<std::uint32_t> shard_order(ShardOrder order, std::span<const std::uint64_t> counts) {
  std::uint64_t total = 1;
  for (const std::uint64_t count : counts) total *= count;
  std::vector<std::uint32_t> positions(total);
  std::iota(positions.begin(), positions.end(), 0u);
  if (order == ShardOrder::row_major) return positions;

  int bits = 0, out = 0;
  for (const std::uint64_t count : counts) bits = std::max(bits, static_cast<int>(std::bit_width(count - 1)));
  std::vector<std::vector<std::uint64_t>> spread;  // what an index on an axis gives to the code
  for (const std::uint64_t count : counts) spread.emplace_back(count);
  for (int bit = 0; bit < bits; ++bit)
    for (std::size_t axis = 0; axis < counts.size(); ++axis) {
      if (bit >= static_cast<int>(std::bit_width(counts[axis] - 1))) continue;
      for (std::uint64_t at = 0; at < counts[axis]; ++at) spread[axis][at] |= (at >> bit & 1) << out;
      ++out;
    }
  std::vector<std::uint64_t> codes{0};  // of positions on the axes so far, row-major
  for (const std::vector<std::uint64_t>& axis : spread) {
    std::vector<std::uint64_t> longer;
    longer.reserve(codes.size() * axis.size());
    for (const std::uint64_t code : codes)
      for (const std::uint64_t more : axis) longer.push_back(code | more);
    codes = std::move(longer);
  }
  // Of powers of two every code is somebody's: 32,768 positions take 0.2 ms, sorted 2.
  if (std::ranges::all_of(counts, [](std::uint64_t count) { return std::has_single_bit(count); }))
    for (std::uint32_t i = 0; i < total; ++i) positions[codes[i]] = i;
  else
    std::ranges::sort(positions, {}, [&](std::uint32_t i) { return codes[i]; });
  return positions;
}

}  // namespace weir
