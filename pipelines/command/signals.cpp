#include "pipelines/command/signals.hpp"

#include <unistd.h>

#include <csignal>
#include <ctime>

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
    // Waits in slices, so that the end of main is noticed; a tenth of a second costs nothing.
    const timespec slice{0, 100'000'000};
    while (!done.stop_requested()) {
      const int signal = sigtimedwait(&signals, nullptr, &slice);
      if (signal <= 0) continue;
      if (stop_.stop_requested()) _exit(128 + signal);
      signal_ = signal;
      stop_.request_stop();
    }
  });
}

StopOnSignal::~StopOnSignal() = default;

}  // namespace weir::command
