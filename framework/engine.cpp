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

std::uint64_t plus(std::uint64_t a, std::uint64_t b) {
  std::uint64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::uint64_t>::max() : sum;
}

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  std::uint64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<std::uint64_t>::max() : product;
}

void need_of_unit(const std::vector<NodeDescription>& nodes, std::uint64_t unit, UnitNeed& need) {
  need.items.resize(nodes.size());
  need.node_bytes.resize(nodes.size());
  need.bytes = need.carried = 0;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const NodeOptions& options = nodes[i].options;
    const std::uint64_t items_in = nodes[i].inputs.empty() ? 1 : need.items[nodes[i].inputs.front()];
    std::uint64_t items_out =
        options.items_of_unit ? options.items_of_unit(unit) : times(items_in, options.items);
    const std::uint64_t counted = is_sink(nodes[i]) ? items_in : items_out;
    const std::uint64_t bytes = plus(times(counted, options.item_bytes),
                                     options.buffer_bytes_of_unit ? options.buffer_bytes_of_unit(unit)
                                                                  : times(counted, options.buffer_bytes));
    if (is_sink(nodes[i])) items_out = 0;
    need.items[i] = items_out;
    need.node_bytes[i] = bytes;
    need.bytes = plus(need.bytes, bytes);
    if (options.carried_bytes) need.carried = plus(need.carried, options.carried_bytes(unit));
  }
}

Error current_error(std::string_view action, std::string_view object) {
  try {
    throw;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error("allocate", "memory", "out of memory");
  } catch (const std::exception& error) {
    return Error(action, object, error.what());
  } catch (...) {
    return Error(action, object, "an exception of unknown type");
  }
}

RunState::RunState() : run_(next_run()) {}

void RunState::note_thread() {
  if (counted_for == run_) return;
  // A set, because a thread can leave for another run and come back.
  std::lock_guard lock(mutex_);
  threads_.insert(std::this_thread::get_id());
  counted_for = run_;
}

unsigned RunState::threads_seen() const {
  std::lock_guard lock(mutex_);
  return static_cast<unsigned>(threads_.size());
}

void RunState::fail(Error error) noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!error_) error_.emplace(std::move(error));
  }
  stop_.request_stop();
}

void RunState::fail_without_memory() noexcept {
  {
    std::lock_guard lock(mutex_);
    if (!error_) error_.emplace(std::move(out_of_memory_));
  }
  stop_.request_stop();
}

std::optional<Error> RunState::error() const {
  std::lock_guard lock(mutex_);
  return error_;
}

// ---- nodes

/// Stamps what a body sends during one call, counts it, and compares it with the plan. A ticket beyond the
/// plan must not get as far as a sequencer, whose array has a place for every ticket up to the largest.
class NodeRunner::CountingOutlet : public Outlet {
 public:
  CountingOutlet(NodeRunner& runner, Edges& edges, const Message& in)
      : runner_(runner), edges_(edges), span_(runner.items_planned_) {
    const NodeDescription& node = runner.node_;
    if (node.kind == NodeKind::join || is_sink(node)) return;
    if (!node.options.items_of_unit) {
      first_ = runner.first_ticket(in);
      span_ = runner.items_per_input_;
      due_ = span_;
    } else if (node.kind == NodeKind::source) {
      due_ = node.options.items_of_unit(in.unit->index);
    }
  }

  void send(Message message) override {
    if (message.ticket - first_ >= span_)
      throw Error("send", fmt::format("item {}", message.ticket),
                  fmt::format("only {} item{} from item {} on {} planned", span_, span_ == 1 ? "" : "s",
                              first_, span_ == 1 ? "is" : "are"));
    message.producer = runner_.index_;
    message.sent = Clock::now();
    ++sent_;
    runner_.add(runner_.tickets_out_, message.ticket);
    runner_.add(runner_.squares_out_, message.ticket * message.ticket);
    runner_.add(runner_.items_out_, std::uint64_t{1});
    runner_.add(runner_.bytes_out_, message.bytes);
    edges_.send(std::move(message));
  }

  Lease draw(const Message& owner, std::uint64_t bytes) override {
    Lease lease = owner.unit->leases[runner_.index_].draw(bytes);
    if (lease.bytes() < bytes)
      throw Error("send", "an item",
                  fmt::format("the node takes more than it declared ({} of {} bytes are left of unit {})",
                              owner.unit->leases[runner_.index_].bytes(), bytes, owner.unit->index));
    return lease;
  }

  /// Called when the body has returned.
  void check_all_sent() const {
    if (due_ && sent_ != *due_)
      throw Error("send", "all items", fmt::format("it sent {} of {} planned", sent_, *due_));
  }

 private:
  NodeRunner& runner_;
  Edges& edges_;
  std::uint64_t first_ = 0, span_;    ///< the tickets that may leave during this call
  std::optional<std::uint64_t> due_;  ///< how many must; nothing where only the sum over all calls is planned
  std::uint64_t sent_ = 0;
};

NodeRunner::NodeRunner(const NodeDescription& node, std::uint32_t index, const Plan& plan,
                       std::shared_ptr<BufferPool> pool, RunState& state, const RunOptions& options,
                       RunRecording* recording)
    : node_(node),
      index_(index),
      concurrency_(plan.concurrency[index]),
      items_planned_(plan.items[index]),
      items_per_input_(node.options.items),
      pool_(std::move(pool)),
      state_(state),
      options_(options),
      recording_(recording),
      is_compute_(node.options.lane == Lane::compute || plan.engine == Engine::serial),
      limits_itself_(!is_compute_ || concurrency_ < plan.threads),
      is_alone_(concurrency_ == 1 || plan.engine == Engine::serial) {}

void NodeRunner::run(const Message& in, Edges& edges, unsigned thread) noexcept {
  if (state_.is_stopped()) return;
  add(items_in_, std::uint64_t{1});
  add(bytes_in_, in.bytes);
  const auto started = Clock::now();
  note_waiting(in, started);
  if (is_alone_) {
    most_in_flight_.store(1, std::memory_order_relaxed);
    in_flight_.store(1, std::memory_order_relaxed);
  } else {
    raise_to(most_in_flight_, in_flight_.fetch_add(1, std::memory_order_relaxed) + 1);
  }
  try {
    if (node_.options.lane == Lane::compute) state_.note_thread();
    run_body(in, edges);
  } catch (...) {
    fail_with_current(in);
  }
  const auto ended = Clock::now();
  if (is_alone_) in_flight_.store(0, std::memory_order_relaxed);
  if (is_alone_ ? concurrency_ == 1 : in_flight_.fetch_sub(1, std::memory_order_relaxed) == concurrency_)
    full_until_.store(ended.time_since_epoch().count(), std::memory_order_relaxed);
  add(busy_ns_, nanoseconds(ended - started));
  if (recording_ != nullptr) record(in, thread, started, ended);
}

/// Splits the time since the item was sent: until it was its turn, until a body of the node was free, until a
/// thread was.
void NodeRunner::note_waiting(const Message& in, Clock::time_point started) {
  Clock::time_point ready = in.sent;
  const Clock::time_point free{Clock::duration(full_until_.load(std::memory_order_relaxed))};
  if (needs_order(node_)) {
    // The calls are in ticket order, so an item's turn comes when it and all before it have been sent.
    last_sent_ = std::max(last_sent_, in.sent);
    ready = std::min(last_sent_, started);
    add(waiting_order_ns_, nanoseconds(ready - in.sent));
    idle_thread_ns_ += nanoseconds(started - std::clamp(free, ready, started));
  }
  if (limits_itself_ && free > ready) add(waiting_body_ns_, nanoseconds(std::min(free, started) - ready));
  add(waiting_ns_, nanoseconds(started - in.sent));
}

void NodeRunner::record(const Message& in, unsigned thread, Clock::time_point started,
                        Clock::time_point ended) noexcept {
  const std::uint32_t lane =
      is_compute_ ? recording_->compute_thread(thread) : recording_->io_thread(index_, thread);
  recording_->add(lane, index_, in.ticket, started, ended);
  if (!recording_->is_slow(index_, ended - started)) return;
  try {
    recording_->note_slow(index_, {item_name(in), in.ticket, in.unit->index, recording_->since_begin(started),
                                   nanoseconds(ended - started), lane});
  } catch (...) {  // no memory for a name: one slow item less in the list
  }
}

void NodeRunner::record_call(Clock::time_point started) {
  const auto ended = Clock::now();
  busy_ns_.fetch_add(nanoseconds(ended - started), std::memory_order_relaxed);
  // On the thread that called run(), which is the first compute thread.
  if (recording_ != nullptr && ended - started > std::chrono::microseconds(10))
    recording_->add(recording_->compute_thread(0), index_, 0, started, ended, 0);
}

void NodeRunner::fail_with_current(const Message& in) noexcept {
  try {
    state_.fail(current_error("process", "the item").at(node_.name, item_name(in)));
  } catch (...) {
    state_.fail_without_memory();
  }
}

std::string NodeRunner::item_name(const Message& in) const {
  try {
    return node_.body->item_name(in);
  } catch (...) {  // the name is its maker's affair; the ticket says enough
    return "item " + std::to_string(in.ticket);
  }
}

bool NodeRunner::waits(const Message& in) noexcept {
  if (!node_.options.waits || state_.is_stopped()) return false;
  try {
    return node_.options.waits(in.unit->index, in.ticket);
  } catch (...) {
    fail_with_current(in);
    return false;
  }
}

void NodeRunner::run_body(const Message& in, Edges& edges) {
  if (needs_order(node_)) {
    if (in.ticket != next_in_order_)
      throw Error("keep the order", fmt::format("of node {}", node_.name),
                  fmt::format("item {} came where {} was due", in.ticket, next_in_order_));
    ++next_in_order_;
  }
  CountingOutlet out(*this, edges, in);
  const bool is_tombstone = !in.value;
  if (is_tombstone && is_sink(node_)) return;
  if (is_tombstone && node_.kind != NodeKind::join) {
    if (node_.options.items_of_unit)
      throw Error("pass on", "a dropped item",
                  "the node gives tickets itself and cannot know which ones are missing");
    const std::uint64_t first = first_ticket(in);
    for (std::uint64_t i = 0; i < items_per_input_; ++i)
      out.send(Message{first + i, in.unit, in.token, nullptr, 0, 0, {}});
    return;
  }
  if (options_.before_body) options_.before_body(node_.name, in.ticket);
  std::unique_ptr<LocalState> local = take_local();
  const Context context(pool_, &in.unit->leases[index_], in.unit->index, in.ticket, state_.token());
  node_.body->call(in, out, first_ticket(in), local.get(), context);
  return_local(std::move(local));
  out.check_all_sent();
}

bool NodeRunner::sent_each_once() const {
  // The sums of 0 ... n-1 and of their squares, modulo 2^64: no list of what was sent is needed.
  const std::uint64_t n = items_out_.load();
  if (n == 0) return true;
  std::uint64_t a = n, b = n - 1, c = 2 * n - 1;
  (a % 2 == 0 ? a : b) /= 2;
  const std::uint64_t tickets = a * b;
  (a % 3 == 0 ? a : b % 3 == 0 ? b : c) /= 3;
  return tickets_out_.load() == tickets && squares_out_.load() == a * b * c;
}

std::uint64_t NodeRunner::first_ticket(const Message& in) const {
  const std::uint64_t first_of_unit = in.unit->tickets[index_];
  if (node_.kind == NodeKind::source) return first_of_unit;
  if (node_.inputs.empty() || is_sink(node_)) return 0;
  const std::uint64_t place_in_unit = in.ticket - in.unit->tickets[node_.inputs.front()];
  return first_of_unit + place_in_unit * items_per_input_;
}

std::unique_ptr<LocalState> NodeRunner::take_local() {
  if (!has_locals_.load(std::memory_order_relaxed)) return nullptr;
  {
    std::lock_guard lock(locals_mutex_);
    if (!locals_.empty()) {
      std::unique_ptr<LocalState> local = std::move(locals_.back());
      locals_.pop_back();
      return local;
    }
  }
  std::unique_ptr<LocalState> local = node_.body->make_local(Scratch(pool_));
  if (!local) has_locals_.store(false, std::memory_order_relaxed);
  return local;
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

void NodeRunner::open() {
  const auto started = Clock::now();
  try {
    node_.body->open();
    record_call(started);
  } catch (...) {
    throw current_error("open", "the output").at(node_.name, "open");
  }
}

void NodeRunner::close() {
  if (!is_sink(node_)) return;
  const auto started = Clock::now();
  try {
    in_flight_.fetch_add(1, std::memory_order_relaxed);
    node_.body->close(Context(pool_, nullptr, 0, 0, state_.token()));
    in_flight_.fetch_sub(1, std::memory_order_relaxed);
  } catch (...) {
    throw current_error("finish", "the output").at(node_.name, "close");
  }
  record_call(started);
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
  report.waiting_order_seconds = static_cast<double>(waiting_order_ns_.load()) * 1e-9;
  report.waiting_body_seconds = static_cast<double>(waiting_body_ns_.load()) * 1e-9;
  report.waiting_thread_seconds =
      std::max(0.0, report.waiting_seconds - report.waiting_order_seconds - report.waiting_body_seconds);
  report.most_in_flight = most_in_flight_.load();
  report.lane = node_.options.lane == Lane::io ? "io" : "compute";
  report.is_input = node_.options.is_input;
  return report;
}

std::vector<unsigned> io_threads(const std::vector<NodeDescription>& nodes, const Plan& plan) {
  std::vector<unsigned> threads(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (plan.engine != Engine::serial && nodes[i].options.lane == Lane::io) threads[i] = plan.concurrency[i];
  return threads;
}

unsigned compute_threads(const Plan& plan) {
  return plan.engine == Engine::serial ? 1 : std::max(2U, plan.threads);
}

// ---- the ledger

void check_ledger(const Run& run, std::uint64_t bytes_in_use) {
  if (run.state.error()) return;
  // Nodes come after those they take items from, so the first that falls short of what was admitted is where
  // items stay.
  const std::vector<std::uint64_t>& planned = run.admission.items_planned();
  const std::string state =
      fmt::format("; {} of {} units were admitted, {} of {} bytes are in use", run.admission.units_admitted(),
                  run.admission.units(), bytes_in_use, run.plan.memory);
  for (std::size_t i = 0; i < run.nodes.size(); ++i) {
    const NodeDescription& node = run.nodes[i];
    const NodeRunner& runner = run.runners[i];
    std::uint64_t coming = 0;
    for (const std::uint32_t producer : std::set<std::uint32_t>(node.inputs.begin(), node.inputs.end()))
      coming += planned[producer];
    std::string what;
    if (!node.inputs.empty() && runner.received() != coming)
      what =
          fmt::format("received {} of {} planned{}", runner.received(), coming,
                      needs_order(node) ? fmt::format(" and waits for item {}", runner.next_in_order()) : "");
    else if (runner.sent() != planned[i])
      what = fmt::format("sent {} of {} planned", runner.sent(), planned[i]);
    else if (run.admission.units_admitted() == run.admission.units() && !runner.sent_each_once())
      what = fmt::format("sent {} of {} planned, but not each ticket once", runner.sent(), planned[i]);
    if (what.empty()) continue;
    run.state.fail(Error("deliver", "all items", "it " + what + state).at(node.name, ""));
    return;
  }
  if (run.admission.units_admitted() < run.admission.units())
    run.state.fail(Error("admit", fmt::format("unit {}", run.admission.units_admitted()),
                         "earlier units hold more than their nodes declared as carried" + state));
}

std::string onetbb_form(const NodeDescription& node, unsigned concurrency) {
  const std::string sequencer = needs_order(node) ? "sequencer_node -> " : "";
  const std::string waiting = node.options.waits ? "function_node -> " : "";
  const std::string limit = concurrency == 1 ? "serial" : fmt::format("concurrency {}", concurrency);
  if (node.options.lane == Lane::io)
    return fmt::format("{}{}async_node, serial; {} I/O thread{}", waiting, sequencer, concurrency,
                       concurrency == 1 ? "" : "s");
  return fmt::format("{}{}multifunction_node, {}, queueing", waiting, sequencer, limit);
}

}  // namespace weir::engine
