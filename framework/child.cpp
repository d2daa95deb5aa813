#include "framework/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "framework/error.hpp"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t most_said = 256 * 1024;

/// What posix_spawn is to do between fork and exec.
class SpawnSetup {
 public:
  explicit SpawnSetup(int out) {
    check(::posix_spawn_file_actions_init(&actions));
    check(::posix_spawnattr_init(&attributes));
    check(::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0));
    check(::posix_spawn_file_actions_adddup2(&actions, out, 1));
    check(::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0));
    // Signals as a fresh program has them, whatever this one blocks or ignores.
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    check(::posix_spawnattr_setsigmask(&attributes, &none));
    check(::posix_spawnattr_setsigdefault(&attributes, &all));
    check(::posix_spawnattr_setpgroup(&attributes, 0));
    check(::posix_spawnattr_setflags(&attributes,
                                     POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;

 private:
  static void check(int error) {
    if (error != 0) throw Error("start", "a child process", system_reason(error));
  }
};

class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw Error("start", "a child process", system_reason(errno));
  }
  ~Pipe() {
    close_writer();
    ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

bool has_ended(pid_t child) {
  siginfo_t info{};
  // WNOWAIT: its number stays taken until its group has been killed. ECHILD where the program ignores
  // SIGCHLD.
  return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == child;
}

}  // namespace

std::string ChildEnd::how() const {
  if (is_timed_out) return "it did not come to an end";
  if (WIFSIGNALED(status)) return fmt::format("it crashed ({})", ::strsignal(WTERMSIG(status)));
  return fmt::format("it ended the process with exit code {}", WEXITSTATUS(status));
}

ChildEnd run_child(const std::vector<std::string>& argv, std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  Pipe pipe;
  if (::fcntl(pipe.reader(), F_SETFL, O_NONBLOCK) != 0)
    throw Error("start", argv.front(), system_reason(errno));
  pid_t child = 0;
  {
    const SpawnSetup setup(pipe.writer());
    const int error =
        ::posix_spawn(&child, words[0], &setup.actions, &setup.attributes, words.data(), environ);
    if (error != 0) throw Error("start", argv.front(), system_reason(error));
  }
  pipe.close_writer();

  ChildEnd end;
  std::array<char, 4096> chunk;
  // Reads what is there; false at the end of the pipe, which a grandchild may keep open after the child's
  // end.
  const auto read_some = [&] {
    for (;;) {
      const ssize_t bytes = ::read(pipe.reader(), chunk.data(), chunk.size());
      if (bytes < 0 && errno == EINTR) continue;
      if (bytes <= 0) return bytes < 0 && errno == EAGAIN;
      end.said.append(chunk.data(), std::min(static_cast<std::size_t>(bytes), most_said - end.said.size()));
    }
  };
  bool is_open = true;
  while (!has_ended(child) && !end.is_timed_out) {
    ::pollfd waiting{pipe.reader(), POLLIN, 0};
    if (!is_open)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));  // it is on its way out
    else if (::poll(&waiting, 1, 10) > 0)
      is_open = read_some();
    end.is_timed_out = Clock::now() > deadline;
  }
  ::kill(-child, SIGKILL);
  while (::waitpid(child, &end.status, 0) < 0 && errno == EINTR) {
  }
  if (is_open) read_some();
  return end;
}

}  // namespace weir
