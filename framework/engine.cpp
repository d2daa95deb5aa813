#include "framework/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace weir::engine {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t nanoseconds(Clock::duration duration) {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count());
}

void raise_to(std::atomic<unsigned>& most, unsigned value) {
  unsigned seen = most.load(std::memory_order_relaxed);
  while (seen < value && !most.compare_exchange_weak(seen, value, std::memory_order_relaxed)) {
  }
}

/// The run that this thread has been counted for. A number, not an address: worker threads outlive runs.
thread_local std::uint64_t counted_for = 0;

std::uint64_t next_run() {
  static std::atomic<std::uint64_t> runs{0};
  return ++runs;
}

}  // namespace

std::vector<std::vector<std::uint32_t>> consumers_of(const std::vector<NodeDescription>& nodes) {
  std::vector<std::vector<std::uint32_t>> consumers(nodes.size());
  for (std::uint32_t node = 0; node < nodes.size(); ++node)
    for (std::uint32_t producer : nodes[node].inputs) {
      // A join that takes the same output twice is one consumer: it fills all its ports from one message.
      auto& of_producer = consumers[producer];
      if (of_producer.empty() || of_producer.back() != node) of_producer.push_back(node);
    }
  return consumers;
}

void need_of_unit(const std::vector<NodeDescription>& nodes, std::uint64_t unit, UnitNeed& need,
                  std::vector<std::uint64_t>* node_bytes) {
  need.items.resize(nodes.size());
  need.bytes = need.carried = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeOptions& options = nodes[i].options;
    const std::uint64_t items_in = nodes[i].inputs.empty() ? 1 : need.items[nodes[i].inputs.front()];
    std::uint64_t items_out = options.items_of_unit ? options.items_of_unit(unit) : items_in * options.items;
    const std::uint64_t counted = is_sink(nodes[i]) ? items_in : items_out;
    const std::uint64_t bytes = counted * options.item_bytes + (options.buffer_bytes_of_unit
                                                                    ? options.buffer_bytes_of_unit(unit)
                                                                    : counted * options.buffer_bytes);
    if (is_sink(nodes[i])) items_out = 0;
    need.items[i] = items_out;
    need.bytes += bytes;
    if (options.carried_bytes) need.carried += options.carried_bytes(unit);
    if (node_bytes != nullptr) (*node_bytes)[i] = std::max((*node_bytes)[i], bytes);
  }
}

RunState::RunState() : run_(next_run()) {}

void RunState::fail(Error error) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!error_) error_.emplace(std::move(error));
  }
  stop_.request_stop();
}

std::optional<Error> RunState::error() const {
  std::lock_guard lock(mutex_);
  return error_;
}

// ---- admission

/// Units in flight. Outlives the admission: the last token may go when the engine's graph is torn down.
struct Admission::Tokens {
  std::mutex mutex;
  unsigned limit = 0, in_flight = 0, most = 0;
  bool is_waited_for = false;
  std::mutex wake_mutex;
  std::function<void()> wake;

  bool try_take() {
    std::lock_guard lock(mutex);
    if (in_flight >= limit) {
      is_waited_for = true;
      return false;
    }
    most = std::max(most, ++in_flight);
    return true;
  }
  void give_back() {
    {
      std::lock_guard lock(mutex);
      --in_flight;
      if (!std::exchange(is_waited_for, false)) return;
    }
    std::lock_guard lock(wake_mutex);
    if (wake) wake();
  }
};

/// Dropped by the last item of the unit that still has work before it: then what the unit was granted and did not draw
/// goes back, and another unit may come.
class Admission::UnitToken : public Token {
 public:
  UnitToken(std::shared_ptr<Tokens> tokens, std::shared_ptr<UnitState> unit)
      : tokens_(std::move(tokens)), unit_(std::move(unit)) {}
  ~UnitToken() override {
    unit_->lease.draw(unit_->lease.bytes()).give_back();
    tokens_->give_back();
  }

 private:
  std::shared_ptr<Tokens> tokens_;
  std::shared_ptr<UnitState> unit_;
};

Admission::Admission(const std::vector<NodeDescription>& nodes, const Plan& plan, std::shared_ptr<Budget> budget,
                     RunState& state)
    : nodes_(nodes),
      units_(plan.units),
      budget_(std::move(budget)),
      state_(state),
      tokens_in_use_(std::make_shared<Tokens>()),
      tickets_(nodes.size()) {
  tokens_in_use_->limit = plan.tokens;
}

Admission::Outcome Admission::next(Message& unit) {
  if (next_unit_ >= units_ || state_.is_stopped()) return Outcome::finished;
  if (!need_is_current_) {
    need_of_unit(nodes_, next_unit_, need_);
    need_is_current_ = true;
  }
  if (!tokens_in_use_->try_take()) return Outcome::must_wait;
  std::optional<Lease> lease = budget_->try_take(need_.bytes);
  if (!lease) {
    tokens_in_use_->give_back();
    return Outcome::must_wait;
  }
  auto unit_state = std::make_shared<UnitState>();
  unit_state->index = next_unit_;
  unit_state->lease.merge(std::move(*lease));
  unit_state->tickets = tickets_;
  for (std::size_t i = 0; i < nodes_.size(); ++i) tickets_[i] += need_.items[i];
  unit.ticket = next_unit_;
  unit.token = std::make_shared<UnitToken>(tokens_in_use_, unit_state);
  unit.value = unit_state;
  unit.unit = std::move(unit_state);
  unit.bytes = 0;
  unit.sent = Clock::now();
  ++next_unit_;
  need_is_current_ = false;
  return Outcome::admitted;
}

void Admission::set_wake(std::function<void()> wake) {
  {
    std::lock_guard lock(tokens_in_use_->wake_mutex);
    tokens_in_use_->wake = wake;
  }
  budget_->set_wake(std::move(wake));
}

unsigned Admission::most_in_flight() const {
  std::lock_guard lock(tokens_in_use_->mutex);
  return tokens_in_use_->most;
}

// ---- nodes

/// Stamps what a body sends, and counts it.
class NodeRunner::CountingOutlet : public Outlet {
 public:
  CountingOutlet(NodeRunner& runner, Outlet& edges) : runner_(runner), edges_(edges) {}
  void send(Message message) override {
    message.producer = runner_.index_;
    message.sent = Clock::now();
    runner_.items_out_.fetch_add(1, std::memory_order_relaxed);
    runner_.bytes_out_.fetch_add(message.bytes, std::memory_order_relaxed);
    edges_.send(std::move(message));
  }

 private:
  NodeRunner& runner_;
  Outlet& edges_;
};

NodeRunner::NodeRunner(const NodeDescription& node, std::uint32_t index, const Plan& plan,
                       const std::vector<NodeDescription>&, std::shared_ptr<BufferPool> pool, RunState& state,
                       const RunOptions& options, std::atomic<unsigned>& threads_seen)
    : node_(node),
      index_(index),
      concurrency_(plan.concurrency[index]),
      items_per_input_(node.options.items),
      pool_(std::move(pool)),
      state_(state),
      options_(options),
      threads_seen_(threads_seen) {}

void NodeRunner::run(const Message& in, Outlet& edges) noexcept {
  if (state_.is_stopped()) return;
  items_in_.fetch_add(1, std::memory_order_relaxed);
  bytes_in_.fetch_add(in.bytes, std::memory_order_relaxed);
  const auto started = Clock::now();
  waiting_ns_.fetch_add(nanoseconds(started - in.sent), std::memory_order_relaxed);
  if (node_.options.lane == Lane::compute && std::exchange(counted_for, state_.run()) != state_.run())
    threads_seen_.fetch_add(1, std::memory_order_relaxed);
  raise_to(most_in_flight_, in_flight_.fetch_add(1, std::memory_order_relaxed) + 1);
  try {
    run_body(in, edges);
  } catch (const Error& error) {
    state_.fail(error.at(node_.name, node_.body->item_name(in)));
  } catch (const std::bad_alloc&) {
    state_.fail(Error("allocate", "memory", "out of memory").at(node_.name, node_.body->item_name(in)));
  } catch (const std::exception& error) {
    state_.fail(Error("process", "the item", error.what()).at(node_.name, node_.body->item_name(in)));
  } catch (...) {
    state_.fail(Error("process", "the item", "an exception of unknown type")
                    .at(node_.name, node_.body->item_name(in)));
  }
  in_flight_.fetch_sub(1, std::memory_order_relaxed);
  busy_ns_.fetch_add(nanoseconds(Clock::now() - started), std::memory_order_relaxed);
}

void NodeRunner::run_body(const Message& in, Outlet& edges) {
  if (needs_order(node_)) {
    if (in.ticket != next_in_order_)
      throw Error("keep the order", fmt::format("of node {}", node_.name),
                  fmt::format("item {} came where {} was due", in.ticket, next_in_order_));
    ++next_in_order_;
  }
  CountingOutlet out(*this, edges);
  const bool is_tombstone = !in.value;
  if (is_tombstone && is_sink(node_)) return;
  if (is_tombstone && node_.kind != NodeKind::join) {
    if (node_.options.items_of_unit)
      throw Error("pass on", "a dropped item", "the node gives tickets itself and cannot know which ones are missing");
    const std::uint64_t first = first_ticket(in);
    for (std::uint64_t i = 0; i < items_per_input_; ++i) out.send(Message{first + i, in.unit, in.token, nullptr, 0, 0, {}});
    return;
  }
  if (options_.before_body) options_.before_body(node_.name, in.ticket);
  std::unique_ptr<LocalState> local = take_local();
  const Context context(pool_, &in.unit->lease, in.unit->index, in.ticket, state_.token());
  node_.body->call(in, out, first_ticket(in), local.get(), context);
  return_local(std::move(local));
}

std::uint64_t NodeRunner::first_ticket(const Message& in) const {
  const std::uint64_t first_of_unit = in.unit->tickets[index_];
  if (node_.kind == NodeKind::source) return first_of_unit;
  if (node_.inputs.empty() || is_sink(node_)) return 0;
  const std::uint64_t place_in_unit = in.ticket - in.unit->tickets[node_.inputs.front()];
  return first_of_unit + place_in_unit * items_per_input_;
}

std::unique_ptr<LocalState> NodeRunner::take_local() {
  {
    std::lock_guard lock(locals_mutex_);
    if (!locals_.empty()) {
      std::unique_ptr<LocalState> local = std::move(locals_.back());
      locals_.pop_back();
      return local;
    }
  }
  return node_.body->make_local(Scratch(pool_));
}

void NodeRunner::return_local(std::unique_ptr<LocalState> local) {
  if (!local) return;
  std::lock_guard lock(locals_mutex_);
  locals_.push_back(std::move(local));
}

void NodeRunner::drop_locals() {
  std::lock_guard lock(locals_mutex_);
  locals_.clear();
}

void NodeRunner::close() {
  if (!is_sink(node_)) return;
  const auto started = Clock::now();
  try {
    node_.body->close(Context(pool_, nullptr, 0, 0, state_.token()));
  } catch (const Error& error) {
    throw error.at(node_.name, "close");
  } catch (const std::exception& error) {
    throw Error("finish", "the output", error.what()).at(node_.name, "close");
  }
  busy_ns_.fetch_add(nanoseconds(Clock::now() - started), std::memory_order_relaxed);
}

NodeReport NodeRunner::report() const {
  NodeReport report;
  report.name = node_.name;
  report.kind = name_of(node_.kind);
  report.concurrency = concurrency_;
  report.items_in = items_in_.load();
  report.items_out = items_out_.load();
  report.bytes_in = bytes_in_.load();
  report.bytes_out = bytes_out_.load();
  report.busy_seconds = static_cast<double>(busy_ns_.load()) * 1e-9;
  report.waiting_seconds = static_cast<double>(waiting_ns_.load()) * 1e-9;
  report.most_in_flight = most_in_flight_.load();
  return report;
}

std::string onetbb_form(const NodeDescription& node, unsigned concurrency) {
  const std::string sequencer = needs_order(node) ? "sequencer_node -> " : "";
  const std::string waiting = node.options.waits ? "function_node (gives tokens back) -> " : "";
  const std::string limit = concurrency == 1 ? "serial" : fmt::format("concurrency {}", concurrency);
  if (node.options.lane == Lane::io)
    return fmt::format("{}{}async_node, serial; {} I/O thread{}", waiting, sequencer, concurrency,
                       concurrency == 1 ? "" : "s");
  return fmt::format("{}{}multifunction_node, {}, queueing", waiting, sequencer, limit);
}

}  // namespace weir::engine
