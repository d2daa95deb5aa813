#include "pipelines/command/signals.hpp"

#include <unistd.h>

#include <csignal>

namespace weir::command {

StopOnSignal::StopOnSignal() {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  waiter_ = std::jthread([this, signals](std::stop_token done) {
    for (int signal = 0; sigwait(&signals, &signal) == 0 && !done.stop_requested();) {
      if (stop_.stop_requested()) _exit(128 + signal);
      signal_ = signal;
      stop_.request_stop();
    }
  });
}

StopOnSignal::~StopOnSignal() {
  waiter_.request_stop();
  // To that thread alone, which has it blocked: its sigwait takes it as the end.
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread)
  pthread_kill(waiter_.native_handle(), SIGTERM);
}

}  // namespace weir::command
