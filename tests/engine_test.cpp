#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "framework/graph.hpp"

namespace {

using namespace weir;

constexpr std::uint64_t kilobyte = 1024;

struct PlainNumber {
  std::uint64_t value = 0;
  Buffer payload;
};
std::uint64_t payload_bytes(const PlainNumber& number) {
  return number.payload.size();
}

void sleep_at_random() {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 300));
}

/// Three items a unit, each with a buffer.
struct PlainNumbers {
  void operator()(std::uint64_t unit, Emit<PlainNumber>& emit, const Context& context) const {
    for (std::uint64_t i = 0; i < 3; ++i) emit(PlainNumber{unit * 3 + i, context.buffer(4096)});
  }
};
struct Square {
  PlainNumber operator()(const PlainNumber& in, const Context& context) const {
    sleep_at_random();
    return {in.value * in.value, context.buffer(8192)};
  }
};

const NodeOptions numbers_options(std::uint64_t units) {
  return {.units = units, .items = 3, .buffer_bytes = 4096};
}

RunReport square_numbers(GraphOptions options, std::uint64_t units, std::vector<std::uint64_t>& out,
                         unsigned concurrency = 0) {
  Graph graph(options);
  auto numbers = graph.source<PlainNumber>("numbers", PlainNumbers{}, numbers_options(units));
  auto squares = graph.transform<PlainNumber>("square", numbers, Square{}, {.buffer_bytes = 8192});
  graph.ordered_sink("out", squares, [&out](const PlainNumber& number) { out.push_back(number.value); });
  if (concurrency > 0) graph.set_concurrency("square", concurrency);
  return graph.run();
}

std::vector<std::uint64_t> squares(std::uint64_t units) {
  std::vector<std::uint64_t> expected;
  for (std::uint64_t i = 0; i < units * 3; ++i) expected.push_back(i * i);
  return expected;
}

}  // namespace

TEST_CASE(
    "an ordered sink gets every item once and in order, on both engines, for any threads, tokens and "
    "budget") {
  for (Engine engine : {Engine::onetbb, Engine::serial})
    for (unsigned threads : {1u, 2u, 8u})
      for (unsigned tokens : {1u, 2u, 50u})
        for (std::uint64_t memory : {36 * kilobyte, 100 * kilobyte, 10000 * kilobyte}) {
          std::vector<std::uint64_t> out;
          const RunReport report = square_numbers(
              {.memory = memory, .tokens = tokens, .threads = threads, .engine = engine}, 20, out);
          CHECK(out == squares(20));
          CHECK(report.peak_leased <= memory);
          CHECK(report.peak_payload <= memory);
          CHECK(report.peak_leased <= report.peak_planned);
          CHECK(report.most_units_in_flight <= tokens);
          CHECK(report.node("out").items_in == 60);
        }
}

TEST_CASE("a budget that is too small is refused with the smallest that works, and that one works") {
  std::vector<std::uint64_t> out;
  Graph graph({.memory = 20 * kilobyte, .threads = 2});
  auto numbers = graph.source<PlainNumber>("numbers", PlainNumbers{}, numbers_options(4));
  auto squared = graph.transform<PlainNumber>("square", numbers, Square{}, {.buffer_bytes = 8192});
  graph.ordered_sink("out", squared, [&out](const PlainNumber& n) { out.push_back(n.value); });
  CHECK(graph.plan().smallest_memory == 36 * kilobyte);
  try {
    graph.run();
    FAIL("a budget of 20 KiB was accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(std::string(error.what()).find("36864 bytes") != std::string::npos);
  }
  CHECK(out.empty());
  graph.options().memory = 36 * kilobyte - 1;
  CHECK_THROWS_AS(graph.run(), Error);
  graph.options().memory = 36 * kilobyte;
  graph.run();
  CHECK(out == squares(4));
}

TEST_CASE("the concurrency of a node caps the bodies inside it") {
  for (unsigned concurrency : {1u, 3u}) {
    std::vector<std::uint64_t> out;
    const RunReport report = square_numbers({.threads = 4, .engine = Engine::onetbb}, 40, out, concurrency);
    CHECK(report.node("square").most_in_flight <= concurrency);
    CHECK(report.node("square").most_in_flight >= 1);
    CHECK(out == squares(40));
  }
}

TEST_CASE("as many threads as asked for really run, also more than there are cores") {
  for (unsigned threads : {2u, 8u}) {
    std::mutex mutex;
    std::condition_variable all_here;
    std::set<std::thread::id> seen;
    Graph graph({.tokens = 64, .threads = threads, .engine = Engine::onetbb});
    auto numbers = graph.source<std::uint64_t>(
        "numbers", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); }, {.units = 64});
    auto slow = graph.transform<std::uint64_t>("slow", numbers, [&](const std::uint64_t& n) {
      // Nobody leaves before all are here, or could have been.
      std::unique_lock lock(mutex);
      seen.insert(std::this_thread::get_id());
      all_here.notify_all();
      all_here.wait_for(lock, std::chrono::seconds(5), [&] { return seen.size() >= threads; });
      return n;
    });
    std::uint64_t sum = 0;
    graph.ordered_sink("sum", slow, [&sum](const std::uint64_t& n) { sum += n; });
    const RunReport report = graph.run();
    CHECK(sum == 64 * 63 / 2);
    CHECK(seen.size() == threads);
    CHECK(report.threads_seen == threads);
    CHECK(report.node("slow").most_in_flight == threads);
  }
}
