#pragma once

// What a graph in words means, once it is found sound. Internal to framework/.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "framework/graph_file.hpp"

namespace weir {

/// A node whose words were understood.
struct CheckedNode {
  const NodeType* type = nullptr;
  Parameters parameters;
  std::vector<std::size_t> inputs;              ///< per port: the producer, by its place in GraphFile::nodes
  std::map<std::string, unsigned> concurrency;  ///< by stage
};

struct CheckedGraph {
  std::vector<CheckedNode> nodes;  ///< as GraphFile::nodes
  std::vector<std::size_t> order;  ///< producers before consumers, else as written
};

/// Checks all of it and adds what is wrong; the result is whole where nothing
/// was added. `some_nodes_are_missing`: they could not be read, so that nothing
/// can be said of outputs that seem unused.
CheckedGraph check_graph(const GraphFile& graph, const Registry& registry, Problems& problems,
                         bool some_nodes_are_missing = false);

/// Which of the given inputs goes to which port: first those with a port's
/// name, then the others in order. Adds unknown ports, ports given twice, too
/// many and missing ones. nullopt: a port without an input.
std::vector<std::optional<std::size_t>> bind_inputs(const std::vector<GraphNode::Input>& given,
                                                    const std::vector<std::string>& ports,
                                                    const Written& node, Problems& problems);

/// A whole number from `least` to `most`, or a problem.
std::optional<unsigned> read_count(const Written& text, const std::string& name, unsigned most,
                                   Problems& problems);

/// Letters, digits, _ and -, a letter or _ first.
bool is_plain_name(std::string_view name);

constexpr unsigned most_concurrency = 1024;

}  // namespace weir
