#pragma once

#include <string>
#include <vector>

#include "framework/report.hpp"

namespace weir {

/// What kept a run from being faster.
enum class Limit {
  writing,      ///< a sink was busy nearly all the time
  source,       ///< what reads or makes the input was
  node,         ///< one other node was, with fewer bodies than there are threads
  cores,        ///< the compute threads were
  budget,       ///< admission waited for bytes while threads and I/O had time
  tokens,       ///< the same for tokens
  small_items,  ///< moving the items took longer than working on them
  none,         ///< nothing stood out
};
std::string name_of(Limit limit);

/// A report's times in plain sentences.
struct Verdict {
  Limit limit = Limit::none;
  std::string node;                  ///< the one that was the limit, where it was one
  std::string headline;              ///< one sentence, with the figure that it rests on
  std::vector<std::string> details;  ///< more sentences: what else was seen, what would help
  std::string settings;              ///< of this run, as flags of the command
  std::string advice;                ///< flags that would help; empty where none would
};

/// Looks at how busy nodes and threads were, and then at what admission waited for: an admission that waits
/// is no fault in itself, since it waits whenever something behind it is slow.
Verdict verdict_of(const RunReport& report);

}  // namespace weir
