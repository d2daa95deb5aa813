#include "pipelines/command/signals.hpp"

#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <utility>

namespace weir::command {

StopOnSignal::StopOnSignal() {
  std::signal(SIGXFSZ, SIG_IGN);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  // What a write to a closed pipe sends stays with the thread that wrote; only one for the process comes to the waiter.
  sigaddset(&signals, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  waiter_ = std::jthread([this, signals](std::stop_token done) {
    for (int signal = 0; sigwait(&signals, &signal) == 0 && !done.stop_requested();) {
      // That nobody listens comes with Ctrl-C ("2>&1 | tee") and with a terminal that closes: neither makes the other a second signal.
      if (stop_.stop_requested() && signal == SIGPIPE) continue;
      if (stop_.stop_requested() && signal_ != SIGPIPE) _exit(128 + signal);
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

std::function<void(const Progress&)> ends_without_listeners(std::function<void(const Progress&)> printer) {
  if (!printer) return printer;
  return [printer = std::move(printer), is_told = std::make_shared<bool>(false)](const Progress& progress) {
    printer(progress);
    pollfd closed{STDERR_FILENO, 0, 0};
    // A terminal that was closed has POLLHUP, too: a run that was left alone in it goes on.
    if (progress.finished || *is_told || ::poll(&closed, 1, 0) != 1 ||
        (closed.revents & (POLLERR | POLLHUP)) != POLLERR)
      return;
    *is_told = true;
    ::kill(::getpid(), SIGPIPE);
  };
}

}  // namespace weir::command
