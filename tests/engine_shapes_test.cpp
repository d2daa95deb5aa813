// The shapes that a graph can have, on both engines.

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "tests/engine_support.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

}  // namespace

TEST_CASE("a join brings two or three edges together by ticket, whoever is first") {
  const Watchdog watchdog("joins");
  for (const Setup& setup : setups())
    for (unsigned tokens : {1u, 6u}) {
      std::vector<std::array<std::uint64_t, 3>> triples;
      std::vector<std::uint64_t> twins;
      Graph graph(setup.options(64 << 20, tokens));
      auto numbers = graph.source<Number>("numbers", Count{4}, Count{4}.options(25));
      auto a = graph.transform<Number>("a", numbers, AddSlowly{100}, AddSlowly::options());
      auto b = graph.transform<Number>("b", numbers, AddSlowly{200}, AddSlowly::options());
      auto three = graph.join("three", numbers, a, b);
      auto two = graph.join("two", b, b);
      graph.ordered_sink("triples", three, [&](const auto& t) {
        triples.push_back({std::get<0>(t)->value, std::get<1>(t)->value, std::get<2>(t)->value});
      });
      graph.ordered_sink("twins", two, [&](const auto& t) {
        CHECK(std::get<0>(t) == std::get<1>(t));
        twins.push_back(std::get<0>(t)->value);
      });
      graph.run();
      REQUIRE(triples.size() == 100);
      REQUIRE(twins.size() == 100);
      for (std::uint64_t i = 0; i < 100; ++i) {
        CHECK(triples[i] == std::array<std::uint64_t, 3>{i, i + 100, i + 200});
        CHECK(twins[i] == i + 200);
      }
      CHECK(Alive::count() == 0);
    }
}

TEST_CASE("what follows a join is paid by the unit of its first edge, whichever edge comes last") {
  const Watchdog watchdog("join pays");
  for (const Setup& setup : setups()) {
    std::vector<std::uint64_t> out;
    Graph graph(setup.options(1 << 20, 6));
    const auto one = [](std::uint64_t) { return std::uint64_t{1}; };
    auto straight = graph.source<std::uint64_t>(
        "straight", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { sleep_at_random(), emit(unit); },
        {.units = 60});
    auto crossed = graph.source<std::uint64_t>(  // units change places in pairs
        "crossed",
        [](std::uint64_t unit, Emit<std::uint64_t>& emit) { sleep_at_random(), emit.at(unit ^ 1, unit ^ 1); },
        {.units = 60, .items_of_unit = one});
    auto paid = graph.transform<Number>("paid", graph.join("both", straight, crossed),
                                        [](const auto& both, const Context& context) {
                                          CHECK(context.unit() == *std::get<0>(both));
                                          return Number{*std::get<1>(both), context.buffer(page)};
                                        },
                                        {.buffer_bytes = page});
    graph.ordered_sink("out", paid, [&](const Number& n) { out.push_back(n.value); });
    graph.run();
    CHECK(out == numbers_to(60));
  }
}

TEST_CASE("sources of one graph share their units") {
  const Watchdog watchdog("two sources");
  for (const Setup& setup : setups()) {
    std::vector<std::uint64_t> sums;
    Graph graph(setup.options(8 * page, 2));
    auto left = graph.source<Number>("left", Count{2}, Count{2}.options(50));
    auto right = graph.source<Number>("right", Count{2}, Count{2}.options(50));
    graph.ordered_sink("sum", graph.join("both", left, right), [&](const auto& pair) {
      sums.push_back(std::get<0>(pair)->value + std::get<1>(pair)->value);
    });
    const RunReport report = graph.run();
    REQUIRE(sums.size() == 100);
    for (std::uint64_t i = 0; i < 100; ++i) CHECK(sums[i] == 2 * i);
    CHECK(report.units == 50);
    CHECK(report.peak_leased <= 8 * page);
    CHECK(report.most_units_in_flight <= 2);
  }
}

TEST_CASE("fan-out shares one value, and the last consumer frees it") {
  const Watchdog watchdog("fan-out");
  struct Witness {
    std::array<std::atomic<unsigned>, 60> seen{};
    std::atomic<unsigned> freed_early{0}, freed{0};
  };
  struct Watched {
    std::uint64_t value = 0;
    Buffer payload;
    std::shared_ptr<Witness> witness;
    Watched(std::uint64_t v, Buffer b, std::shared_ptr<Witness> w)
        : value(v), payload(std::move(b)), witness(std::move(w)) {}
    Watched(Watched&&) = default;
    ~Watched() {
      if (!witness) return;  // moved from
      ++witness->freed;
      if (witness->seen[value] != 3) ++witness->freed_early;
    }
  };
  for (const Setup& setup : setups()) {
    const auto witness = std::make_shared<Witness>();
    std::mutex mutex;
    std::map<std::uint64_t, std::set<const std::byte*>> addresses;
    std::vector<std::uint64_t> fast, slow;
    const auto see = [&](const Watched& watched) {
      const std::lock_guard lock(mutex);
      addresses[watched.value].insert(watched.payload.data());
      ++witness->seen[watched.value];
    };
    // The budget holds one unit: if a consumer kept what it no longer needs, or freed what another needs, it
    // would show.
    Graph graph(setup.options(3 * page, 4));
    auto watched =
        graph.source<Watched>("watched",
                              [witness](std::uint64_t unit, Emit<Watched>& emit, const Context& context) {
                                for (std::uint64_t i = 0; i < 3; ++i)
                                  emit(Watched(unit * 3 + i, context.buffer(page), witness));
                              },
                              {.units = 20, .items = 3, .buffer_bytes = page});
    graph.ordered_sink("fast", watched, [&](const Watched& w) { see(w), fast.push_back(w.value); });
    graph.ordered_sink("slow", watched,
                       [&](const Watched& w) { sleep_at_random(500), see(w), slow.push_back(w.value); });
    graph.sink("any", watched, [&](const Watched& w) { sleep_at_random(), see(w); });
    const RunReport report = graph.run();
    CHECK(fast == numbers_to(60));
    CHECK(slow == numbers_to(60));
    CHECK(witness->freed == 60);
    CHECK(witness->freed_early == 0);
    for (const auto& [value, seen] : addresses) CHECK(seen.size() == 1);
    CHECK(report.peak_leased == 3 * page);
    // Four tokens, but bytes for one unit; the last holder gives bytes back a moment before its token.
    CHECK(report.most_units_in_flight <= 2);
    CHECK(report.peak_payload == 3 * page);
  }
}

TEST_CASE("expand sends a fixed number of items for each, and twice over") {
  const Watchdog watchdog("expand");
  for (const Setup& setup : setups()) {
    std::vector<std::uint64_t> out;
    Graph graph(setup.options());
    auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(20));
    const auto expand = [](const Number& in, Emit<Number>& emit, const Context& context, std::uint64_t fan) {
      sleep_at_random();
      for (std::uint64_t i = 0; i < fan; ++i) emit(Number{in.value * fan + i, context.buffer(page)});
    };
    auto threes = graph.expand<Number>(
        "threes", numbers, [=](const Number& n, Emit<Number>& e, const Context& c) { expand(n, e, c, 3); },
        {.items = 3, .buffer_bytes = page});
    auto twos = graph.expand<Number>(
        "twos", threes, [=](const Number& n, Emit<Number>& e, const Context& c) { expand(n, e, c, 2); },
        {.items = 2, .buffer_bytes = page});
    graph.ordered_sink("out", twos, [&](const Number& n) { out.push_back(n.value); });
    graph.run();
    CHECK(out == numbers_to(240));
  }
}

TEST_CASE("a gather keeps items between calls and sends on behalf of the unit they came from") {
  const Watchdog watchdog("gather");
  for (const Setup& setup : setups())
    for (unsigned tokens : {1u, 5u}) {
      std::vector<std::uint64_t> sums;
      const std::uint64_t unit_bytes = 4 * page + 4 * page + 1000;
      Graph graph(setup.options(unit_bytes * tokens, tokens));
      auto numbers = graph.source<Number>("numbers", Count{4}, Count{4}.options(40));
      auto slow = graph.transform<Number>("slow", numbers, AddSlowly{}, AddSlowly::options());
      auto sum = graph.expand<std::uint64_t>(
          "sum", slow,
          [kept = std::map<std::uint64_t, std::vector<Item<Number>>>()](const Item<Number>& item,
                                                                        Emit<std::uint64_t>& emit) mutable {
            auto& unit = kept[item.unit()];
            unit.push_back(item);
            if (unit.size() < 4) return;
            std::uint64_t total = 0;
            for (const Item<Number>& one : unit) total += one->value;
            emit.on_behalf_of(unit.front(), item.unit(), total);
            kept.erase(item.unit());
          },
          {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }, .item_bytes = 1000});
      graph.ordered_sink("out", sum, [&](const std::uint64_t& n) { sums.push_back(n); });
      const RunReport report = graph.run();
      REQUIRE(sums.size() == 40);
      for (std::uint64_t unit = 0; unit < 40; ++unit) CHECK(sums[unit] == 16 * unit + 6);
      CHECK(report.peak_leased <= unit_bytes * tokens);
      CHECK(Alive::count() == 0);
    }
}

TEST_CASE("items that wait for later units give their tokens back, and neither order nor budget suffers") {
  const Watchdog watchdog("waits");
  // Bands of three tile rows, cut into five segments: a unit makes one tile of each row, and the lower two
  // wait until the rows above are whole.
  constexpr std::uint64_t segments = 5, rows = 3, bands = 4;
  const auto make = [](Graph& graph, std::vector<std::uint64_t>& out, bool says_what_waits) {
    auto units = graph.source<std::uint64_t>(
        "units", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); },
        {.units = bands * segments});
    auto tiles = graph.expand<Number>(
        "tiles", units,
        [](const std::uint64_t& unit, Emit<Number>& emit, const Context& context) {
          sleep_at_random();
          for (std::uint64_t row = 0; row < rows; ++row) {
            const std::uint64_t ticket = (unit / segments * rows + row) * segments + unit % segments;
            emit.at(ticket, Number{ticket, context.buffer(page)});
          }
        },
        {.items_of_unit = [](std::uint64_t) { return rows; },
         .buffer_bytes = page,
         .carried_bytes = [](std::uint64_t unit) { return unit % segments * (rows - 1) * page; }});
    NodeOptions options{.lane = Lane::io};
    if (says_what_waits)
      options.waits = [](std::uint64_t unit, std::uint64_t ticket) {
        return ticket / segments % rows > 0 && unit % segments + 1 < segments;
      };
    graph.ordered_sink(
        "out", tiles, [&out](const Number& tile) { sleep_at_random(), out.push_back(tile.value); }, options);
  };
  constexpr std::uint64_t smallest = (rows + (segments - 1) * (rows - 1)) * page;
  for (const Setup& setup : setups()) {
    for (unsigned tokens : {1u, 2u, 9u})
      for (std::uint64_t memory : {smallest, smallest + 4 * page, 100 * page}) {
        std::vector<std::uint64_t> out;
        Graph graph(setup.options(memory, tokens));
        make(graph, out, true);
        CHECK(graph.plan().smallest_memory == smallest);
        const RunReport report = graph.run();
        CHECK(out == numbers_to(bands * rows * segments));
        CHECK(report.most_units_in_flight <= tokens);
        CHECK(report.peak_leased <= report.peak_planned);
        CHECK(report.peak_planned <= memory);
      }
    // Without it the first unit's token is never given back, and the run must say so instead of waiting.
    std::vector<std::uint64_t> out;
    Graph graph(setup.options(100 * page, 1));
    make(graph, out, false);
    const Error error = error_of(graph);
    CHECK(error.node() == "out");
    CHECK(contains(error.what(),
                   "it received 1 of 3 planned and waits for item 1; 1 of 20 units were admitted"));
  }
}

TEST_CASE("the planned peak holds where many units leave waiting items behind") {
  const Watchdog watchdog("peak");
  for (const Setup& setup : setups())
    for (unsigned tokens : {1u, 2u, 3u}) {
      std::vector<std::uint64_t> out;
      Graph graph(setup.options(1 << 20, tokens));
      // Units come in pairs whose items change places.
      auto pairs =
          graph.source<Number>("pairs",
                               [](std::uint64_t unit, Emit<Number>& emit, const Context& context) {
                                 emit.at(unit ^ 1, Number{unit ^ 1, context.buffer(page)});
                               },
                               {.units = 60,
                                .items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; },
                                .buffer_bytes = page,
                                .carried_bytes = [](std::uint64_t unit) { return unit % 2 * page; }});
      graph.ordered_sink(
          "out", pairs,
          [&out](const Number& n) {
            std::this_thread::sleep_for(std::chrono::microseconds(100));
            out.push_back(n.value);
          },
          {.lane = Lane::io, .waits = [](std::uint64_t unit, std::uint64_t) { return unit % 2 == 0; }});
      const RunReport report = graph.run();
      CHECK(out == numbers_to(60));
      CHECK(report.peak_leased <= report.peak_planned);
    }
}

TEST_CASE("units may have different numbers of items, and none") {
  const Watchdog watchdog("irregular");
  for (const Setup& setup : setups()) {
    std::vector<std::uint64_t> out;
    Graph graph(setup.options(12 * page, 3));
    auto numbers = graph.source<Number>(
        "numbers",
        [](std::uint64_t unit, Emit<Number>& emit, const Context& context) {
          for (std::uint64_t i = 0; i < unit % 4; ++i)
            emit(Number{unit / 4 * 6 + unit % 4 * (unit % 4 - 1) / 2 + i, context.buffer(page)});
        },
        {.units = 40, .items_of_unit = [](std::uint64_t unit) { return unit % 4; }, .buffer_bytes = page});
    auto twice = graph.expand<Number>("twice", numbers,
                                      [](const Number& n, Emit<Number>& emit, const Context& context) {
                                        sleep_at_random();
                                        emit(Number{2 * n.value, context.buffer(page)});
                                        emit(Number{2 * n.value + 1, context.buffer(page)});
                                      },
                                      {.items = 2, .buffer_bytes = page});
    graph.ordered_sink("out", twice, [&](const Number& n) { out.push_back(n.value); });
    CHECK(graph.plan().largest_unit == 9 * page);
    graph.run();
    CHECK(out == numbers_to(120));
  }
}

/// A list that comes in while the run goes on: `take` waits for its next number, nothing after the last.
class SlowList {
 public:
  explicit SlowList(std::uint64_t count)
      : thread_([this, count] {
          for (std::uint64_t i = 0; i < count; ++i) {
            if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
            put(i);
          }
          put(std::nullopt);
        }) {}
  std::optional<std::uint64_t> take() {
    std::unique_lock lock(mutex_);
    woken_.wait(lock, [this] { return has_ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return std::nullopt;
    const std::uint64_t next = waiting_.front();
    waiting_.pop_front();
    return next;
  }
  bool has_ended() {
    std::lock_guard lock(mutex_);
    return has_ended_ && waiting_.empty();
  }

 private:
  void put(std::optional<std::uint64_t> next) {
    std::lock_guard lock(mutex_);
    if (next)
      waiting_.push_back(*next);
    else
      has_ended_ = true;
    woken_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable woken_;
  std::deque<std::uint64_t> waiting_;
  bool has_ended_ = false;
  std::jthread thread_;
};

TEST_CASE("a source that finds its units while it runs ends with its list, and delivers all of it in order") {
  const Watchdog watchdog("open-ended");
  for (const Setup& setup : setups()) {
    for (const std::uint64_t count : {0UL, 1UL, 2UL, 257UL}) {
      CAPTURE(setup.threads);
      CAPTURE(count);
      SlowList list(count);
      std::vector<std::uint64_t> seen;
      std::uint64_t empty = 0;
      Graph graph(setup.options(64 << 20, 3));
      auto listed = graph.source<std::optional<std::uint64_t>>(
          "list", [&](std::uint64_t, Emit<std::optional<std::uint64_t>>& emit) { emit(list.take()); },
          {.concurrency = 1, .lane = Lane::io, .ended = [&](std::uint64_t) { return list.has_ended(); }});
      auto doubled = graph.expand<std::optional<std::uint64_t>>(
          "double", listed,
          [](const std::optional<std::uint64_t>& in, Emit<std::optional<std::uint64_t>>& emit) {
            for (std::uint64_t i = 0; i < 2; ++i)
              emit(in ? std::optional<std::uint64_t>(2 * *in + i) : std::nullopt);
          },
          {.items = 2, .buffer_bytes = 0});
      graph.ordered_sink("collect", doubled, [&](const std::optional<std::uint64_t>& in) {
        if (in)
          seen.push_back(*in);
        else
          ++empty;
      });
      CHECK(graph.explain().find("units       as they come, 3 in flight at most") != std::string::npos);
      Progress last;
      const RunReport report = graph.run({.progress = [&](const Progress& now) { last = now; }});
      REQUIRE(seen.size() == 2 * count);
      for (std::uint64_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == i);
      CHECK(empty <= 2 * 3);
      CHECK(report.units == count + empty / 2);
      CHECK(last.items_planned == seen.size() + empty);
      CHECK(last.items_done == last.items_planned);
    }
  }
}

TEST_CASE("a source that finds its units while it runs wants them alike, and fails as any other") {
  Graph uneven({.memory = 64 << 20, .threads = 2});
  auto numbers =
      uneven.source<std::uint64_t>("list", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); },
                                   {.ended = [](std::uint64_t unit) { return unit == 3; },
                                    .items_of_unit = [](std::uint64_t) { return 1; }});
  uneven.sink("sink", numbers, [](const std::uint64_t&) {});
  CHECK_THROWS_WITH_AS(uneven.validate(), doctest::Contains("all units must be alike"), Error);

  for (const Setup& setup : setups()) {
    Graph graph(setup.options());
    auto listed = graph.source<std::uint64_t>(
        "list",
        [](std::uint64_t unit, Emit<std::uint64_t>& emit) {
          if (unit == 5) throw Error("list", "the bucket", "it is gone");
          emit(unit);
        },
        {.concurrency = 1, .lane = Lane::io, .ended = [](std::uint64_t unit) { return unit == 1000; }});
    graph.sink("sink", listed, [](const std::uint64_t&) {});
    CHECK_THROWS_WITH_AS(graph.run(), doctest::Contains("it is gone"), Error);
  }
}

TEST_CASE("dropped items leave no gap behind a transform, an expand or a join") {
  const Watchdog watchdog("tombstones");
  for (const Setup& setup : setups()) {
    std::vector<std::uint64_t> expanded, joined, dropped_by_source;
    Graph graph(setup.options(16 * page, 2));
    auto numbers = graph.source<Number>("numbers", Count{3}, Count{3}.options(30));
    auto even =
        graph.transform<Number>("even", numbers,
                                [](const Number& in, const Context& context) -> std::optional<Number> {
                                  sleep_at_random();
                                  if (in.value % 2 == 1) return std::nullopt;
                                  return Number{in.value, context.buffer(page)};
                                },
                                {.buffer_bytes = page});
    auto twice = graph.expand<std::uint64_t>("twice", even,
                                             [](const Number& n, Emit<std::uint64_t>& emit) {
                                               emit(2 * n.value);
                                               emit.drop();
                                             },
                                             {.items = 2});
    graph.ordered_sink("expanded", twice, [&](const std::uint64_t& n) { expanded.push_back(n); });
    graph.ordered_sink("joined", graph.join("both", numbers, even), [&](const auto& both) {
      CHECK(std::get<0>(both)->value == std::get<1>(both)->value);
      joined.push_back(std::get<0>(both)->value);
    });
    const RunReport report = graph.run();
    std::vector<std::uint64_t> evens;
    for (std::uint64_t i = 0; i < 90; i += 2) evens.push_back(i);
    CHECK(joined == evens);
    REQUIRE(expanded.size() == 45);
    for (std::size_t i = 0; i < 45; ++i) CHECK(expanded[i] == 2 * evens[i]);
    CHECK(report.node("expanded").items_in == 180);
  }
}

TEST_CASE("a transform that is the only consumer takes the value over") {
  const Watchdog watchdog("takes over");
  for (const Setup& setup : setups()) {
    std::vector<std::uint64_t> out;
    std::atomic<unsigned> moved = 0;
    Graph graph(setup.options(4 * page, 2));
    auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(30));
    auto same = graph.transform<Number>("same", numbers, [&moved](Number&& in) {
      const std::byte* address = in.payload.data();
      Number made{in.value, std::move(in.payload)};
      if (made.payload.data() == address && in.payload.data() == nullptr) ++moved;
      return made;
    });
    graph.ordered_sink("out", same, [&](const Number& n) { out.push_back(n.value); });
    graph.run();
    CHECK(out == numbers_to(60));
    CHECK(moved == 60);
  }
  Graph graph;
  auto numbers = graph.source<Number>("numbers", Count{}, Count{}.options(3));
  auto same = graph.transform<Number>("same", numbers, [](Number&& in) { return std::move(in); });
  graph.sink("out", same, [](const Number&) {});
  graph.sink("too", numbers, [](const Number&) {});
  CHECK_THROWS_WITH_AS(graph.validate(),
                       "cannot use the graph: same takes over the items of numbers, which others consume too",
                       Error);
}
