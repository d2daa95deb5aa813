#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "framework/budget.hpp"

namespace weir {

class BufferPool;

/// Payload memory: a block from a run's pool together with the lease that pays for it. Move-only; the block
/// goes back to the pool, and the bytes to the budget, when the buffer goes. Contents are not initialised.
/// Page-aligned.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept
      : pool_(std::move(other.pool_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)),
        lease_(std::move(other.lease_)) {}
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { reset(); }

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  std::span<std::byte> span() { return {data_, size_}; }
  std::span<const std::byte> span() const { return {data_, size_}; }
  /// Says how many of the bytes are used, at most the capacity. Memory and lease stay as they are.
  void resize(std::size_t size);
  void reset();

 private:
  friend class BufferPool;
  friend class Context;
  std::shared_ptr<BufferPool> pool_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
  Lease lease_;
};

/// Where a run's payload memory comes from. Counts what is really allocated, blocks kept for reuse and codec
/// scratch included, so that the budget's promise is checked by something that is not the budget. Keeps
/// blocks for reuse (memory the process has not touched before costs ten times) as long as live and kept
/// blocks stay inside the limit together: live blocks are all leased, so dropping kept ones always makes
/// room. Thread-safe.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  /// `limit`: bytes of live and kept blocks together.
  explicit BufferPool(std::uint64_t limit) : limit_(limit) {}
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  /// What a buffer of `bytes` takes from its lease: whole pages. So the charge of a whole is never more than
  /// that of its parts.
  static std::uint64_t charge(std::uint64_t bytes);

  /// A buffer of `bytes`; `lease` holds exactly charge(bytes). Throws Error where the system has no memory.
  Buffer allocate(std::size_t bytes, Lease lease);

  /// Memory for the inside of a library (codec contexts); pair with scratch_free. Counted like buffers, paid
  /// for by standing bytes. nullptr where the system has none, as C libraries expect.
  void* scratch_malloc(std::size_t bytes) noexcept;
  void scratch_free(void* block) noexcept;

  std::uint64_t live_bytes() const;
  std::uint64_t peak_bytes() const;  ///< the most that live and kept blocks ever were together
  /// At most 8 MiB of small blocks that pools of this process left behind for the next ones. They are freed before a pool would go
  /// beyond its limit together with them.
  static std::uint64_t idle_bytes();

  /// Test hook, called before each allocation of a buffer or of scratch; it may throw (buffers) or return
  /// false.
  std::function<bool()> before_allocation;

 private:
  friend class Buffer;
  void release(std::byte* data, std::size_t capacity) noexcept;
  void make_room(std::uint64_t bytes);  // with mutex_ held

  const std::uint64_t limit_;
  mutable std::mutex mutex_;
  std::map<std::size_t, std::vector<std::byte*>> kept_;  // by capacity
  std::uint64_t live_ = 0, kept_bytes_ = 0, peak_ = 0;
};

/// Where codecs take their contexts and tables from: pool memory in a run, plain memory without a pool.
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(std::shared_ptr<BufferPool> pool) : pool_(std::move(pool)) {}
  void* allocate(std::size_t bytes) const noexcept;  ///< nullptr where there is none; aligned to 64 bytes
  void release(void* block) const noexcept;

 private:
  std::shared_ptr<BufferPool> pool_;
};

}  // namespace weir
