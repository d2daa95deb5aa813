#include "framework/graph.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <set>
#include <thread>

#include "framework/bytes.hpp"
#include "framework/engine.hpp"
#include "framework/machine.hpp"
#include "framework/recording.hpp"
#include "framework/sampler.hpp"

namespace weir {
namespace {

/// A type's name as a reader of drawings wants it: without namespaces of ours.
std::string readable(const std::type_info& type) {
  int status = 0;
  std::unique_ptr<char, void (*)(void*)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                              std::free);
  std::string text = status == 0 ? name.get() : type.name();
  for (std::size_t at = text.find("weir::"); at != std::string::npos; at = text.find("weir::"))
    text.erase(at, 6);
  return text;
}

/// At least one space behind the text. (fmt's own width at run time is a warning of gcc 12.)
std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size()) + 1, ' ');
  return text;
}

constexpr std::uint64_t no_bound = std::uint64_t{1} << 40;  ///< units; of 64 KiB each they would be 64 PiB

bool is_irregular(const NodeDescription& node) {
  return node.options.items_of_unit || node.options.buffer_bytes_of_unit || node.options.carried_bytes;
}

/// Calls the progress function now and then while a run goes on, and once when it has ended.
class ProgressThread {
 public:
  ProgressThread(const RunOptions& options, std::function<Progress()> sample)
      : report_(options.progress), sample_(std::move(sample)) {
    if (!report_) return;
    thread_ = std::jthread([this, seconds = options.progress_seconds](std::stop_token stop) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any woken;
      while (!woken.wait_for(lock, stop, std::chrono::duration<double>(seconds),
                             [&] { return stop.stop_requested(); }))
        report_(sample_());
    });
  }
  ~ProgressThread() {
    if (!report_) return;
    thread_.request_stop();
    thread_.join();
    Progress last = sample_();
    last.finished = true;
    report_(last);
  }
  ProgressThread(const ProgressThread&) = delete;
  ProgressThread& operator=(const ProgressThread&) = delete;

 private:
  const std::function<void(const Progress&)>& report_;
  std::function<Progress()> sample_;
  std::jthread thread_;
};

}  // namespace

GraphOptions resolved(GraphOptions options) {
  // Asked of the machine once in a process: mounts and cgroups take 60 us to read, a run over one chunk of 64 KiB takes 40.
  static const unsigned cores = usable_cores();
  static const std::uint64_t memory = default_memory_budget();
  if (options.threads == 0) options.threads = cores;
  if (options.tokens == 0) options.tokens = 2 * options.threads + 2;
  if (options.memory == 0) options.memory = memory;
  if (options.engine == Engine::automatic)
    options.engine = options.threads == 1 ? Engine::serial : Engine::onetbb;
  return options;
}

GraphOptions with_requests(GraphOptions options, unsigned at_once) {
  if (at_once == 0) return options;
  if (options.engine == Engine::automatic) options.engine = Engine::onetbb;
  if (options.tokens == 0) options.tokens = resolved(options).tokens + at_once;
  return options;
}

std::string name_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::source:
      return "source";
    case NodeKind::transform:
      return "transform";
    case NodeKind::expand:
      return "expand";
    case NodeKind::join:
      return "join";
    case NodeKind::sink:
      return "sink";
    case NodeKind::ordered_sink:
      return "ordered sink";
  }
  return "node";
}

Graph::Graph(GraphOptions options) : options_(options) {}
Graph::~Graph() = default;

std::uint32_t Graph::add(std::string name, NodeKind kind, std::vector<std::uint32_t> inputs,
                         const std::type_info& in, const std::type_info& out, bool is_parallel,
                         bool takes_over, NodeOptions options, std::shared_ptr<NodeBody> body) {
  NodeDescription node;
  node.name = std::move(name);
  node.kind = kind;
  node.inputs = std::move(inputs);
  node.input_type = readable(in);
  node.output_type = readable(out);
  node.is_parallel = is_parallel;
  node.takes_over = takes_over;
  node.options = std::move(options);
  node.body = std::move(body);
  nodes_.push_back(std::move(node));
  return static_cast<std::uint32_t>(nodes_.size() - 1);
}

void Graph::set_concurrency(const std::string& name, unsigned concurrency) {
  for (NodeDescription& node : nodes_) {
    if (node.name != name) continue;
    if (concurrency == 0) throw Error::usage("set", name + ".concurrency", "it must be at least 1");
    if (concurrency > 1 && (!node.is_parallel || engine::needs_order(node)))
      throw Error::usage("set", name + ".concurrency",
                         fmt::format("the node runs one item at a time, {} was asked for", concurrency));
    node.options.concurrency = concurrency;
    return;
  }
  std::string known;
  for (const NodeDescription& node : nodes_) known += (known.empty() ? "" : ", ") + node.name;
  throw Error::usage("set", name + ".concurrency", "there is no node of that name; there are " + known);
}

void Graph::validate() const {
  std::vector<std::string> problems;
  std::set<std::string> names;
  const auto consumers = engine::consumers_of(nodes_);
  std::optional<std::uint64_t> units;
  bool has_sink = false, is_open_ended = false, any_irregular = false;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const NodeDescription& node = nodes_[i];
    if (node.name.empty()) problems.push_back(fmt::format("node {} has no name", i));
    if (!names.insert(node.name).second)
      problems.push_back(fmt::format("two nodes are called {}", node.name));
    if (node.kind == NodeKind::source) {
      if (units && *units != node.options.units)
        problems.push_back(
            fmt::format("source {} has {} units, another source {}", node.name, node.options.units, *units));
      units = node.options.units;
      is_open_ended = is_open_ended || node.options.ended;
    }
    any_irregular = any_irregular || is_irregular(node);
    if (engine::is_sink(node)) {
      has_sink = true;
    } else if (consumers[i].empty()) {
      problems.push_back(fmt::format("nobody consumes what {} puts out", node.name));
    }
    const unsigned concurrency = node.options.concurrency.value_or(1);
    if (concurrency == 0) problems.push_back(fmt::format("{} has a concurrency of 0", node.name));
    if (concurrency > 1 && !node.is_parallel)
      problems.push_back(fmt::format("{} has a concurrency of {}, but its call operator is not const",
                                     node.name, concurrency));
    if (node.options.ordered && node.is_parallel && node.kind != NodeKind::ordered_sink)
      problems.push_back(fmt::format(
          "{} is ordered, but its call operator is const: nothing would keep the order", node.name));
    if (node.kind == NodeKind::transform && (node.options.items != 1 || node.options.items_of_unit))
      problems.push_back(
          fmt::format("{} is a transform, which makes one item of one; expand makes more", node.name));
    if (node.takes_over)
      for (std::uint32_t producer : node.inputs)
        if (consumers[producer].size() > 1)
          problems.push_back(fmt::format("{} takes over the items of {}, which others consume too", node.name,
                                         nodes_[producer].name));
    if (node.options.waits && (node.kind != NodeKind::ordered_sink || node.options.buffer_bytes > 0 ||
                               node.options.item_bytes > 0 || node.options.buffer_bytes_of_unit))
      problems.push_back(
          fmt::format("{} says which items wait, which only an ordered sink without buffers can", node.name));
  }
  // oneTBB counts threads as an int; each costs a stack long before that.
  if (options_.threads > 1024)
    problems.push_back(fmt::format("{} threads are more than 1024", options_.threads));
  if (!units) problems.push_back("there is no source");
  if (is_open_ended && any_irregular)
    problems.push_back(
        "a source finds its units while it runs, so all units must be alike; a node has items, buffers or "
        "carried bytes by unit");
  if (!has_sink) problems.push_back("there is no sink");
  if (problems.empty()) return;
  std::string all;
  for (const std::string& problem : problems) all += (all.empty() ? "" : "; ") + problem;
  throw Error::usage("use", "the graph", all);
}

Plan Graph::plan() const {
  validate();
  const GraphOptions options = resolved(options_);
  Plan plan;
  plan.threads = options.threads;
  plan.tokens = options.tokens;
  plan.memory = options.memory;
  plan.engine = options.engine;
  const std::size_t count = nodes_.size();
  plan.items.resize(count);
  plan.bytes.resize(count);
  bool irregular = false, any_waits = false;
  for (const NodeDescription& node : nodes_) {
    if (node.kind == NodeKind::source) {
      plan.units = node.options.units;
      plan.is_open_ended = plan.is_open_ended || node.options.ended;
    }
    irregular = irregular || is_irregular(node);
    any_waits = any_waits || node.options.waits;
    // One core cannot compute twice at once, and the serial engine has no second thread for I/O.
    unsigned concurrency = 1;
    if (plan.engine == Engine::onetbb && node.is_parallel && !engine::needs_order(node))
      concurrency = node.options.concurrency.value_or(node.options.lane == Lane::io ? 2 : plan.threads);
    plan.concurrency.push_back(concurrency);
    plan.standing.push_back(
        engine::plus(node.options.standing_bytes, engine::times(concurrency, node.options.slot_bytes)));
    plan.standing_bytes = engine::plus(plan.standing_bytes, plan.standing.back());
  }
  if (options.recording != nullptr)
    plan.standing_bytes = engine::plus(plan.standing_bytes, options.recording->bytes());
  if (plan.is_open_ended) plan.units = no_bound;
  engine::UnitNeed need;
  std::uint64_t largest_together = 0;
  std::uint64_t all_units = 0;
  // Regular graphs need one look; the others are walked, holding nothing per unit.
  const std::uint64_t looks = irregular ? plan.units : std::min<std::uint64_t>(plan.units, 1);
  for (std::uint64_t unit = 0; unit < looks; ++unit) {
    engine::need_of_unit(nodes_, unit, need);
    for (std::size_t i = 0; i < count; ++i) {
      plan.bytes[i] = std::max(plan.bytes[i], need.node_bytes[i]);
      plan.items[i] += irregular ? need.items[i] : engine::times(need.items[i], plan.units);
      for (std::uint32_t producer : nodes_[i].inputs)
        if (nodes_[i].kind == NodeKind::join && need.items[producer] != need.items[nodes_[i].inputs.front()])
          throw Error::usage("use", "the graph",
                             fmt::format("{} joins {} and {}, whose items per unit differ", nodes_[i].name,
                                         nodes_[nodes_[i].inputs.front()].name, nodes_[producer].name));
    }
    plan.largest_unit = std::max(plan.largest_unit, need.bytes);
    plan.largest_carried = std::max(plan.largest_carried, need.carried);
    largest_together = std::max(largest_together, engine::plus(need.bytes, need.carried));
    all_units = engine::plus(all_units, irregular ? need.bytes : engine::times(need.bytes, plan.units));
  }
  plan.smallest_memory = engine::plus(plan.standing_bytes, largest_together);
  // Units with a token, one whose waiting items are being delivered, and what earlier ones left waiting.
  // Items that wait without a token can do so before every unit in flight, before the next one, and before
  // the sink.
  const std::uint64_t carriers = any_waits ? plan.tokens + std::uint64_t{2} : 1;
  const std::uint64_t in_flight =
      engine::plus(engine::times(carriers, plan.largest_carried),
                   engine::times(plan.tokens + std::uint64_t{1}, plan.largest_unit));
  plan.peak = std::min(plan.memory, engine::plus(plan.standing_bytes, std::min(all_units, in_flight)));
  return plan;
}

std::string Graph::explain() const {
  const Plan plan = this->plan();
  std::string text;
  text += fmt::format("engine      {}, {} compute thread{}\n",
                      plan.engine == Engine::serial ? "serial" : "oneTBB", plan.threads,
                      plan.threads == 1 ? "" : "s");
  const auto count = [&](std::uint64_t number) {
    return plan.is_open_ended ? std::string("as they come") : fmt::format("{}", number);
  };
  text += fmt::format("units       {}, {} in flight at most\n", count(plan.units), plan.tokens);
  text += fmt::format("memory      {} allowed, at most {} used; {} is the smallest that works\n",
                      format_bytes(plan.memory), format_bytes(plan.peak), format_bytes(plan.smallest_memory));
  text += fmt::format("            {} standing, {} largest unit, {} carried over at most\n",
                      format_bytes(plan.standing_bytes), format_bytes(plan.largest_unit),
                      format_bytes(plan.largest_carried));
  std::size_t width = 10;
  for (const NodeDescription& node : nodes_) width = std::max(width, node.name.size());
  const auto row = [&](const std::string& name, const std::string& items, std::uint64_t bytes,
                       std::uint64_t standing) {
    text += padded(name, width) + fmt::format(" {:>12} {:>13} {:>11}\n", items,
                                              bytes == 0 ? "-" : format_bytes(bytes),
                                              standing == 0 ? "-" : format_bytes(standing));
  };
  text += "\n" + padded("node", width) + "    items out  bytes a unit    standing\n";
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    row(nodes_[i].name, count(plan.items[i]), plan.bytes[i], plan.standing[i]);
  if (options_.recording != nullptr) row("(recording)", "", 0, options_.recording->bytes());
  text += "\nin oneTBB\n  " + padded("admission", width) +
          " multifunction_node, serial, woken when bytes or tokens come back\n";
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    text += fmt::format("  {} {}\n", padded(nodes_[i].name, width),
                        engine::onetbb_form(nodes_[i], plan.concurrency[i]));
  text += "\nedges\n";
  for (const NodeDescription& node : nodes_) {
    if (node.kind == NodeKind::source) text += fmt::format("  admission -> {}: unit\n", node.name);
    for (std::uint32_t producer : node.inputs)
      text += fmt::format("  {} -> {}: {}{}\n", nodes_[producer].name, node.name,
                          nodes_[producer].output_type, engine::needs_order(node) ? ", in ticket order" : "");
  }
  return text;
}

std::string Graph::dot() const {
  const Plan plan = this->plan();
  std::string text = "digraph weir {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  text += fmt::format(
      "  admission [label={}, shape=hexagon];\n",
      json_string(fmt::format("admission\n{}, {} tokens\n{}",
                              plan.is_open_ended ? "units as they come" : fmt::format("{} units", plan.units),
                              plan.tokens, format_bytes(plan.memory))));
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    text += fmt::format("  n{} [label={}];\n", i,
                        json_string(fmt::format("{}\n{}\n{}", nodes_[i].name, name_of(nodes_[i].kind),
                                                engine::onetbb_form(nodes_[i], plan.concurrency[i]))));
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].kind == NodeKind::source) text += fmt::format("  admission -> n{} [label=\"unit\"];\n", i);
    for (std::uint32_t producer : nodes_[i].inputs)
      text += fmt::format("  n{} -> n{} [label={}{}];\n", producer, i,
                          json_string(plan.is_open_ended ? nodes_[producer].output_type
                                                         : fmt::format("{} x {}", plan.items[producer],
                                                                       nodes_[producer].output_type)),
                          engine::needs_order(nodes_[i]) ? ", style=bold" : "");
  }
  return text + "}\n";
}

RunReport Graph::run(const RunOptions& options) {
  if (was_run_) throw Error::usage("run", "the graph", "it was run before; a graph is used up by its run");
  const Plan plan = this->plan();
  if (plan.smallest_memory > plan.memory)
    throw Error::usage(
        "run", "the graph",
        fmt::format("a memory budget of {} ({} bytes) is too small; the smallest that works is {} bytes",
                    format_bytes(plan.memory), plan.memory, plan.smallest_memory));
  RunRecording* const recording = options_.recording;
  if (recording != nullptr) {
    std::vector<std::string> names;
    for (const NodeDescription& node : nodes_) names.push_back(node.name);
    recording->begin(names, engine::compute_threads(plan), engine::io_threads(nodes_, plan));
  }
  was_run_ = true;
  const auto started = std::chrono::steady_clock::now();
  const double cpu_before = process_cpu_seconds();

  auto budget = std::make_shared<Budget>(plan.memory);
  auto pool = std::make_shared<BufferPool>(plan.memory);
  pool->before_allocation = options.before_allocation;
  // What the nodes keep was part of the plan, so it fits; held to the end of the run.
  const std::optional<Lease> standing = budget->try_take(plan.standing_bytes);

  engine::RunState state;
  const std::stop_callback on_stop(options.stop, [&state] { state.fail(Error::cancelled()); });
  engine::Admission admission(nodes_, plan, budget, state, recording);
  std::deque<engine::NodeRunner> runners;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i)
    runners.emplace_back(nodes_[i], i, plan, pool, state, options, recording);
  engine::Run run{nodes_, engine::consumers_of(nodes_), plan, state, admission, runners};

  std::uint64_t sink_items = 0;
  for (const NodeDescription& node : nodes_)
    if (engine::is_sink(node)) sink_items += plan.items[node.inputs.front()];
  const bool any_input =
      std::any_of(nodes_.begin(), nodes_.end(), [](const auto& n) { return n.options.is_input; });
  const auto seconds = [started] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };
  std::optional<Error> failure;
  {
    const engine::Sampler sampler(recording, run, *budget, *pool);
    const ProgressThread progress(options, [&] {
      Progress now;
      now.items_planned = sink_items;
      if (plan.is_open_ended)
        now.items_planned = admission.units() < plan.units ? sink_items / plan.units * admission.units() : 0;
      for (const engine::NodeRunner& runner : runners) {
        if (engine::is_sink(runner.node())) {
          now.items_done += runner.received();
          now.bytes_out += runner.bytes_in();
        }
        if (any_input ? runner.node().options.is_input : runner.node().kind == NodeKind::source)
          now.bytes_in += runner.bytes_out();
      }
      now.memory_in_use = budget->in_use();
      now.memory_limit = plan.memory;
      now.seconds = seconds();
      return now;
    });
    for (std::size_t i = 0; i < nodes_.size() && !state.error(); ++i) {
      try {
        runners[i].open();
      } catch (const Error& error) {
        state.fail(error);
      }
    }
    try {
      if (plan.engine == Engine::serial)
        engine::run_serially(run);
      else
        engine::run_on_onetbb(run);
    } catch (...) {  // not from a node: the system has no threads or no memory for the engine itself
      state.fail(engine::current_error("run", "the graph"));
    }

    // "No tasks left" is not "all delivered": compare with the plan before any sink may say that it is
    // finished.
    engine::check_ledger(run, budget->in_use());
    // All was delivered: from here on a stop comes too late, or it would leave one output finished and
    // another not.
    failure = state.error();
    for (std::size_t i = 0; i < nodes_.size() && !failure; ++i) {
      try {
        runners[i].close();
      } catch (const Error& error) {
        failure = error;
      }
    }
  }
  for (engine::NodeRunner& runner : runners) runner.drop_locals();

  const auto report_now = [&] {
    RunReport report = engine::report_of(run, *budget, *pool);
    report.wall_seconds = seconds();
    report.cpu_seconds = process_cpu_seconds() - cpu_before;
    report.peak_resident = peak_resident_bytes();
    if (recording != nullptr) engine::add_idle(*recording, runners, report);
    return report;
  };
  // Sinks that were not closed discard what they wrote: here, before the caller can look.
  for (NodeDescription& node : nodes_) node.body.reset();
  if (failure) {
    try {
      if (options.on_failure) {
        RunReport report = report_now();
        report.error = failure->what();
        report.failed_node = failure->node();
        report.failed_item = failure->item();
        options.on_failure(report);
      }
    } catch (...) {  // no memory for a report: the failure itself is what counts
    }
    throw Error(*failure);
  }
  return report_now();
}

}  // namespace weir
