// Random graph files over made-up node types: what validation accepts delivers everything once and in order,
// within any budget that it accepts; what is broken is refused at the line where it is broken.

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>

#include "framework/graph_run.hpp"
#include "framework/yaml_document.hpp"
#include "tests/file_support.hpp"
#include "tests/graph_file_nodes.hpp"
#include "tests/random_graph_mistakes.hpp"

using namespace weir;
using namespace weir::testing;

namespace {

unsigned how_many(unsigned in_each_run, unsigned in_full) {
  return std::getenv("WEIR_TEST_FULL") != nullptr ? in_full : in_each_run;
}

/// Writes both files, and returns the path of the first.
std::string write(RandomGraphFile& file, const test::Folder& folder) {
  file.write();
  test::put(folder / "sub.yaml", file.included());
  test::put(folder / "graph.yaml", file.text());
  return folder / "graph.yaml";
}

/// Without the folder in front of file names.
std::string shortened(std::string text, const test::Folder& folder) {
  const std::string prefix = folder / "";
  for (std::size_t at = text.find(prefix); at != std::string::npos; at = text.find(prefix))
    text.erase(at, prefix.size());
  return text;
}

/// Runs it, and checks what came of it.
void run_and_check(const GraphFile& file, const GraphOptions& limits, std::size_t sinks) {
  const auto log = std::make_shared<SinkLog>();
  const Registry registry = made_up_registry(log);
  {
    GraphRun run(file, registry, {.limits = limits});
    RunOptions options;
    options.before_body = [](const std::string&, std::uint64_t ticket) {
      if (ticket % 3 == 0) sleep_at_random(100);
    };
    const RunReport report = run.run(options);
    CHECK(report.peak_leased <= report.peak_planned);
    CHECK(report.peak_planned <= report.memory_limit);
    CHECK(report.peak_payload <= report.memory_limit);
    CHECK(report.most_units_in_flight <= run.plan().tokens);
    for (const NodeReport& node : report.nodes) CHECK(node.most_in_flight <= node.concurrency);
  }
  CHECK(log->finished == sinks);
  for (const std::string& wrong : log->wrong) FAIL_CHECK(wrong);
  CHECK(Alive::count() == 0);
}

}  // namespace

TEST_CASE("every random graph file that is accepted delivers everything, at budgets down to the smallest") {
  if (!has_yaml()) {
    std::puts("skip random graph files: no yaml-cpp in this build");
    return;
  }
  const Registry registry = made_up_registry();
  const test::Folder folder;
  for (unsigned seed = 1; seed <= how_many(250, 10'000); ++seed) {
    RandomGraphFile random(seed);
    const std::string path = write(random, folder);
    CAPTURE(seed);
    CAPTURE(random.text());
    CAPTURE(random.included());
    const Watchdog watchdog("random graph file " + std::to_string(seed));
    GraphFile file;
    std::uint64_t smallest = 0, largest = 0;
    try {
      file = parse_graph_text(random.text(), path, {.sets = random.sets()}, registry);
      const GraphRun run(file, registry, {.limits = {.memory = 1 << 30}});
      smallest = run.plan().smallest_memory;
      largest = run.plan().largest_unit;
    } catch (const Error& error) {
      FAIL_CHECK(shortened(error.what(), folder));
      continue;
    }
    // What is printed says the same.
    const GraphFile again = parse_graph_text(to_yaml(file), path, {}, registry);
    CHECK(again.nodes == file.nodes);
    CHECK(to_yaml(again) == to_yaml(file));

    std::minstd_rand choice(seed * 7919);
    const auto pick = [&](unsigned below) { return static_cast<unsigned>(choice() >> 7) % below; };
    run_and_check(file, {.memory = 1 << 30, .threads = 1, .engine = Engine::serial}, random.sinks());
    const std::uint64_t least = std::max<std::uint64_t>(smallest, 1);
    for (const std::uint64_t memory : {least, least + pick(4) * largest})
      run_and_check(file,
                    {.memory = memory,
                     .tokens = 1 + pick(6),
                     .threads = 1 + pick(6),
                     .engine = pick(4) == 0 ? Engine::serial : Engine::onetbb},
                    random.sinks());
    if (smallest > 1) {
      try {
        const GraphRun run(file, registry, {.limits = {.memory = smallest - 1}});
        FAIL_CHECK("a budget below the smallest was accepted");
      } catch (const ProblemError& error) {
        CHECK(contains(error.what(), "the smallest that works is " + std::to_string(smallest) + " bytes"));
      }
    }
  }
}

TEST_CASE("every mistake in a random graph file is told with its line, and nothing else is") {
  if (!has_yaml()) {
    std::puts("skip broken graph files: no yaml-cpp in this build");
    return;
  }
  const Registry registry = made_up_registry();
  const test::Folder folder;
  for (unsigned seed = 1; seed <= how_many(1000, 10'000); ++seed) {
    RandomGraphFile random(seed);
    const std::vector<Mistake> mistakes = random.spoil(1 + seed % 3);
    const std::string path = write(random, folder);
    CAPTURE(seed);
    CAPTURE(random.text());
    CAPTURE(random.included());
    const Watchdog watchdog("broken graph file " + std::to_string(seed));
    try {
      const GraphFile file = parse_graph_text(random.text(), path, {.sets = random.sets()}, registry);
      const GraphRun run(file, registry, {.limits = {.memory = 1 << 30}});
      for (const Mistake& mistake : mistakes) FAIL_CHECK("not found: " << mistake.word);
    } catch (const ProblemError& error) {
      CHECK(error.kind() == ErrorKind::usage);
      const std::string all = shortened(error.what(), folder);
      CHECK_MESSAGE(error.count() == mistakes.size(), all);
      for (const Mistake& mistake : mistakes) {
        bool is_told = false;
        for (const Problem& problem : error.problems())
          is_told =
              is_told || (shortened(to_text(problem), folder).starts_with(random.place(mistake) + ":") &&
                          contains(problem.text, mistake.word));
        CHECK_MESSAGE(is_told, random.place(mistake) << " " << mistake.word << " in " << all);
      }
    }
    CHECK(Alive::count() == 0);
  }
}
