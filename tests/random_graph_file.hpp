#pragma once

// Graph files made at random over the node types of graph_file_nodes.hpp: sound ones, and ones with mistakes
// planted at places that are known (random_graph_mistakes.hpp).

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/graph_file_nodes.hpp"

namespace weir::testing {

/// A mistake: the problem that must be told has this word in it, and stands in the line of that key.
struct Mistake {
  std::string node, key;  ///< key "": the node's own line; node "": a line of the file itself, named by key
  std::string word;
  std::string or_node = {};  ///< where it may be told as well: at whichever was written first
};

class RandomGraphFile {
 public:
  explicit RandomGraphFile(unsigned seed) : random_(seed) { make(); }

  /// Plants `count` mistakes (a late one, or one that hides others, stays alone).
  std::vector<Mistake> spoil(unsigned count);

  /// Writes the text of the file, and that of sub.yaml where it includes one. Once, after spoil.
  void write();
  const std::string& text() const { return text_; }
  const std::string& included() const { return included_; }
  const std::vector<std::string>& sets() const { return sets_; }
  std::size_t sinks() const;
  /// "sub.yaml:7" and the like, of what write has written.
  std::string place(const Mistake& mistake) const {
    const std::string& place = places_.at({mistake.node, mistake.key});
    if (mistake.or_node.empty()) return place;
    const std::string& other = places_.at({mistake.or_node, mistake.key});
    const auto line = [](const std::string& of) { return std::stoul(of.substr(of.find(':') + 1)); };
    return line(other) < line(place) ? other : place;
  }

 private:
  struct Node {
    std::string name, type;
    std::vector<std::pair<std::string, std::string>> inputs;    ///< port (or nothing) and producer
    std::vector<std::pair<std::string, std::string>> settings;  ///< as they are written
    std::vector<unsigned> counts;                               ///< items of each unit that leave it
    bool may_drop = false, is_unordered = false;
    bool is_included = false;
  };

  unsigned pick(unsigned below) { return static_cast<unsigned>(random_() >> 7) % below; }
  bool chance(unsigned one_in) { return pick(one_in) == 0; }
  void make();
  void grow(std::size_t end);
  void join(std::size_t end);
  void put_into_include();
  Node& add(const std::string& type, const std::vector<std::size_t>& producers);
  void add_sink(std::size_t end);
  void give_bytes(Node& node);
  std::string written(const std::string& name, const std::string& value);
  void write_node(const Node& node, const std::string& file, std::string& text, unsigned& line);
  std::string name_for(const Node& consumer, const std::string& producer) const;
  const Node* included_end() const;

  // mistakes
  std::optional<Mistake> plant(unsigned kind);
  std::optional<Mistake> plant_late(unsigned kind);
  Node* pick_untouched(const std::function<bool(const Node&)>& fits);
  Node* pick_producer();
  Node& new_node(const std::string& type, const std::string& producer);
  static std::string* setting(Node& node, const std::string& name);

  std::minstd_rand random_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> ends_;
  unsigned units_ = 0;
  std::vector<std::pair<std::string, std::string>> head_, variables_;  ///< top-level keys; names and defaults
  std::vector<std::string> sets_;
  std::set<std::string> touched_;
  std::string tail_;
  std::string text_, included_;
  std::map<std::pair<std::string, std::string>, std::string> places_;
};

// ---- sound graphs

inline void RandomGraphFile::make() {
  units_ = pick(10);
  const unsigned sources = 1 + pick(2);
  for (unsigned i = 0; i < sources; ++i) {
    Node& node = add(chance(3) ? "fetch_numbers" : "count", {});
    const unsigned items = pick(5);
    const bool is_irregular = chance(3);
    node.settings.emplace_back("units", written("units", std::to_string(units_)));
    node.settings.emplace_back("items", written("items", std::to_string(items)));
    if (is_irregular) node.settings.emplace_back("irregular", "yes");
    if (chance(2)) node.settings.emplace_back("start", written("start", std::to_string(pick(1000))));
    if (node.type == "fetch_numbers" && chance(2))
      node.settings.emplace_back("concurrency", "{plan: 1, fetch: " + std::to_string(1 + pick(3)) + "}");
    give_bytes(node);
    for (unsigned unit = 0; unit < units_; ++unit)
      node.counts.push_back(is_irregular ? static_cast<unsigned>(irregular_items(items, unit)) : items);
    ends_.push_back(nodes_.size() - 1);
  }
  const unsigned steps = pick(9);
  for (unsigned step = 0; step < steps; ++step) grow(pick(static_cast<unsigned>(ends_.size())));
  for (std::size_t end = 0; end < ends_.size(); ++end) add_sink(end);
  if (chance(3)) put_into_include();
  if (chance(2)) head_.emplace_back("memory", chance(2) ? "1G" : "\"512 MiB\"");
  if (chance(3)) head_.emplace_back("tokens", written("tokens", "3"));
  if (chance(3)) head_.emplace_back("threads", "2");
  if (chance(4)) head_.emplace_back("engine", chance(2) ? "onetbb" : "auto");
  if (chance(3)) head_.emplace_back("help", "'Numbers: as they come, # and \"go\"'");
}

inline RandomGraphFile::Node& RandomGraphFile::add(const std::string& type,
                                                   const std::vector<std::size_t>& producers) {
  Node node;
  node.name = "n" + std::to_string(nodes_.size()) + (chance(4) ? "-" : "_") + type;
  node.type = type;
  for (const std::size_t producer : producers) {
    node.inputs.emplace_back("", nodes_[producer].name);
    node.may_drop = node.may_drop || nodes_[producer].may_drop;
    node.is_unordered = node.is_unordered || nodes_[producer].is_unordered;
    node.counts = nodes_[producer].counts;
  }
  nodes_.push_back(std::move(node));
  return nodes_.back();
}

inline void RandomGraphFile::give_bytes(Node& node) {
  if (chance(3)) return;
  static const char* const sizes[] = {"1", "100", "4096", "5000", "64K", "\"8 KiB\""};
  node.settings.emplace_back("bytes", written("bytes", sizes[pick(6)]));
}

/// The next node behind an end, in its place or beside it.
inline void RandomGraphFile::grow(std::size_t end) {
  const std::size_t from = ends_[end];
  const bool is_beside = chance(3);  // the end stays one, for another consumer
  static const char* const types[] = {"add",  "add",    "total",  "previous",
                                      "keep", "repeat", "gather", "shuffle"};
  const unsigned choice = pick(10);
  if (choice >= 8) return join(end);
  std::string type = types[choice];
  const bool needs_order = type == "total" || type == "previous";
  const bool needs_all = type == "gather" || type == "shuffle";
  if ((needs_order && nodes_[from].is_unordered) || (needs_all && nodes_[from].may_drop)) type = "add";
  Node& node = add(type, {from});
  if (type == "add" && chance(2))
    node.settings.emplace_back("addend", written("addend", std::to_string(pick(99))));
  if (type == "add" && chance(3)) node.settings.emplace_back("lane", chance(2) ? "io" : "compute");
  if ((type == "add" || type == "keep") && chance(3))
    node.settings.emplace_back("concurrency", written("concurrency", std::to_string(1 + pick(4))));
  if (type == "keep") node.may_drop = true;
  if (type == "shuffle") node.is_unordered = true;
  if (type == "repeat") {
    const unsigned times = pick(4);
    node.settings.emplace_back("times", written("times", std::to_string(times)));
    for (unsigned& count : node.counts) count *= times;
  }
  if (type == "gather")
    for (unsigned& count : node.counts) count = std::min(count, 1U);
  give_bytes(node);
  if (is_beside)
    ends_.push_back(nodes_.size() - 1);
  else
    ends_[end] = nodes_.size() - 1;
}

/// With other nodes that have as many items in each unit, or with itself.
inline void RandomGraphFile::join(std::size_t end) {
  const std::size_t from = ends_[end];
  if (nodes_[from].is_unordered) return;
  std::vector<std::size_t> alike;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (!nodes_[i].is_unordered && nodes_[i].counts == nodes_[from].counts) alike.push_back(i);
  const auto other = [&] { return alike[pick(static_cast<unsigned>(alike.size()))]; };
  if (chance(2)) {
    add("pair", {from, other()});
  } else {
    add("triple", {from, other(), other()});
  }
  Node& node = nodes_.back();
  const char* const ports[] = {"first", "second", "a", "b", "c"};
  const bool is_pair = node.type == "pair";
  if (chance(2)) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) node.inputs[i].first = ports[i + (is_pair ? 0 : 2)];
    std::reverse(node.inputs.begin(), node.inputs.end());
  }
  give_bytes(node);
  ends_[end] = nodes_.size() - 1;
}

inline void RandomGraphFile::add_sink(std::size_t end) {
  std::size_t from = ends_[end];
  const bool is_note = chance(4);
  if (is_note) {
    give_bytes(add("note", {from}));
    from = nodes_.size() - 1;
  }
  const bool in_order = !nodes_[from].is_unordered && !chance(3);
  Node& node = add(std::string(is_note ? "note_" : "") + (in_order ? "list" : "bag"), {from});
  if (in_order && chance(3)) node.settings.emplace_back("lane", "compute");
}

inline std::size_t RandomGraphFile::sinks() const {
  return static_cast<std::size_t>(std::count_if(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return node.type.ends_with("list") || node.type.ends_with("bag");
  }));
}

/// A chain of nodes with one input and one output goes into a file of its own.
inline void RandomGraphFile::put_into_include() {
  const auto consumers = [&](const Node& of) {
    std::vector<Node*> all;
    for (Node& node : nodes_)
      for (const auto& [port, producer] : node.inputs)
        if (producer == of.name) all.push_back(&node);
    return all;
  };
  const auto fits = [](const Node& node) {
    return node.inputs.size() == 1 && !node.type.ends_with("list") && !node.type.ends_with("bag") &&
           node.type != "note";
  };
  std::vector<Node*> candidates;
  for (Node& node : nodes_)
    if (fits(node)) candidates.push_back(&node);
  if (candidates.empty()) return;
  Node* node = candidates[pick(static_cast<unsigned>(candidates.size()))];
  node->is_included = true;
  for (std::vector<Node*> next = consumers(*node); next.size() == 1 && fits(*next[0]) && chance(2);
       next = consumers(*node)) {
    node = next[0];
    node->is_included = true;
  }
  for (Node& included : nodes_)  // what a variable of the outer file said is said here
    if (included.is_included)
      for (auto& [key, value] : included.settings)
        for (const auto& [name, text] : variables_)
          if (value == "\"${" + name + "}\"") value = text;
}

/// A value as it is, quoted, or as a variable.
inline std::string RandomGraphFile::written(const std::string& name, const std::string& value) {
  if (chance(5) && value[0] != '"') return "\"" + value + "\"";
  if (!chance(5)) return value;
  const std::string variable = "v" + std::to_string(variables_.size()) + "_" + name;
  variables_.emplace_back(variable, value);
  return "\"${" + variable + "}\"";
}

// ---- text

inline const RandomGraphFile::Node* RandomGraphFile::included_end() const {
  const Node* end = nullptr;
  for (const Node& node : nodes_)
    if (node.is_included) end = &node;
  return end;
}

/// How a node of one file calls another: sub.yaml has its input and its output between.
inline std::string RandomGraphFile::name_for(const Node& consumer, const std::string& producer) const {
  const auto of =
      std::find_if(nodes_.begin(), nodes_.end(), [&](const Node& n) { return n.name == producer; });
  if (of == nodes_.end() || of->is_included == consumer.is_included)
    return consumer.is_included && of == nodes_.end() && producer.ends_with("x") ? "itx" : producer;
  return consumer.is_included ? "it" : "sub";
}

inline void RandomGraphFile::write_node(const Node& node, const std::string& file, std::string& text,
                                        unsigned& line) {
  std::vector<std::pair<std::string, std::string>> parts{{"type", node.type}};
  if (!node.inputs.empty()) {
    std::string list;
    for (const auto& [port, producer] : node.inputs)
      list += (list.empty() ? "" : ", ") + (port.empty() ? "" : port + ": ") + name_for(node, producer);
    if (!node.inputs.front().first.empty())
      parts.emplace_back("inputs", "{" + list + "}");
    else if (node.inputs.size() == 1)
      parts.emplace_back("input", list);
    else
      parts.emplace_back("inputs", "[" + list + "]");
  }
  for (const auto& setting : node.settings) parts.push_back(setting);
  const auto note = [&](const std::string& key) {
    places_[{node.name, key}] = file + ":" + std::to_string(line);
  };
  const bool is_flow = chance(2);
  note("");
  text += "  " + node.name + ":";
  if (is_flow) {
    std::string body;
    for (const auto& [key, value] : parts) {
      note(key);
      body += (body.empty() ? "" : ", ") + key + ": " + value;
    }
    text += " {" + body + "}\n";
    ++line;
    return;
  }
  text += chance(3) ? "  # on lines of its own\n" : "\n";
  ++line;
  for (const auto& [key, value] : parts) {
    note(key);
    text += "    " + key + ": " + value + "\n";
    ++line;
  }
}

inline void RandomGraphFile::write() {
  unsigned line = 1;
  const auto add_line = [&](const std::string& key, const std::string& words) {
    places_[{"", key}] = "graph.yaml:" + std::to_string(line);
    text_ += words + "\n";
    ++line;
  };
  if (chance(3)) add_line("#", "# a graph");
  for (const auto& [key, value] : head_)
    if (key == "weir") add_line(key, "weir: " + value);
  if (std::none_of(head_.begin(), head_.end(), [](const auto& part) { return part.first == "weir"; }))
    add_line("weir", "weir: 1");
  for (const auto& [key, value] : head_)
    if (key != "weir") add_line(key, key + ": " + value);
  if (!variables_.empty()) add_line("variables", "variables:");
  for (const auto& [name, value] : variables_) {
    const unsigned how = pick(3);
    if (value.empty())
      add_line(name, "  " + name + ": {help: it has no default}");
    else if (how == 0)
      add_line(name, "  " + name + ": " + value);
    else if (how == 1)
      add_line(name, "  " + name + ": {help: something, default: " + value + "}");
    else
      add_line(name, "  " + name + ":"), sets_.push_back(name + "=" + (value[0] == '"' ? "8K" : value));
  }
  add_line("nodes", "nodes:");
  std::vector<const Node*> order;
  for (const Node& node : nodes_) order.push_back(&node);
  if (chance(2)) std::shuffle(order.begin(), order.end(), random_);
  unsigned inner_line = 4;
  for (const Node* node : order) {
    if (node->is_included)
      write_node(*node, "sub.yaml", included_, inner_line);
    else
      write_node(*node, "graph.yaml", text_, line);
  }
  if (const Node* end = included_end()) {
    included_ = "weir: 1\ninputs: {it: numbers}\nnodes:\n" + included_ + "output: " + end->name + "\n";
    std::string producer;
    for (const Node& node : nodes_)
      if (node.is_included && producer.empty()) producer = node.inputs.front().second;
    if (producer.ends_with("x")) producer.pop_back();  // a mistake of the included node
    add_line("sub", "  sub: {include: sub.yaml, input: " + producer + "}");
  }
  if (!tail_.empty()) add_line("tail", tail_);
}

}  // namespace weir::testing
