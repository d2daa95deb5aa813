// Planned is delivered, or the run fails and says where: nodes that do not keep to their description. And
// what a graph says of itself before it runs.

#include <map>

#include "tests/engine_support.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

/// Two items a unit were planned; `wrong` says what unit 3 does instead.
struct Wrong {
  std::string wrong;
  void operator()(std::uint64_t unit, Emit<Number>& emit, const Context& context) const {
    const bool is_wrong = unit == 3;
    const std::uint64_t items = !is_wrong ? 2 : wrong == "too few" ? 1 : wrong == "too many" ? 3 : 2;
    for (std::uint64_t i = 0; i < items; ++i) {
      std::uint64_t ticket = unit * 2 + i;
      if (is_wrong && wrong == "the same twice") ticket = unit * 2;
      if (is_wrong && wrong == "far beyond" && i == 1) ticket = std::uint64_t{1} << 40;
      if (is_wrong && wrong == "the largest" && i == 1) ticket = ~std::uint64_t{0};
      emit.at(ticket, Number{ticket, context.buffer(page)});
    }
  }
};

struct CountsClose {
  void operator()(const Number&) { ++*seen; }
  void close() { ++*closed; }
  std::uint64_t* seen;
  unsigned* closed;
};

}  // namespace

TEST_CASE("a node that sends too few items, too many, or one twice fails with its name and the counts") {
  const Watchdog watchdog("ledger");
  const std::map<std::string, std::string> says{{"too few", "it sent 1 of 2 planned"},
                                                {"too many", "cannot send "},
                                                {"the same twice", ""},
                                                {"far beyond", "cannot send item 1099511627776"},
                                                {"the largest", "cannot send item 18446744073709551615"}};
  for (const Setup& setup : setups())
    for (const auto& entry : says)
      for (const bool is_ordered : {true, false})
        for (const bool is_irregular : {true, false}) {
          const std::string &wrong = entry.first, &text = entry.second;  // CAPTURE takes no bindings
          CAPTURE(wrong);
          CAPTURE(is_ordered);
          CAPTURE(is_irregular);
          std::uint64_t seen = 0;
          unsigned closed = 0;
          Graph graph(setup.options());
          NodeOptions options{.units = 10, .items = 2, .buffer_bytes = 2 * page};
          if (is_irregular) options.items_of_unit = [](std::uint64_t) { return std::uint64_t{2}; };
          auto numbers = graph.source<Number>("wrong", Wrong{wrong}, options);
          if (is_ordered)
            graph.ordered_sink("sink", numbers, CountsClose{&seen, &closed});
          else
            graph.sink("sink", numbers, CountsClose{&seen, &closed});
          const Error error = error_of(graph);
          CHECK_MESSAGE(error.node() == "wrong", std::string(error.what()));
          CHECK_MESSAGE(contains(error.what(), text), std::string(error.what()));
          CHECK(closed == 0);
        }
}

TEST_CASE("an expand that sends another number of items than planned fails with its name and the item") {
  for (const Setup& setup : setups())
    for (const std::uint64_t sent : {0u, 1u, 3u}) {
      Graph graph(setup.options());
      auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(5));
      auto twice = graph.expand<std::uint64_t>("twice", numbers,
                                               [sent](const Number& n, Emit<std::uint64_t>& emit) {
                                                 for (std::uint64_t i = 0; i < (n.value == 4 ? sent : 2); ++i)
                                                   emit(i);
                                               },
                                               {.items = 2});
      graph.sink("sink", twice, [](const std::uint64_t&) {});
      const Error error = error_of(graph);
      CHECK(error.node() == "twice");
      CHECK(error.item() == "item 4");
      CHECK_MESSAGE(contains(error.what(), sent == 3 ? "only 2 items from item 8 on are planned"
                                                     : "it sent " + std::to_string(sent) + " of 2 planned"),
                    std::string(error.what()));
    }
}

TEST_CASE("a gather whose items over all calls are too few, too many or not each once is found at the end") {
  const Watchdog watchdog("gather ledger");
  for (const Setup& setup : setups())
    for (const bool is_ordered : {true, false})
      for (const std::string wrong : {"too few", "too many", "the same twice", "two twice"}) {
        CAPTURE(wrong);
        std::uint64_t seen = 0;
        unsigned closed = 0;
        Graph graph(setup.options());
        auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(10));
        auto gathered = graph.expand<Number>(
            "gather", numbers,
            [wrong](const Item<Number>& item, Emit<Number>& emit) {
              const std::uint64_t value = item->value;
              if (wrong == "too few" && value == 7) return;
              std::uint64_t ticket = value;
              if (wrong == "the same twice" && value == 7) ticket = 6;
              if (wrong == "two twice")
                ticket = value == 1 ? 0 : value == 2 ? 3 : value;  // the sum stays the same
              emit.at(ticket, Number{ticket});
              if (wrong == "too many" && value == 7) emit.at(19, Number{19});
            },
            {.items_of_unit = [](std::uint64_t) { return std::uint64_t{2}; }});
        if (is_ordered)
          graph.ordered_sink("sink", gathered, CountsClose{&seen, &closed});
        else
          graph.sink("sink", gathered, CountsClose{&seen, &closed});
        const Error error = error_of(graph);
        CHECK_MESSAGE(error.node() == "gather", std::string(error.what()));
        if (wrong == "too few" && !is_ordered)
          CHECK_MESSAGE(contains(error.what(), "it sent 19 of 20 planned"), std::string(error.what()));
        CHECK(closed == 0);
      }
}

TEST_CASE("a run whose items are still held somewhere is no success") {
  const Watchdog watchdog("undelivered");
  for (const Setup& setup : setups()) {
    std::uint64_t seen = 0;
    unsigned closed = 0;
    Graph graph(setup.options(64 * page, 2));
    auto numbers = graph.source<Number>("numbers", Count{1}, Count{1}.options(10));
    // Needs the items of three units at once, where two may be in flight.
    auto held = graph.expand<Number>(
        "holds", numbers,
        [kept = std::vector<Item<Number>>()](const Item<Number>& item, Emit<Number>& emit) mutable {
          kept.push_back(item);
          if (kept.size() < 3) return;
          for (const Item<Number>& one : kept) emit.at(one->value, Number{one->value});
          kept.clear();
        },
        {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }});
    graph.ordered_sink("sink", held, CountsClose{&seen, &closed});
    const Error error = error_of(graph);
    CHECK(std::string(error.what()) ==
          "node holds: cannot deliver all items: it sent 0 of 2 planned; 2 of 10 units were "
          "admitted, 8192 of 262144 bytes are in use");
    CHECK(seen == 0);
    CHECK(closed == 0);
  }
}

TEST_CASE("bytes that are kept beyond what was declared stop admission, and the run says so") {
  const Watchdog watchdog("undeclared carry");
  for (const Setup& setup : setups()) {
    std::uint64_t seen = 0;
    unsigned closed = 0;
    Graph graph(setup.options(3 * page, 2));
    auto numbers = graph.source<Number>("numbers", Count{1}, Count{1}.options(10));
    auto same = graph.expand<Number>("keeps", numbers,
                                     [kept = std::vector<std::shared_ptr<const Number>>()](
                                         const Item<Number>& item, Emit<Number>& emit) mutable {
                                       kept.push_back(item.share());
                                       emit.at(item->value, Number{item->value});
                                     },
                                     {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }});
    graph.ordered_sink("sink", same, CountsClose{&seen, &closed});
    CHECK(std::string(error_of(graph).what()) ==
          "cannot admit unit 3: earlier units hold more than their nodes declared as carried; 3 of 10 units "
          "were admitted, "
          "12288 of 12288 bytes are in use");
    CHECK(seen == 3);
    CHECK(closed == 0);
  }
}

TEST_CASE(
    "a node that asks for more buffer than it declared fails itself, not the one whose bytes it takes") {
  for (const Setup& setup : setups()) {
    Graph graph(setup.options());
    auto numbers = graph.source<Number>("numbers", Count{1}, Count{1}.options(3));
    auto greedy =
        graph.transform<Number>("greedy", numbers,
                                [](const Number& in, const Context& context) {
                                  return Number{in.value, context.buffer(in.value == 1 ? 2 * page : page)};
                                },
                                {.buffer_bytes = page});
    auto honest = graph.transform<Number>("honest", greedy, AddSlowly{}, AddSlowly::options());
    graph.ordered_sink("sink", honest, [](const Number&) {});
    const Error error = error_of(graph);
    CHECK(std::string(error.what()) ==
          "node greedy, item 1: cannot allocate 8192 bytes: the node asks for more than it "
          "declared (4096 bytes are left of its unit)");
  }
}

TEST_CASE("a dropped item cannot pass a node that gives tickets itself, and the run says so") {
  for (const Setup& setup : setups()) {
    Graph graph(setup.options());
    auto numbers =
        graph.source<Number>("numbers", [](std::uint64_t, Emit<Number>& emit) { emit.drop(); }, {.units = 2});
    auto gathered = graph.expand<Number>("gather", numbers, [](const Item<Number>&, Emit<Number>&) {},
                                         {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; }});
    graph.ordered_sink("sink", gathered, [](const Number&) {});
    const Error error = error_of(graph);
    CHECK(error.node() == "gather");
    CHECK(contains(error.what(), "cannot pass on a dropped item"));
  }
}

TEST_CASE("a graph that cannot work is refused with all that is wrong with it") {
  Graph graph;
  CHECK_THROWS_WITH_AS(graph.validate(), "cannot use the graph: there is no source; there is no sink", Error);
  auto a = graph.source<Number>("a", Count{}, Count{}.options(3));
  auto b = graph.source<Number>("b", Count{}, Count{}.options(4));
  auto c = graph.transform<Number>("b", a,
                                   [calls = 0](const Number& n) mutable { return ++calls, Number{n.value}; },
                                   {.concurrency = 2, .items = 2});
  graph.transform<Number>("d", c, [](const Number& n) { return Number{n.value}; },
                          {.concurrency = 0, .ordered = true});
  graph.sink("e", b, [](const Number&) {}, {.waits = [](std::uint64_t, std::uint64_t) { return true; }});
  graph.ordered_sink("", b, [](const Number&) {},
                     {.buffer_bytes_of_unit = [](std::uint64_t) { return page; },
                      .waits = [](std::uint64_t, std::uint64_t) { return true; }});
  try {
    graph.validate();
    FAIL("it was accepted");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    for (const char* part :
         {"source b has 4 units, another source 3", "two nodes are called b",
          "b has a concurrency of 2, but its call operator is not const",
          "b is a transform, which makes one item of one", "d has a concurrency of 0",
          "d is ordered, but its call operator is const", "nobody consumes what d puts out",
          "e says which items wait", "node 5 has no name", " says which items wait"})
      CHECK_MESSAGE(contains(error.what(), part), std::string(part) << " in " << error.what());
  }
  Graph other;
  CHECK_THROWS_WITH_AS(other.sink("x", a, [](const Number&) {}),
                       "cannot connect nodes: the output belongs to another graph", Error);
  CHECK_THROWS_AS(other.sink("x", Output<Number>{}, [](const Number&) {}), Error);
  Graph crowd({.threads = 1025});
  CHECK_THROWS_AS(crowd.validate(), Error);
}

TEST_CASE("a join of edges whose units have different numbers of items is refused") {
  Graph graph;
  auto a = graph.source<Number>("a", Count{2}, Count{2}.options(3));
  auto b = graph.source<Number>("b", Count{3}, Count{3}.options(3));
  graph.sink("sink", graph.join("both", a, b), [](const auto&) {});
  CHECK_THROWS_WITH_AS(graph.plan(), "cannot use the graph: both joins a and b, whose items per unit differ",
                       Error);
}

TEST_CASE("concurrency is set by a node's name, and refused where the node cannot have it") {
  Graph graph({.threads = 4, .engine = Engine::onetbb});
  auto a = graph.source<Number>("a", Count{}, Count{}.options(3));
  auto b = graph.transform<Number>("b", a,
                                   [calls = 0](const Number& n) mutable { return ++calls, Number{n.value}; });
  graph.ordered_sink("c", b, [](const Number&) {});
  CHECK(graph.plan().concurrency == std::vector<unsigned>{4, 1, 1});
  graph.set_concurrency("a", 3);
  graph.set_concurrency("c", 1);
  CHECK(graph.plan().concurrency == std::vector<unsigned>{3, 1, 1});
  CHECK_THROWS_WITH_AS(graph.set_concurrency("x", 1),
                       "cannot set x.concurrency: there is no node of that name; there are a, b, c", Error);
  CHECK_THROWS_WITH_AS(graph.set_concurrency("a", 0), "cannot set a.concurrency: it must be at least 1",
                       Error);
  CHECK_THROWS_WITH_AS(graph.set_concurrency("b", 2),
                       "cannot set b.concurrency: the node runs one item at a time, 2 was asked for", Error);
  CHECK_THROWS_AS(graph.set_concurrency("c", 2), Error);
}

TEST_CASE("explain and the drawing say which oneTBB nodes a graph becomes") {
  Graph graph({.memory = 1 << 20, .tokens = 5, .threads = 3, .engine = Engine::onetbb});
  auto a = graph.source<Number>("a", Count{2}, Count{2}.options(7));
  auto b = graph.transform<Number>("b", a, AddSlowly{},
                                   {.concurrency = 4, .lane = Lane::io, .buffer_bytes = page});
  auto c = graph.transform<Number>(
      "c", b, [calls = 0](const Number& n) mutable { return ++calls, Number{n.value}; }, {.ordered = true});
  graph.ordered_sink("d", graph.join("both", c, b), [](const auto&) {},
                     {.lane = Lane::io,
                      .waits = [](std::uint64_t, std::uint64_t) { return false; },
                      .standing_bytes = 5000});
  const std::string text = graph.explain(), dot = graph.dot();
  for (const char* form : {"multifunction_node, concurrency 3, queueing", "async_node, serial; 4 I/O threads",
                           "sequencer_node -> multifunction_node, serial, queueing",
                           "function_node -> sequencer_node -> async_node, serial; 1 I/O thread"}) {
    CHECK_MESSAGE(contains(text, form), text);
    CHECK_MESSAGE(contains(dot, form), dot);
  }
  for (const char* part :
       {"7, 5 in flight at most", "admission -> a: unit", "c -> both: ", "both -> d: ", ", in ticket order"})
    CHECK_MESSAGE(contains(text, part), text);
  for (const char* part : {"digraph weir {", "admission -> n0", "n2 -> n3 ", "n3 -> n4 ", "14 x "})
    CHECK_MESSAGE(contains(dot, part), dot);
  CHECK(graph.plan().smallest_memory == 5000 + 4 * page);
}
