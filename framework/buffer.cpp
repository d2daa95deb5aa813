#include "framework/buffer.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cstdlib>
#include <limits>

#include "framework/context.hpp"
#include "framework/error.hpp"

namespace weir {
namespace {

constexpr std::size_t page = 4096;
// Blocks from here on ask for huge pages: to touch 24 MiB for the first time takes 12 faults instead of 6144, 1 ms instead of 6.
constexpr std::size_t huge_page = 2 << 20;
constexpr std::size_t scratch_header = 64;  // keeps the size; 64 so that what follows is cache-line aligned

std::size_t rounded(std::size_t bytes, std::size_t step) {
  return (bytes + step - 1) / step * step;
}

/// Small blocks of pools that have ended, for the next ones: half of what a run over one chunk of 64 KiB takes is fresh memory. A pool
/// whose limit has no room for them beside its own frees them.
class IdleBlocks {
 public:
  static IdleBlocks& of_process() {
    static constinit IdleBlocks blocks;  // nothing to destroy: pools may end late
    return blocks;
  }
  /// nullptr where there is none of this size.
  std::byte* take(std::size_t capacity) {
    std::lock_guard lock(mutex_);
    for (Block& block : blocks_)
      if (block.data != nullptr && block.capacity == capacity) {
        bytes_ -= capacity;
        return std::exchange(block.data, nullptr);
      }
    return nullptr;
  }
  std::uint64_t bytes() const { return bytes_; }
  void free_all() noexcept {
    std::lock_guard lock(mutex_);
    for (Block& block : blocks_) free(block);
  }
  /// The oldest makes room.
  void keep(std::byte* data, std::size_t capacity) noexcept {
    if (capacity > most_bytes) return static_cast<void>(::munmap(data, capacity));
    std::lock_guard lock(mutex_);
    Block& place = blocks_[next_++ % blocks_.size()];
    free(place);
    place = {data, capacity};
    bytes_ += capacity;
  }

 private:
  struct Block {
    std::byte* data = nullptr;
    std::size_t capacity = 0;
  };
  void free(Block& block) noexcept {
    if (block.data == nullptr) return;
    ::munmap(block.data, block.capacity);
    bytes_ -= block.capacity;
    block = {};
  }
  static constexpr std::size_t most_bytes = 512 << 10;  // of each: 8 MiB in all, the chunks of a window
  std::mutex mutex_;
  std::array<Block, 16> blocks_;
  std::size_t next_ = 0;
  std::atomic<std::uint64_t> bytes_ = 0;
};

}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    reset();
    pool_ = std::move(other.pool_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, 0);
    lease_ = std::move(other.lease_);
  }
  return *this;
}

void Buffer::resize(std::size_t size) {
  assert(size <= capacity_);
  size_ = size;
}

void Buffer::reset() {
  if (data_ != nullptr) pool_->release(std::exchange(data_, nullptr), capacity_);
  size_ = capacity_ = 0;
  // The block first, the credit second: whoever gets the credit finds the room.
  lease_.give_back();
  pool_.reset();
}

BufferPool::~BufferPool() {
  for (auto& [capacity, blocks] : kept_)
    for (std::byte* block : blocks) IdleBlocks::of_process().keep(block, capacity);
}

std::uint64_t BufferPool::charge(std::uint64_t bytes) {
  if (bytes > std::numeric_limits<std::uint64_t>::max() - page) return bytes;  // refused by any budget
  return rounded(std::max<std::uint64_t>(bytes, 1), page);
}

std::uint64_t BufferPool::idle_bytes() {
  return IdleBlocks::of_process().bytes();
}

void BufferPool::make_room(std::uint64_t bytes) {
  if (live_ + kept_bytes_ + bytes + idle_bytes() > limit_) IdleBlocks::of_process().free_all();
  // Largest first: few system calls, and small blocks are the ones that come back soonest.
  while (live_ + kept_bytes_ + bytes > limit_ && !kept_.empty()) {
    auto largest = std::prev(kept_.end());
    ::munmap(largest->second.back(), largest->first);
    kept_bytes_ -= largest->first;
    largest->second.pop_back();
    if (largest->second.empty()) kept_.erase(largest);
  }
}

Buffer BufferPool::allocate(std::size_t bytes, Lease lease) {
  const std::size_t capacity = charge(bytes);
  if (before_allocation && !before_allocation())
    throw Error("allocate", fmt::format("{} bytes", bytes), "out of memory");
  Buffer buffer;
  {
    std::lock_guard lock(mutex_);
    if (auto found = kept_.find(capacity); found != kept_.end()) {
      buffer.data_ = found->second.back();
      found->second.pop_back();
      if (found->second.empty()) kept_.erase(found);
      kept_bytes_ -= capacity;
    } else {
      buffer.data_ = IdleBlocks::of_process().take(capacity);
      make_room(capacity);
    }
    live_ += capacity;
    peak_ = std::max(peak_, live_ + kept_bytes_);
  }
  if (buffer.data_ == nullptr) {
    void* block = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
      std::lock_guard lock(mutex_);
      live_ -= capacity;
      throw Error("allocate", fmt::format("{} bytes", bytes), "out of memory");
    }
    if (capacity >= huge_page) static_cast<void>(::madvise(block, capacity, MADV_HUGEPAGE));
    buffer.data_ = static_cast<std::byte*>(block);
  }
  buffer.pool_ = shared_from_this();
  buffer.size_ = bytes;
  buffer.capacity_ = capacity;
  buffer.lease_ = std::move(lease);
  return buffer;
}

void BufferPool::release(std::byte* data, std::size_t capacity) noexcept {
  std::lock_guard lock(mutex_);
  live_ -= capacity;
  // Within the limit by construction: the block was counted as live until now.
  try {
    kept_[capacity].push_back(data);
    kept_bytes_ += capacity;
  } catch (...) {  // no memory for the list itself
    if (auto entry = kept_.find(capacity); entry != kept_.end() && entry->second.empty()) kept_.erase(entry);
    ::munmap(data, capacity);
  }
}

void* BufferPool::scratch_malloc(std::size_t bytes) noexcept {
  if (before_allocation) {
    try {
      if (!before_allocation()) return nullptr;
    } catch (...) {
      return nullptr;
    }
  }
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) return nullptr;  // the sums below would overflow
  const std::size_t whole = rounded(bytes + scratch_header, scratch_header);
  {
    std::lock_guard lock(mutex_);
    make_room(whole);
    // A library that takes more than its node declared gets none: the limit is a promise.
    if (live_ + whole > limit_) return nullptr;
    live_ += whole;
    peak_ = std::max(peak_, live_ + kept_bytes_);
  }
  void* block = std::aligned_alloc(scratch_header, whole);
  if (block == nullptr) {
    std::lock_guard lock(mutex_);
    live_ -= whole;
    return nullptr;
  }
  *static_cast<std::size_t*>(block) = whole;
  return static_cast<std::byte*>(block) + scratch_header;
}

void BufferPool::scratch_free(void* block) noexcept {
  if (block == nullptr) return;
  void* whole = static_cast<std::byte*>(block) - scratch_header;
  {
    std::lock_guard lock(mutex_);
    live_ -= *static_cast<std::size_t*>(whole);
  }
  std::free(whole);
}

std::uint64_t BufferPool::live_bytes() const {
  std::lock_guard lock(mutex_);
  return live_;
}

std::uint64_t BufferPool::peak_bytes() const {
  std::lock_guard lock(mutex_);
  return peak_;
}

void* Scratch::allocate(std::size_t bytes) const noexcept {
  if (pool_) return pool_->scratch_malloc(bytes);
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) return nullptr;
  return std::aligned_alloc(scratch_header, rounded(std::max<std::size_t>(bytes, 1), scratch_header));
}

void Scratch::release(void* block) const noexcept {
  if (pool_)
    pool_->scratch_free(block);
  else
    std::free(block);
}

Buffer Context::buffer(std::size_t bytes) const {
  if (!pool_) {
    static const auto outside = std::make_shared<BufferPool>(0);  // keeps nothing
    return outside->allocate(bytes, Lease());
  }
  const std::uint64_t charge = BufferPool::charge(bytes);
  Lease lease = lease_ ? lease_->draw(charge) : Lease();
  if (lease.bytes() < charge)
    throw Error("allocate", fmt::format("{} bytes", charge),
                fmt::format("the node asks for more than it declared ({} bytes are left of its unit)",
                            lease_ ? lease_->bytes() : 0));
  return pool_->allocate(bytes, std::move(lease));
}

void Context::give_back(Buffer buffer) const {
  Lease lease = std::move(buffer.lease_);
  buffer.reset();  // first: the pool's limit is for memory that is leased
  if (lease_) lease_->merge(std::move(lease));
}

}  // namespace weir
