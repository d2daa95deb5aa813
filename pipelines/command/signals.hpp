#pragma once

#include <atomic>
#include <functional>
#include <stop_token>
#include <thread>

#include "framework/progress.hpp"

namespace weir::command {

/// Turns SIGINT, SIGTERM and SIGHUP into a stop request, so that a run ends cleanly: nothing half-written, no temporary.
/// Make one first thing in main, before other threads: it blocks the signals for all of them. A second signal ends the process at
/// once. A closed pipe is a failed write, and so is a file beyond the limit of the process (SIGXFSZ is ignored: EFBIG).
class StopOnSignal {
 public:
  StopOnSignal();
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  /// 128 + the signal that came, as shells count: 130 for Ctrl-C.
  int exit_code() const { return 128 + signal_.load(); }

 private:
  std::stop_source stop_;
  std::atomic<int> signal_{0};
  std::jthread waiter_;
};

/// Where the standard error is a pipe that nobody reads any more, `printer` stops the run as a signal does: exit 141. Needs a
/// StopOnSignal.
std::function<void(const Progress&)> ends_without_listeners(std::function<void(const Progress&)> printer);

}  // namespace weir::command
