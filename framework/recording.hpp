#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace weir {

/// A stretch of time that one thread spent in one node: one body, or several that were merged.
struct RunSlice {
  std::uint64_t start_ns = 0;  ///< since the run began
  std::uint64_t busy_ns = 0;   ///< how long; of merged bodies the sum, without the gaps between them
  std::uint64_t ticket = 0;    ///< of the item that came in; of merged ones the first
  std::uint32_t node = 0;      ///< index, or RunRecording::waiting_for_tokens/bytes
  std::uint32_t count = 1;     ///< bodies; 0: open() or close()
};

/// The state of a run at one moment. Where samples were merged it is the largest of each.
struct RunSample {
  std::uint64_t time_ns = 0;  ///< since the run began
  std::uint64_t leased = 0;   ///< bytes taken from the budget
  std::uint64_t live = 0;     ///< bytes of payload and scratch that are really allocated and in use
  std::uint32_t units = 0;    ///< in flight
};

/// The same for one node.
struct NodeSample {
  std::uint32_t inside = 0;  ///< bodies running
  std::uint32_t queued = 0;  ///< items sent to the node whose body has not begun
};

/// One of the items that kept a node busy longest.
struct SlowItem {
  std::string name;
  std::uint64_t ticket = 0, unit = 0;
  std::uint64_t start_ns = 0, busy_ns = 0;
  std::uint32_t thread = 0;
};

/// Why the places of a node stood empty, in seconds. The mean of its places: busy seconds / concurrency and
/// all of these together are the time of the run. Taken from samples, so short runs know it roughly.
struct IdleSeconds {
  double input = 0;   ///< no item had come
  double order = 0;   ///< items had come, but not the one whose turn it was
  double thread = 0;  ///< an item could have been worked on, but no thread was free
  double bytes = 0;   ///< sources: admission waited for bytes
  double tokens = 0;  ///< sources: admission waited for tokens
  double done = 0;    ///< all items of the node were done, or the run had not begun to admit
};

/// What one run did over time: which thread was in which node when, memory and queues, the slowest items. Set
/// GraphOptions::recording, run, then read it (to_html, to_trace). Without one, a run pays one pointer test
/// per body.
///
/// The room is taken once, whatever the length of the run, and is part of the plan's standing bytes. Where it
/// is full the recording gets coarser, not shorter: short slices that lie close together on one thread are
/// merged per node, pairs of samples become one. Sums stay exact; the place of a merged slice is right to
/// within resolution_ns().
///
/// Threads: while the run goes on each thread writes to a lane of its own, without a lock, and one sampler
/// thread writes samples. Reading is for afterwards, when run() has returned or thrown.
class RunRecording {
 public:
  /// Enough for some 20,000 slices and 1,000 moments: more than a page shows.
  static constexpr std::uint64_t default_bytes = 1 << 20;
  static constexpr std::uint32_t waiting_for_tokens = 0xffff'fffe, waiting_for_bytes = 0xffff'ffff;
  static constexpr std::size_t slow_items = 10;  ///< kept per node

  explicit RunRecording(std::uint64_t bytes = default_bytes) : bytes_(bytes) {}
  RunRecording(const RunRecording&) = delete;
  RunRecording& operator=(const RunRecording&) = delete;

  std::uint64_t bytes() const { return bytes_; }  ///< most it holds

  // ---- what was recorded

  bool has_begun() const { return !lanes_.empty(); }  ///< false where a run was refused before it began
  std::size_t nodes() const { return nodes_.size(); }
  /// Thread 0 is admission, whose slices are the times it waited; then the compute threads, then the I/O
  /// threads.
  std::size_t threads() const { return lanes_.size(); }
  const std::string& thread_name(std::size_t thread) const { return lanes_[thread].name; }
  /// Slices of a thread, by time; they do not overlap.
  std::span<const RunSlice> slices(std::size_t thread) const;
  std::span<const RunSample> samples() const { return samples_; }
  const NodeSample& sample(std::size_t moment, std::size_t node) const {
    return node_samples_[moment * nodes_.size() + node];
  }
  std::vector<SlowItem> slowest(std::size_t node) const;  ///< slowest first
  IdleSeconds idle(std::size_t node) const;
  std::uint64_t resolution_ns() const;  ///< 0 where no slices were merged
  std::uint64_t used_bytes() const;     ///< of memory; never above bytes()

  // ---- the engine's side

  using Clock = std::chrono::steady_clock;

  /// What the sampler sees of a node.
  struct NodeState {
    std::uint32_t inside = 0, queued = 0, concurrency = 1;
    bool is_source = false, is_ordered = false, is_done = false;
  };

  /// Takes the room. `io_threads`: per node, 0 for compute nodes. Throws a usage Error where it was used
  /// before, or where its bytes are too few for so many nodes and threads.
  void begin(const std::vector<std::string>& nodes, unsigned compute_threads,
             const std::vector<unsigned>& io_threads);
  std::uint64_t since_begin(Clock::time_point time) const;
  /// The thread's number in the recording, from its number among the compute threads, or among the I/O
  /// threads of a node.
  std::uint32_t compute_thread(unsigned thread) const { return 1 + thread; }
  std::uint32_t io_thread(std::uint32_t node, unsigned thread) const { return first_io_[node] + thread; }
  /// One body is done, or (0 bodies) open() or close(); called by the thread it ran on.
  void add(std::uint32_t thread, std::uint32_t node, std::uint64_t ticket, Clock::time_point start,
           Clock::time_point end, std::uint32_t bodies = 1);
  /// Whether a body was so slow that note_slow wants to know its name. Any thread.
  bool is_slow(std::uint32_t node, Clock::duration busy) const {
    return busy.count() > nodes_[node].threshold.load(std::memory_order_relaxed);
  }
  void note_slow(std::uint32_t node, SlowItem item);
  /// One thread at a time. `waits_for`: waiting_for_tokens, waiting_for_bytes, or 0 where admission does not
  /// wait.
  void add_sample(const RunSample& sample, std::span<const NodeState> nodes, std::uint32_t waits_for);
  /// How long to wait before the next sample: grows with the length of the run.
  std::chrono::nanoseconds sample_interval() const;

 private:
  /// Alone on its cache lines: each is written by another thread.
  struct alignas(64) Lane {
    std::string name;
    std::vector<RunSlice> slices;
    std::uint64_t resolution_ns = 0;
  };
  struct Node {
    std::string name;
    std::atomic<std::int64_t> threshold{0};  ///< what an item must exceed to be among the slowest
    std::mutex mutex;
    std::vector<SlowItem> slowest;
    IdleSeconds idle;
  };

  void halve_samples();

  const std::uint64_t bytes_;
  Clock::time_point began_{};
  std::vector<Lane> lanes_;
  std::vector<std::uint32_t> first_io_;  ///< per node
  std::vector<Node> nodes_;
  std::vector<RunSample> samples_;
  std::vector<NodeSample> node_samples_;
  std::size_t most_samples_ = 0, most_slices_ = 0;
  std::chrono::nanoseconds interval_{};
  std::uint64_t last_sample_ns_ = 0;
};

/// Merges slices, which are in order and do not overlap, until at most `most` are left, and returns how far
/// one may have moved. Slices of one node within the same stretch of that length become one; those of
/// different nodes are then laid one behind the other.
std::uint64_t coarsen(std::vector<RunSlice>& slices, std::size_t most, std::uint64_t resolution_ns = 0);

}  // namespace weir
