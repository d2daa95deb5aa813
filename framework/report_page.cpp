#include "framework/report_page.hpp"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "framework/verdict.hpp"

namespace weir {
namespace {

/// More slices than this on a thread are finer than the pixels of a wide screen.
constexpr std::size_t page_slices = 3000;

std::string html_text(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

/// JSON that can stand in a script element: "<" is only ever inside its strings, where an escape does as well.
std::string script_safe(const std::string& json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<')
      safe += "\\u003c";
    else
      safe += c;
  }
  return safe;
}

/// The recording as JSON: times in microseconds, arrays instead of objects where there are thousands.
std::string recording_json(const RunRecording& recording) {
  std::string json = "{";
  const auto out = std::back_inserter(json);
  fmt::format_to(out, "\"resolution_us\": {},\n\"threads\": [", recording.resolution_ns() / 1000);
  bool first = true;
  for (std::size_t thread = 0; thread < recording.threads(); ++thread) {
    const auto all = recording.slices(thread);
    if (all.empty() && thread > 0) continue;  // a thread that never came
    std::vector<RunSlice> slices(all.begin(), all.end());
    coarsen(slices, page_slices);
    fmt::format_to(out, "{}\n{{\"id\": {}, \"name\": {}, \"slices\": [", first ? "" : ",", thread,
                   json_string(recording.thread_name(thread)));
    first = false;
    for (std::size_t i = 0; i < slices.size(); ++i) {
      const RunSlice& slice = slices[i];
      const std::int64_t node = slice.node == RunRecording::waiting_for_bytes    ? -1
                                : slice.node == RunRecording::waiting_for_tokens ? -2
                                                                                 : std::int64_t{slice.node};
      fmt::format_to(out, "{}[{},{},{},{},{}]", i == 0 ? "" : ",", slice.start_ns / 1000,
                     (slice.start_ns + slice.busy_ns) / 1000 - slice.start_ns / 1000, node, slice.ticket,
                     slice.count);
    }
    json += "]}";
  }
  json += "],\n\"samples\": [";
  for (std::size_t i = 0; i < recording.samples().size(); ++i) {
    const RunSample& sample = recording.samples()[i];
    fmt::format_to(out, "{}[{},{},{},{}]", i == 0 ? "" : ",", sample.time_ns / 1000, sample.leased,
                   sample.live, sample.units);
  }
  json += "],\n\"queued\": [";
  for (std::size_t node = 0; node < recording.nodes(); ++node) {
    json += node == 0 ? "[" : ",\n[";
    for (std::size_t i = 0; i < recording.samples().size(); ++i)
      fmt::format_to(out, "{}{}", i == 0 ? "" : ",", recording.sample(i, node).queued);
    json += "]";
  }
  json += "],\n\"slowest\": [";
  for (std::size_t node = 0; node < recording.nodes(); ++node) {
    json += node == 0 ? "[" : ",\n[";
    bool first_item = true;
    for (const SlowItem& item : recording.slowest(node)) {
      fmt::format_to(out,
                     "{}{{\"name\": {}, \"unit\": {}, \"start_us\": {}, \"busy_us\": {}, \"thread\": {}}}",
                     first_item ? "" : ", ", json_string(item.name), item.unit, item.start_ns / 1000,
                     item.busy_ns / 1000, item.thread);
      first_item = false;
    }
    json += "]";
  }
  return json + "]}";
}

std::string verdict_json(const Verdict& verdict) {
  std::string details;
  for (const std::string& detail : verdict.details)
    details += (details.empty() ? "" : ", ") + json_string(detail);
  return fmt::format(
      "{{\"limit\": {}, \"node\": {}, \"headline\": {}, \"details\": [{}], \"settings\": {}, \"advice\": "
      "{}}}",
      json_string(name_of(verdict.limit)), json_string(verdict.node), json_string(verdict.headline), details,
      json_string(verdict.settings), json_string(verdict.advice));
}

}  // namespace

std::string to_html(const RunReport& report, const RunRecording& recording, const std::string& title) {
  const Verdict verdict = verdict_of(report);
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>" +
                     html_text(title) + "</title>\n";
  page += detail::report_page_head;
  // The first sentence is also there where scripts are not.
  page += "<noscript><p>" + html_text(verdict.headline) + "</p></noscript>\n";
  page += "<script type=\"application/json\" id=\"run\">\n" +
          script_safe("{\"title\": " + json_string(title) + ",\n\"verdict\": " + verdict_json(verdict) +
                      ",\n\"report\": " + to_json(report) + ",\n\"recording\": " + recording_json(recording) +
                      "}") +
          "\n</script>\n";
  page += detail::report_page_script;
  return page;
}

}  // namespace weir
