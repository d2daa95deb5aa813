#include "framework/sampler.hpp"

#include <algorithm>
#include <system_error>

namespace weir::engine {

Sampler::Sampler(RunRecording* recording, const Run& run, const Budget& budget, const BufferPool& pool)
    : recording_(recording), run_(run), budget_(budget), pool_(pool) {
  if (recording_ == nullptr) return;
  states_.resize(run.nodes.size());
  for (std::size_t i = 0; i < states_.size(); ++i) {
    states_[i].concurrency = run.plan.concurrency[i];
    states_[i].is_source = run.nodes[i].kind == NodeKind::source;
    states_[i].is_ordered = needs_order(run.nodes[i]);
  }
  try {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any woken;
      while (
          !woken.wait_for(lock, stop, recording_->sample_interval(), [&] { return stop.stop_requested(); }))
        sample();
    });
  } catch (const std::system_error&) {
  }
}

Sampler::~Sampler() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  sample();
}

void Sampler::sample() {
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const NodeRunner& runner = run_.runners[i];
    RunRecording::NodeState& state = states_[i];
    // Received before sent: the other way round, what comes in between would be less than nothing.
    const std::uint64_t received = runner.received();
    std::uint64_t sent = 0, planned = 0;
    if (state.is_source) {
      sent = run_.admission.units_admitted();
      planned = run_.admission.units();
    }
    const std::vector<std::uint32_t>& inputs = run_.nodes[i].inputs;
    for (auto input = inputs.begin(); input != inputs.end(); ++input) {
      if (std::find(inputs.begin(), input, *input) != input) continue;
      sent += run_.runners[*input].sent();
      planned += run_.plan.is_open_ended ? run_.plan.items[*input] / run_.plan.units * run_.admission.units()
                                         : run_.plan.items[*input];
    }
    state.inside = runner.inside();
    state.queued =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(sent - std::min(sent, received), 0xffff'ffff));
    state.is_done = received == planned;
  }
  RunSample now;
  now.leased = budget_.in_use();
  now.live = pool_.live_bytes();
  now.units = run_.admission.in_flight();
  now.time_ns = recording_->since_begin(RunRecording::Clock::now());
  recording_->add_sample(now, states_, run_.admission.waits_for());
}

RunReport report_of(const Run& run, const Budget& budget, const BufferPool& pool) {
  RunReport report;
  report.engine = run.plan.engine == Engine::serial ? "serial" : "oneTBB";
  report.threads = run.plan.threads;
  report.threads_seen = run.state.threads_seen();
  report.memory_limit = run.plan.memory;
  report.peak_planned = run.plan.peak;
  report.peak_leased = budget.peak();
  report.peak_payload = pool.peak_bytes();
  report.tokens = run.plan.tokens;
  report.units = run.plan.is_open_ended ? run.admission.units_admitted() : run.plan.units;
  report.most_units_in_flight = run.admission.most_in_flight();
  report.standing_bytes = run.plan.standing_bytes;
  report.largest_unit = run.plan.largest_unit;
  report.carried_bytes = run.plan.largest_carried;
  report.smallest_memory = run.plan.smallest_memory;
  report.waiting_for_bytes_seconds = run.admission.seconds_waited_for_bytes();
  report.waiting_for_tokens_seconds = run.admission.seconds_waited_for_tokens();
  for (std::size_t i = 0; i < run.nodes.size(); ++i) {
    NodeReport node = run.runners[i].report();
    for (const std::uint32_t input : run.nodes[i].inputs) node.inputs.push_back(run.nodes[input].name);
    if (!is_sink(run.nodes[i])) node.output_type = run.nodes[i].output_type;
    report.nodes.push_back(std::move(node));
  }
  return report;
}

void add_idle(const RunRecording& recording, const std::deque<NodeRunner>& runners, RunReport& report) {
  report.was_recorded = true;
  for (std::size_t i = 0; i < report.nodes.size(); ++i) {
    NodeReport& node = report.nodes[i];
    IdleSeconds idle = recording.idle(i);
    double rest = std::max(0.0, report.wall_seconds - node.busy_seconds / std::max(node.concurrency, 1U));
    if (needs_order(runners[i].node())) {  // this part is known, not sampled
      idle.thread = std::min(rest, runners[i].idle_thread_seconds());
      rest -= idle.thread;
    }
    double sampled = idle.input + idle.order + idle.bytes + idle.tokens + idle.done;
    if (!needs_order(runners[i].node())) sampled += idle.thread;
    const double scale = sampled > 0 ? rest / sampled : 0;
    node.idle = {idle.input * scale,
                 idle.order * scale,
                 needs_order(runners[i].node()) ? idle.thread : idle.thread * scale,
                 idle.bytes * scale,
                 idle.tokens * scale,
                 idle.done * scale};
    if (sampled == 0) node.idle.done = rest;  // over before it was looked at
  }
}

}  // namespace weir::engine
