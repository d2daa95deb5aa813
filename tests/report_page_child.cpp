// Runs a graph whose limit is known and writes its page and its trace, for those who look at them with a
// browser:
//   report_page_child source|sink|budget|cores|node|tokens|hostile|failed|long RUN.html RUN.json

#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include "framework/report_page.hpp"
#include "framework/trace.hpp"
#include "tests/seen_graphs.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

/// Text that ends a script, an attribute, a string and a template, if anyone lets it.
const std::string hostile = "</script><b id=injected>\"&'`${1}\\ \xff \xe2\x80\xa8";

RunReport run(const std::string& kind, RunRecording* recording) {
  static const std::map<std::string, SlowPart> parts{
      {"source", SlowPart::source}, {"sink", SlowPart::sink},        {"budget", SlowPart::budget},
      {"cores", SlowPart::cores},   {"node", SlowPart::narrow_node}, {"tokens", SlowPart::tokens}};
  if (const auto part = parts.find(kind); part != parts.end()) return run_slow_graph(part->second, recording);
  GraphOptions options{.memory = 64 << 20, .tokens = 6, .threads = 2, .engine = Engine::onetbb};
  options.recording = recording;
  if (kind == "long") return seen_graph(options, 20000, {0, 0, 0, 0, false})->run();
  RunReport report;
  RunOptions run_options;
  run_options.on_failure = [&report](const RunReport& until_then) { report = until_then; };
  if (kind == "failed")
    run_options.before_body = [](const std::string& node, std::uint64_t ticket) {
      if (node == "pack" && ticket == 30) throw Error("read", "piece 30", "the disk is gone");
    };
  try {
    return seen_graph(options, 60, {}, kind == "hostile" ? hostile : "file")->run(run_options);
  } catch (const Error&) {
    return report;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  try {
    const std::string kind = argv[1], title = kind == "hostile" ? hostile : "weir, a run with a slow " + kind;
    RunRecording recording;
    const RunReport report = run(kind, &recording);
    std::ofstream page(argv[2]), trace(argv[3]);
    page << to_html(report, recording, title);
    trace << to_trace(report, recording, title);
    page.close();
    trace.close();
    return page && trace ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
