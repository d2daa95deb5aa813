#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nodes/zarr/chunk_codec.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// Where an inner chunk lies in its shard's object.
struct ShardEntry {
  static constexpr std::uint64_t none = ~std::uint64_t{0};
  std::uint64_t offset = none, bytes = none;

  bool is_empty() const { return offset == none && bytes == none; }  ///< not stored: all fill
  bool operator==(const ShardEntry&) const = default;
};

/// The format of the index of all shards of an array: offset and bytes of every inner chunk, row-major, as uint64, through the
/// index codecs (sharding_indexed 1.0). Const and thread-safe.
class ShardIndexCodec {
 public:
  /// `inner_chunks`: of one shard.
  ShardIndexCodec(const ZarrSharding& sharding, std::uint64_t inner_chunks);

  std::uint64_t inner_chunks() const { return inner_chunks_; }
  std::uint64_t encoded_bytes() const { return codec_.max_encoded_bytes(); }
  bool is_at_end() const { return is_at_end_; }
  /// Where the index begins in an object of this size, which has room for it.
  std::uint64_t offset(std::uint64_t object_bytes) const {
    return is_at_end_ ? object_bytes - encoded_bytes() : 0;
  }

  /// Fills `entries` (inner_chunks). Throws an Error of `object` where the index is broken, or where an entry lies outside of the
  /// object, in the index, across another, or is longer than `max_chunk_bytes`; with `check_sums` also where its checksum is wrong.
  void decode(std::span<const std::byte> encoded, std::uint64_t object_bytes, std::uint64_t max_chunk_bytes,
              const std::string& object, std::span<ShardEntry> entries, bool check_sums = true) const;
  /// Whether it is an index with just these entries, which were decoded before; false where telling would take decoding it.
  bool is_known(std::span<const std::byte> encoded, std::span<const ShardEntry> entries) const;
  std::vector<std::byte> encode(std::span<const ShardEntry> entries) const;
  /// Bytes that decode and encode take beside their arguments.
  std::uint64_t scratch_bytes() const;

 private:
  std::uint64_t inner_chunks_;
  bool is_at_end_;
  ChunkCodec codec_;
};

/// In what order the inner chunks of a shard are written. Readers go by the index alone.
enum class ShardOrder : std::uint8_t {
  morton,  ///< Z order, as zarr-python writes: neighbours in space lie near each other
  row_major,
};
/// The row-major number of the inner chunk that is written as number `position`, for all positions: a permutation. Axes
/// whose counts are no powers of two leave out what lies outside.
std::vector<std::uint32_t> shard_order(ShardOrder order, std::span<const std::uint64_t> counts);

}  // namespace weir
