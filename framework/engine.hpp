#pragma once

// The parts of a run that both engines share: admission, the wrapped node bodies, the first error, the ledger
// of deliveries. Internal to framework/; nothing here is installed for use.

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "framework/graph.hpp"
#include "framework/recording.hpp"

namespace weir::engine {

/// The edges of the description, the other way round: who consumes each node's output.
std::vector<std::vector<std::uint32_t>> consumers_of(const std::vector<NodeDescription>& nodes);

inline bool needs_order(const NodeDescription& node) {
  return node.kind == NodeKind::ordered_sink || node.options.ordered;
}
inline bool is_sink(const NodeDescription& node) {
  return node.kind == NodeKind::ordered_sink || node.kind == NodeKind::sink;
}

/// Items that leave each node for one unit, and the bytes that the unit takes at admission.
struct UnitNeed {
  std::vector<std::uint64_t> items;       ///< per node
  std::vector<std::uint64_t> node_bytes;  ///< per node; their sum is `bytes`
  std::uint64_t bytes = 0;
  std::uint64_t carried = 0;
};
void need_of_unit(const std::vector<NodeDescription>& nodes, std::uint64_t unit, UnitNeed& need);

/// Sums and products of bytes that stop at the largest number: what is too much for 64 bits is too much for
/// any budget.
std::uint64_t plus(std::uint64_t a, std::uint64_t b);
std::uint64_t times(std::uint64_t a, std::uint64_t b);

/// The exception that is being handled, as an Error: itself if it is one, else "cannot <action> <object>:
/// <its text>".
Error current_error(std::string_view action, std::string_view object);

/// Stop flag, first error and threads of a run. Thread-safe.
class RunState {
 public:
  RunState();
  /// Counts the calling thread, once.
  void note_thread();
  unsigned threads_seen() const;
  bool is_stopped() const { return stop_.stop_requested(); }
  std::stop_token token() const { return stop_.get_token(); }
  void fail(Error error) noexcept;
  /// The same where there is not even memory for the text of an error.
  void fail_without_memory() noexcept;
  std::optional<Error> error() const;

 private:
  std::stop_source stop_;
  const std::uint64_t run_;  ///< no two runs of a process have the same
  mutable std::mutex mutex_;
  std::optional<Error> error_;
  std::set<std::thread::id> threads_;
  Error out_of_memory_{"allocate", "memory", "out of memory"};  ///< made beforehand
};

/// Where the messages that leave a node go; each engine has its own.
class Edges {
 public:
  virtual ~Edges() = default;
  virtual void send(Message message) = 0;
};

/// The only place where memory is granted: one unit, whole, in order. `next` is called by one thread at a
/// time; tokens and bytes come back on any thread, and wake whoever calls `next` when it had to wait.
class Admission {
 public:
  enum class Outcome { admitted, must_wait, finished };  ///< finished: no more units, or the run was stopped

  Admission(const std::vector<NodeDescription>& nodes, const Plan& plan, std::shared_ptr<Budget> budget,
            RunState& state, RunRecording* recording);

  Outcome next(Message& unit) noexcept;
  /// `wake` must not call `next` itself but have it called. Empty: no more waking; returns when none is under
  /// way.
  void set_wake(std::function<void()> wake);

  std::uint64_t units_admitted() const { return next_unit_; }
  /// How many there are: the plan's, until a source says that it has ended.
  std::uint64_t units() const { return units_; }
  unsigned in_flight() const;  ///< units
  /// RunRecording::waiting_for_tokens or waiting_for_bytes, or 0 where it does not wait. Any thread.
  std::uint32_t waits_for() const { return waits_for_.load(std::memory_order_relaxed); }
  double seconds_waited_for_bytes() const { return static_cast<double>(bytes_wait_ns_) * 1e-9; }
  double seconds_waited_for_tokens() const { return static_cast<double>(tokens_wait_ns_) * 1e-9; }
  /// Items per node that the units admitted so far were planned to make.
  const std::vector<std::uint64_t>& items_planned() const { return tickets_; }
  unsigned most_in_flight() const;

 private:
  struct Tokens;
  class UnitToken;
  Outcome take(Message& unit);
  Outcome wait_for(std::uint32_t what);
  void end_wait();

  const std::vector<NodeDescription>& nodes_;
  std::atomic<std::uint64_t> units_;
  std::shared_ptr<Budget> budget_;
  RunState& state_;
  RunRecording* const recording_;  ///< nullptr: none
  std::shared_ptr<Tokens> tokens_in_use_;
  std::atomic<std::uint64_t> next_unit_{0};
  std::atomic<std::uint32_t> waits_for_{0};
  std::chrono::steady_clock::time_point waits_since_{};
  std::uint64_t bytes_wait_ns_ = 0, tokens_wait_ns_ = 0;
  UnitNeed need_;
  bool need_is_current_ = false;
  std::vector<std::uint64_t> tickets_;
};

/// One node in one run: its body with the wrapping that makes failing, counting and timing the same
/// everywhere.
class NodeRunner {
 public:
  NodeRunner(const NodeDescription& node, std::uint32_t index, const Plan& plan,
             std::shared_ptr<BufferPool> pool, RunState& state, const RunOptions& options,
             RunRecording* recording);

  /// Runs the body on a message, if the run still goes on. Thread-safe as far as the node is. `thread`: the
  /// number of the calling thread among the compute threads, or among the node's I/O threads.
  void run(const Message& in, Edges& edges, unsigned thread) noexcept;
  /// Whether the item gives its unit's token back while it waits for its turn here.
  bool waits(const Message& in) noexcept;
  /// Throw what the body's open and close throw, with the node's name.
  void open();
  void close();
  /// Drops per-thread states, and with them their scratch.
  void drop_locals();

  const NodeDescription& node() const { return node_; }
  NodeReport report() const;
  std::uint64_t next_in_order() const { return next_in_order_; }  ///< ordered nodes: the ticket that is due
  std::uint64_t received() const { return items_in_.load(); }
  std::uint64_t sent() const { return items_out_.load(); }
  /// Whether the tickets sent were 0, 1, 2 ... up to how many there were, in whatever order.
  bool sent_each_once() const;
  std::uint64_t bytes_in() const { return bytes_in_.load(); }
  std::uint64_t bytes_out() const { return bytes_out_.load(); }
  unsigned inside() const { return in_flight_.load(std::memory_order_relaxed); }  ///< bodies
  bool is_recorded() const { return recording_ != nullptr; }
  /// How long items that could have been worked on waited for a thread while the node did nothing: known of
  /// ordered nodes.
  double idle_thread_seconds() const { return static_cast<double>(idle_thread_ns_) * 1e-9; }

 private:
  class CountingOutlet;
  void run_body(const Message& in, Edges& edges);
  void note_waiting(const Message& in, std::chrono::steady_clock::time_point started);
  void record(const Message& in, unsigned thread, std::chrono::steady_clock::time_point started,
              std::chrono::steady_clock::time_point ended) noexcept;
  /// For open and close, which belong to no item.
  void record_call(std::chrono::steady_clock::time_point started);
  void fail_with_current(const Message& in) noexcept;
  std::string item_name(const Message& in) const;
  std::uint64_t first_ticket(const Message& in) const;
  /// To a counter. A locked instruction takes 5 ns, and an item some ten of them in each node: spared where nobody else adds.
  template <class T>
  void add(std::atomic<T>& to, T value) const {
    if (is_alone_)
      to.store(to.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
    else
      to.fetch_add(value, std::memory_order_relaxed);
  }
  std::unique_ptr<LocalState> take_local();
  void return_local(std::unique_ptr<LocalState> local);

  const NodeDescription& node_;
  const std::uint32_t index_;
  const unsigned concurrency_;
  const std::uint64_t items_planned_, items_per_input_;
  std::shared_ptr<BufferPool> pool_;
  RunState& state_;
  const RunOptions& options_;
  RunRecording* const recording_;  ///< nullptr: none
  const bool is_compute_, limits_itself_;
  const bool is_alone_;  ///< bodies come one after the other
  std::atomic<std::uint64_t> items_in_{0}, items_out_{0}, bytes_in_{0}, bytes_out_{0}, busy_ns_{0},
      waiting_ns_{0}, waiting_order_ns_{0}, waiting_body_ns_{0};
  std::atomic<std::chrono::steady_clock::rep> full_until_{0};  ///< when all bodies were last inside
  std::chrono::steady_clock::time_point last_sent_{};  ///< of an ordered node: the latest of all so far
  std::uint64_t idle_thread_ns_ = 0;                   ///< of an ordered node
  std::atomic<std::uint64_t> tickets_out_{0},
      squares_out_{0};  ///< sums of the tickets sent and of their squares
  std::atomic<unsigned> in_flight_{0}, most_in_flight_{0};
  std::uint64_t next_in_order_ = 0;     ///< of an ordered node, which is serial
  std::atomic<bool> has_locals_{true};  ///< until it turns out that the node has none
  std::mutex locals_mutex_;
  std::vector<std::unique_ptr<LocalState>> locals_;
};

/// Everything an engine needs to run a graph.
struct Run {
  const std::vector<NodeDescription>& nodes;
  const std::vector<std::vector<std::uint32_t>> consumers;
  const Plan& plan;
  RunState& state;
  Admission& admission;
  std::deque<NodeRunner>& runners;
};

/// Per node: the threads of its own, which it has where it is on the I/O lane of oneTBB.
std::vector<unsigned> io_threads(const std::vector<NodeDescription>& nodes, const Plan& plan);
/// Compute threads that may run at once: what was asked for, and in oneTBB never less than two, because an
/// arena of one gets a second for what comes from outside while the first waits.
unsigned compute_threads(const Plan& plan);

/// Both return when nothing is left to do, all messages are gone and no thread of theirs runs; errors are in
/// the state.
void run_on_onetbb(Run& run);
void run_serially(Run& run);

/// Compares what was planned with what was delivered, after an engine has returned, and fails the run where
/// they differ.
void check_ledger(const Run& run, std::uint64_t bytes_in_use);

/// How a node looks in oneTBB, for explain and drawings: "sequencer_node -> async_node, serial".
std::string onetbb_form(const NodeDescription& node, unsigned concurrency);

}  // namespace weir::engine
