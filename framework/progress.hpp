#pragma once

#include <cstdio>
#include <functional>
#include <string>

#include "framework/graph.hpp"

namespace weir {

enum class ProgressStyle {
  automatic,  ///< bar where the stream is a terminal, else lines
  bar,        ///< one line, rewritten
  line,       ///< one line a second
  json,       ///< one JSON object per line, one a second
  none,
};

/// For RunOptions::progress: draws to `stream`, which outlives the run. Nothing for `none`.
std::function<void(const Progress&)> progress_printer(ProgressStyle style, std::FILE* stream);

/// What a pipeline says of its own progress.
struct ProgressWords {
  std::string line;  ///< at most 71 characters
  std::string json;  ///< members of an object: "\"rows\": 5, ..."
  double share = 0;  ///< that is done, from 0 to 1
};
/// The same in a pipeline's own words.
std::function<void(const Progress&)> progress_printer(ProgressStyle style, std::FILE* stream,
                                                      std::function<ProgressWords(const Progress&)> words);

/// In at most four characters: "999", "9.9K", "123M".
std::string short_count(std::uint64_t count);
/// "4 s", "12:34", "1:02:03", ">99 h": at most 8 characters.
std::string short_time(double seconds);

/// "37% 123/333 210 MB/s in, 105 out, 58 of 64 MiB, 4 s left": what bar and line show; items of all sinks,
/// memory used of the budget; at the end the time it took. At most 71 characters.
std::string describe(const Progress& progress);

}  // namespace weir
