// The command where the system gives less than it wants: files that may not grow, no descriptors, no threads, nobody who listens.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

/// Runs `weir ARGUMENTS` below a line of a shell, "$@" in it.
Ended weir_below(const std::string& shell, const std::string& line,
                 const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"/bin/" + shell, "-c", line, shell};
  for (std::string& word : weir_words(arguments)) words.push_back(std::move(word));
  return Program(std::move(words)).wait();
}

TEST_CASE("a file beyond the limit of the process is an error of one line, and no temporary is left") {
  const TemporaryFolder folder;
  for (std::vector<std::string> words :
       {std::vector<std::string>{"convert", "terrain:600x600", folder / "o.tif"},
        {"convert", "terrain:600x600", folder / "o.tif", "--to", "cog"},
        {"convert", "terrain:600x600", folder / "o.zarr", "--compress", "none"},
        {"read", "terrain:600x600", "--output", folder / "o.raw"}}) {
    words.insert(words.end(), {"--progress", "none"});
    const Ended ended = weir_below("sh", "ulimit -f 100; exec \"$@\"", words);
    CHECK(ended.code == 1);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(contains(ended.err, "File too large"));
    CHECK(folder.names().empty());
  }
}

TEST_CASE("a run that has too few descriptors ends with one error, and leaves nothing") {
  const TemporaryFolder folder;
  std::size_t failures = 0;
  for (int limit = 4; limit < 26; ++limit) {
    CAPTURE(limit);
    const Ended ended =
        weir_below("sh", "ulimit -n " + std::to_string(limit) + "; exec \"$@\"",
                   {"convert", data("L7_ETMs.tif"), folder / "o.zarr", "--tile", "64", "--quiet"});
    if (ended.code == 127) continue;  // not even its libraries are found
    CHECK(ended.code == (folder.names().empty() ? 1 : 0));
    if (ended.code == 1) CHECK_MESSAGE(says_one_line(ended), ended.err);
    if (ended.code == 1) ++failures;
    CHECK((folder.names().empty() || folder.names() == std::vector<std::string>{"o.zarr"}));
    for (const std::string& name : folder.names()) std::filesystem::remove_all(folder / name);
  }
  CHECK(failures > 0);
}

TEST_CASE("a run ends where nobody reads what it says of its progress, as one that is stopped") {
  if (::access("/bin/bash", X_OK) != 0) return;
  const TemporaryFolder folder;
  const Ended ended = weir_below("bash", "\"$@\" 2>&1 >/dev/null | head -n 1; exit ${PIPESTATUS[0]}",
                                 {"convert", "terrain:60000x60000", folder / "o.tif", "--progress", "json"});
  CHECK(ended.code == 128 + SIGPIPE);
  CHECK(contains(ended.out, "\"items_done\""));
  CHECK(folder.names().empty());
}

TEST_CASE(
    "that nobody listens is no second signal to a run that is stopped, nor the first to one that then is") {
  if (::access("/bin/bash", X_OK) != 0) return;
  for (const std::string signals : {"TERM PIPE", "PIPE TERM"}) {
    CAPTURE(signals);
    const TemporaryFolder folder;
    const Ended ended =
        weir_below("bash", "\"$@\" & sleep 1; for s in " + signals + "; do kill -$s $!; done; wait $!",
                   {"convert", "terrain:60000x60000", folder / "o.tif", "--quiet"});
    CHECK(ended.code == 128 + SIGTERM);
    CHECK(folder.names().empty());
  }
}

TEST_CASE("a run that gets no threads ends with one error, whichever of its threads it is") {
  // Limits of processes are nothing to root: it becomes somebody who has none.
  if (::geteuid() != 0 || ::access("/usr/bin/setpriv", X_OK) != 0) return;
  const TemporaryFolder folder;
  REQUIRE(::chmod((folder / "").c_str(), 0777) == 0);
  // LeakSanitizer starts a process of its own at the end.
  const std::string nobody =
      "export ASAN_OPTIONS=detect_leaks=0; "
      "exec setpriv --reuid 54321 --regid 54321 --clear-groups prlimit --nproc=";
  std::size_t failures = 0;
  for (int limit = 1; limit < 14; ++limit) {
    CAPTURE(limit);
    const Ended ended = weir_below("sh", nobody + std::to_string(limit) + " \"$@\"",
                                   {"convert", "terrain:600x600", folder / "o.tif", "--threads", "4",
                                    "--overwrite", "--progress", "none", "--quiet"});
    if (contains(ended.err, "Permission denied")) return;  // it may not look into the build folder
    CHECK((ended.code == 0 || ended.code == 1));
    if (ended.code == 1) {
      ++failures;
      CHECK_MESSAGE(says_one_line(ended), ended.err);
      CHECK(contains(ended.err, "Resource temporarily unavailable"));
      CHECK(folder.names().empty());
    }
  }
  CHECK(failures > 0);
}

}  // namespace
}  // namespace weir::command_test
