#include "nodes/zarr/dense_slots.hpp"

#include <algorithm>

namespace weir {

DenseSlots::DenseSlots(std::span<const ShardEntry> entries, std::uint64_t chunk_bytes, std::uint64_t begin,
                       std::uint64_t end, std::span<const std::uint32_t> positions)
    : chunk_bytes_(chunk_bytes),
      begin_(begin),
      end_(end),
      position_(positions.size()),
      taken_(positions.size()) {
  for (std::uint32_t i = 0; i < positions.size(); ++i) position_[positions[i]] = i;
  for (const ShardEntry& entry : entries) {
    if (entry.is_empty() || entry.bytes == 0 || entry.offset + entry.bytes <= begin_) continue;
    const std::uint64_t first = entry.offset > begin_ ? entry.offset - begin_ : 0;
    const std::uint64_t last = entry.offset + entry.bytes - 1 - begin_;
    for (std::uint64_t i = first / chunk_bytes_; i <= last / chunk_bytes_ && i < taken_.size(); ++i)
      taken_[i] = true;
  }
}

std::optional<std::uint64_t> DenseSlots::take(std::uint32_t number) {
  const std::uint64_t position = position_[number], slot = begin_ + position * chunk_bytes_;
  if (taken_[position] || slot + chunk_bytes_ > end_) return std::nullopt;
  taken_[position] = true;
  return slot;
}

}  // namespace weir
