// weir convert --to cog as the kernel sees it: which files it makes.
#include <doctest/doctest.h>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

/// The system calls that open files for writing, or make some that have no name, of `weir ARGUMENTS`; nothing where strace
/// is not there, or may not look.
std::optional<std::vector<std::string>> files_made(const std::vector<std::string>& arguments) {
  const TemporaryFolder folder;
  // The leak sanitizer, where there is one, cannot work in a traced process.
  std::vector<std::string> words{
      "-f", "-qq",         "-e", "trace=open,openat,creat,memfd_create", "-E", "ASAN_OPTIONS=detect_leaks=0",
      "-o", folder / "log"};
  for (const std::string& word : weir_words(arguments)) words.push_back(word);
  const auto ended = tool("strace", words);
  if (!ended || contains(ended->err, "strace: ")) return std::nullopt;
  REQUIRE_MESSAGE(ended->code == 0, ended->err);
  std::vector<std::string> made;
  for (const std::string& line : lines_of(text_of(folder / "log")))
    if ((contains(line, "O_WRONLY") || contains(line, "O_RDWR") || contains(line, "creat(")) &&
        !contains(line, "= -1 ") && !contains(line, "\"/dev/") && !contains(line, "\"/proc/") &&
        !contains(line, "/tsan.rodata."))  // the thread sanitizer's own
      made.push_back(line);
  return made;
}

TEST_CASE("convert --to cog makes one file, and no other one that strace sees") {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{}, {"--pack", "copy"}, {"--engine", "serial"}, {"--memory", "8M"}}) {
    std::vector<std::string> words{
        "convert", "terrain:1500x1200:uint16", folder / "a.tif", "--overwrite", "--to", "cog", "--tile",
        "256"};
    words.insert(words.end(), more.begin(), more.end());
    const auto made = files_made(words);
    if (!made) {
      MESSAGE("skip: strace is not there, or cannot be used here");
      return;
    }
    REQUIRE(made->size() == 1);
    CHECK(contains(made->front(), folder / ""));
  }
}

}  // namespace
}  // namespace weir::command_test
