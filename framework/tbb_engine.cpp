#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <memory>
#include <numeric>
#include <optional>
#include <system_error>
#include <thread>
#include <tuple>
#include <vector>

#include "framework/engine.hpp"
#include "framework/error.hpp"
#include "framework/io_lane.hpp"

namespace weir::engine {
namespace {

namespace flow = tbb::flow;

/// A graph as oneTBB nodes. What becomes what:
///
///   admission     multifunction_node<Wake, Message>, serial: not an input_node, which polls its body under a spin
///                 lock, prefetches one item and keeps a copy of its last
///   compute node  multifunction_node<Message, Message>, queueing, concurrency as planned (never unlimited, which
///                 runs last in, first out)
///   I/O node      async_node<Message, Message>, serial: posts to threads of the node's own
///   ordered edge  sequencer_node in front of the consumer, which is serial; before it, where the sink says which
///                 items wait for later units, a function_node that gives their tokens back
///
/// Edges are make_edge; every successor queues, so none refuses. Nothing is thrown through oneTBB. Built per run.
class TbbEngine {
  using Compute = flow::multifunction_node<Message, std::tuple<Message>>;
  using Io = flow::async_node<Message, Message,
                              flow::queueing>;  // its default policy is lightweight, which can spin
  using Sequencer = flow::sequencer_node<Message>;
  using Strip = flow::function_node<Message, Message>;
  struct Wake {};
  using Admit = flow::multifunction_node<Wake, std::tuple<Message>>;

  struct Node {
    // Destroyed in reverse: threads first, then the nodes they post to.
    std::unique_ptr<Strip> strip;
    std::unique_ptr<Sequencer> sequencer;
    std::unique_ptr<Compute> compute;
    std::unique_ptr<Io> io;
    std::unique_ptr<IoLane> lane;

    flow::receiver<Message>& entry() {
      if (strip) return *strip;
      if (sequencer) return *sequencer;
      if (compute) return *compute;
      return *io;
    }
    /// The port, not the node: an async_node is a sender too, but one that registers no successors (and in a
    /// release build of oneTBB says nothing about it).
    flow::sender<Message>& exit() {
      if (compute) return flow::output_port<0>(*compute);
      return flow::output_port<0>(*io);
    }
  };

 public:
  explicit TbbEngine(Run& run) : run_(run), nodes_(run.nodes.size()) {
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) make_node(i);
    admit_.emplace(graph_, flow::serial, [this](const Wake&, Admit::output_ports_type& ports) {
      for (Message unit; run_.admission.next(unit) == Admission::Outcome::admitted; unit = {})
        std::get<0>(ports).try_put(unit);
    });
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
      if (run_.nodes[i].kind == NodeKind::source)
        flow::make_edge(flow::output_port<0>(*admit_), nodes_[i].entry());
      for (std::uint32_t consumer : run_.consumers[i])
        flow::make_edge(nodes_[i].exit(), nodes_[consumer].entry());
    }
    run_.admission.set_wake([this] { admit_->try_put(Wake{}); });
  }

  ~TbbEngine() {
    // Tearing down nodes drops messages, which gives bytes back: nobody may be woken by that any more.
    run_.admission.set_wake({});
  }

  void run() {
    admit_->try_put(Wake{});
    graph_.wait_for_all();
  }

 private:
  /// The slot in the arena: whoever is in it, one thread at a time. Only asked for where it is recorded.
  static unsigned this_compute_thread(const NodeRunner& runner) {
    return runner.is_recorded() ? static_cast<unsigned>(tbb::this_task_arena::current_thread_index()) : 0;
  }

  void make_node(std::uint32_t index) {
    const NodeDescription& description = run_.nodes[index];
    NodeRunner& runner = run_.runners[index];
    Node& node = nodes_[index];
    if (description.options.lane == Lane::io) {
      node.lane = std::make_unique<IoLane>(run_.plan.concurrency[index]);
      node.io = std::make_unique<Io>(
          graph_, flow::serial,
          [this, &runner, lane = node.lane.get()](const Message& in, Io::gateway_type& gateway) {
            gateway.reserve_wait();
            try {
              lane->post([&runner, &gateway, message = in]() mutable {
                GatewayEdges edges(gateway);
                runner.run(message, edges, IoLane::this_thread());
                // The lease first, the reservation second: what the lease wakes must find the graph alive.
                message = {};
                gateway.release_wait();
              });
            } catch (...) {
              run_.state.fail(current_error("post", "an item"));
              gateway.release_wait();
            }
          });
    } else {
      node.compute =
          std::make_unique<Compute>(graph_, run_.plan.concurrency[index],
                                    [&runner](const Message& in, Compute::output_ports_type& ports) {
                                      PortEdges edges(std::get<0>(ports));
                                      runner.run(in, edges, this_compute_thread(runner));
                                    });
    }
    if (!needs_order(description)) return;
    node.sequencer = std::make_unique<Sequencer>(
        graph_, [](const Message& m) noexcept -> std::size_t { return m.ticket; });
    if (node.compute)
      flow::make_edge(*node.sequencer, *node.compute);
    else
      flow::make_edge(*node.sequencer, *node.io);
    if (!description.options.waits) return;
    node.strip = std::make_unique<Strip>(graph_, flow::serial, [&runner](const Message& in) {
      Message out = in;
      if (runner.waits(in)) out.token.reset();
      return out;
    });
    flow::make_edge(*node.strip, *node.sequencer);
  }

  using Port = std::tuple_element_t<0, Compute::output_ports_type>;
  struct PortEdges : Edges {
    explicit PortEdges(Port& p) : port(p) {}
    /// All successors queue, so none refuses; but a sequencer does refuse a ticket that it had. (Where there
    /// are others beside it, oneTBB does not tell, and the ledger finds out.)
    void send(Message message) override {
      if (!port.try_put(message))
        throw Error("send", "item " + std::to_string(message.ticket), "it was sent before");
    }
    Port& port;
  };
  /// The same from a thread outside of the arena, which the gateway is made for.
  struct GatewayEdges : Edges {
    explicit GatewayEdges(Io::gateway_type& g) : gateway(g) {}
    void send(Message message) override {
      if (!gateway.try_put(message))
        throw Error("send", "item " + std::to_string(message.ticket), "it was sent before");
    }
    Io::gateway_type& gateway;
  };

  /// Nodes that are being connected start tasks. Where the constructor throws later (no threads, no memory),
  /// these must end before the nodes go.
  struct Drain {
    flow::graph& graph;
    ~Drain() { graph.wait_for_all(); }
  };

  Run& run_;
  flow::graph graph_;
  std::vector<Node> nodes_;
  std::optional<Admit> admit_;
  Drain drain_{graph_};  // the last member: destroyed first
};

/// Throws where the system does not give this process `wanted` threads more. oneTBB starts its workers when there is work, from inside of
/// the scheduler, and where pthread_create fails there (2021.8, rml_thread_monitor.h) it throws from a thread that nobody catches on: the
/// process aborts. So they are asked for before, once: its workers stay, and later runs find as many. What others take between
/// the two is theirs; that cannot be told.
void require_threads(std::size_t wanted) {
  static std::atomic<std::size_t> were_there{0};
  if (wanted <= were_there.load()) return;
  std::latch end(1);
  std::vector<std::jthread> threads;
  threads.reserve(wanted);
  try {
    while (threads.size() < wanted) threads.emplace_back([&end] { end.wait(); });
  } catch (const std::system_error& error) {
    const std::size_t started = threads.size();
    end.count_down();
    throw Error("start", fmt::format("{} threads", wanted),
                fmt::format("after {}: {}", started, system_reason(error.code().value())));
  } catch (...) {  // no memory: joining would wait for ever
    end.count_down();
    throw;
  }
  end.count_down();
  were_there = wanted;
}

}  // namespace

void run_on_onetbb(Run& run) {
  const unsigned threads = run.plan.threads;
  const std::vector<unsigned> io = io_threads(run.nodes, run.plan);
  require_threads(std::accumulate(io.begin(), io.end(), std::size_t{threads}));
  // More threads than cores need a live global_control: without it an arena of 64 silently runs on the cores
  // there are.
  std::optional<tbb::global_control> allowed;
  if (threads > tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism))
    allowed.emplace(tbb::global_control::max_allowed_parallelism, threads);
  tbb::task_arena arena(static_cast<int>(threads));
  arena.execute([&] { TbbEngine(run).run(); });
}

}  // namespace weir::engine
