#include "framework/verdict.hpp"

#include <doctest/doctest.h>

#include "tests/engine_support.hpp"
#include "tests/seen_graphs.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

/// Measured times depend on what else the machine does: three tries.
Verdict verdict_on(SlowPart part, Limit wanted, bool recorded) {
  Verdict verdict;
  for (int i = 0; i < 3; ++i) {
    RunRecording recording;
    verdict = verdict_of(run_slow_graph(part, recorded ? &recording : nullptr));
    if (verdict.limit == wanted) break;
  }
  CHECK_MESSAGE(verdict.limit == wanted, verdict.headline);
  return verdict;
}

/// A run of ten seconds whose nodes were busy for these.
RunReport report_with(double source, double work, double sink) {
  RunReport report;
  report.engine = "oneTBB";
  report.threads = 2;
  report.tokens = 6;
  report.units = 100;
  report.wall_seconds = 10;
  report.cpu_seconds = work;
  report.memory_limit = 64 << 20;
  report.largest_unit = 40 << 20;
  report.nodes.resize(3);
  report.nodes[0] = {.name = "read",
                     .kind = "source",
                     .concurrency = 1,
                     .items_in = 100,
                     .busy_seconds = source,
                     .lane = "io"};
  report.nodes[1] = {.name = "work",
                     .kind = "transform",
                     .concurrency = 2,
                     .items_in = 100,
                     .busy_seconds = work,
                     .lane = "compute",
                     .inputs = {"read"}};
  report.nodes[2] = {.name = "write",
                     .kind = "ordered sink",
                     .concurrency = 1,
                     .items_in = 100,
                     .busy_seconds = sink,
                     .lane = "io",
                     .inputs = {"work"}};
  return report;
}

}  // namespace

TEST_CASE("a slow sink, a slow source, a starved budget and busy cores are told apart in real runs") {
  const Watchdog watchdog("verdicts");
  for (const bool recorded : {true, false}) {
    const Verdict sink = verdict_on(SlowPart::sink, Limit::writing, recorded);
    CHECK(sink.node == "file");
    CHECK_MESSAGE(contains(sink.headline, "Writing was the limit: file was busy"), sink.headline);
    const Verdict source = verdict_on(SlowPart::source, Limit::source, recorded);
    CHECK(source.node == "fetch");
    CHECK(source.advice == "--set fetch.concurrency=4");
    const Verdict budget = verdict_on(SlowPart::budget, Limit::budget, recorded);
    CHECK_MESSAGE(contains(budget.headline, "would let 6 units in flight instead of 1"), budget.headline);
    const Verdict cores = verdict_on(SlowPart::cores, Limit::cores, recorded);
    CHECK(cores.node == "pack");
    verdict_on(SlowPart::narrow_node, Limit::node, recorded);
    CHECK(verdict_on(SlowPart::tokens, Limit::tokens, recorded).advice == "--tokens 6");
  }
}

TEST_CASE("more memory, as the verdict on a starved budget advises, makes the run faster") {
  const Watchdog watchdog("advice");
  const RunReport starved = run_slow_graph(SlowPart::budget, nullptr);
  const Verdict verdict = verdict_of(starved);
  REQUIRE(verdict.limit == Limit::budget);
  CHECK(verdict.advice == "--memory 4M");
  GraphOptions more{.memory = 4 << 20, .tokens = 6, .threads = 2, .engine = Engine::onetbb};
  const RunReport better = seen_graph(more, 60, {.fetch = 2, .decode = 2, .pack = 2, .file = 2})->run();
  CHECK(better.most_units_in_flight == 6);
  CHECK(better.wall_seconds < starved.wall_seconds);
}

TEST_CASE("an admission that waits is not the limit where something behind it is busy all the time") {
  RunReport report = report_with(1, 3, 9.6);
  report.waiting_for_bytes_seconds = 9;
  const Verdict verdict = verdict_of(report);
  CHECK(verdict.limit == Limit::writing);
  CHECK(
      verdict.headline ==
      "Writing was the limit: write was busy 96 % of the time while admission waited for bytes 90 % of it.");
  report = report_with(1, 3, 4);
  report.waiting_for_bytes_seconds = 9;
  CHECK(verdict_of(report).limit == Limit::budget);
  CHECK(verdict_of(report).advice == "--memory 256M");
  report.waiting_for_tokens_seconds = 9.5;
  CHECK(verdict_of(report).limit == Limit::tokens);
}

TEST_CASE("busy threads without a core are called threads, not cores") {
  CHECK(contains(verdict_of(report_with(1, 19, 1)).headline,
                 "The cores were the limit: the 2 compute threads were busy 95 %"));
  RunReport report = report_with(1, 19, 1);
  report.cpu_seconds = 5;
  CHECK(contains(verdict_of(report).headline, "The compute threads were the limit"));
}

TEST_CASE("on one thread the limit is what most of its time goes to") {
  RunReport report = report_with(1, 2, 7);
  report.engine = "serial";
  report.threads = 1;
  CHECK(verdict_of(report).limit == Limit::writing);
  report = report_with(7, 2, 1);
  report.engine = "serial";
  report.threads = 1;
  CHECK(verdict_of(report).limit == Limit::source);
}

TEST_CASE("where nothing stands out the verdict says so, and a failed run says why it failed") {
  RunReport report = report_with(3, 6, 3);
  CHECK(verdict_of(report).limit == Limit::none);
  report.error = "cannot write a.tif: No space left on device";
  CHECK(verdict_of(report).headline == "The run failed: cannot write a.tif: No space left on device");
  CHECK(verdict_of(RunReport{}).limit == Limit::none);
}

TEST_CASE("settings are flags that a shell takes, whatever nodes are called") {
  RunReport report = report_with(1, 3, 9.6);
  report.nodes[1].name = "it's; rm";
  CHECK(verdict_of(report).settings ==
        "--memory 64M --tokens 6 --threads 2 --set 'it'\\''s; rm'.concurrency=2");
}
