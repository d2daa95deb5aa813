#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <span>

namespace weir {

/// Gives out parts of one piece of memory and takes them back, first fit. One thread at a time.
class ByteArena {
 public:
  explicit ByteArena(std::span<std::byte> memory) : memory_(memory) {
    if (!memory.empty()) free_[0] = memory.size();
  }
  /// Empty where there is no room.
  std::span<std::byte> take(std::size_t bytes) {
    for (auto hole = free_.begin(); hole != free_.end(); ++hole) {
      if (hole->second < bytes) continue;
      const std::size_t place = hole->first, rest = hole->second - bytes;
      free_.erase(hole);
      if (rest > 0) free_[place + bytes] = rest;
      return memory_.subspan(place, bytes);
    }
    return {};
  }
  void give_back(std::span<std::byte> part) {
    if (part.empty()) return;
    auto place = static_cast<std::size_t>(part.data() - memory_.data());
    std::size_t bytes = part.size();
    const auto behind = free_.lower_bound(place);
    if (behind != free_.begin()) {
      const auto before = std::prev(behind);
      if (before->first + before->second == place) {
        place = before->first;
        bytes += before->second;
      }
    }
    if (behind != free_.end() &&
        behind->first == static_cast<std::size_t>(part.data() - memory_.data()) + part.size()) {
      bytes += behind->second;
      free_.erase(behind);
    }
    free_[place] = bytes;
  }
  bool is_whole() const { return free_.size() == 1 && free_.begin()->second == memory_.size(); }

 private:
  const std::span<std::byte> memory_;
  std::map<std::size_t, std::size_t> free_;  ///< holes, by place
};

}  // namespace weir
