#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "framework/node.hpp"
#include "framework/report.hpp"

namespace weir {

class RunRecording;

enum class Engine {
  automatic,  ///< serial where there is one compute thread, else oneTBB
  onetbb,
  serial,  ///< everything on the calling thread, I/O inline
};

/// The knobs of a whole graph.
struct GraphOptions {
  std::uint64_t memory = 0;  ///< bytes; 0: a quarter of what the cgroup or the machine has, at most 1 GiB
  unsigned tokens =
      0;  ///< units in flight at most; 0: enough to keep the threads busy (2 per thread, plus 2)
  unsigned threads = 0;  ///< compute threads; 0: the usable cores
  Engine engine = Engine::automatic;
  /// Where set, the run is recorded there (framework/recording.hpp); its room is part of the standing bytes.
  /// The caller's; outlives the graph.
  RunRecording* recording = nullptr;
};

/// The same options with every default filled in.
GraphOptions resolved(GraphOptions options);
/// Options, not resolved, of a graph that waits for `at_once` requests over a network: where the caller has not said,
/// more units in flight by that many, and the serial engine, which waits for each alone, is not chosen.
GraphOptions with_requests(GraphOptions options, unsigned at_once);

/// How far a run is; see RunOptions::progress.
struct Progress {
  std::uint64_t items_done = 0, items_planned = 0;  ///< of all sinks; planned 0: not known yet
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< payload out of the sources' last stage, and into the sinks
  std::uint64_t memory_in_use = 0, memory_limit = 0;
  double seconds = 0;
  bool finished = false;
};

/// What belongs to one run, not to the graph.
struct RunOptions {
  /// request_stop ends the run with a cancelled Error; once everything is delivered, it is too late.
  std::stop_token stop = {};
  /// Called about every `progress_seconds` on a thread of its own, and once at the end. Must not throw.
  std::function<void(const Progress&)> progress = {};
  double progress_seconds = 0.2;
  /// Called where the run fails, before it throws: what it did until then, with its error. Must not throw.
  std::function<void(const RunReport&)> on_failure = {};
  /// Test hook: called before every body, with the node's name; what it throws fails the run there.
  std::function<void(const std::string& node, std::uint64_t ticket)> before_body = {};
  /// Test hook: called before every allocation of payload or codec scratch; false makes it fail.
  std::function<bool()> before_allocation = {};
};

enum class NodeKind { source, transform, expand, join, sink, ordered_sink };
std::string name_of(NodeKind kind);

/// A node as described: the whole of what validation, planning, drawing and both engines know.
struct NodeDescription {
  std::string name;
  NodeKind kind = NodeKind::transform;
  std::vector<std::uint32_t> inputs;  ///< producers, by index; a node's index is its place in Graph::nodes()
  std::string input_type, output_type;  ///< for people
  bool is_parallel = false;             ///< the call operator is const
  bool takes_over = false;              ///< moves from its input: must be its only consumer
  NodeOptions options;
  std::shared_ptr<NodeBody> body;
};

/// What a run will take, known before it. All bytes.
struct Plan {
  std::uint64_t units = 0;     ///< where is_open_ended: a bound that nobody reaches, and so are the items
  bool is_open_ended = false;  ///< the number of units is found out by the run (NodeOptions::ended)
  unsigned threads = 0, tokens = 0;
  Engine engine = Engine::onetbb;
  std::uint64_t memory = 0;
  std::uint64_t standing_bytes = 0;
  std::uint64_t largest_unit = 0;     ///< most that one unit takes at admission
  std::uint64_t largest_carried = 0;  ///< most that earlier units still hold when a unit is admitted
  std::uint64_t smallest_memory = 0;  ///< the smallest budget that works for this graph
  std::uint64_t peak = 0;             ///< most the run can hold: never above `memory`
  std::vector<std::uint64_t> items;   ///< per node: items that leave it
  std::vector<std::uint64_t> bytes;  ///< per node: most payload bytes that one unit has on its outgoing edges
  std::vector<unsigned> concurrency;    ///< per node
  std::vector<std::uint64_t> standing;  ///< per node: standing and slot bytes
};

/// An edge's beginning: what a node puts out. Cheap to copy; belongs to the graph that made it.
template <class T>
struct Output {
  std::uint32_t node = 0;
  const void* graph = nullptr;
};

/// A dataflow graph. It is a description first: add nodes, then plan(), explain() or draw it without running
/// anything, then run() it once. The node objects live in the graph and are used up by run(). Not
/// thread-safe.
class Graph {
 public:
  explicit Graph(GraphOptions options = {});
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// f(std::uint64_t unit, Emit<Out>&[, const Context&]): makes the items of one unit. options.units is
  /// required, or options.ended. Several sources of one graph share their units: unit u is admitted once, for all of them.
  template <class Out, class F>
  Output<Out> source(std::string name, F f, NodeOptions options = {}) {
    using Body = detail::SourceBody<Out, F>;
    auto body = std::make_shared<Body>(std::move(f), options.item_bytes);
    return {add(std::move(name), NodeKind::source, {}, typeid(std::uint64_t), typeid(Out), Body::is_parallel,
                false, std::move(options), std::move(body)),
            this};
  }

  /// Out f(const In&[, Local&][, const Context&]): one item in, one out (std::optional: or none).
  template <class Out, class In, class F>
  Output<Out> transform(std::string name, Output<In> in, F f, NodeOptions options = {}) {
    using Body = detail::TransformBody<In, Out, F>;
    auto body = std::make_shared<Body>(std::move(f), options.item_bytes);
    return {add(std::move(name), NodeKind::transform, {checked(in)}, typeid(In), typeid(Out),
                Body::is_parallel, Body::takes_over, std::move(options), std::move(body)),
            this};
  }

  /// f(const In&, Emit<Out>&[, Local&][, const Context&]): one item in, options.items out; or f(const
  /// Item<In>&, ...) for many to one, with options.items_of_unit and tickets of its own.
  template <class Out, class In, class F>
  Output<Out> expand(std::string name, Output<In> in, F f, NodeOptions options = {}) {
    using Body = detail::ExpandBody<In, Out, F>;
    auto body = std::make_shared<Body>(std::move(f), options.item_bytes);
    return {add(std::move(name), NodeKind::expand, {checked(in)}, typeid(In), typeid(Out), Body::is_parallel,
                false, std::move(options), std::move(body)),
            this};
  }

  /// The items of several edges with the same ticket, as one.
  template <class... Ins>
  Output<std::tuple<std::shared_ptr<const Ins>...>> join(std::string name, Output<Ins>... ins) {
    std::vector<std::uint32_t> producers{checked(ins)...};
    auto body = std::make_shared<detail::JoinBody<Ins...>>(producers);
    using Out = std::tuple<std::shared_ptr<const Ins>...>;
    return {add(std::move(name), NodeKind::join, std::move(producers), typeid(Out), typeid(Out), false, false,
                {}, std::move(body)),
            this};
  }

  /// f(const In&): called one at a time in ticket order, on the I/O lane unless options say otherwise.
  /// f.open(), if it has one, is called before anything is admitted. f.close(), if it has one, is called when
  /// every item of every sink has been delivered; only then is the work finished.
  template <class In, class F>
  void ordered_sink(std::string name, Output<In> in, F f, NodeOptions options = {.lane = Lane::io}) {
    auto body = std::make_shared<detail::SinkBody<In, F>>(std::move(f));
    add(std::move(name), NodeKind::ordered_sink, {checked(in)}, typeid(In), typeid(void), false, false,
        std::move(options), std::move(body));
  }

  /// f(const In&): called in any order, from many threads where its call operator is const.
  template <class In, class F>
  void sink(std::string name, Output<In> in, F f, NodeOptions options = {}) {
    using Body = detail::SinkBody<In, F>;
    auto body = std::make_shared<Body>(std::move(f));
    add(std::move(name), NodeKind::sink, {checked(in)}, typeid(In), typeid(void), Body::is_parallel, false,
        std::move(options), std::move(body));
  }

  GraphOptions& options() { return options_; }
  const std::vector<NodeDescription>& nodes() const { return nodes_; }
  /// Sets a node's concurrency: `--set name.concurrency=N`. Throws a usage Error for an unknown node or a
  /// number it cannot have.
  void set_concurrency(const std::string& node, unsigned concurrency);

  /// Throws a usage Error that names every problem: no source, names twice, units that differ, values nobody
  /// consumes.
  void validate() const;
  /// The plan of a run. Does not refuse a budget that is too small; run() does. Walks all units.
  Plan plan() const;
  /// The plan in words: nodes as the oneTBB nodes they become, bytes, peak.
  std::string explain() const;
  /// The graph in the DOT language.
  std::string dot() const;
  /// Runs the graph and returns when all is delivered and closed. Throws the first Error, with node and item.
  /// Once per graph.
  RunReport run(const RunOptions& options = {});

 private:
  template <class T>
  std::uint32_t checked(const Output<T>& output) const {
    if (output.graph != this) throw Error::usage("connect", "nodes", "the output belongs to another graph");
    return output.node;
  }
  std::uint32_t add(std::string name, NodeKind kind, std::vector<std::uint32_t> inputs,
                    const std::type_info& in, const std::type_info& out, bool is_parallel, bool takes_over,
                    NodeOptions options, std::shared_ptr<NodeBody> body);

  GraphOptions options_;
  std::vector<NodeDescription> nodes_;
  bool was_run_ = false;
};

}  // namespace weir
