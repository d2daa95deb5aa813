#include "framework/trace.hpp"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace weir {
namespace {

/// The events, one per line. Field names as in the "Trace Event Format": ph is the kind of event, ts and dur
/// are microseconds.
class Events {
 public:
  /// M: the name of the process, or of a thread.
  void name(const char* what, std::size_t thread, const std::string& name) {
    add("M", thread, fmt::format("\"name\": \"{}\", \"args\": {{\"name\": {}}}", what, json_string(name)));
  }
  void sort_index(std::size_t thread) {
    add("M", thread,
        fmt::format("\"name\": \"thread_sort_index\", \"args\": {{\"sort_index\": {}}}", thread));
  }
  /// X: a slice. `args` is what is between the braces.
  void slice(std::size_t thread, const RunSlice& slice, const std::string& name, const std::string& args) {
    add("X", thread,
        fmt::format("\"ts\": {:.3f}, \"dur\": {:.3f}, \"name\": {}, \"args\": {{{}}}",
                    static_cast<double>(slice.start_ns) * 1e-3, static_cast<double>(slice.busy_ns) * 1e-3,
                    json_string(name), args));
  }
  /// C: a counter.
  void counter(std::uint64_t time_ns, const std::string& name, std::uint64_t value) {
    add("C", 0,
        fmt::format("\"ts\": {:.3f}, \"name\": {}, \"args\": {{\"value\": {}}}",
                    static_cast<double>(time_ns) * 1e-3, json_string(name), value));
  }
  std::string json() const {
    return "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n" + events_ + "\n]}\n";
  }

 private:
  void add(const char* kind, std::size_t thread, const std::string& fields) {
    if (!events_.empty()) events_ += ",\n";
    events_ += fmt::format("{{\"ph\": \"{}\", \"pid\": 1, \"tid\": {}, {}}}", kind, thread, fields);
  }

  std::string events_;
};

}  // namespace

std::string to_trace(const RunReport& report, const RunRecording& recording, const std::string& title) {
  // Names are known of the slowest items; the others have their tickets.
  std::map<std::pair<std::uint32_t, std::uint64_t>, std::string> names;
  for (std::uint32_t node = 0; node < recording.nodes(); ++node)
    for (SlowItem& item : recording.slowest(node)) names[{node, item.ticket}] = std::move(item.name);

  Events events;
  events.name("process_name", 0, title);
  for (std::size_t thread = 0; thread < recording.threads(); ++thread) {
    if (recording.slices(thread).empty()) continue;  // a thread that never came
    events.name("thread_name", thread, recording.thread_name(thread));
    events.sort_index(thread);
    for (const RunSlice& slice : recording.slices(thread)) {
      if (slice.node == RunRecording::waiting_for_bytes || slice.node == RunRecording::waiting_for_tokens) {
        events.slice(thread, slice,
                     slice.node == RunRecording::waiting_for_bytes ? "waits for bytes" : "waits for tokens",
                     fmt::format("\"unit\": {}", slice.ticket));
        continue;
      }
      const auto name = names.find({slice.node, slice.ticket});
      events.slice(thread, slice, report.nodes[slice.node].name,
                   slice.count == 0 ? "\"call\": \"open or close\""
                   : slice.count == 1
                       ? fmt::format("\"item\": {}, \"ticket\": {}",
                                     json_string(name != names.end() ? name->second
                                                                     : fmt::format("item {}", slice.ticket)),
                                     slice.ticket)
                       : fmt::format("\"items\": {}, \"first ticket\": {}", slice.count, slice.ticket));
    }
  }
  for (std::size_t i = 0; i < recording.samples().size(); ++i) {
    const RunSample& sample = recording.samples()[i];
    events.counter(sample.time_ns, "memory leased (bytes)", sample.leased);
    events.counter(sample.time_ns, "memory really used (bytes)", sample.live);
    events.counter(sample.time_ns, "units in flight", sample.units);
    for (std::size_t node = 0; node < recording.nodes(); ++node)
      // A counter that stays as it is needs no event.
      if (i == 0 || recording.sample(i - 1, node).queued != recording.sample(i, node).queued)
        events.counter(sample.time_ns, "waiting before " + report.nodes[node].name,
                       recording.sample(i, node).queued);
  }
  return events.json();
}

}  // namespace weir
