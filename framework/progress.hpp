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

/// "37% 1.2 GiB in at 210 MB/s, 640 MiB out, memory 58 of 64 MiB, 4 s left": what bar and line show.
std::string describe(const Progress& progress);

}  // namespace weir
