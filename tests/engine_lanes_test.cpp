// Order, threads, per-thread state and bytes of single nodes, on both engines.

#include <set>

#include "tests/engine_support.hpp"

namespace {

using namespace weir;
using namespace weir::testing;

/// Counts how many are inside at once, and the most that ever were.
class Inside {
 public:
  struct Visit {
    explicit Visit(Inside& i) : inside(i) {
      const unsigned now = ++inside.now_;
      unsigned most = inside.most_.load();
      while (most < now && !inside.most_.compare_exchange_weak(most, now)) {
      }
    }
    ~Visit() { --inside.now_; }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    Inside& inside;
  };
  unsigned most() const { return most_; }

 private:
  std::atomic<unsigned> now_{0}, most_{0};
};

/// Has a state for each thread inside, made of scratch.
struct WithState {
  struct Local {
    explicit Local(const Scratch& s) : scratch(s), block(s.allocate(1000)) {}
    Local(const Local&) = delete;
    Local& operator=(const Local&) = delete;
    ~Local() { scratch.release(block); }
    Scratch scratch;
    void* block;
    std::atomic<bool> is_used = false;
  };
  std::unique_ptr<Local> make_local(const Scratch& scratch) const {
    ++*made;
    return std::make_unique<Local>(scratch);
  }
  Number operator()(const Number& in, Local& local, const Context& context) const {
    if (local.is_used.exchange(true)) ++*shared;
    sleep_at_random();
    local.is_used = false;
    return {in.value, context.buffer(page)};
  }
  std::atomic<unsigned>*made, *shared;
};

}  // namespace

TEST_CASE("ordered transforms see their items in ticket order, one at a time, also one behind the other") {
  const Watchdog watchdog("ordered transforms");
  for (const Setup& setup : setups())
    for (Lane lane : {Lane::compute, Lane::io}) {
      std::vector<std::uint64_t> out;
      Graph graph(setup.options(24 * page, 4));
      auto numbers = graph.source<Number>("numbers", Count{3}, Count{3}.options(30));
      auto slow = graph.transform<Number>("slow", numbers, AddSlowly{}, AddSlowly::options());
      const auto running_sum = [](const Number& in) { return in.value; };
      auto sums = graph.transform<std::uint64_t>(
          "sums", slow,
          [running_sum, sum = std::uint64_t{0}](const Number& in) mutable { return sum += running_sum(in); },
          {.lane = lane, .ordered = true});
      auto differences = graph.transform<std::uint64_t>(
          "differences", sums,
          [last = std::uint64_t{0}](const std::uint64_t& in) mutable { return in - std::exchange(last, in); },
          {.ordered = true});
      graph.ordered_sink("out", differences, [&](const std::uint64_t& n) { out.push_back(n); });
      const RunReport report = graph.run();
      CHECK(out == numbers_to(90));
      CHECK(report.node("sums").most_in_flight == 1);
    }
}

TEST_CASE("an I/O node runs on threads of its own, no more than its concurrency") {
  const Watchdog watchdog("io lane");
  for (unsigned threads : {1u, 2u, 8u})
    for (unsigned concurrency : {1u, 3u}) {
      Inside inside;
      std::mutex mutex;
      std::set<std::thread::id> io_threads, compute_threads;
      std::vector<std::uint64_t> out;
      Graph graph({.memory = 1 << 20, .tokens = 8, .threads = threads, .engine = Engine::onetbb});
      auto numbers = graph.source<Number>("numbers", Count{2}, Count{2}.options(30));
      auto fetched =
          graph.transform<Number>("fetch", numbers,
                                  [&](const Number& in, const Context& context) {
                                    const Inside::Visit visit(inside);
                                    std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                    const std::lock_guard lock(mutex);
                                    io_threads.insert(std::this_thread::get_id());
                                    return Number{in.value, context.buffer(page)};
                                  },
                                  {.concurrency = concurrency, .lane = Lane::io, .buffer_bytes = page});
      auto computed = graph.transform<Number>("compute", fetched,
                                              [&](const Number& in, const Context& context) {
                                                const std::lock_guard lock(mutex);
                                                compute_threads.insert(std::this_thread::get_id());
                                                return Number{in.value, context.buffer(page)};
                                              },
                                              {.buffer_bytes = page});
      graph.ordered_sink("out", computed, [&](const Number& n) { out.push_back(n.value); });
      const RunReport report = graph.run();
      CHECK(out == numbers_to(60));
      CHECK(inside.most() == concurrency);
      CHECK(report.node("fetch").most_in_flight == concurrency);
      CHECK(io_threads.size() == concurrency);
      for (const std::thread::id thread : io_threads) CHECK(compute_threads.count(thread) == 0);
    }
}

TEST_CASE("no more compute bodies run at once than there are compute threads, whoever wakes them") {
  const Watchdog watchdog("compute threads");
  for (unsigned threads : {1u, 2u, 3u}) {
    Inside inside;
    std::uint64_t seen = 0;
    Graph graph({.memory = 1 << 20, .tokens = 16, .threads = threads, .engine = Engine::onetbb});
    auto numbers = graph.source<std::uint64_t>(
        "numbers", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); }, {.units = 100});
    const auto work = [&inside](const std::uint64_t& n) {
      const Inside::Visit visit(inside);
      std::this_thread::sleep_for(std::chrono::microseconds(300));
      return n;
    };
    auto before = graph.transform<std::uint64_t>("before", numbers, work);
    auto io = graph.transform<std::uint64_t>("io", before, [](const std::uint64_t& n) { return n; },
                                             {.lane = Lane::io});
    auto after = graph.transform<std::uint64_t>("after", io, work);
    graph.ordered_sink("out", after, [&](const std::uint64_t&) { ++seen; });
    const RunReport report = graph.run();
    CHECK(seen == 100);
    CHECK(inside.most() <= threads);
    CHECK(report.threads_seen <= threads);
  }
}

TEST_CASE("the serial engine runs everything on the calling thread") {
  std::set<std::thread::id> threads;
  const auto note = [&threads] { threads.insert(std::this_thread::get_id()); };
  Graph graph({.memory = 1 << 20, .threads = 4, .engine = Engine::serial});
  auto numbers = graph.source<std::uint64_t>(
      "numbers", [&](std::uint64_t unit, Emit<std::uint64_t>& emit) { note(), emit(unit); }, {.units = 10});
  auto io = graph.transform<std::uint64_t>("io", numbers, [&](const std::uint64_t& n) { return note(), n; },
                                           {.lane = Lane::io});
  graph.ordered_sink("out", io, [&](const std::uint64_t&) { note(); });
  CHECK(graph.run().threads_seen == 1);
  CHECK(threads == std::set{std::this_thread::get_id()});
}

TEST_CASE("a node's state is for one thread at a time, and made at most as often as the node's concurrency") {
  const Watchdog watchdog("local states");
  for (const Setup& setup : setups())
    for (unsigned concurrency : {0u, 1u, 3u})
      for (Lane lane : {Lane::compute, Lane::io}) {
        std::atomic<unsigned> made = 0, shared = 0;
        std::vector<std::uint64_t> out;
        Graph graph(setup.options(64 * page, 8));
        auto numbers = graph.source<Number>("numbers", Count{3}, Count{3}.options(20));
        auto stated = graph.transform<Number>("stated", numbers, WithState{&made, &shared},
                                              {.lane = lane, .buffer_bytes = page, .slot_bytes = page});
        graph.ordered_sink("out", stated, [&](const Number& n) { out.push_back(n.value); });
        if (concurrency > 0) graph.set_concurrency("stated", concurrency);
        const unsigned planned = graph.plan().concurrency[1];
        CHECK(graph.plan().standing[1] == planned * page);
        const RunReport report = graph.run();
        CHECK(out == numbers_to(60));
        CHECK(shared == 0);
        CHECK(made >= 1);
        CHECK(made <= planned);
        CHECK(report.peak_payload <= 64 * page);
      }
}

TEST_CASE("plain memory that a node declares is leased while the item lives") {
  const Watchdog watchdog("item_bytes");
  struct Text {
    std::vector<char> letters;
  };
  for (const Setup& setup : setups()) {
    const auto make = [](Graph& graph, std::uint64_t items) {
      auto texts = graph.source<Text>("texts",
                                      [items](std::uint64_t, Emit<Text>& emit) {
                                        for (std::uint64_t i = 0; i < items; ++i)
                                          emit(Text{std::vector<char>(1000)});
                                      },
                                      {.units = 10, .items = items, .item_bytes = 1000});
      graph.ordered_sink("out", texts, [](const Text& text) { CHECK(text.letters.size() == 1000); });
    };
    Graph graph(setup.options(3000, 4));
    make(graph, 3);
    CHECK(graph.plan().smallest_memory == 3000);
    CHECK(graph.run().peak_leased == 3000);
    Graph small(setup.options(2999, 4));
    make(small, 3);
    CHECK_THROWS_AS(small.run(), Error);
  }
}

TEST_CASE("bytes beyond 64 bits are too much for any budget, not a small number") {
  for (const std::uint64_t bytes :
       {~std::uint64_t{0}, std::uint64_t{1} << 63, (std::uint64_t{1} << 62) + 1}) {
    Graph graph({.memory = 1 << 20, .threads = 2});
    auto numbers = graph.source<Number>("numbers", Count{4}, {.units = 4, .items = 4, .buffer_bytes = bytes});
    graph.sink("out", numbers, [](const Number&) {});
    CHECK(graph.plan().smallest_memory > (std::uint64_t{1} << 63));
    CHECK(graph.plan().peak == 1 << 20);
    CHECK_THROWS_AS(graph.run(), Error);
  }
}
