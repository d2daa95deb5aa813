// What happens when something fails or the run is stopped: one clear error, soon, nothing left behind.

#include <map>
#include <new>
#include <stdexcept>

#include "tests/engine_support.hpp"

namespace {

using namespace weir;
using namespace weir::testing;
using namespace std::chrono_literals;

struct NotAnException {};

struct Nameless {
  std::uint64_t value = 0;
};
std::string item_name(const Nameless&) {
  throw std::runtime_error("no name");
}

/// Throws one of the kinds of things that a node can throw.
void fail_as(const std::string& kind) {
  if (kind == "Error") throw Error("read", "tile 7", "the disk is on fire");
  if (kind == "bad_alloc") throw std::bad_alloc();
  if (kind == "exception") throw std::runtime_error("something broke");
  throw NotAnException();
}

const std::map<std::string, std::string> texts{{"Error", "cannot read tile 7: the disk is on fire"},
                                               {"bad_alloc", "cannot allocate memory: out of memory"},
                                               {"exception", ": something broke"},
                                               {"other", ": an exception of unknown type"}};

struct Sink {
  void open() const { act("open"); }
  void operator()(const Number& number) {
    act(number.value == 40 ? "sink" : "");
    out->push_back(number.value);
  }
  void close() const {
    act("close");
    ++*closed;
  }
  void act(const std::string& here) const {
    if (!here.empty() && here == place) fail_as(kind);
  }
  std::string place, kind;
  std::vector<std::uint64_t>* out;
  std::atomic<unsigned>* closed;
};

/// Needs scratch, and fails without.
struct WithScratch {
  struct Local {
    explicit Local(const Scratch& s) : scratch(s), block(s.allocate(500)) {
      if (block == nullptr) throw Error("make", "a codec", "out of memory");
    }
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;
    ~Local() { scratch.release(block); }
    Scratch scratch;
    void* block;
  };
  std::unique_ptr<Local> make_local(const Scratch& scratch) const { return std::make_unique<Local>(scratch); }
  Number operator()(const Number& in, Local&, const Context& context) const {
    return {in.value, context.buffer(page)};
  }
};

/// A graph with a node of every kind; the one called `place` fails at number 40.
struct Everything {
  std::vector<std::uint64_t> out;
  std::atomic<unsigned> closed = 0;
  Graph graph;
  static constexpr std::uint64_t unit_bytes = 21 * page;

  Everything(GraphOptions options, std::uint64_t units, const std::string& place, const std::string& kind)
      : graph(options) {
    const auto act = [place, kind](const std::string& here, std::uint64_t value) {
      if (here == place && value == 40) fail_as(kind);
    };
    auto numbers =
        graph.source<Number>("source",
                             [act](std::uint64_t unit, Emit<Number>& emit, const Context& context) {
                               for (std::uint64_t i = 0; i < 4; ++i) {
                                 act("source", unit * 4 + i);
                                 emit(Number{unit * 4 + i, context.buffer(page)});
                               }
                             },
                             {.units = units, .items = 4, .buffer_bytes = page});
    auto read = graph.transform<Number>("io", numbers,
                                        [act](const Number& in, const Context& context) {
                                          act("io", in.value);
                                          return Number{in.value, context.buffer(page)};
                                        },
                                        {.lane = Lane::io, .buffer_bytes = page});
    auto made = graph.transform<Number>("transform", read,
                                        [act](const Number& in, const Context& context) {
                                          Number result{in.value, context.buffer(page)};
                                          act("transform", in.value);
                                          return result;
                                        },
                                        {.buffer_bytes = page});
    auto coded =
        graph.transform<Number>("scratch", made, WithScratch{}, {.buffer_bytes = page, .slot_bytes = page});
    auto joined = graph.transform<Number>("joined", graph.join("join", coded, read),
                                          [](const auto& both, const Context& context) {
                                            return Number{std::get<0>(both)->value, context.buffer(page)};
                                          },
                                          {.buffer_bytes = page});
    auto gathered = graph.expand<Number>(
        "gather", joined,
        [act, kept = std::map<std::uint64_t, std::vector<Item<Number>>>()](
            const Item<Number>& item, Emit<Number>& emit, const Context& context) mutable {
          auto& unit = kept[item.unit()];
          unit.push_back(item);
          act("gather", item->value);
          if (unit.size() < 4) return;
          emit.on_behalf_of(unit.front(), item.unit(), Number{item.unit(), context.buffer(page)});
          kept.erase(item.unit());
        },
        {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }, .buffer_bytes = page});
    graph.ordered_sink("sink", joined, Sink{place, kind, &out, &closed});
    graph.sink("unordered", gathered, [act](const Number& in) { act("unordered", in.value * 4); });
  }
};

std::string node_of(const std::string& place) {
  return place == "open" || place == "close" ? "sink" : place;
}

}  // namespace

TEST_CASE("whatever a node throws wherever it is, the run ends with that error, its node and its item") {
  const Watchdog watchdog("failures");
  for (const Setup& setup : setups())
    for (const auto& entry : texts)
      for (const std::string place :
           {"open", "source", "io", "transform", "gather", "sink", "unordered", "close"}) {
        const std::string &kind = entry.first, &text = entry.second;  // CAPTURE takes no bindings
        CAPTURE(place);
        CAPTURE(kind);
        Everything all(setup.options(Everything::unit_bytes * 3 + 9 * page, 3), 20, place, kind);
        const Error error = error_of(all.graph);
        CHECK(error.node() == node_of(place));
        CHECK(!error.item().empty());
        if (place == "transform" || place == "io" || place == "sink") CHECK(error.item() == "item 40");
        if (place == "source" || place == "gather")
          CHECK(contains(error.item(), place == "source" ? "unit 10" : "item"));
        CHECK_MESSAGE(contains(error.what(), text), error.what());
        CHECK(error.kind() == ErrorKind::failed);
        CHECK(all.closed == 0);
        if (place == "sink") CHECK(all.out == numbers_to(40));
        if (place == "open") CHECK(all.out.empty());
      }
  for (const Setup& setup : setups()) {  // the process can run the next graph
    Everything all(setup.options(Everything::unit_bytes * 3 + 9 * page, 3), 20, "", "");
    all.graph.run();
    CHECK(all.out == numbers_to(80));
    CHECK(all.closed == 1);
    CHECK(Alive::count() == 0);
  }
}

TEST_CASE("each body and each allocation may fail in turn: always one clean error, never a hang") {
  const Watchdog watchdog("k-th failure");
  for (const Setup& setup : setups())
    for (const std::string what : {"body", "throwing body", "allocation", "throwing allocation"}) {
      CAPTURE(what);
      unsigned failed = 0;
      for (unsigned k = 1; k < 1000; ++k) {
        CAPTURE(k);
        std::atomic<unsigned> calls = 0;
        RunOptions options;
        if (what == "body")
          options.before_body = [&](const std::string& node, std::uint64_t) {
            if (++calls == k) throw Error("run", "the body of " + node, "it was told to fail");
          };
        if (what == "throwing body")
          options.before_body = [&](const std::string&, std::uint64_t) {
            if (++calls == k) throw NotAnException();
          };
        if (what == "allocation") options.before_allocation = [&] { return ++calls != k; };
        if (what == "throwing allocation")
          options.before_allocation = [&]() -> bool {
            if (++calls == k) throw std::bad_alloc();
            return true;
          };
        Everything all(setup.options(Everything::unit_bytes * 2 + 9 * page, 2), 3, "", "");
        try {
          all.graph.run(options);
          CHECK(calls < k);
          CHECK(all.out == numbers_to(12));
          break;
        } catch (const Error& error) {
          ++failed;
          CHECK(calls >= k);
          CHECK(!error.node().empty());
          CHECK(!error.item().empty());
          if (what == "body") CHECK(contains(error.what(), "cannot run the body of " + error.node()));
          CHECK(all.closed == 0);
        }
        CHECK(Alive::count() == 0);
      }
      // Bodies: 3 units of 1 source, 8 of the join, 4 of each other node, 1 of the last sink. Allocations: 21
      // a unit, and scratch for as many threads as were inside.
      if (contains(what, "body")) CHECK(failed == 3 * (1 + 8 + 6 * 4 + 1));
      if (contains(what, "allocation")) CHECK(failed >= 3 * 21);
    }
}

TEST_CASE("the first error is kept, with its own place") {
  const Watchdog watchdog("first error");
  for (const Setup& setup : setups()) {
    Graph graph(setup.options());
    std::atomic<bool> is_failing = false;
    auto numbers = graph.source<Number>("numbers", Count{4}, Count{4}.options(100));
    auto all = graph.transform<Number>("all", numbers,
                                       [&](const Number& in, const Context& context) -> Number {
                                         // Whatever is underway when the sink fails fails as well, a little
                                         // later.
                                         if (is_failing) std::this_thread::sleep_for(5ms);
                                         if (is_failing) throw Error("be", "first", "too late");
                                         return {in.value, context.buffer(page)};
                                       },
                                       {.buffer_bytes = page});
    graph.ordered_sink("sink", all, [&](const Number& in) {
      if (in.value != 50) return;
      is_failing = true;
      throw Error("be", "second", "in time");
    });
    CHECK(std::string(error_of(graph).what()) == "node sink, item 50: cannot be second: in time");
  }
}

TEST_CASE("an error that knows its place already keeps it") {
  for (const Setup& setup : setups()) {
    Graph graph(setup.options());
    auto numbers = graph.source<Number>("numbers", Count{}, Count{}.options(3));
    graph.ordered_sink("outer", numbers, [](const Number&) {
      throw Error("read", "it", "no").at("inner", "tile 7");  // as from a graph that the node runs itself
    });
    CHECK(std::string(error_of(graph).what()) == "node inner, tile 7: cannot read it: no");
  }
}

TEST_CASE("a value whose name cannot be made is named by its ticket") {
  for (const Setup& setup : setups()) {
    Graph graph(setup.options());
    auto numbers = graph.source<Nameless>(
        "numbers", [](std::uint64_t unit, Emit<Nameless>& emit) { emit(Nameless{unit}); }, {.units = 3});
    graph.ordered_sink("sink", numbers, [](const Nameless& n) {
      if (n.value == 2) throw Error("write", "it", "no");
    });
    CHECK(std::string(error_of(graph).what()) == "node sink, item 2: cannot write it: no");
  }
}

TEST_CASE("functions of the description that throw during the run end it with an error") {
  const Watchdog watchdog("throwing descriptions");
  for (const Setup& setup : setups())
    for (const std::string which : {"items", "bytes", "carried", "waits"}) {
      std::atomic<bool> is_running = false;
      const auto act = [&](const std::string& here, std::uint64_t unit) {
        if (is_running && here == which && unit == 5) throw std::runtime_error("no answer");
      };
      Graph graph(setup.options(1 << 20, 2));
      auto numbers = graph.source<Number>(
          "numbers", Count{},
          {.units = 10,
           .items_of_unit = [=](std::uint64_t unit) { return act("items", unit), std::uint64_t{1}; },
           .buffer_bytes_of_unit = [=](std::uint64_t unit) { return act("bytes", unit), page; },
           .carried_bytes = [=](std::uint64_t unit) { return act("carried", unit), page; }});
      graph.ordered_sink("sink", numbers, [](const Number&) {},
                         {.lane = Lane::io, .waits = [=](std::uint64_t unit, std::uint64_t) {
                            return act("waits", unit), false;
                          }});
      const Error error =
          error_of(graph, {.before_body = [&](const std::string&, std::uint64_t) { is_running = true; }});
      CHECK(contains(error.what(), "no answer"));
    }
}

TEST_CASE(
    "a stop ends the run soon: before it, in it, while admission starves and while an I/O node sleeps") {
  const Watchdog watchdog("stop");
  for (const Setup& setup : setups())
    for (const std::string when : {"before", "starving", "no token", "sleeping"}) {
      CAPTURE(when);
      std::stop_source stop;
      std::atomic<std::uint64_t> seen = 0;
      std::atomic<unsigned> closed = 0;
      struct SlowSink {
        void operator()(const Number&, const Context& context) {
          ++*seen;
          // An hour where the node listens to the stop token, else a little.
          std::mutex mutex;
          std::unique_lock lock(mutex);
          std::condition_variable_any never;
          never.wait_for(lock, context.stop(), is_asleep ? std::chrono::milliseconds(3'600'000) : 5ms,
                         [] { return false; });
        }
        void close() { ++*closed; }
        bool is_asleep;
        std::atomic<std::uint64_t>* seen;
        std::atomic<unsigned>* closed;
      };
      Graph graph(setup.options(when == "starving" ? 2 * page : 1 << 20, when == "no token" ? 1 : 1000));
      auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(100'000));
      graph.ordered_sink("slow", numbers, SlowSink{when == "sleeping", &seen, &closed});
      if (when == "before") stop.request_stop();
      const std::jthread stopper([&] {
        while (seen == 0 && when != "before") std::this_thread::sleep_for(1ms);
        std::this_thread::sleep_for(20ms);
        stop.request_stop();
      });
      const auto started = std::chrono::steady_clock::now();
      const Error error = error_of(graph, {.stop = stop.get_token()});
      CHECK(std::chrono::steady_clock::now() - started < 1s);
      CHECK(error.kind() == ErrorKind::cancelled);
      CHECK(std::string(error.what()) == "cannot finish the run: it was cancelled");
      CHECK(closed == 0);
      CHECK(seen < 1000);
      if (when == "before") CHECK(seen == 0);
    }
}

TEST_CASE("a stop that comes while outputs are being finished comes too late") {
  struct StopsInClose {
    void operator()(const Number&) {}
    void close() {
      stop->request_stop();
      ++*closed;
    }
    std::stop_source* stop;
    unsigned* closed;
  };
  for (const Setup& setup : setups()) {
    std::stop_source stop;
    unsigned closed = 0;
    Graph graph(setup.options());
    auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(5));
    graph.ordered_sink("first", numbers, StopsInClose{&stop, &closed});
    graph.ordered_sink("second", numbers, StopsInClose{&stop, &closed});
    graph.run({.stop = stop.get_token()});
    CHECK(closed == 2);
  }
}

TEST_CASE("a sink that cannot be closed keeps later ones from being closed") {
  struct Closes {
    void operator()(const Number&) {}
    void close() {
      ++*closed;
      throw std::runtime_error("no space");
    }
    unsigned* closed;
  };
  for (const Setup& setup : setups()) {
    unsigned closed = 0;
    Graph graph(setup.options());
    auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(5));
    graph.ordered_sink("first", numbers, Closes{&closed});
    graph.ordered_sink("second", numbers, Closes{&closed});
    CHECK(std::string(error_of(graph).what()) == "node first, close: cannot finish the output: no space");
    CHECK(closed == 1);
  }
}

TEST_CASE("a graph runs once") {
  for (const Setup& setup : setups()) {
    Everything all(setup.options(), 3, "", "");
    all.graph.run();
    CHECK_THROWS_WITH_AS(all.graph.run(),
                         "cannot run the graph: it was run before; a graph is used up by its run", Error);
    Everything failing(setup.options(), 20, "transform", "Error");
    error_of(failing.graph);
    CHECK_THROWS_WITH_AS(failing.graph.run(),
                         "cannot run the graph: it was run before; a graph is used up by its run", Error);
    CHECK(all.closed == 1);
  }
}
