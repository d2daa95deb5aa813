#include "framework/recording.hpp"

#include <malloc.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "framework/report.hpp"
#include "framework/trace.hpp"
#include "tests/engine_support.hpp"
#include "tests/seen_graphs.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

struct Sum {
  std::uint64_t count = 0, busy_ns = 0;
};

/// Per node; fails where slices overlap or stand out of order.
std::map<std::uint32_t, Sum> sums_of(std::span<const RunSlice> slices) {
  std::map<std::uint32_t, Sum> sums;
  std::uint64_t end = 0, wrong = 0;
  for (const RunSlice& slice : slices) {
    wrong += slice.start_ns < end;
    end = slice.start_ns + slice.busy_ns;
    sums[slice.node].count += slice.count;
    sums[slice.node].busy_ns += slice.busy_ns;
  }
  CHECK(wrong == 0);
  return sums;
}

std::map<std::uint32_t, Sum> sums_of(const RunRecording& recording) {
  std::map<std::uint32_t, Sum> sums;
  for (std::size_t thread = 0; thread < recording.threads(); ++thread)
    for (const auto& [node, sum] : sums_of(recording.slices(thread))) {
      sums[node].count += sum.count;
      sums[node].busy_ns += sum.busy_ns;
    }
  return sums;
}

GraphOptions recorded(const Setup& setup, RunRecording* recording) {
  GraphOptions options = setup.options();
  options.recording = recording;
  return options;
}

/// What malloc gave out and has not got back, large blocks included.
std::uint64_t heap_bytes() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// `units` units of one item that costs nothing.
std::unique_ptr<Graph> tiny_graph(const GraphOptions& options, std::uint64_t units) {
  auto graph = std::make_unique<Graph>(options);
  auto numbers =
      graph->source<int>("numbers", [](std::uint64_t, Emit<int>& emit) { emit(1); }, {.units = units});
  auto more = graph->transform<int>("more", numbers, [](const int& in) { return in + 1; });
  graph->ordered_sink("end", more, [](const int&) {}, {.lane = Lane::compute});
  return graph;
}

}  // namespace

TEST_CASE("each body is recorded once, on one thread at a time, and busy times are those of the report") {
  const Watchdog watchdog("recorded bodies");
  for (const Setup& setup : setups()) {
    RunRecording recording;
    const RunReport report = seen_graph(recorded(setup, &recording), 50, {})->run();
    CHECK(report.was_recorded);
    const auto sums = sums_of(recording);
    for (std::uint32_t node = 0; node < report.nodes.size(); ++node) {
      CHECK(sums.at(node).count == report.nodes[node].items_in);
      CHECK(static_cast<double>(sums.at(node).busy_ns) * 1e-9 ==
            doctest::Approx(report.nodes[node].busy_seconds).epsilon(0.01));
    }
    CHECK(recording.resolution_ns() == 0);
    CHECK(!recording.samples().empty());
  }
}

TEST_CASE("opening and closing an output is recorded as its work, and not as a body") {
  struct SlowFile {
    void open() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }
    void close() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }
    void operator()(const int&) {}
  };
  const Watchdog watchdog("slow open");
  for (const Setup& setup : setups()) {
    RunRecording recording;
    Graph graph(recorded(setup, &recording));
    auto numbers =
        graph.source<int>("numbers", [](std::uint64_t, Emit<int>& emit) { emit(1); }, {.units = 5});
    graph.ordered_sink("file", numbers, SlowFile{}, {.lane = Lane::compute});
    const RunReport report = graph.run();
    const Sum file = sums_of(recording).at(1);
    CHECK(file.count == 5);
    CHECK(file.busy_ns >= 4'000'000);
    const std::string trace = to_trace(report, recording, "files");
    CHECK(trace.find("\"name\": \"file\", \"args\": {\"call\": \"open or close\"") != std::string::npos);
    std::size_t items = 0;
    for (std::size_t at = 0;
         (at = trace.find("\"name\": \"file\", \"args\": {\"item\"", at)) != std::string::npos; ++at)
      ++items;
    CHECK(items == 5);
  }
}

TEST_CASE("compute nodes run on compute threads, I/O nodes on threads of their own") {
  const Watchdog watchdog("recorded threads");
  RunRecording recording;
  const RunReport report = seen_graph(recorded({Engine::onetbb, 2}, &recording), 50, {})->run();
  std::map<std::string, std::set<std::string>> seen;  // nodes by thread
  for (std::size_t thread = 0; thread < recording.threads(); ++thread)
    for (const RunSlice& slice : recording.slices(thread))
      if (thread > 0) seen[recording.thread_name(thread)].insert(report.nodes[slice.node].name);
  CHECK(seen["fetch I/O 1"] == std::set<std::string>{"fetch"});
  CHECK(seen["fetch I/O 2"] == std::set<std::string>{"fetch"});
  CHECK(seen["file I/O"] == std::set<std::string>{"file"});
  CHECK(seen["compute 1"].contains("pack"));
  CHECK(!seen["compute 1"].contains("fetch"));
}

TEST_CASE("a million items take no more room than the recording was given, and none is forgotten") {
  const Watchdog watchdog("a million items");
  constexpr std::uint64_t room = 256 << 10, units = 330'000;  // three nodes
  for (const Setup& setup : {Setup{Engine::serial, 1}, Setup{Engine::onetbb, 2}}) {
    RunRecording recording(room);
    const std::uint64_t before = heap_bytes();
    auto graph = tiny_graph(recorded(setup, &recording), units);
    const RunReport report = graph->run();
    graph.reset();
    // Worker threads of oneTBB and their arenas stay, too: they have 64 KiB.
    CHECK(heap_bytes() < before + room + (64 << 10));
    CHECK(recording.used_bytes() <= room);
    CHECK(recording.resolution_ns() > 0);
    const auto sums = sums_of(recording);
    for (std::uint32_t node = 0; node < 3; ++node) {
      CHECK(sums.at(node).count == units);
      CHECK(static_cast<double>(sums.at(node).busy_ns) * 1e-9 ==
            doctest::Approx(report.nodes[node].busy_seconds).epsilon(0.01));
    }
    // Coarser, but not useless: places are right to a thirtieth of the run.
    CHECK(static_cast<double>(recording.resolution_ns()) * 1e-9 < report.wall_seconds / 30);
  }
}

TEST_CASE("the recording's room is part of the plan, so the budget holds with it") {
  const auto plain = slow_graph(SlowPart::sink, nullptr)->plan();
  RunRecording recording(300'000);
  Graph& graph = *slow_graph(SlowPart::sink, &recording).release();
  const std::unique_ptr<Graph> owner(&graph);
  const Plan plan = graph.plan();
  CHECK(plan.standing_bytes == plain.standing_bytes + 300'000);
  CHECK(plan.smallest_memory == plain.smallest_memory + 300'000);
  CHECK(contains(graph.explain(), "(recording)"));
  GraphOptions options{.memory = plan.smallest_memory, .tokens = 6, .threads = 2, .engine = Engine::onetbb};
  options.recording = &recording;
  const RunReport report = seen_graph(options, 20, {})->run();
  CHECK(report.peak_leased <= plan.smallest_memory);
  CHECK(report.peak_payload + 300'000 <= plan.smallest_memory);
  options.memory -= 1;
  RunRecording unused(300'000);
  options.recording = &unused;
  auto refused = seen_graph(options, 20, {});
  CHECK(contains(error_of(*refused).what(), std::to_string(plan.smallest_memory)));
  CHECK(!unused.has_begun());
}

TEST_CASE("a recording holds one run, and says how many bytes it needs at least") {
  RunRecording recording;
  run_slow_graph(SlowPart::sink, &recording, 3);
  auto second = slow_graph(SlowPart::sink, &recording, 3);
  CHECK(contains(error_of(*second).what(), "another run"));
  RunRecording small_room(1000);
  auto small = slow_graph(SlowPart::sink, &small_room, 3);
  const std::string reason = error_of(*small).what();
  const std::uint64_t needed = std::stoull(reason.substr(reason.rfind("need ") + 5));
  RunRecording enough(needed);
  run_slow_graph(SlowPart::sink, &enough, 50);
  CHECK(enough.used_bytes() <= needed);
  RunRecording almost_enough(needed - 1);
  auto almost = slow_graph(SlowPart::sink, &almost_enough, 3);
  CHECK(contains(error_of(*almost).what(), "too few"));
}

TEST_CASE("coarsening keeps sums and order, and moves no slice further than it says") {
  std::minstd_rand random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<RunSlice> slices;
    std::uint64_t time = 0;
    const std::uint64_t longest = 1 + random() % 1000;
    for (unsigned i = 0; i < 400; ++i) {
      time += random() % longest;
      slices.push_back({time, random() % longest, i, static_cast<std::uint32_t>(random() % 5), 1});
      time += slices.back().busy_ns;
    }
    const std::vector<RunSlice> fine = slices;
    const auto before = sums_of(fine);
    const std::size_t most = 10 + random() % 300;
    const std::uint64_t resolution = coarsen(slices, most);
    CHECK(slices.size() <= most);
    const auto after = sums_of(slices);
    for (const auto& [node, sum] : before) {
      CHECK(after.at(node).count == sum.count);
      CHECK(after.at(node).busy_ns == sum.busy_ns);
    }
    CHECK(slices.front().start_ns == fine.front().start_ns);
    CHECK(slices.back().start_ns + slices.back().busy_ns <= time);
    for (const RunSlice& slice : slices) {  // the first body of each stands where it was
      const RunSlice& first = fine[slice.ticket];
      CHECK(first.node == slice.node);
      const auto moved = std::max(first.start_ns, slice.start_ns) - std::min(first.start_ns, slice.start_ns);
      CHECK(moved <= resolution);
    }
  }
}

TEST_CASE("samples that become fewer keep the peaks") {
  RunRecording recording(40'000);
  recording.begin({"only"}, 1, {0});
  const auto interval = recording.sample_interval();
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const RunRecording::NodeState state{.inside = 0, .queued = i == 54'321 ? 99U : 1U};
    recording.add_sample({i * 1000, i == 12'345 ? 777U : 5U, 3, i == 99'999 ? 8U : 2U}, {&state, 1}, 0);
  }
  CHECK(recording.used_bytes() <= 40'000);
  CHECK(recording.sample_interval() > interval);
  std::uint64_t leased = 0, units = 0, queued = 0, time = 0;
  for (std::size_t i = 0; i < recording.samples().size(); ++i) {
    const RunSample& sample = recording.samples()[i];
    CHECK(sample.time_ns >= time);
    time = sample.time_ns;
    leased = std::max(leased, sample.leased);
    units = std::max<std::uint64_t>(units, sample.units);
    queued = std::max<std::uint64_t>(queued, recording.sample(i, 0).queued);
  }
  CHECK(leased == 777);
  CHECK(units == 8);
  CHECK(queued == 99);
  CHECK(recording.idle(0).thread == doctest::Approx(99'999e-6));
}

TEST_CASE("the slowest items are known by name, slowest first") {
  const Watchdog watchdog("slowest items");
  for (const Setup& setup : {Setup{Engine::serial, 1}, Setup{Engine::onetbb, 2}}) {
    RunRecording recording;
    const RunReport report = seen_graph(recorded(setup, &recording), 40, {})->run();
    std::size_t pack = 0;
    while (report.nodes[pack].name != "pack") ++pack;
    const std::vector<SlowItem> slowest = recording.slowest(pack);
    REQUIRE(slowest.size() == RunRecording::slow_items);
    // Which sleeps. On a busy machine another may have been kept waiting for longer.
    const auto sleeper =
        std::ranges::find_if(slowest, [](const SlowItem& item) { return item.name == "piece 7"; });
    REQUIRE(sleeper != slowest.end());
    CHECK(sleeper->unit == 7);
    CHECK(sleeper->busy_ns >= 5'000'000);
    CHECK(std::is_sorted(slowest.begin(), slowest.end(),
                         [](const SlowItem& a, const SlowItem& b) { return a.busy_ns > b.busy_ns; }));
  }
}

TEST_CASE("names of slow items are cut, between characters") {
  RunRecording recording;
  recording.begin({"only"}, 1, {0});
  std::string name;
  while (name.size() < 5000) name += "\xc3\xa9";  // e with an acute accent
  recording.note_slow(0, {.name = name, .busy_ns = 1});
  const std::string cut = recording.slowest(0).front().name;
  CHECK(cut.size() <= 120);
  CHECK(cut.size() > 100);
  CHECK(cut.ends_with("\xa9..."));
}

TEST_CASE("waiting is told apart: for an item's turn, for a free body, for a thread, for bytes, for tokens") {
  const Watchdog watchdog("waiting");
  for (const bool is_recorded : {true, false}) {
    const auto run = [&](SlowPart part) {
      RunRecording recording;
      return run_slow_graph(part, is_recorded ? &recording : nullptr);
    };
    const auto checked = [](const RunReport& report) {
      for (const NodeReport& node : report.nodes)
        CHECK(node.waiting_order_seconds + node.waiting_body_seconds + node.waiting_thread_seconds ==
              doctest::Approx(node.waiting_seconds));
      return report;
    };
    // Items wait before the node that is full, and nowhere else.
    RunReport report = checked(run(SlowPart::narrow_node));
    CHECK(report.node("pack").waiting_body_seconds > 0.5 * report.node("pack").waiting_seconds);
    report = checked(run(SlowPart::sink));
    CHECK(report.node("file").waiting_body_seconds > 0.5 * report.node("file").waiting_seconds);
    CHECK(report.waiting_for_tokens_seconds > 0.3 * report.wall_seconds);
    CHECK(report.waiting_for_bytes_seconds == 0);
    report = checked(run(SlowPart::cores));
    CHECK(report.node("decode").waiting_thread_seconds > 0.5 * report.node("decode").waiting_seconds);
    report = checked(run(SlowPart::budget));
    CHECK(report.waiting_for_bytes_seconds > 0.3 * report.wall_seconds);
    CHECK(report.waiting_for_tokens_seconds == 0);
  }
  // One slow item in front: those behind it have come, and wait for their turn.
  GraphOptions options{.memory = 64 << 20, .tokens = 8, .threads = 2, .engine = Engine::onetbb};
  Graph graph(options);
  auto numbers = graph.source<int>(
      "numbers", [](std::uint64_t unit, Emit<int>& emit) { emit(static_cast<int>(unit)); }, {.units = 8});
  auto uneven = graph.transform<int>("uneven", numbers, [](const int& in) {
    wait_for(in == 0 ? 60 : 1);
    return in;
  });
  graph.ordered_sink("end", uneven, [](const int&) {});
  const RunReport report = graph.run();
  CHECK(report.node("end").waiting_order_seconds > 0.1);
  CHECK(report.node("end").waiting_order_seconds > 0.5 * report.node("end").waiting_seconds);
}

TEST_CASE("a node's busy time and its reasons for being idle make up the run") {
  const Watchdog watchdog("idle");
  for (const Setup& setup : setups()) {
    RunRecording recording;
    const RunReport report = seen_graph(recorded(setup, &recording), 60, {.file = 2})->run();
    for (const NodeReport& node : report.nodes) {
      const IdleSeconds& idle = node.idle;
      const double all = node.busy_seconds / node.concurrency + idle.input + idle.order + idle.thread +
                         idle.bytes + idle.tokens + idle.done;
      CHECK(all == doctest::Approx(report.wall_seconds).epsilon(0.05));
    }
    if (setup.engine == Engine::onetbb) CHECK(report.node("pack").idle.input > 0.1 * report.wall_seconds);
  }
}

TEST_CASE("a run that fails is recorded until then, and its report says why") {
  const Watchdog watchdog("failed runs");
  for (const Setup& setup : setups()) {
    RunRecording recording;
    auto graph = seen_graph(recorded(setup, &recording), 40, {});
    RunReport until_then;
    int calls = 0;
    RunOptions options;
    options.before_body = [](const std::string& node, std::uint64_t ticket) {
      if (node == "pack" && ticket == 20) throw Error("read", "piece 20", "it is gone");
    };
    options.on_failure = [&](const RunReport& report) {
      until_then = report;
      ++calls;
    };
    CHECK(error_of(*graph, options).what() == until_then.error);
    CHECK(calls == 1);
    CHECK(contains(until_then.error, "it is gone"));
    CHECK(until_then.node("pack").items_in > 0);
    CHECK(sums_of(recording).at(0).count > 0);
  }
}

TEST_CASE("without a recording nothing is recorded, and JSON says so") {
  const RunReport report = run_slow_graph(SlowPart::sink, nullptr, 5);
  CHECK(!report.was_recorded);
  CHECK(contains(to_json(report), "\"was_recorded\": false"));
  CHECK(report.node("pack").idle.input == 0);
}
