#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "nodes/zarr/shard_index.hpp"

namespace weir {

/// Where the chunks of a shard lie if all of them are stored, have one size, and follow each other: which of these slots are free.
class DenseSlots {
 public:
  /// `begin`: of the first slot; `end`: of what chunks take now, nothing behind it is free; `positions`: as shard_order.
  DenseSlots(std::span<const ShardEntry> entries, std::uint64_t chunk_bytes, std::uint64_t begin,
             std::uint64_t end, std::span<const std::uint32_t> positions);
  /// The slot of a chunk, which is not free from now on; nothing where it is not.
  std::optional<std::uint64_t> take(std::uint32_t number);
  static std::uint64_t standing_bytes(std::uint64_t chunks) {
    return chunks * (sizeof(std::uint32_t) + 1) +
           chunks * (sizeof(std::uint64_t) + sizeof(std::uint32_t));  // shard_order, while it is made
  }

 private:
  std::uint64_t chunk_bytes_, begin_, end_;
  std::vector<std::uint32_t> position_;  // by number
  std::vector<bool> taken_;              // by position
};

}  // namespace weir
