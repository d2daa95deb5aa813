#pragma once

// The parts of reading a graph file: the files (graph_reader.cpp), then the names in them and what --set says
// (graph_names.cpp). Internal to framework/.

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "framework/graph_check.hpp"

namespace weir {

/// One file with its names. Nodes of an included one are called prefix + name.
struct Scope {
  const Scope* parent = nullptr;
  std::string prefix;  ///< "hills."
  std::string path;    ///< to which includes are relative
  Place included_at;
  struct Input {
    std::string name;
    Written type;   ///< of what flows
    Written bound;  ///< in the parent's names; broken where nothing is bound, or
                    ///< the name of the whole graph
  };
  struct Local {
    const Scope* include = nullptr;  ///< what the name stands for: an include,
                                     ///< an input, else a node
    const Input* input = nullptr;
  };
  std::map<std::string, Written> variables;
  std::deque<Input> inputs;
  std::map<std::string, Local> locals;
  Written output;
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& [name, local] : locals) all.push_back(name);
    return all;
  }
};

/// What is known of a graph while it is read.
struct Reading {
  struct Set {
    Written value;
    bool is_used = false;
  };
  struct InputToResolve {
    std::size_t node, input;
    const Scope* scope;
  };

  const ReadGraphOptions& options;
  const Registry& registry;
  Problems problems = {};
  GraphFile graph = {};
  std::deque<Scope> scopes = {};         ///< the file itself first
  std::map<std::string, Set> sets = {};  ///< by the whole name: "hills.z_factor", "dem.level"
  std::vector<InputToResolve> inputs = {};
  /// What was to go into includes that could not be read.
  std::vector<std::pair<Written, const Scope*>> uses_of_missing = {};
  bool some_nodes_are_missing = false;
};

/// The settings of the command line, into Reading::sets.
void take_sets(Reading& reading);
/// Puts the names of the whole graph in place of those that the files use.
void resolve_inputs(Reading& reading);
/// Applies the settings that are for nodes, and tells those that are for nothing.
void apply_sets(Reading& reading);

}  // namespace weir
