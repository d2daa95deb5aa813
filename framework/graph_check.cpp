#include "framework/graph_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace weir {
namespace {

std::string quantity(std::size_t count, const std::string& what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

class Check {
 public:
  Check(const GraphFile& graph, const Registry& registry, Problems& problems, bool some_nodes_are_missing)
      : graph_(graph),
        registry_(registry),
        problems_(problems),
        some_producer_is_unknown_(some_nodes_are_missing) {
    checked_.nodes.resize(graph.nodes.size());
  }

  CheckedGraph all() {
    if (graph_.nodes.empty() && problems_.empty()) problems_.add(whole_file(), "there are no nodes");
    names();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      type(i);
      if (checked_.nodes[i].type == nullptr) continue;
      parameters(i);
      concurrency(i);
    }
    stage_names();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) inputs(i);
    unused_outputs();
    sort();
    order();
    return std::move(checked_);
  }

 private:
  const GraphNode& node(std::size_t i) const { return graph_.nodes[i]; }
  const NodeType* type_of(std::size_t i) const { return checked_.nodes[i].type; }
  const std::string& name(std::size_t i) const { return node(i).name.text; }
  Place whole_file() const {
    Place place;
    if (!graph_.name.empty()) place.source = std::make_shared<const std::string>(graph_.name);
    return place;
  }

  void names() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      names_.push_back(name(i));
      std::string_view rest = name(i);
      bool is_good = true;
      while (is_good && !rest.empty()) {
        const std::size_t dot = std::min(rest.find('.'), rest.size());
        is_good = is_plain_name(rest.substr(0, dot)) && dot + 1 != rest.size();
        rest.remove_prefix(std::min(dot + 1, rest.size()));
      }
      if (!is_good || name(i).empty())
        problems_.add(node(i).name.place,
                      fmt::format("'{}' cannot be a node's name: letters, digits, _ and -", name(i)));
      if (!index_.emplace(name(i), i).second)
        problems_.add(node(i).name.place, fmt::format("two nodes are called {}", name(i)));
    }
  }

  void type(std::size_t i) {
    const Written& type = node(i).type;
    if (type.is_broken) return;
    checked_.nodes[i].type = registry_.find(type.text);
    if (type_of(i) == nullptr)
      problems_.add_unknown(type.place, fmt::format("there is no node type {}", type.text), type.text,
                            registry_.names());
  }

  void parameters(std::size_t i) {
    const NodeType& type = *type_of(i);
    std::vector<std::string> known{"input", "concurrency"};
    for (const Parameter& parameter : type.parameters) known.push_back(parameter.name);
    std::map<std::string, ParameterValue> values;
    std::set<std::string> given;
    for (const GraphNode::Setting& setting : node(i).parameters) {
      const Written &key = setting.name, &value = setting.value;
      const auto parameter = std::find_if(type.parameters.begin(), type.parameters.end(),
                                          [&](const Parameter& p) { return p.name == key.text; });
      if (parameter == type.parameters.end()) {
        problems_.add_unknown(key.place, fmt::format("{} has no parameter {}", type.name, key.text), key.text,
                              known);
        continue;
      }
      if (!given.insert(key.text).second) {
        problems_.add(key.place, fmt::format("{} is given twice", key.text));
        continue;
      }
      if (value.is_broken) continue;
      try {
        values[key.text] = parse_parameter(*parameter, value.text);
      } catch (const Error& error) {
        problems_.add(value.place, fmt::format("{}: {}", key.text, error.reason()));
      }
    }
    for (const Parameter& parameter : type.parameters) {
      if (given.contains(parameter.name)) continue;
      if (parameter.default_value)
        values[parameter.name] = parse_parameter(parameter, *parameter.default_value);
      else if (parameter.is_required)
        problems_.add(node(i).name.place,
                      fmt::format("{} needs the parameter {} ({})", name(i), parameter.name, parameter.help));
    }
    checked_.nodes[i].parameters = Parameters(std::move(values));
  }

  void concurrency(std::size_t i) {
    const NodeType& type = *type_of(i);
    for (const auto& [stage, number] : node(i).concurrency) {
      const std::string& wanted = stage.text.empty() ? type.stages.back() : stage.text;
      if (!has_stage(type, wanted)) {
        if (type.stages.size() == 1)
          problems_.add(stage.place, fmt::format("{} has one stage, without a name", type.name));
        else
          problems_.add_unknown(stage.place, fmt::format("{} has no stage {}", type.name, wanted), wanted,
                                type.stages);
        continue;
      }
      const std::optional<unsigned> count = read_count(number, "concurrency", most_concurrency, problems_);
      if (count && !checked_.nodes[i].concurrency.emplace(wanted, *count).second)
        problems_.add(number.place,
                      fmt::format("the concurrency of {} is given twice", stage_name(name(i), wanted)));
    }
  }

  /// "dem.decode" can be a stage of dem, or a node of an include.
  void stage_names() {
    std::map<std::string, std::size_t> owner;
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (type_of(i) == nullptr) continue;
      for (const std::string& stage : type_of(i)->stages) {
        const auto [other, is_new] = owner.emplace(stage_name(name(i), stage), i);
        if (is_new || name(other->second) == name(i)) continue;
        problems_.add(node(i).name.place, fmt::format("{} is a stage of {} too: give one another name",
                                                      other->first, name(other->second)));
      }
    }
  }

  void inputs(std::size_t i) {
    std::vector<std::size_t>& producers = checked_.nodes[i].inputs;
    std::vector<std::optional<std::size_t>> found;
    for (const auto& [port, from] : node(i).inputs) {
      found.emplace_back();
      const auto producer = index_.find(from.text);
      const bool is_known = producer != index_.end();
      if (is_known) used_.insert(producer->second);
      if (is_known && !from.is_broken) found.back() = producer->second;
      if (is_known) continue;
      some_producer_is_unknown_ = true;
      if (!from.is_broken)
        problems_.add_unknown(from.place, fmt::format("there is no node {}", from.text), from.text, names_);
    }
    if (type_of(i) == nullptr) return;
    const std::vector<Port>& ports = type_of(i)->inputs;
    if (ports.empty() && !node(i).inputs.empty()) {
      problems_.add(node(i).inputs.front().from.place,
                    fmt::format("{} is a source and takes no input", type_of(i)->name));
      return;
    }
    std::vector<std::string> port_names;
    port_names.reserve(ports.size());
    for (const Port& port : ports) port_names.push_back(port.name);
    const auto bound = bind_inputs(node(i).inputs, port_names, node(i).name, problems_);
    for (std::size_t port = 0; port < ports.size(); ++port) {
      if (!bound[port] || !found[*bound[port]]) continue;
      const std::size_t producer = *found[*bound[port]];
      producers.push_back(producer);
      fit(i, ports[port], producer, node(i).inputs[*bound[port]].from.place);
    }
  }

  void fit(std::size_t i, const Port& port, std::size_t producer, const Place& place) {
    if (type_of(producer) == nullptr) return;
    const std::optional<Port>& output = type_of(producer)->output;
    if (!output)
      problems_.add(place, fmt::format("{} is a sink: nothing comes out of it", name(producer)));
    else if (output->type != port.type)
      problems_.add(place, fmt::format("{} of {} takes {}, and {} puts out {}", port.name, name(i), port.type,
                                       name(producer), output->type));
  }

  void unused_outputs() {
    if (some_producer_is_unknown_) return;  // it may be any of those that seem unused
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      if (type_of(i) != nullptr && type_of(i)->output && !used_.contains(i))
        problems_.add(node(i).name.place, fmt::format("nobody uses what {} puts out", name(i)));
  }

  void sort() {
    const std::size_t count = graph_.nodes.size();
    std::vector<std::size_t> missing(count);
    std::vector<std::vector<std::size_t>> consumers(count);
    for (std::size_t i = 0; i < count; ++i)
      for (const std::size_t producer : checked_.nodes[i].inputs) {
        ++missing[i];
        consumers[producer].push_back(i);
      }
    std::set<std::size_t> ready;
    for (std::size_t i = 0; i < count; ++i)
      if (missing[i] == 0) ready.insert(i);
    while (!ready.empty()) {
      const std::size_t i = *ready.begin();
      ready.erase(ready.begin());
      checked_.order.push_back(i);
      for (const std::size_t consumer : consumers[i])
        if (--missing[consumer] == 0) ready.insert(consumer);
    }
    circles(missing);
  }

  /// From a node that waits for others one gets, from producer to producer,
  /// into a circle.
  void circles(const std::vector<std::size_t>& missing) {
    enum class Seen : unsigned char { no, on_this_way, before };
    std::vector<Seen> seen(graph_.nodes.size(), Seen::no);
    for (std::size_t i = 0; i < missing.size(); ++i) {
      std::vector<std::size_t> way;
      std::size_t at = i;
      while (missing[at] > 0 && seen[at] == Seen::no) {
        seen[at] = Seen::on_this_way;
        way.push_back(at);
        for (const std::size_t producer : checked_.nodes[at].inputs)
          if (missing[producer] > 0) at = producer;
      }
      if (missing[at] > 0 && seen[at] == Seen::on_this_way)
        circle({std::find(way.begin(), way.end(), at), way.end()});
      for (const std::size_t member : way) seen[member] = Seen::before;
    }
  }

  void circle(std::vector<std::size_t> members) {
    std::reverse(members.begin(), members.end());  // the way of the data
    std::rotate(members.begin(), std::min_element(members.begin(), members.end()), members.end());
    std::string way;
    for (const std::size_t member : members) way += name(member) + " -> ";
    problems_.add(node(members.front()).name.place,
                  fmt::format("the nodes feed each other in a circle: {}{}", way, name(members.front())));
  }

  void order() {
    std::vector<std::optional<std::size_t>> without(graph_.nodes.size());  // who took the order away
    for (const std::size_t i : checked_.order) {
      for (const std::size_t producer : checked_.nodes[i].inputs)
        if (without[producer]) without[i] = without[producer];
      if (type_of(i) == nullptr) continue;
      if (without[i] && type_of(i)->needs_order)
        problems_.add(node(i).name.place,
                      fmt::format("{} needs its items in order, and {} puts them out in none", name(i),
                                  name(*without[i])));
      if (type_of(i)->is_unordered) without[i] = i;
    }
  }

  const GraphFile& graph_;
  const Registry& registry_;
  Problems& problems_;
  CheckedGraph checked_;
  std::vector<std::string> names_;
  std::map<std::string, std::size_t> index_;
  std::set<std::size_t> used_;
  bool some_producer_is_unknown_;
};

}  // namespace

CheckedGraph check_graph(const GraphFile& graph, const Registry& registry, Problems& problems,
                         bool some_nodes_are_missing) {
  return Check(graph, registry, problems, some_nodes_are_missing).all();
}

std::vector<std::optional<std::size_t>> bind_inputs(const std::vector<GraphNode::Input>& given,
                                                    const std::vector<std::string>& ports,
                                                    const Written& node, Problems& problems) {
  std::vector<std::optional<std::size_t>> bound(ports.size());
  bool is_lost = false;  // one that was meant for some port: which one is not known
  for (std::size_t i = 0; i < given.size(); ++i) {
    const Written& port = given[i].port;
    if (port.text.empty()) continue;
    const auto found = std::find(ports.begin(), ports.end(), port.text);
    if (found == ports.end()) {
      problems.add_unknown(port.place, fmt::format("{} has no input {}", node.text, port.text), port.text,
                           ports);
      is_lost = true;
      continue;
    }
    std::optional<std::size_t>& place = bound[static_cast<std::size_t>(found - ports.begin())];
    if (place) problems.add(port.place, fmt::format("the input {} is given twice", port.text));
    place = i;
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (!given[i].port.text.empty()) continue;
    while (next < ports.size() && bound[next]) ++next;
    if (next == ports.size()) {
      problems.add(given[i].from.place, fmt::format("{} takes {}, and {} are given", node.text,
                                                    quantity(ports.size(), "input"), given.size()));
      return bound;
    }
    bound[next] = i;
  }
  for (std::size_t port = 0; port < ports.size() && !is_lost; ++port)
    if (!bound[port])
      problems.add(node.place, fmt::format("{} has nothing for its input {}", node.text, ports[port]));
  return bound;
}

std::optional<unsigned> read_count(const Written& text, const std::string& name, unsigned most,
                                   Problems& problems) {
  if (text.is_broken) return std::nullopt;
  Parameter count{.name = name, .type = ParameterType::integer, .help = "", .least = 1};
  count.most = most;
  try {
    return static_cast<unsigned>(std::get<std::int64_t>(parse_parameter(count, text.text)));
  } catch (const Error& error) {
    problems.add(text.place, fmt::format("{}: {}", name, error.reason()));
    return std::nullopt;
  }
}

bool is_plain_name(std::string_view name) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && is_letter(name.front()) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
  });
}

}  // namespace weir
