#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <mutex>

namespace weir {

/// How much of a file's beginning to ask for at first: the smallest power of two that has 95 % of the last headers whole. Of headers
/// that end far away (a directory behind the pixels) none can be had so: where they are most, only what says where they are is
/// asked for. What is guessed changes what a header costs, and never what it says. Thread-safe.
class PrefetchGuess {
 public:
  /// From `least` to `most`; `first` until enough headers were seen. A page holds no less than 1 KiB.
  static constexpr std::uint64_t least = 1 << 10;
  PrefetchGuess(std::uint64_t first, std::uint64_t most) : guess_(first), most_(most) {}

  std::uint64_t bytes() const {
    const std::lock_guard lock(mutex_);
    return guess_;
  }
  /// Of a header that was read.
  void note(std::uint64_t header_end) {
    const std::lock_guard lock(mutex_);
    ++counts_[header_end <= 1 ? 0 : static_cast<std::size_t>(std::bit_width(header_end - 1))];
    if (++seen_ % 32 != 0) return;
    choose();
    if (seen_ < 1024) return;
    for (std::uint32_t& count : counts_) count /= 2;  // the last ones count more
    seen_ /= 2;
  }

 private:
  void choose() {
    std::uint64_t all = 0, near = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      all += counts_[i];
      if (i < 63 && std::uint64_t{1} << i <= most_) near += counts_[i];
    }
    if (near * 2 < all) {
      guess_ = least;
      return;
    }
    std::uint64_t covered = 0;
    for (std::size_t i = 0; i < 63; ++i) {
      covered += counts_[i];
      guess_ = std::uint64_t{1} << i;
      if (covered * 100 >= near * 95 && guess_ >= least) return;
    }
  }

  mutable std::mutex mutex_;
  std::uint64_t guess_;
  const std::uint64_t most_;
  std::uint64_t seen_ = 0;
  std::array<std::uint32_t, 65> counts_{};  ///< by the power of two that has the header whole
};

}  // namespace weir
