#pragma once

#include <atomic>
#include <cstdint>

namespace weir {

/// What was asked of a server and what came back. Repeated requests and redirections count.
struct TrafficCount {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;  ///< of bodies
};

/// What a remote file costs, from its opening on. Thread-safe.
class Traffic {
 public:
  explicit Traffic(unsigned at_once) : at_once_(at_once) {}

  /// Requests that should be in flight together, and at most are.
  unsigned at_once() const { return at_once_; }
  void add(TrafficCount count) {
    requests_.fetch_add(count.requests, std::memory_order_relaxed);
    bytes_.fetch_add(count.bytes, std::memory_order_relaxed);
  }
  TrafficCount total() const {
    return {requests_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed)};
  }
  /// What was added since the last call: each run reports its own, the first one the opening of the file, too.
  TrafficCount take() {
    const TrafficCount now = total();
    return {now.requests - taken_requests_.exchange(now.requests),
            now.bytes - taken_bytes_.exchange(now.bytes)};
  }

 private:
  const unsigned at_once_;
  std::atomic<std::uint64_t> requests_ = 0, bytes_ = 0, taken_requests_ = 0, taken_bytes_ = 0;
};

}  // namespace weir
