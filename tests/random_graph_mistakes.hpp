#pragma once

// The mistakes that random graph files are spoiled with: one of each kind that validation knows.

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/random_graph_file.hpp"

namespace weir::testing {

inline std::string* RandomGraphFile::setting(Node& node, const std::string& name) {
  for (auto& [key, value] : node.settings)
    if (key == name) return &value;
  return nullptr;
}

/// One that no other mistake is near to, and from now on it has one.
inline RandomGraphFile::Node* RandomGraphFile::pick_untouched(const std::function<bool(const Node&)>& fits) {
  std::vector<Node*> candidates;
  for (Node& node : nodes_)
    if (!touched_.contains(node.name) && fits(node)) candidates.push_back(&node);
  if (candidates.empty()) return nullptr;
  Node* node = candidates[pick(static_cast<unsigned>(candidates.size()))];
  touched_.insert(node->name);
  for (const Node& other : nodes_)
    for (const auto& [port, producer] : other.inputs) {
      if (other.name == node->name) touched_.insert(producer);
      if (producer == node->name) touched_.insert(other.name);
    }
  return node;
}

inline RandomGraphFile::Node* RandomGraphFile::pick_producer() {
  return pick_untouched([](const Node& node) {
    return !node.is_included && !node.type.ends_with("list") && !node.type.ends_with("bag") &&
           node.type != "note";
  });
}

inline RandomGraphFile::Node& RandomGraphFile::new_node(const std::string& type,
                                                        const std::string& producer) {
  Node node;
  node.name = "m" + std::to_string(nodes_.size()) + "_" + type;
  node.type = type;
  if (!producer.empty()) node.inputs.emplace_back("", producer);
  touched_.insert(node.name);
  nodes_.push_back(std::move(node));
  return nodes_.back();
}

inline std::optional<Mistake> RandomGraphFile::plant(unsigned kind) {
  const auto any = [](const Node&) { return true; };
  const auto has_bytes = [](const Node& node) {
    return !node.type.ends_with("list") && !node.type.ends_with("bag");
  };
  const auto set_bytes = [&](const std::string& value, const std::string& word) -> std::optional<Mistake> {
    Node* node = pick_untouched(has_bytes);
    if (node == nullptr) return std::nullopt;
    if (setting(*node, "bytes") == nullptr) node->settings.emplace_back("bytes", "");
    *setting(*node, "bytes") = value;
    return Mistake{node->name, "bytes", word};
  };
  switch (kind) {
    case 0: {
      head_.emplace_back("memroy", "1M");
      return Mistake{"", "memroy", "did you mean memory?"};
    }
    case 1: {
      Node* node = pick_untouched(any);
      if (node == nullptr) return std::nullopt;
      const std::string right = std::exchange(node->type, node->type + "s");
      return Mistake{node->name, "type", "did you mean " + right + "?"};
    }
    case 2: {
      Node* node = pick_untouched(has_bytes);
      if (node == nullptr) return std::nullopt;
      node->settings.emplace_back("byte", "4K");
      return Mistake{node->name, "byte", "did you mean bytes?"};
    }
    case 3:
      return set_bytes("\"${nowhere}\"", "no variable nowhere");
    case 4:
      return set_bytes("many", "expected a number");
    case 5:
      return set_bytes("9G", "not at most");
    case 6: {
      Node* node = pick_untouched([](const Node& n) { return n.inputs.size() == 1; });
      if (node == nullptr) return std::nullopt;
      node->inputs.front().second += "x";
      return Mistake{node->name, "input", "there is no node "};
    }
    case 7: {
      Node* node = pick_untouched(any);
      if (node == nullptr) return std::nullopt;
      node->settings.emplace_back("type", node->type);
      return Mistake{node->name, "type", "given twice"};
    }
    case 8: {
      Node* node = pick_untouched([](const Node& n) { return n.inputs.empty(); });
      if (node == nullptr) return std::nullopt;
      std::erase_if(node->settings, [](const auto& s) { return s.first == "units"; });
      return Mistake{node->name, "", "needs the parameter units"};
    }
    case 9: {
      Node* node = pick_untouched([](const Node& n) { return n.type == "bag" || n.type == "list"; });
      if (node == nullptr) return std::nullopt;
      node->type = "note_" + node->type;
      return Mistake{node->name, "input", "takes notes, and"};
    }
    case 10:
      return Mistake{new_node("bag", "").name, "", "nothing for its input"};
    case 11: {
      Node* producer = pick_producer();
      if (producer == nullptr) return std::nullopt;
      const std::string name = producer->name;
      Node& node = new_node("bag", name);
      node.inputs.push_back(node.inputs.front());
      return Mistake{node.name, "inputs", "takes 1 input, and 2 are given"};
    }
    case 12: {
      Node* producer = pick_producer();
      if (producer == nullptr) return std::nullopt;
      const std::string name = producer->name;
      return Mistake{new_node("add", name).name, "", "nobody uses"};
    }
    case 13: {
      const std::string first = new_node("total", "").name;
      const std::string second = new_node("add", first).name;
      Node& node =
          *std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.name == first; });
      node.inputs.emplace_back("", second);
      return Mistake{first, "", "feed each other in a circle", second};
    }
    case 14: {
      Node* producer = pick_producer();
      if (producer == nullptr) return std::nullopt;
      const std::string name = producer->name;
      const std::string shuffled = new_node("shuffle", name).name;
      return Mistake{new_node("list", chance(2) ? shuffled : new_node("add", shuffled).name).name, "",
                     "needs its items in order, and " + shuffled};
    }
    case 15: {
      Node* node =
          pick_untouched([](const Node& n) { return n.type == "fetch_numbers" || n.type == "pair"; });
      if (node == nullptr) return std::nullopt;
      std::erase_if(node->settings, [](const auto& s) { return s.first == "concurrency"; });
      node->settings.emplace_back("concurrency", "{fecth: 2}");
      return Mistake{node->name, "concurrency", "has no stage fecth"};
    }
    case 16: {
      Node* node = pick_untouched([](const Node& n) { return n.type == "add"; });
      if (node == nullptr) return std::nullopt;
      std::erase_if(node->settings, [](const auto& s) { return s.first == "concurrency"; });
      node->settings.emplace_back("concurrency", "0");
      return Mistake{node->name, "concurrency", "from 1 to 1024"};
    }
    case 17: {
      Node* sink = pick_untouched([](const Node& n) { return n.type.ends_with("bag") && !n.inputs.empty(); });
      if (sink == nullptr) return std::nullopt;
      const std::string name = sink->name;
      return Mistake{new_node("bag", name).name, "input", "nothing comes out of it"};
    }
    case 18: {
      variables_.emplace_back("unset" + std::to_string(variables_.size()), "");
      return Mistake{"", variables_.back().first, "needs a value"};
    }
    case 19: {
      Node* node =
          pick_untouched([](const Node& n) { return n.type == "pair" && n.inputs[0].first == "second"; });
      if (node == nullptr) return std::nullopt;
      node->inputs[0].first = "sceond";
      return Mistake{node->name, "inputs", "did you mean second?"};
    }
    default: {
      Node* node = pick_untouched([](const Node& n) { return n.inputs.empty() && n.type == "count"; });
      if (node == nullptr) return std::nullopt;
      Node* producer = pick_producer();
      if (producer == nullptr) return std::nullopt;
      node->inputs.emplace_back("", producer->name);
      return Mistake{node->name, "input", "is a source and takes no input"};
    }
  }
}

/// Those that only the nodes find, or that hide everything else.
inline std::optional<Mistake> RandomGraphFile::plant_late(unsigned kind) {
  switch (kind) {
    case 0: {
      Node* producer = pick_producer();
      const std::string name = producer->name;
      const std::string kept = new_node("keep", name).name;
      const std::string gathered = new_node("gather", kept).name;
      new_node("bag", gathered);
      return Mistake{gathered, "", "drop some"};
    }
    case 1: {
      Node* producer = pick_untouched([](const Node& n) { return !n.is_unordered && n.inputs.empty(); });
      const std::string name = producer->name;
      const std::string total = new_node("total", name).name;
      nodes_.back().settings.emplace_back("concurrency", "2");
      new_node("list", total);
      return Mistake{total, "concurrency", "one item at a time"};
    }
    case 2:
      tail_ = "  ]: {";
      return Mistake{"", "tail", "not YAML"};
    case 3:
      head_.emplace_back("weir", "2");
      return Mistake{"", "weir", "version '2'"};
    case 4: {
      const std::string name = pick_producer()->name;
      tail_ = "  more: {include: nowhere.yaml, input: " + name + "}";
      return Mistake{"", "tail", "No such file"};
    }
    case 5: {
      const std::string name = pick_producer()->name;
      tail_ = "  more: {include: graph.yaml, input: " + name + "}";
      return Mistake{"", "tail", "includes itself"};
    }
    default: {
      const std::string name = nodes_.back().name;
      for (const Node& node : nodes_)
        if (!node.is_included) tail_ = "  " + node.name + ": {type: bag, input: nobody}";
      return Mistake{"", "tail", "given twice"};
    }
  }
}

inline std::vector<Mistake> RandomGraphFile::spoil(unsigned count) {
  std::vector<Mistake> planted;
  std::set<unsigned> kinds;
  if (chance(4)) {
    planted.push_back(*plant_late(pick(7)));
    return planted;
  }
  while (planted.size() < count) {
    const unsigned kind = pick(21);
    // Where a producer is unknown, nothing is said of outputs that seem unused.
    const bool hides = (kind == 6 && kinds.contains(12)) || (kind == 12 && kinds.contains(6));
    if (hides || kinds.contains(kind)) continue;
    if (const auto mistake = plant(kind)) planted.push_back(*mistake);
    kinds.insert(kind);
  }
  return planted;
}

}  // namespace weir::testing
