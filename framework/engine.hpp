#pragma once

// The parts of a run that both engines share: admission, the wrapped node bodies, the first error, the ledger of
// deliveries. Internal to framework/; nothing here is installed for use.

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "framework/graph.hpp"

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
  std::vector<std::uint64_t> items;  ///< per node
  std::uint64_t bytes = 0;
  std::uint64_t carried = 0;
};
void need_of_unit(const std::vector<NodeDescription>& nodes, std::uint64_t unit, UnitNeed& need,
                  std::vector<std::uint64_t>* node_bytes = nullptr);

/// Stop flag and first error of a run. Thread-safe.
class RunState {
 public:
  RunState();
  std::uint64_t run() const { return run_; }  ///< no two runs of a process have the same
  bool is_stopped() const { return stop_.stop_requested(); }
  std::stop_token token() const { return stop_.get_token(); }
  void fail(Error error) noexcept;
  std::optional<Error> error() const;

 private:
  std::stop_source stop_;
  const std::uint64_t run_;
  mutable std::mutex mutex_;
  std::optional<Error> error_;
};

/// The only place where memory is granted: one unit, whole, in order. `next` is called by one thread at a time;
/// tokens and bytes come back on any thread, and wake whoever calls `next` when it had to wait.
class Admission {
 public:
  enum class Outcome { admitted, must_wait, finished };

  Admission(const std::vector<NodeDescription>& nodes, const Plan& plan, std::shared_ptr<Budget> budget,
            RunState& state);

  Outcome next(Message& unit);
  /// `wake` must not call `next` itself but have it called. Empty: no more waking; returns when none is under way.
  void set_wake(std::function<void()> wake);

  std::uint64_t units_admitted() const { return next_unit_; }
  /// Items planned so far per node; after the last unit, of the whole run.
  const std::vector<std::uint64_t>& planned_items() const { return tickets_; }
  unsigned most_in_flight() const;

 private:
  struct Tokens;
  class UnitToken;

  const std::vector<NodeDescription>& nodes_;
  const std::uint64_t units_;
  std::shared_ptr<Budget> budget_;
  RunState& state_;
  std::shared_ptr<Tokens> tokens_in_use_;
  std::uint64_t next_unit_ = 0;
  UnitNeed need_;
  bool need_is_current_ = false;
  std::vector<std::uint64_t> tickets_;
};

/// One node in one run: its body with the wrapping that makes failing, counting and timing the same everywhere.
class NodeRunner {
 public:
  NodeRunner(const NodeDescription& node, std::uint32_t index, const Plan& plan,
             const std::vector<NodeDescription>& nodes, std::shared_ptr<BufferPool> pool, RunState& state,
             const RunOptions& options, std::atomic<unsigned>& threads_seen);

  /// Runs the body on a message, if the run still goes on. Never throws. Thread-safe as far as the node is.
  void run(const Message& in, Outlet& edges) noexcept;
  /// Throws what the body's close throws, with the node's name.
  void close();
  /// Drops per-thread states, and with them their scratch.
  void drop_locals();

  const NodeDescription& node() const { return node_; }
  NodeReport report() const;
  std::uint64_t next_in_order() const { return next_in_order_; }  ///< ordered nodes: the ticket that is due
  std::uint64_t received() const { return items_in_.load(); }
  std::uint64_t sent() const { return items_out_.load(); }
  std::uint64_t bytes_in() const { return bytes_in_.load(); }
  std::uint64_t bytes_out() const { return bytes_out_.load(); }

 private:
  class CountingOutlet;
  void run_body(const Message& in, Outlet& edges);
  std::uint64_t first_ticket(const Message& in) const;
  std::unique_ptr<LocalState> take_local();
  void return_local(std::unique_ptr<LocalState> local);

  const NodeDescription& node_;
  const std::uint32_t index_;
  const unsigned concurrency_;
  std::uint64_t items_per_input_ = 1;
  std::shared_ptr<BufferPool> pool_;
  RunState& state_;
  const RunOptions& options_;
  std::atomic<unsigned>& threads_seen_;
  std::atomic<std::uint64_t> items_in_{0}, items_out_{0}, bytes_in_{0}, bytes_out_{0}, busy_ns_{0}, waiting_ns_{0};
  std::atomic<unsigned> in_flight_{0}, most_in_flight_{0};
  std::uint64_t next_in_order_ = 0;  ///< of an ordered node, which is serial
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

/// Both return when nothing is left to do, all messages are gone and no thread of theirs runs; errors are in the state.
void run_on_onetbb(Run& run);
void run_serially(Run& run);

/// How a node looks in oneTBB, for explain and drawings: "sequencer_node -> async_node, serial".
std::string onetbb_form(const NodeDescription& node, unsigned concurrency);

}  // namespace weir::engine
