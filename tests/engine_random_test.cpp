// Random graphs with random delays and the smallest budgets: nothing lost, nothing out of order, no hang. And
// what a run says of its progress.

#include <map>
#include <random>

#include "tests/engine_support.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

/// A graph that follows from its seed alone, with the values that its sinks saw. The values depend on nothing
/// but their tickets, so the serial engine is the oracle of the other.
class RandomGraph {
 public:
  RandomGraph(unsigned seed, GraphOptions options, bool is_slow)
      : graph(options), random_(seed), is_slow_(is_slow) {
    units_ = 1 + pick(12);
    items_ = 1 + pick(4);
    std::vector<Output<Number>> ends{source()};
    const unsigned steps = pick(5);
    for (unsigned step = 0; step < steps; ++step) {
      Output<Number>& end = ends[pick(static_cast<unsigned>(ends.size()))];
      switch (pick(7)) {
        case 0:
          ends.push_back(transform(end, {}));
          break;  // fan-out: the old end gets a sink as well
        case 1:
          end = transform(end, {.lane = Lane::io});
          break;
        case 2:
          end = running(end);
          break;
        case 3:
          end = dropping(end);
          break;
        case 4:
          ends.push_back(joined(end, transform(end, {})));
          break;
        case 5:
          ends.push_back(expand(end));
          break;
        default:
          end = transform(end, {.concurrency = 1 + pick(3)});
          break;
      }
    }
    if (pick(2) == 0) ends.push_back(gathered(ends.front()));
    for (const Output<Number>& end : ends) sink(end);
  }

  Graph graph;
  std::vector<std::vector<std::uint64_t>> ordered;
  std::atomic<std::uint64_t> unordered_sum = 0;

 private:
  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() >> 7) % below; }
  std::string name(const char* what) { return what + std::to_string(nodes_++); }
  auto delay() {
    return [is_slow = is_slow_, microseconds = pick(4) * 60] {
      if (is_slow && microseconds > 0) sleep_at_random(microseconds);
    };
  }

  Output<Number> source() {
    return graph.source<Number>(
        name("source"),
        [d = delay(), items = items_](std::uint64_t unit, Emit<Number>& emit, const Context& context) {
          for (std::uint64_t i = 0; i < items; ++i) d(), emit(Number{unit * items + i, context.buffer(page)});
        },
        {.units = units_, .items = items_, .buffer_bytes = page});
  }
  Output<Number> transform(Output<Number> in, NodeOptions options) {
    options.buffer_bytes = page;
    return graph.transform<Number>(
        name("transform"), in,
        [d = delay(), add = pick(100)](const Number& n, const Context& context) {
          return d(), Number{n.value * 3 + add, context.buffer(page)};
        },
        options);
  }
  Output<Number> running(Output<Number> in) {
    return graph.transform<Number>(
        name("running"), in,
        [d = delay(), sum = std::uint64_t{0}](const Number& n, const Context& context) mutable {
          return d(), Number{sum += n.value, context.buffer(page)};
        },
        {.lane = pick(2) == 0 ? Lane::io : Lane::compute, .buffer_bytes = page, .ordered = true});
  }
  Output<Number> dropping(Output<Number> in) {
    return graph.transform<Number>(
        name("dropping"), in,
        [d = delay()](const Number& n, const Context& context) -> std::optional<Number> {
          d();
          if (n.value % 3 == 0) return std::nullopt;
          return Number{n.value, context.buffer(page)};
        },
        {.buffer_bytes = page});
  }
  Output<Number> joined(Output<Number> a, Output<Number> b) {
    return graph.transform<Number>(
        name("joined"), graph.join(name("join"), a, b),
        [d = delay()](const auto& both, const Context& context) {
          return d(), Number{std::get<0>(both)->value ^ std::get<1>(both)->value, context.buffer(page)};
        },
        {.buffer_bytes = page});
  }
  Output<Number> expand(Output<Number> in) {
    const std::uint64_t fan = pick(4);
    return graph.expand<Number>(
        name("expand"), in,
        [d = delay(), fan](const Number& n, Emit<Number>& emit, const Context& context) {
          for (std::uint64_t i = 0; i < fan; ++i) d(), emit(Number{n.value + i, context.buffer(page)});
        },
        {.items = fan, .buffer_bytes = page});
  }
  /// The items of a unit as one. Drops cannot pass it, so the source's own items go in.
  Output<Number> gathered(Output<Number>) {
    return graph.expand<Number>(
        name("gathered"), source(),
        [d = delay(), items = items_, kept = std::map<std::uint64_t, std::vector<Item<Number>>>()](
            const Item<Number>& item, Emit<Number>& emit, const Context& context) mutable {
          d();
          auto& unit = kept[item.unit()];
          unit.push_back(item);
          if (unit.size() < items) return;
          std::uint64_t sum = 0;
          for (const Item<Number>& one : unit) sum += one->value;
          emit.on_behalf_of(unit.front(), item.unit(), Number{sum, context.buffer(page)});
          kept.erase(item.unit());
        },
        {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }, .buffer_bytes = page});
  }
  void sink(Output<Number> in) {
    if (pick(4) == 0) {
      graph.sink(name("sink"), in, [this, d = delay()](const Number& n) { d(), unordered_sum += n.value; });
      return;
    }
    const std::size_t place = ordered.size();
    ordered.emplace_back();
    graph.ordered_sink(
        name("sink"), in,
        [this, d = delay(), place](const Number& n) { d(), ordered[place].push_back(n.value); },
        {.lane = pick(3) == 0 ? Lane::compute : Lane::io});
  }

  std::minstd_rand random_;
  bool is_slow_;
  std::uint64_t units_ = 0, items_ = 0;
  unsigned nodes_ = 0;
};

}  // namespace

TEST_CASE("random graphs give what the serial engine gives, within the smallest budgets") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    const Watchdog watchdog("random graph " + std::to_string(seed));
    RandomGraph plain(seed, {.memory = 1 << 30, .threads = 1, .engine = Engine::serial}, false);
    plain.graph.run();
    std::minstd_rand random(seed * 7919);
    const unsigned threads = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 2 : 8;
    const unsigned tokens = 1 + static_cast<unsigned>(random() >> 7) % 6;
    RandomGraph tight(seed, {.tokens = tokens, .threads = threads, .engine = Engine::onetbb}, true);
    const Plan loose = tight.graph.plan();
    tight.graph.options().memory = loose.smallest_memory + (random() >> 7) % 3 * loose.largest_unit;
    const RunReport report = tight.graph.run();
    CHECK(tight.ordered == plain.ordered);
    CHECK(tight.unordered_sum == plain.unordered_sum);
    CHECK(report.peak_leased <= report.peak_planned);
    CHECK(report.peak_payload <= report.memory_limit);
    CHECK(report.most_units_in_flight <= tokens);
    CHECK(report.threads_seen <= threads);
    CHECK(Alive::count() == 0);
    if (tight.graph.plan().smallest_memory == 0) continue;
    tight.graph.options().memory = loose.smallest_memory - 1;
    RandomGraph smaller(seed, tight.graph.options(), false);
    CHECK_THROWS_AS(smaller.graph.run(), Error);
  }
}

TEST_CASE("random graphs that fail at a random body or are stopped at a random time end with that") {
  std::minstd_rand random(4711);
  for (unsigned seed = 1; seed <= 150; ++seed) {
    CAPTURE(seed);
    const Watchdog watchdog("failing random graph " + std::to_string(seed));
    const bool is_stopped = seed % 2 == 0;
    const unsigned after = 1 + static_cast<unsigned>(random() >> 7) % 60;
    std::atomic<unsigned> calls = 0;
    std::stop_source stop;
    RandomGraph failing(seed,
                        {.memory = 1 << 20,
                         .tokens = 1 + seed % 5,
                         .threads = 1 + seed % 4,
                         .engine = seed % 5 == 0 ? Engine::serial : Engine::onetbb},
                        true);
    try {
      failing.graph.run({.stop = stop.get_token(), .before_body = [&](const std::string&, std::uint64_t) {
                           if (++calls != after) return;
                           if (!is_stopped) throw Error("go", "on", "it was told to fail");
                           stop.request_stop();
                         }});
      CHECK((is_stopped || calls < after));
    } catch (const Error& error) {
      CHECK(calls >= after);
      CHECK(error.kind() == (is_stopped ? ErrorKind::cancelled : ErrorKind::failed));
      CHECK(is_stopped == error.node().empty());
    }
    CHECK(Alive::count() == 0);
  }
}

TEST_CASE("graphs run beside each other in one process") {
  const Watchdog watchdog("side by side");
  std::vector<std::jthread> threads;
  std::atomic<unsigned> right = 0;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&right, i] {
      for (unsigned seed = i * 10 + 1; seed <= i * 10 + 10; ++seed) {
        RandomGraph plain(seed, {.memory = 1 << 30, .threads = 1, .engine = Engine::serial}, false);
        RandomGraph other(seed, {.memory = 1 << 20, .tokens = 3, .threads = 2, .engine = Engine::onetbb},
                          true);
        try {
          plain.graph.run();
          const RunReport report = other.graph.run();
          if (plain.ordered == other.ordered && report.peak_leased <= report.peak_planned) ++right;
        } catch (const Error& error) {  // nothing may leave a thread
          MESSAGE(error.what());
        }
      }
    });
  threads.clear();
  CHECK(right == 40);
}

TEST_CASE("progress grows to all that was planned, and its last word is that the run has finished") {
  const Watchdog watchdog("progress");
  for (const Setup& setup : setups()) {
    std::vector<Progress> calls;
    Graph graph(setup.options(64 * page, 2));
    auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(30));
    auto slow = graph.transform<Number>("slow", numbers, AddSlowly{}, AddSlowly::options());
    graph.ordered_sink("ordered", slow,
                       [](const Number&) { std::this_thread::sleep_for(std::chrono::microseconds(200)); });
    graph.sink("any", slow, [](const Number&) {});
    RunOptions options;
    options.progress = [&](const Progress& progress) { calls.push_back(progress); };
    options.progress_seconds = 0.002;
    graph.run(options);
    REQUIRE(calls.size() >= 2);
    for (std::size_t i = 0; i + 1 < calls.size(); ++i) {
      CHECK_FALSE(calls[i].finished);
      CHECK(calls[i].items_done <= calls[i + 1].items_done);
      CHECK(calls[i].memory_in_use <= calls[i].memory_limit);
    }
    const Progress& last = calls.back();
    CHECK(last.finished);
    CHECK(last.items_planned == 120);
    CHECK(last.items_done == 120);
    CHECK(last.bytes_in == 60 * page);
    CHECK(last.bytes_out == 120 * page);
    CHECK(last.memory_in_use == 0);
    CHECK(last.memory_limit == 64 * page);
  }
  for (const Setup& setup : setups()) {  // also where it failed
    std::optional<Progress> last;
    Graph graph(setup.options());
    auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(30));
    graph.ordered_sink("out", numbers, [](const Number& n) {
      if (n.value == 20) throw Error("go", "on", "enough");
    });
    RunOptions options;
    options.progress = [&](const Progress& progress) { last = progress; };
    error_of(graph, options);
    REQUIRE(last);
    CHECK(last->finished);
    CHECK(last->items_done < last->items_planned);
  }
}
