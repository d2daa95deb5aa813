#include <fcntl.h>

#include "tests/run_command.hpp"

// The command that is stopped: by signals, and by those who no longer listen.

namespace weir::command_test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double soon = 10;  // seconds; sanitizers make everything slow
#else
constexpr double soon = 1;
#endif

/// A conversion that takes minutes, over a target that is there, and that has begun to write.
struct LongRun {
  TemporaryFolder folder;
  std::string target = folder / "out.tif";
  std::optional<Program> program;

  explicit LongRun(const std::vector<std::string>& more = {}) {
    std::ofstream(target) << "old";
    std::vector<std::string> words{"convert",     "terrain:60000x60000", target,
                                   "--overwrite", "--progress",          "json"};
    words.insert(words.end(), more.begin(), more.end());
    program.emplace(weir_words(words));
    REQUIRE_MESSAGE(program->waits_until_it_writes_in(folder / ""), program->err_so_far());
  }
  Ended stopped_by(int signal) {
    program->send(signal);
    const Ended ended = program->wait();
    CHECK(ended.seconds < soon);
    CHECK(text_of(target) == "old");
    CHECK(folder.names() == std::vector<std::string>{"out.tif"});
    return ended;
  }
};

TEST_CASE("Ctrl-C ends a run within a second: exit 130, the old target untouched, no temporary") {
  for (const std::vector<std::string>& more : {std::vector<std::string>{},
                                               {"--engine", "serial"},
                                               {"--memory", "11M", "--threads", "8"},
                                               {"--compress", "none"},
                                               {"--to", "cog"},
                                               {"--to", "cog", "--pack", "copy", "--engine", "serial"}}) {
    LongRun run(more);
    const Ended ended = run.stopped_by(SIGINT);
    CHECK(ended.code == 130);
    const std::vector<std::string> lines = lines_of(ended.err);
    CHECK(contains(lines.back(), "cancelled"));
    for (const std::string& line : lines) CHECK(!contains(line, "\"finished\": true"));
    CHECK(ended.out.empty());
  }
}

TEST_CASE("SIGTERM and SIGHUP are as clean: exit 143 and 129") {
  CHECK(LongRun().stopped_by(SIGTERM).code == 143);
  CHECK(LongRun().stopped_by(SIGHUP).code == 129);
}

TEST_CASE("Ctrl-C while rows are read leaves no file") {
  const TemporaryFolder folder;
  Program program(
      weir_words({"read", "terrain:60000x60000", "--output", folder / "out.raw", "--progress", "json"}));
  REQUIRE(program.waits_until_it_writes_in(folder / ""));
  program.send(SIGINT);
  const Ended ended = program.wait();
  CHECK(ended.code == 130);
  CHECK(ended.seconds < soon);
  CHECK(folder.names().empty());
}

TEST_CASE("kill -9 leaves the old target as it was") {
  LongRun run;
  CHECK(run.stopped_by(SIGKILL).code == 1000 + SIGKILL);
}

TEST_CASE("a closed pipe as standard output is an error of one line, and no temporary is left") {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"info", data("L7_ETMs.tif")},
        {"explain", "convert", data("L7_ETMs.tif"), folder / "no.tif"},
        {"convert", data("L7_ETMs.tif"), folder / "out.tif", "--progress", "none"},
        {"read", data("L7_ETMs.tif"), "--output", folder / "out.raw", "--progress", "none"}}) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::close(ends[0]);
    CAPTURE(words.front());
    const Ended ended = Program(weir_words(words), ends[1]).wait();
    CHECK(ended.code == 1);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(contains(ended.err, "standard output"));
  }
  // The work itself was done when the words failed.
  CHECK(folder.names() == std::vector<std::string>{"out.raw", "out.tif"});
}

TEST_CASE("a full device as standard output is an error of one line") {
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  if (full < 0) return;
  const Ended ended = Program(weir_words({"info", data("L7_ETMs.tif")}), full).wait();
  CHECK(ended.code == 1);
  CHECK_MESSAGE(says_one_line(ended), ended.err);
  CHECK(contains(ended.err, "No space left"));
}

}  // namespace
}  // namespace weir::command_test
