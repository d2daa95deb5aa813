#pragma once

#include <string>

#include "framework/recording.hpp"
#include "framework/report.hpp"

namespace weir {

/// A recorded run in Chrome's trace event format, which https://ui.perfetto.dev opens: one row per thread
/// with a slice per body (or several merged, see RunRecording), rows of counters for memory, units in flight
/// and the items that wait before each node. `title` becomes the name of the process. Format: "Trace Event
/// Format", JSON object form; times are microseconds.
std::string to_trace(const RunReport& report, const RunRecording& recording, const std::string& title);

}  // namespace weir
