#pragma once

// What a recording and a report take from a run: internal to framework/.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "framework/buffer.hpp"
#include "framework/engine.hpp"
#include "framework/recording.hpp"
#include "framework/report.hpp"

namespace weir::engine {

/// Adds samples of a run to its recording, on a thread of its own, as long as it lives. Nothing without one.
class Sampler {
 public:
  /// All of them outlive it. A system without threads makes it take no samples.
  Sampler(RunRecording* recording, const Run& run, const Budget& budget, const BufferPool& pool);
  ~Sampler();
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;

 private:
  void sample();

  RunRecording* const recording_;
  const Run& run_;
  const Budget& budget_;
  const BufferPool& pool_;
  std::vector<RunRecording::NodeState> states_;
  std::jthread thread_;
};

/// All of a report but its times and the process's memory.
RunReport report_of(const Run& run, const Budget& budget, const BufferPool& pool);

/// Splits the time that each node was not busy by the reasons that the samples saw.
void add_idle(const RunRecording& recording, const std::deque<NodeRunner>& runners, RunReport& report);

}  // namespace weir::engine
