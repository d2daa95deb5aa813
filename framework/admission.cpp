#include <algorithm>
#include <chrono>
#include <utility>

#include "framework/engine.hpp"

namespace weir::engine {

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
    ++in_flight;
    return true;
  }
  void note_admitted() {
    std::lock_guard lock(mutex);
    most = std::max(most, in_flight);
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

/// Dropped by the last item of the unit that still has work before it: then what the unit was granted and did
/// not draw goes back, and another unit may come.
class Admission::UnitToken : public Token {
 public:
  UnitToken(std::shared_ptr<Tokens> tokens, std::shared_ptr<UnitState> unit)
      : tokens_(std::move(tokens)), unit_(std::move(unit)) {}
  ~UnitToken() override {
    Lease rest;
    for (SharedLease& lease : unit_->leases) rest.merge(lease.take());
    rest.give_back();
    tokens_->give_back();
  }

 private:
  std::shared_ptr<Tokens> tokens_;
  std::shared_ptr<UnitState> unit_;
};

Admission::Admission(const std::vector<NodeDescription>& nodes, const Plan& plan,
                     std::shared_ptr<Budget> budget, RunState& state, RunRecording* recording)
    : nodes_(nodes),
      units_(plan.units),
      budget_(std::move(budget)),
      state_(state),
      recording_(recording),
      tokens_in_use_(std::make_shared<Tokens>()),
      tickets_(nodes.size()) {
  tokens_in_use_->limit = plan.tokens;
}

Admission::Outcome Admission::next(Message& unit) noexcept {
  try {
    return take(unit);
  } catch (...) {  // the bytes and items of a unit are functions of the nodes' makers
    try {
      state_.fail(current_error("plan", "unit " + std::to_string(next_unit_)));
    } catch (...) {
      state_.fail_without_memory();
    }
    return Outcome::finished;
  }
}

Admission::Outcome Admission::wait_for(std::uint32_t what) {
  waits_since_ = std::chrono::steady_clock::now();
  waits_for_.store(what, std::memory_order_relaxed);
  return Outcome::must_wait;
}

void Admission::end_wait() {
  const std::uint32_t what = waits_for_.exchange(0, std::memory_order_relaxed);
  if (what == 0) return;
  const auto now = std::chrono::steady_clock::now();
  (what == RunRecording::waiting_for_bytes ? bytes_wait_ns_ : tokens_wait_ns_) += static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now - waits_since_).count());
  if (recording_ != nullptr) recording_->add(0, what, next_unit_, waits_since_, now);
}

Admission::Outcome Admission::take(Message& unit) {
  end_wait();
  if (next_unit_ >= units_ || state_.is_stopped()) return Outcome::finished;
  for (const NodeDescription& node : nodes_) {
    if (!node.options.ended || !node.options.ended(next_unit_)) continue;
    units_ = next_unit_.load();
    return Outcome::finished;
  }
  if (!need_is_current_) {
    need_of_unit(nodes_, next_unit_, need_);
    need_is_current_ = true;
  }
  if (!tokens_in_use_->try_take()) return wait_for(RunRecording::waiting_for_tokens);
  std::optional<Lease> lease = budget_->try_take(need_.bytes);
  if (!lease) {
    tokens_in_use_->give_back();
    return wait_for(RunRecording::waiting_for_bytes);
  }
  auto unit_state = std::make_shared<UnitState>();
  unit_state->index = next_unit_;
  unit_state->leases = std::vector<SharedLease>(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (need_.node_bytes[i] > 0) unit_state->leases[i].merge(lease->split(need_.node_bytes[i]));
  unit_state->tickets = tickets_;
  for (std::size_t i = 0; i < nodes_.size(); ++i) tickets_[i] += need_.items[i];
  unit.ticket = next_unit_;
  unit.token = std::make_shared<UnitToken>(tokens_in_use_, unit_state);
  tokens_in_use_->note_admitted();
  unit.value = unit_state;
  unit.unit = std::move(unit_state);
  unit.bytes = 0;
  unit.sent = std::chrono::steady_clock::now();
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

unsigned Admission::in_flight() const {
  std::lock_guard lock(tokens_in_use_->mutex);
  return tokens_in_use_->in_flight;
}

unsigned Admission::most_in_flight() const {
  std::lock_guard lock(tokens_in_use_->mutex);
  return tokens_in_use_->most;
}

}  // namespace weir::engine
