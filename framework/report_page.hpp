#pragma once

#include <string>

#include "framework/recording.hpp"
#include "framework/report.hpp"

namespace weir {

/// A run as one self-contained HTML page (no network, no script from elsewhere): the verdict in words, the
/// graph as a picture, a timeline of the threads, memory and queues over time, reasons for waiting, the
/// slowest items, and the settings to copy. `title` says what ran, as a rule the command. All names are
/// escaped.
std::string to_html(const RunReport& report, const RunRecording& recording, const std::string& title);

namespace detail {
/// The page's fixed parts; framework/report_page_html.cpp. Between head and tail stands the run as JSON.
extern const char* const report_page_head;
extern const char* const report_page_script;
}  // namespace detail

}  // namespace weir
