// From the YAML of a graph file, and of those that it includes, to the
// description.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <span>

#include "framework/bytes.hpp"
#include "framework/graph_reading.hpp"
#include "framework/yaml_document.hpp"

namespace weir {
namespace {

// Far more than people write; what a file of 1 MiB can unfold to is bounded by
// them.
constexpr std::size_t most_includes = 200, deepest_include = 12, most_nodes = 5000;
constexpr std::size_t longest_value = 64 << 10;  // variables put into variables double each time
constexpr std::size_t most_put_in = 4 << 20;     // bytes that all variables together may bring

std::string read_text(const std::string& path, FileSystem& files) {
  const InputFile file(path, files);
  if (file.size() > largest_yaml)
    throw Error::usage("read", path,
                       fmt::format("it has {}, and a graph file has at most {}", format_bytes(file.size()),
                                   format_bytes(largest_yaml)));
  std::string text(file.size(), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return text;
}

class Reader {
 public:
  Reader(const ReadGraphOptions& options, const Registry& registry) : reading_{options, registry} {}

  GraphFile read(const std::string& text, const std::string& name) {
    graph_.name = name;
    take_sets(reading_);
    Scope& scope = reading_.scopes.emplace_back();
    scope.path = name;
    file(parse_yaml(text, name), scope);
    resolve_inputs(reading_);
    apply_sets(reading_);
    check_graph(graph_, reading_.registry, problems_, reading_.some_nodes_are_missing);
    problems_.throw_if_any(name);
    return std::move(graph_);
  }

 private:
  // ---- words

  Written word(const YamlNode& node) { return {node.text, node.place}; }

  /// A scalar with its variables put in; broken, and told, where it is none or
  /// has unknown ones.
  Written value(const YamlNode& node, const std::string& what, const Scope& scope) {
    Written written{"", node.place};
    written.is_broken = true;
    if (node.kind == YamlNode::Kind::empty) {
      problems_.add(node.place, fmt::format("{} has no value; an empty text is written \"\"", what));
      return written;
    }
    if (node.kind != YamlNode::Kind::text) {
      problems_.add(node.place, fmt::format("{} must be a single value", what));
      return written;
    }
    written.is_broken = false;
    const std::string& text = node.text;
    for (std::size_t at = 0; at < text.size();) {
      if (text.compare(at, 3, "$${") == 0) {
        written.text += "${";
        at += 3;
      } else if (text.compare(at, 2, "${") == 0) {
        const std::size_t end = text.find('}', at);
        if (end == std::string::npos) {
          problems_.add(node.place, fmt::format("{} has ${{ without }}; $${{ stands for ${{ itself", what));
          written.is_broken = true;
          return written;
        }
        put_in(text.substr(at + 2, end - at - 2), scope, written);
        at = end + 1;
      } else {
        written.text += text[at++];
      }
      if (written.text.size() > longest_value) {
        problems_.add(node.place, fmt::format("{} has more than {} bytes", what, longest_value));
        written.is_broken = true;
        return written;
      }
    }
    return written;
  }

  void put_in(const std::string& name, const Scope& scope, Written& written) {
    const auto variable = scope.variables.find(name);
    if (variable != scope.variables.end()) {
      written.is_broken = written.is_broken || variable->second.is_broken;
      if (put_in_ <= most_put_in && (put_in_ += variable->second.text.size()) > most_put_in)
        problems_.add(written.place, fmt::format("variables put in more than {} bytes", most_put_in));
      if (put_in_ > most_put_in)
        written.is_broken = true;
      else
        written.text += variable->second.text;
      return;
    }
    std::vector<std::string> known;
    for (const auto& [other, unused] : scope.variables) known.push_back(other);
    problems_.add_unknown(written.place, fmt::format("there is no variable {}", name), name, known);
    written.is_broken = true;
  }

  bool is_map(const YamlNode& node, const std::string& what) {
    if (node.kind != YamlNode::Kind::map)
      problems_.add(node.place, fmt::format("{} must be a map: names with values", what));
    return node.kind == YamlNode::Kind::map;
  }

  /// The entries of a map without those whose key came before, which are told.
  std::vector<const YamlEntry*> entries(const YamlNode& map) {
    std::map<std::string_view, unsigned> lines;
    std::vector<const YamlEntry*> all;
    for (const YamlEntry& entry : map.entries) {
      const auto [first, is_new] = lines.emplace(entry.key.text, entry.key.place.line);
      if (is_new)
        all.push_back(&entry);
      else
        problems_.add(entry.key.place,
                      fmt::format("{} is given twice, first in line {}", entry.key.text, first->second));
    }
    return all;
  }

  // ---- a file

  void file(const YamlNode& root, Scope& scope) {
    if (!is_map(root, "a graph file")) return;
    std::map<std::string, const YamlNode*> parts;
    const std::vector<std::string> known{"weir",   "help",      "memory", "tokens", "threads",
                                         "engine", "variables", "inputs", "output", "nodes"};
    for (const YamlEntry* entry : entries(root)) {
      if (std::find(known.begin(), known.end(), entry->key.text) == known.end())
        problems_.add_unknown(entry->key.place, fmt::format("a graph file has no {}", entry->key.text),
                              entry->key.text, known);
      else
        parts.emplace(entry->key.text, &entry->value);
    }
    const auto part = [&](const char* name) {
      const auto found = parts.find(name);
      return found == parts.end() ? nullptr : found->second;
    };
    version(part("weir"), root.place);
    if (const YamlNode* node = part("variables")) variables(*node, scope);
    limits(parts, scope);
    if (const YamlNode* node = part("help")) {
      const Written help = value(*node, "help", scope);
      if (scope.parent == nullptr) graph_.help = help.text;
    }
    if (const YamlNode* node = part("inputs")) declared_inputs(*node, scope);
    if (const YamlNode* node = part("nodes"))
      nodes(*node, scope);
    else
      problems_.add(root.place, "there are no nodes");
    if (const YamlNode* node = part("output")) {
      if (scope.parent == nullptr) problems_.add(node->place, "only a file that is included has an output");
      scope.output = value(*node, "output", scope);
    }
  }

  void version(const YamlNode* node, const Place& place) {
    if (node == nullptr)
      problems_.add(place, "the version is missing: weir: 1");
    else if (node->text != "1")
      problems_.add(node->place, fmt::format("graph files of version '{}' are not known "
                                             "here, only of version 1",
                                             node->text));
  }

  void limits(const std::map<std::string, const YamlNode*>& parts, const Scope& scope) {
    const auto given = [&](const char* name) -> std::optional<Written> {
      const auto found = parts.find(name);
      if (found == parts.end()) return std::nullopt;
      if (scope.parent != nullptr) {
        problems_.add(found->second->place, fmt::format("{} is for the whole graph, and not for a "
                                                        "file that is included",
                                                        name));
        return std::nullopt;
      }
      const Written text = value(*found->second, name, scope);
      return text.is_broken ? std::nullopt : std::optional(text);
    };
    if (const auto memory = given("memory")) {
      graph_.memory_place = memory->place;
      try {
        graph_.limits.memory = parse_bytes(memory->text);
        if (graph_.limits.memory == 0) problems_.add(memory->place, "memory must be more than nothing");
      } catch (const Error& error) {
        problems_.add(memory->place, fmt::format("memory: '{}': {}", memory->text, error.reason()));
      }
    }
    if (const auto tokens = given("tokens"))
      graph_.limits.tokens = read_count(*tokens, "tokens", 1'000'000, problems_).value_or(0);
    if (const auto threads = given("threads"))
      graph_.limits.threads = read_count(*threads, "threads", 1024, problems_).value_or(0);
    if (const auto engine = given("engine")) {
      const Parameter parameter{.name = "engine",
                                .type = ParameterType::choice,
                                .help = "",
                                .choices = {"auto", "onetbb", "serial"}};
      try {
        parse_parameter(parameter, engine->text);
      } catch (const Error& error) {
        problems_.add(engine->place, fmt::format("engine: {}", error.reason()));
      }
      if (engine->text == "onetbb") graph_.limits.engine = Engine::onetbb;
      if (engine->text == "serial") graph_.limits.engine = Engine::serial;
    }
  }

  void variables(const YamlNode& map, Scope& scope) {
    if (!is_map(map, "variables")) return;
    for (const YamlEntry* entry : entries(map)) {
      const Written name = word(entry->key);
      if (!is_plain_name(name.text)) {
        problems_.add(name.place,
                      fmt::format("'{}' cannot be a variable's name: letters, digits, _ and -", name.text));
        continue;
      }
      std::optional<Written> text;
      if (entry->value.kind == YamlNode::Kind::map) {
        for (const YamlEntry* part : entries(entry->value)) {
          if (part->key.text == "default")
            text = value(part->value, "default", scope);
          else if (part->key.text == "help")
            value(part->value, "help", scope);
          else
            problems_.add_unknown(part->key.place, fmt::format("a variable has no {}", part->key.text),
                                  part->key.text, {"default", "help"});
        }
      } else if (entry->value.kind != YamlNode::Kind::empty) {
        text = value(entry->value, name.text, scope);
      }
      const auto set = reading_.sets.find(scope.prefix + name.text);
      if (set != reading_.sets.end()) {
        set->second.is_used = true;
        text = set->second.value;
      }
      if (!text) {
        const bool is_whole = scope.parent == nullptr;
        problems_.add(is_whole ? name.place : scope.included_at,
                      fmt::format("the variable {} of {} needs a value: {}", name.text, scope.path,
                                  is_whole ? fmt::format("--set {}=...", name.text)
                                           : fmt::format("set: {{{}: ...}}", name.text)));
        text.emplace();
        text->is_broken = true;
      }
      scope.variables[name.text] = *text;
    }
  }

  void declared_inputs(const YamlNode& map, Scope& scope) {
    if (scope.parent == nullptr) {
      problems_.add(map.place, "only a file that is included has inputs: this one cannot run alone");
      // Its nodes may name them all the same.
    }
    if (!is_map(map, "inputs")) return;
    for (const YamlEntry* entry : entries(map)) {
      Scope::Input& input = scope.inputs.emplace_back();
      input.name = entry->key.text;
      input.type = value(entry->value, "the type of an input", scope);
      input.bound.is_broken = true;
      add_local(entry->key, scope).input = &input;
      check_port_type(input.type);
    }
  }

  void check_port_type(const Written& type) {
    if (type.is_broken) return;
    std::set<std::string> known;
    for (const NodeType* node : reading_.registry.types()) {
      if (node->output) known.insert(node->output->type);
      for (const Port& port : node->inputs) known.insert(port.type);
    }
    if (!known.contains(type.text))
      problems_.add_unknown(type.place, fmt::format("no node takes or puts out {}", type.text), type.text,
                            {known.begin(), known.end()});
  }

  Scope::Local& add_local(const YamlNode& name, Scope& scope) {
    const auto [local, is_new] = scope.locals.try_emplace(name.text);
    if (!is_new) problems_.add(name.place, fmt::format("{} is an input of this file too", name.text));
    return local->second;
  }

  // ---- nodes

  void nodes(const YamlNode& map, Scope& scope) {
    if (!is_map(map, "nodes")) return;
    for (const YamlEntry* entry : entries(map)) {
      const YamlNode& body = entry->value;
      if (!is_map(body, entry->key.text)) {
        add_local(entry->key, scope);
        reading_.some_nodes_are_missing = true;
        continue;
      }
      const std::vector<const YamlEntry*> parts = entries(body);
      const auto has = [&](std::string_view key) {
        return std::any_of(parts.begin(), parts.end(),
                           [&](const auto* part) { return part->key.text == key; });
      };
      if (has("include"))
        include(entry->key, parts, scope);
      else
        node(entry->key, parts, scope, has("type"));
    }
  }

  void node(const YamlNode& name, const std::vector<const YamlEntry*>& parts, Scope& scope, bool has_type) {
    add_local(name, scope);
    if (graph_.nodes.size() >= most_nodes) {
      if (!reading_.some_nodes_are_missing)
        problems_.add(name.place, fmt::format("there are more than {} nodes", most_nodes));
      reading_.some_nodes_are_missing = true;
      return;
    }
    GraphNode node;
    node.name = {scope.prefix + name.text, name.place};
    if (!has_type) {
      problems_.add(name.place, fmt::format("{} has neither a type nor an include", name.text));
      node.type.is_broken = true;
    }
    bool has_inputs = false;
    for (const YamlEntry* part : parts) {
      const std::string& key = part->key.text;
      if (key == "type") {
        node.type = value(part->value, "type", scope);
      } else if (key == "input" || key == "inputs") {
        if (has_inputs) problems_.add(part->key.place, "input and inputs mean the same: give one of them");
        has_inputs = true;
        node.inputs = inputs(part->value, scope);
      } else if (key == "concurrency") {
        concurrency(part->value, scope, node);
      } else {
        node.parameters.push_back({word(part->key), value(part->value, key, scope)});
      }
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      reading_.inputs.push_back({graph_.nodes.size(), i, &scope});
    graph_.nodes.push_back(std::move(node));
  }

  /// One name, a list of them, or a map from ports to names.
  std::vector<GraphNode::Input> inputs(const YamlNode& node, const Scope& scope) {
    std::vector<GraphNode::Input> all;
    if (node.kind == YamlNode::Kind::list) {
      for (const YamlNode& item : node.items) all.push_back({{}, value(item, "an input", scope)});
    } else if (node.kind == YamlNode::Kind::map) {
      for (const YamlEntry* entry : entries(node))
        all.push_back({word(entry->key), value(entry->value, entry->key.text, scope)});
    } else {
      all.push_back({{}, value(node, "input", scope)});
    }
    return all;
  }

  void concurrency(const YamlNode& node, const Scope& scope, GraphNode& of) {
    if (node.kind != YamlNode::Kind::map) {
      of.concurrency.push_back({{}, value(node, "concurrency", scope)});
      return;
    }
    for (const YamlEntry* entry : entries(node))
      of.concurrency.push_back({word(entry->key), value(entry->value, entry->key.text, scope)});
  }

  void include(const YamlNode& name, const std::vector<const YamlEntry*>& parts, Scope& scope) {
    Scope& inner = reading_.scopes.emplace_back();
    inner.parent = &scope;
    inner.prefix = scope.prefix + name.text + ".";
    inner.included_at = name.place;
    inner.included_at = name.place;
    add_local(name, scope).include = &inner;
    if (!is_plain_name(name.text))
      problems_.add(name.place,
                    fmt::format("'{}' cannot be a node's name: letters, digits, _ and -", name.text));
    Written path;
    path.is_broken = true;
    std::vector<GraphNode::Input> given;
    std::vector<std::pair<std::string, Place>> sets;
    for (const YamlEntry* part : parts) {
      const std::string& key = part->key.text;
      if (key == "include") {
        path = value(part->value, "include", scope);
      } else if (key == "input" || key == "inputs") {
        given = inputs(part->value, scope);
      } else if (key == "set") {
        if (!is_map(part->value, "set")) continue;
        for (const YamlEntry* set : entries(part->value)) {
          const std::string variable = inner.prefix + set->key.text;
          sets.emplace_back(variable, set->key.place);
          // The command line wins over the file, and an outer file over an
          // inner one.
          reading_.sets.emplace(variable, Reading::Set{value(set->value, set->key.text, scope)});
        }
      } else {
        problems_.add_unknown(part->key.place, fmt::format("an include has no {}", key), key,
                              {"input", "inputs", "set"});
      }
    }
    if (read_include(path, scope, inner)) {
      bind(name, given, inner);
    } else {
      inner.output.is_broken = true;
      reading_.some_nodes_are_missing = true;
      for (const GraphNode::Input& input : given) reading_.uses_of_missing.push_back({input.from, &scope});
    }
    for (const auto& [variable, place] : sets) {
      Reading::Set& set = reading_.sets.at(variable);
      std::vector<std::string> known;
      for (const auto& [other, unused] : inner.variables) known.push_back(other);
      const std::string word = variable.substr(inner.prefix.size());
      if (!set.is_used && !path.is_broken && !inner.output.is_broken)
        problems_.add_unknown(place, fmt::format("{} has no variable {}", path.text, word), word, known);
      set.is_used = true;
    }
  }

  bool read_include(const Written& path, const Scope& scope, Scope& inner) {
    if (path.is_broken) return false;
    std::filesystem::path whole(path.text);
    if (whole.is_relative()) whole = std::filesystem::path(scope.path).parent_path() / whole;
    inner.path = whole.lexically_normal();
    std::string way = inner.path;
    std::size_t depth = 0;
    for (const Scope* outer = &scope; outer != nullptr; outer = outer->parent) {
      way = outer->path + " -> " + way;
      if (++depth > deepest_include) {
        problems_.add(path.place, fmt::format("files include files more than {} deep", deepest_include));
        return false;
      }
      if (std::filesystem::path(outer->path).lexically_normal() == inner.path) {
        problems_.add(path.place, fmt::format("the file includes itself: {}", way));
        return false;
      }
    }
    if (++includes_ > most_includes) {
      if (includes_ == most_includes + 1)
        problems_.add(path.place, fmt::format("there are more than {} includes", most_includes));
      return false;
    }
    try {
      file(parse_yaml(read_text(inner.path, *reading_.options.files), inner.path), inner);
      return true;
    } catch (const ProblemError& error) {
      for (const Problem& problem : error.problems()) problems_.add(problem.place, problem.text);
    } catch (const Error& error) {
      problems_.add(path.place, error.what());
    }
    return false;
  }

  void bind(const YamlNode& name, const std::vector<GraphNode::Input>& given, Scope& inner) {
    std::vector<std::string> ports;
    for (const Scope::Input& input : inner.inputs) ports.push_back(input.name);
    const auto bound = bind_inputs(given, ports, word(name), problems_);
    for (std::size_t i = 0; i < ports.size(); ++i)
      if (bound[i]) inner.inputs[i].bound = given[*bound[i]].from;
  }

  Reading reading_;
  Problems& problems_ = reading_.problems;
  GraphFile& graph_ = reading_.graph;
  std::size_t includes_ = 0;
  std::size_t put_in_ = 0;  ///< bytes that came from variables
};

}  // namespace

GraphFile read_graph_file(const std::string& path, const ReadGraphOptions& options,
                          const Registry& registry) {
  return parse_graph_text(read_text(path, *options.files), path, options, registry);
}

GraphFile parse_graph_text(const std::string& text, const std::string& name, const ReadGraphOptions& options,
                           const Registry& registry) {
  return Reader(options, registry).read(text, name);
}

}  // namespace weir
