// What the engine costs by itself, beside oneTBB as it is and, where it is installed, Taskflow; and how it scales.
//   engine_bench [ROUNDS [overhead|small|cores|waits]]        prints Markdown; medians of ROUNDS (15), all rows in turns
//
//   overhead   source -> transform -> ordered sink of numbers: CPU of the whole process per item, and items per second
//   small      build, run and destroy a graph of five nodes with one item
//   cores      a transform that computes for 200 us an item, on one and two threads
//   waits      a transform that waits for 1 ms an item (a tile at zstd 3 takes 0.9 ms) in place of computing, on 1 to 64 threads, of
//              linear; the CPU is of each in turn, and has to be there: on two cores 64 threads have 31 us per item
#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>
#include <sys/prctl.h>
#if __has_include(<taskflow/algorithm/pipeline.hpp>)
#include <taskflow/algorithm/pipeline.hpp>
#include <taskflow/taskflow.hpp>
#define HAS_TASKFLOW 1
#endif

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "framework/graph.hpp"
#include "framework/machine.hpp"

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;
namespace flow = tbb::flow;

double seconds_of(const std::function<void()>& work) {
  const Clock::time_point begin = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// A result that nobody may leave out, and that says whether all came, and in order.
struct Received {
  std::uint64_t items = 0;
  bool in_order = true;
  void take(std::uint64_t number) { in_order = in_order && number == items++ * 3; }
  void check(std::uint64_t planned) const {
    if (items == planned && in_order) return;
    fmt::print(stderr, "{} of {} items came{}\n", items, planned, in_order ? "" : ", not in order");
    std::exit(1);
  }
};

/// Number of the item -> 3 x it, after some work.
using Work = std::function<void()>;

// Weir ---------------------------------------------------------------------------------------------------------------

struct Shape {
  unsigned threads = 1;
  Engine engine = Engine::automatic;
  std::uint64_t items_of_unit = 64;
  Lane sink = Lane::compute;
};

void run_weir(std::uint64_t items, const Shape& shape, const Work& work) {
  Graph graph({.memory = 64 << 20, .threads = shape.threads, .engine = shape.engine});
  const std::uint64_t of_unit = shape.items_of_unit;
  auto numbers = graph.source<std::uint64_t>("numbers",
                                             [of_unit](std::uint64_t unit, Emit<std::uint64_t>& emit) {
                                               for (std::uint64_t i = 0; i < of_unit; ++i)
                                                 emit(unit * of_unit + i);
                                             },
                                             {.units = items / of_unit, .items = of_unit});
  auto made = graph.transform<std::uint64_t>("work", numbers, [&work](const std::uint64_t& number) {
    if (work) work();
    return number * 3;
  });
  Received received;
  graph.ordered_sink("sink", made, [&received](const std::uint64_t& number) { received.take(number); },
                     {.lane = shape.sink});
  graph.run();
  received.check(items);
}

void small_weir(Engine engine, unsigned threads) {
  Graph graph({.memory = 1 << 20, .tokens = 2, .threads = threads, .engine = engine});
  const auto plus_one = [](const std::uint64_t& number) { return number + 1; };
  auto edge = graph.source<std::uint64_t>(
      "a", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); }, {.units = 1});
  for (const char* name : {"b", "c", "d"}) edge = graph.transform<std::uint64_t>(name, edge, plus_one);
  std::uint64_t received = 0;
  graph.ordered_sink("e", edge, [&received](const std::uint64_t& number) { received = number; },
                     {.lane = Lane::compute});
  graph.run();
  if (received != 3) std::exit(1);
}

// oneTBB as it is ----------------------------------------------------------------------------------------------------

unsigned tokens_for(unsigned threads) {
  return 2 * threads + 2;  // as Weir's default
}

void run_pipeline(std::uint64_t items, unsigned threads, const Work& work) {
  Received received;
  std::uint64_t next = 0;
  std::optional<tbb::global_control>
      allowed;  // an arena has no more threads than there are cores, unless oneTBB is told
  if (threads > std::thread::hardware_concurrency())
    allowed.emplace(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    tbb::parallel_pipeline(
        tokens_for(threads),
        tbb::make_filter<void, std::uint64_t>(tbb::filter_mode::serial_in_order,
                                              [&](tbb::flow_control& control) -> std::uint64_t {
                                                if (next == items) control.stop();
                                                return next++;
                                              }) &
            tbb::make_filter<std::uint64_t, std::uint64_t>(tbb::filter_mode::parallel,
                                                           [&](std::uint64_t number) {
                                                             if (work) work();
                                                             return number * 3;
                                                           }) &
            tbb::make_filter<std::uint64_t, void>(tbb::filter_mode::serial_in_order,
                                                  [&](std::uint64_t number) { received.take(number); }));
  });
  received.check(items);
}

void run_flow_graph(std::uint64_t items, unsigned threads, const Work& work) {
  Received received;
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    flow::graph graph;
    std::uint64_t next = 0;
    flow::input_node<std::uint64_t> numbers(graph, [&](tbb::flow_control& control) -> std::uint64_t {
      if (next == items) control.stop();
      return next++;
    });
    flow::limiter_node<std::uint64_t> limiter(graph, tokens_for(threads));
    flow::function_node<std::uint64_t, std::uint64_t> made(graph, threads, [&](std::uint64_t number) {
      if (work) work();
      return number * 3;
    });
    flow::sequencer_node<std::uint64_t> order(graph,
                                              [](std::uint64_t number) -> std::size_t { return number / 3; });
    flow::function_node<std::uint64_t, flow::continue_msg> sink(graph, flow::serial,
                                                                [&](std::uint64_t number) {
                                                                  received.take(number);
                                                                  return flow::continue_msg();
                                                                });
    flow::make_edge(numbers, limiter);
    flow::make_edge(limiter, made);
    flow::make_edge(made, order);
    flow::make_edge(order, sink);
    flow::make_edge(sink, limiter.decrementer());
    numbers.activate();
    graph.wait_for_all();
  });
  received.check(items);
}

void small_flow_graph(unsigned threads) {
  std::uint64_t received = 0;
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] {
    flow::graph graph;
    using Node = flow::function_node<std::uint64_t, std::uint64_t>;
    const auto plus_one = [](std::uint64_t number) { return number + 1; };
    Node a(graph, flow::serial, [](std::uint64_t number) { return number; }), b(graph, threads, plus_one),
        c(graph, threads, plus_one), d(graph, threads, plus_one),
        e(graph, flow::serial, [&](std::uint64_t number) { return received = number; });
    flow::make_edge(a, b);
    flow::make_edge(b, c);
    flow::make_edge(c, d);
    flow::make_edge(d, e);
    a.try_put(0);
    graph.wait_for_all();
  });
  if (received != 3) std::exit(1);
}

// Taskflow -----------------------------------------------------------------------------------------------------------

#ifdef HAS_TASKFLOW
void run_taskflow(std::uint64_t items, unsigned threads, const Work& work) {
  Received received;
  std::vector<std::uint64_t> line(tokens_for(threads));
  tf::Executor executor(threads);
  tf::Taskflow taskflow;
  tf::Pipeline pipeline(
      line.size(),
      tf::Pipe{tf::PipeType::SERIAL,
               [&](tf::Pipeflow& flow) {
                 if (flow.token() == items) return flow.stop();
                 line[flow.line()] = flow.token();
               }},
      tf::Pipe{tf::PipeType::PARALLEL,
               [&](tf::Pipeflow& flow) {
                 if (work) work();
                 line[flow.line()] *= 3;
               }},
      tf::Pipe{tf::PipeType::SERIAL, [&](tf::Pipeflow& flow) { received.take(line[flow.line()]); }});
  taskflow.composed_of(pipeline);
  executor.run(taskflow).wait();
  received.check(items);
}
#endif

// The machine's own: threads that share nothing -----------------------------------------------------------------------

void run_bare(std::uint64_t items, unsigned threads, const Work& work) {
  std::vector<std::jthread> all;
  for (unsigned i = 0; i < threads; ++i)
    all.emplace_back([&] {
      for (std::uint64_t n = 0; n < items / threads; ++n) work();
    });
}

// Rows ---------------------------------------------------------------------------------------------------------------

struct Row {
  std::string name;
  std::function<void()> run;
  std::vector<double> wall = {}, cpu = {};
};

/// Who comes first finds the caches cold: they take turns in that, too.
void measure(std::vector<Row>& rows, int rounds) {
  for (Row& row : rows) row.run();
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Row& row = rows[(i + static_cast<std::size_t>(round)) % rows.size()];
      const double before = process_cpu_seconds();
      row.wall.push_back(seconds_of(row.run));
      row.cpu.push_back(process_cpu_seconds() - before);
    }
}

void overhead(int rounds) {
  constexpr std::uint64_t items = 1 << 18;
  const auto weir_row = [&](const std::string& name, const Shape& shape) {
    return Row{name, [shape] { run_weir(items, shape, {}); }};
  };
  std::vector<Row> rows;
  for (const unsigned threads : {1u, 2u}) {
    const std::string on = fmt::format(" | {}", threads);
    if (threads == 1) rows.push_back(weir_row("Weir, serial engine, units of 64 items" + on, {}));
    rows.push_back(weir_row("Weir on oneTBB, units of 64 items" + on, {threads, Engine::onetbb}));
    rows.push_back(weir_row("Weir on oneTBB, units of one item" + on, {threads, Engine::onetbb, 1}));
    rows.push_back(weir_row("Weir on oneTBB, units of 64, sink on the I/O lane" + on,
                            {threads, Engine::onetbb, 64, Lane::io}));
    rows.push_back({"tbb::parallel_pipeline" + on, [threads] { run_pipeline(items, threads, {}); }});
    rows.push_back({"tbb::flow graph with a limiter and a sequencer" + on,
                    [threads] { run_flow_graph(items, threads, {}); }});
#ifdef HAS_TASKFLOW
    rows.push_back({"tf::Pipeline" + on, [threads] { run_taskflow(items, threads, {}); }});
#endif
  }
  measure(rows, rounds);
  fmt::print(
      "| source, transform, ordered sink | threads | CPU per item, us | items per second "
      "|\n|---|---|---|---|\n");
  for (const Row& row : rows)
    fmt::print("| {} | {:.2f} | {:.2g} M |\n", row.name, median(row.cpu) / items * 1e6,
               items / median(row.wall) * 1e-6);
#ifndef HAS_TASKFLOW
  fmt::print("\nTaskflow is not installed: its row is left out.\n");
#endif
}

void small(int rounds) {
  constexpr int graphs = 500;
  const auto times = [](std::function<void()> one) {
    return [one = std::move(one)] {
      for (int i = 0; i < graphs; ++i) one();
    };
  };
  std::vector<Row> rows = {{"Weir, serial engine | 1", times([] { small_weir(Engine::serial, 1); })},
                           {"Weir on oneTBB | 2", times([] { small_weir(Engine::onetbb, 2); })},
                           {"tbb::flow graph in an arena | 2", times([] { small_flow_graph(2); })}};
  measure(rows, rounds);
  fmt::print("\n| five nodes: build, run, destroy | threads | us |\n|---|---|---|\n");
  for (const Row& row : rows) fmt::print("| {} | {:.1f} |\n", row.name, median(row.wall) / graphs * 1e6);
}

/// So many turns that they take 200 us; not until a time, as that would hide what another thread takes of the core.
void spin(std::uint64_t turns) {
  std::uint64_t value = turns;
  for (std::uint64_t i = 0; i < turns; ++i) {
    value = value * 6364136223846793005U + i;
    asm volatile("" : "+r"(value));
  }
}

void cores(int rounds) {
  std::uint64_t turns = 100'000;
  double least = 1;
  for (int i = 0; i < 50; ++i) least = std::min(least, seconds_of([&] { spin(turns); }));
  turns = static_cast<std::uint64_t>(static_cast<double>(turns) * 200e-6 / least);
  const Work work = [turns] { spin(turns); };
  constexpr std::uint64_t items = 2048;
  std::vector<Row> rows;
  for (const unsigned threads : {1u, 2u}) {
    rows.push_back({"threads that share nothing", [&work, threads] { run_bare(items, threads, work); }});
    rows.push_back({"Weir", [&work, threads] { run_weir(items, {threads, Engine::automatic, 1}, work); }});
    rows.push_back({"tbb::parallel_pipeline", [&work, threads] { run_pipeline(items, threads, work); }});
  }
  measure(rows, rounds);
  fmt::print("\n| 200 us of computing per item | one thread, s | two, s | of twice |\n|---|---|---|---|\n");
  for (std::size_t i = 0; i < 3; ++i) {
    std::vector<double> parts;
    for (std::size_t round = 0; round < rows[i].wall.size(); ++round)
      parts.push_back(rows[i].wall[round] / rows[i + 3].wall[round] / 2);
    fmt::print("| {} | {:.3f} | {:.3f} | {:.3f} |\n", rows[i].name, median(rows[i].wall),
               median(rows[i + 3].wall), median(parts));
  }
}

void waits(int rounds) {
  ::prctl(PR_SET_TIMERSLACK, 1000);  // threads made after this wait 1 us longer than they asked for, not 50
  const Work work = [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); };
  constexpr std::uint64_t per_thread = 256;
  const std::vector<unsigned> threads = {1, 2, 4, 8, 16, 32, 64};
  std::vector<Row> rows;
  for (const unsigned n : threads) {
    rows.push_back({"bare", [n, &work] { run_bare(per_thread * n, n, work); }});
    rows.push_back({"Weir", [n, &work] { run_weir(per_thread * n, {n, Engine::onetbb, 8}, work); }});
    rows.push_back({"pipeline", [n, &work] { run_pipeline(per_thread * n, n, work); }});
  }
  measure(rows, rounds);
  fmt::print(
      "\n| waits of 1 ms per item: threads | sharing nothing | Weir, units of 8 items | "
      "tbb::parallel_pipeline | CPU per item, us "
      "|\n|---|---|---|---|---|\n");
  for (std::size_t i = 0; i < threads.size(); ++i) {
    const auto linear = [&](std::size_t which) {  // of as many times what one thread that shares nothing does
      return median(rows[0].wall) / median(rows[3 * i + which].wall);
    };
    const auto cpu = [&](std::size_t which) {
      return median(rows[3 * i + which].cpu) / static_cast<double>(per_thread * threads[i]) * 1e6;
    };
    fmt::print("| {} | {:.3f} | {:.3f} | {:.3f} | {:.1f}, {:.1f}, {:.1f} |\n", threads[i], linear(0),
               linear(1), linear(2), cpu(0), cpu(1), cpu(2));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  const std::string only = argc > 2 ? argv[2] : "";
  if (only.empty() || only == "overhead") overhead(rounds);
  if (only.empty() || only == "small") small(rounds);
  if (only.empty() || only == "cores") cores(rounds);
  if (only.empty() || only == "waits") waits(rounds);
  return 0;
}
