#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "framework/graph_reading.hpp"

namespace weir {
namespace {

/// An input goes to the file outside, an output into an included one: twice per level at most.
constexpr unsigned most_steps = 40;

class Resolver {
 public:
  explicit Resolver(Reading& reading)
      : scopes_(reading.scopes),
        graph_(reading.graph),
        registry_(reading.registry),
        problems_(reading.problems),
        reading_(reading) {}

  void all() {
    check_inputs_of_includes();
    for (const auto& [node, input, scope] : reading_.inputs) {
      GraphNode::Input& to = graph_.nodes[node].inputs[input];
      to.from = resolve(to.from, *scope);
    }
    for (const auto& [from, scope] : reading_.uses_of_missing) resolve(from, *scope);
    for (const Scope& scope : scopes_) {
      // An output that is named wrong is told even where nobody uses it.
      if (!scope.output.text.empty() && !scope.output.is_broken && !scope.locals.contains(scope.output.text))
        resolve(scope.output, scope);
    }
    for (const Scope& scope : scopes_)
      for (const Scope::Input& input : scope.inputs)
        if (scope.parent != nullptr && !some_name_is_unknown_ && !used_inputs_.contains(&input))
          problems_.add(input.type.place, fmt::format("nobody uses the input {}", input.name));
  }

 private:
  /// The node whose output a name of a scope stands for, at the end of all
  /// includes; broken, and told, where there is none.
  Written resolve(Written from, const Scope& scope, unsigned steps = 0) {
    const auto broken = [&from] {
      from.is_broken = true;
      return from;
    };
    if (from.is_broken) return from;
    const auto local = scope.locals.find(from.text);
    if (local == scope.locals.end()) {
      some_name_is_unknown_ = true;
      // Names are gathered where the nearest is going to be told.
      problems_.add_unknown(from.place, fmt::format("there is no node {}", from.text), from.text,
                            problems_.is_full() ? std::vector<std::string>() : scope.names());
      from.text.clear();
      return broken();
    }
    if (steps > most_steps) {
      problems_.add(from.place, fmt::format("{} is put out by itself", from.text));
      return broken();
    }
    if (local->second.input != nullptr) {
      used_inputs_.insert(local->second.input);
      const Scope::Input& input = *local->second.input;
      if (scope.parent == nullptr) return broken();
      Written outer = resolve(input.bound, *scope.parent, steps + 1);
      outer.place = from.place;
      return outer;
    }
    if (const Scope* inner = local->second.include) {
      if (inner->output.is_broken) return broken();
      if (inner->output.text.empty()) {
        problems_.add(from.place,
                      fmt::format("{} puts out nothing: {} declares no output", from.text, inner->path));
        return broken();
      }
      Written producer = resolve(inner->output, *inner, steps + 1);
      producer.place = from.place;
      return producer;
    }
    from.text = scope.prefix + from.text;
    return from;
  }

  /// What is bound to the input of an include must be of the type that its file
  /// says.
  void check_inputs_of_includes() {
    std::map<std::string, const NodeType*> types;
    for (const GraphNode& node : graph_.nodes) types[node.name.text] = registry_.find(node.type.text);
    for (Scope& scope : scopes_) {
      if (scope.parent == nullptr) continue;
      for (Scope::Input& input : scope.inputs) {
        if (input.bound.is_broken || input.type.is_broken) continue;
        Written producer = resolve(input.bound, *scope.parent);
        if (producer.is_broken) {  // told just now
          input.bound = producer;
          continue;
        }
        const auto type = types.find(producer.text);
        if (type == types.end() || type->second == nullptr || !type->second->output) continue;
        if (type->second->output->type == input.type.text) continue;
        problems_.add(input.bound.place,
                      fmt::format("{} of {} takes {}, and {} puts out {}", input.name, scope.path,
                                  input.type.text, input.bound.text, type->second->output->type));
        producer.is_broken = true;
        input.bound = producer;
      }
    }
  }

  std::deque<Scope>& scopes_;
  GraphFile& graph_;
  const Registry& registry_;
  Problems& problems_;
  Reading& reading_;
  std::set<const Scope::Input*> used_inputs_;
  bool some_name_is_unknown_ = false;  ///< it may be that of any input that seems unused
};

void apply(GraphNode& node, const std::string& what, const Written& value, const Registry& registry) {
  constexpr std::string_view concurrency = "concurrency", of_stage = ".concurrency";
  if (what == concurrency || what.ends_with(of_stage)) {
    const std::string stage = what == concurrency ? "" : what.substr(0, what.size() - of_stage.size());
    const NodeType* type = registry.find(node.type.text);
    std::erase_if(node.concurrency, [&](const GraphNode::Concurrency& c) {
      const bool is_last = type != nullptr && (c.stage.text.empty() || c.stage.text == type->stages.back());
      return c.stage.text == stage || (is_last && (stage.empty() || stage == type->stages.back()));
    });
    node.concurrency.push_back({{stage, value.place}, value});
    return;
  }
  for (GraphNode::Setting& setting : node.parameters) {
    if (setting.name.text != what) continue;
    setting.value = value;
    return;
  }
  node.parameters.push_back({{what, value.place}, value});
}

std::vector<std::string> settable_names(const Reading& reading) {
  std::vector<std::string> all;
  for (const Scope& scope : reading.scopes)
    for (const auto& [name, unused] : scope.variables) all.push_back(scope.prefix + name);
  for (const GraphNode& node : reading.graph.nodes) {
    all.push_back(node.name.text + ".concurrency");
    if (const NodeType* type = reading.registry.find(node.type.text))
      for (const Parameter& parameter : type->parameters)
        all.push_back(node.name.text + "." + parameter.name);
  }
  return all;
}

}  // namespace

void take_sets(Reading& reading) {
  for (const std::string& set : reading.options.sets) {
    Place place{std::make_shared<const std::string>("--set " + set), 0, 0};
    const std::size_t equals = set.find('=');
    if (equals == std::string::npos || equals == 0)
      reading.problems.add(place, "it is written NAME=VALUE");
    else
      reading.sets[set.substr(0, equals)] = {{set.substr(equals + 1), place}};
  }
}

void resolve_inputs(Reading& reading) {
  Resolver(reading).all();
}

void apply_sets(Reading& reading) {
  std::map<std::string, GraphNode*> nodes;
  for (GraphNode& node : reading.graph.nodes) nodes.emplace(node.name.text, &node);
  for (auto& [name, set] : reading.sets) {
    if (set.is_used || !set.value.place.source || set.value.place.line != 0) continue;
    GraphNode* node = nullptr;
    std::string rest;
    for (std::size_t dot = name.rfind('.'); dot != std::string::npos && dot > 0 && node == nullptr;
         dot = name.rfind('.', dot - 1)) {
      const auto found = nodes.find(name.substr(0, dot));
      if (found == nodes.end()) continue;
      node = found->second;
      rest = name.substr(dot + 1);
    }
    if (node == nullptr)
      reading.problems.add_unknown(set.value.place, fmt::format("there is nothing called {} to set", name),
                                   name, settable_names(reading));
    else
      apply(*node, rest, set.value, reading.registry);
  }
}

}  // namespace weir
