#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <typeindex>
#include <typeinfo>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "framework/parameters.hpp"

namespace weir {

/// A place where an edge begins or ends. Edges join ports of the same type.
struct Port {
  std::string name;  ///< "input", or "red" and "nir" where there are several
  std::string type;  ///< "chunks", "tiles": what flows; see EdgeInfo
  std::string help;  ///< one sentence without its period
};

/// What is known of an edge before anything runs: the raster, its tiles, their encoding. Each port type has
/// its own derived class, declared next to the type that flows.
class EdgeInfo {
 public:
  virtual ~EdgeInfo() = default;
};

/// An Output whose type was forgotten.
class AnyOutput {
 public:
  AnyOutput() = default;
  template <class T>
  AnyOutput(Output<T> output) : node_(output.node), graph_(output.graph), type_(&typeid(T)) {}
  /// Throws a usage Error where something else flows there: a node whose ports promise what it does not keep.
  template <class T>
  Output<T> as() const {
    if (type_ == nullptr || *type_ != typeid(T))
      throw Error::usage("connect", "nodes", "the port has another type");
    return {node_, graph_};
  }

 private:
  std::uint32_t node_ = 0;
  const void* graph_ = nullptr;
  const std::type_info* type_ = nullptr;
};

/// What the nodes of one graph have in common while it is made.
class GraphSetup {
 public:
  GraphOptions limits;     ///< resolved: memory, tokens, threads
  bool overwrite = false;  ///< whether sinks may replace what exists
  FileSystem* files = &FileSystem::real();
  /// Concurrency that was asked for, by the name of the flow-graph node ("dem.decode").
  std::map<std::string, unsigned> concurrency;

  /// Requests over a network that should be in flight at once, the most of all nodes: units that no one has limited
  /// become more by that many, and one compute thread is no reason to do one thing after the other.
  unsigned requests_at_once = 0;

  /// What of an input could not be used, a line each, by the nodes that are made and described.
  std::vector<std::string> notes;

  /// Bodies that a compute node can have inside at once, for slot bytes that are planned by hand.
  unsigned slots(const std::string& flow_node) const {
    if (limits.engine == Engine::serial) return 1;
    const auto set = concurrency.find(flow_node);
    return set != concurrency.end() ? set->second : limits.threads;
  }
  /// The one T of this graph, made by the first node that asks: a plan that several nodes make together.
  template <class T>
  T& shared() {
    std::shared_ptr<void>& held = shared_[typeid(T)];
    if (!held) held = std::make_shared<T>(*this);
    return *static_cast<T*>(held.get());
  }

 private:
  std::map<std::type_index, std::shared_ptr<void>> shared_;
};

/// A node of a graph that is being made from names: between its parameters and the flow graph. One thread.
/// First `describe` is called for all nodes, in the order of the edges; then `add_to` for all, in the same
/// order; after the run, `finish`.
class NodeInstance {
 public:
  virtual ~NodeInstance() = default;
  /// What leaves the node, from what comes in (in the order of the type's ports); nullptr for sinks. Touches
  /// no data beyond what says what the input is (a file's header). Throws a usage Error where parameters and
  /// inputs do not fit.
  virtual std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) = 0;
  /// Adds the flow-graph nodes, named as NodeType::stages says. Returns what the edge begins with; sinks:
  /// nothing.
  virtual AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) = 0;
  /// Adds what the framework cannot know to the report of a run that succeeded (chunks, reads, bytes
  /// written).
  virtual void finish(RunReport&) {}
  /// More about the node's plan, in lines of words, for explain; called after add_to.
  virtual std::string explain() const { return ""; }
};

/// A kind of node, known by name: everything that people, graph files and the documentation know of it.
struct NodeType {
  std::string name;            ///< snake_case, a verb or what a verb makes: "read_tiff", "slope"
  std::string help;            ///< what it does, one sentence without its period
  std::vector<Port> inputs;    ///< none: a source
  std::optional<Port> output;  ///< none: a sink
  /// The output has no order that is known before the run; nothing that needs order may stand behind it.
  bool is_unordered = false;
  bool needs_order = false;  ///< takes its items in ticket order
  std::vector<Parameter> parameters;
  std::string
      bytes;  ///< the memory that it takes, in words: "the decoded chunk and its stored bytes, per chunk"
  /// The flow-graph nodes that it becomes, the main one last: {"plan", "fetch", "decode"} are called
  /// dem.plan, dem.fetch and dem.decode where the node is called dem. One stage is called as the node. An ending K stands for
  /// any number: the input decides how many there are of "reduceK", reduce1, reduce2 and so on.
  std::vector<std::string> stages = {""};
  std::string origin = {};  ///< the plugin that it is from; empty for those built in
  /// Makes one. `name` is the node's; parameters are checked, with defaults.
  std::function<std::unique_ptr<NodeInstance>(const std::string& name, const Parameters& parameters,
                                              GraphSetup& setup)>
      make;
};

/// Whether the type has a stage of that name: "decode"; "reduce2" where it has "reduceK".
inline bool has_stage(const NodeType& type, std::string_view stage) {
  const std::size_t digits = stage.find_last_not_of("0123456789") + 1;
  const std::string numbered = std::string(stage.substr(0, digits)) + "K";
  return std::ranges::any_of(type.stages, [&](const std::string& each) {
    return each == stage || (digits > 0 && digits < stage.size() && each == numbered);
  });
}

/// The flow-graph node of a stage: "dem.decode", or "dem" for the stage "".
inline std::string stage_name(const std::string& node, const std::string& stage) {
  return stage.empty() ? node : node + "." + stage;
}

}  // namespace weir
