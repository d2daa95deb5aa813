#include "framework/trace.hpp"

#include "tests/engine_support.hpp"
#include "tests/run_command.hpp"
#include "tests/seen_graphs.hpp"

// That the fields are those which Perfetto needs is looked at by tests/foreign/report_in_browser.py.

namespace {

using namespace weir;
using namespace weir::testing;

TEST_CASE("a trace has a slice per body, with node and item, and counters") {
  const Watchdog watchdog("trace");
  for (const Setup& setup : setups()) {
    RunRecording recording;
    GraphOptions options = setup.options();
    options.recording = &recording;
    const std::string name = "</script><b>\"&";
    const RunReport report = seen_graph(options, 30, {}, name)->run();
    const std::string json = to_trace(report, recording, name);
    CHECK(command_test::JsonCheck::is_whole(json));
    std::map<std::string, std::size_t> slices;
    std::size_t counters = 0, names = 0;
    for (const std::string& line : command_test::lines_of(json)) {
      counters += contains(line, "\"ph\": \"C\"");
      names += contains(line, "\"thread_name\"");
      if (contains(line, "\"ph\": \"X\""))
        for (const NodeReport& node : report.nodes)
          slices[node.name] +=
              contains(line, "\"name\": " + json_string(node.name) + ", \"args\": {\"item\"");
    }
    for (const NodeReport& node : report.nodes) CHECK(slices[node.name] == node.items_in);
    CHECK(counters >= 3);
    CHECK(names >= 1);
    CHECK(contains(json, "\"item\": \"piece 7\""));
  }
}

}  // namespace
