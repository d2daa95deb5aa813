#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>

#include "framework/buffer.hpp"

namespace weir {

/// A lease that several bodies draw on at once: what an admitted unit was granted for one node. Thread-safe.
class SharedLease {
 public:
  SharedLease() = default;
  explicit SharedLease(Lease lease) : lease_(std::move(lease)) {}
  /// `bytes` of it, or an empty lease where it holds less.
  Lease draw(std::uint64_t bytes) {
    std::lock_guard lock(mutex_);
    return bytes <= lease_.bytes() ? lease_.split(bytes) : Lease();
  }
  void merge(Lease lease) {
    std::lock_guard lock(mutex_);
    lease_.merge(std::move(lease));
  }
  /// All that is left of it.
  Lease take() {
    std::lock_guard lock(mutex_);
    return std::move(lease_);
  }
  std::uint64_t bytes() const {
    std::lock_guard lock(mutex_);
    return lease_.bytes();
  }

 private:
  mutable std::mutex mutex_;
  Lease lease_;
};

/// What a node body may ask of the run that calls it. Valid during the call, on the calling thread. A default
/// one stands outside any run (no limit, no unit), so that tests can call nodes as plain functions.
class Context {
 public:
  Context() = default;
  Context(std::shared_ptr<BufferPool> pool, SharedLease* lease, std::uint64_t unit, std::uint64_t ticket,
          std::stop_token stop)
      : pool_(std::move(pool)), lease_(lease), unit_(unit), ticket_(ticket), stop_(std::move(stop)) {}

  /// Payload memory, paid from the lease of the item's unit. Throws Error where the node asks for more than
  /// its description declared, or where the system has no memory.
  Buffer buffer(std::size_t bytes) const;
  /// Takes back what buffer() gave: the same body may ask for as much again.
  void give_back(Buffer buffer) const;
  /// Where codec contexts come from; paid by the node's standing bytes.
  Scratch scratch() const { return Scratch(pool_); }

  std::uint64_t unit() const { return unit_; }      ///< the work unit that the item belongs to
  std::uint64_t ticket() const { return ticket_; }  ///< the item's place on its edge
  const std::stop_token& stop() const { return stop_; }

 private:
  std::shared_ptr<BufferPool> pool_;
  SharedLease* lease_ = nullptr;
  std::uint64_t unit_ = 0, ticket_ = 0;
  std::stop_token stop_;
};

}  // namespace weir
