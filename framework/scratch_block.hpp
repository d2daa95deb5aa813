#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "framework/buffer.hpp"
#include "framework/error.hpp"

namespace weir {

/// What one scratch block of `bytes` costs in a pool: its header and its rounding.
constexpr std::uint64_t scratch_block_bytes(std::uint64_t bytes) {
  return bytes + 128;
}

/// Scratch memory that goes back by itself.
class ScratchBlock {
 public:
  ScratchBlock() = default;
  /// Throws Error where there is no memory; `what` is its object ("a zstd context").
  ScratchBlock(const Scratch& scratch, std::size_t bytes, std::string_view what)
      : scratch_(scratch), data_(scratch.allocate(bytes)), bytes_(bytes) {
    if (data_ == nullptr) throw Error("allocate", what, "out of memory");
  }
  ScratchBlock(ScratchBlock&& other) noexcept
      : scratch_(std::move(other.scratch_)),
        data_(std::exchange(other.data_, nullptr)),
        bytes_(other.bytes_) {}
  ScratchBlock& operator=(ScratchBlock&& other) noexcept {
    std::swap(scratch_, other.scratch_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~ScratchBlock() {
    if (data_ != nullptr) scratch_.release(data_);
  }

  void* data() const { return data_; }
  std::size_t size() const { return bytes_; }

 private:
  Scratch scratch_;
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace weir
