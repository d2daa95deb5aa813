#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace weir {

/// How a child process ended, and what it wrote to its standard output.
struct ChildEnd {
  std::string said;           ///< the first 256 KiB
  bool is_timed_out = false;  ///< it was killed
  int status = 0;             ///< as waitpid gives it

  bool is_success() const { return !is_timed_out && status == 0; }
  /// "it crashed (Segmentation fault)"; for one that did not succeed.
  std::string how() const;
};

/// Runs a program (argv[0] is its path) to its end, or kills it after `limit`, with all that it has started:
/// it gets a process group of its own. Its standard input is empty, and its error stream goes nowhere. Throws
/// Error where it cannot be started.
ChildEnd run_child(const std::vector<std::string>& argv, std::chrono::milliseconds limit);

}  // namespace weir
