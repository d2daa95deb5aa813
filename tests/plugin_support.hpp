#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <vector>

#include "framework/plugin_host.hpp"
#include "nodes/plugins/plugin_nodes.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir::plugin_test {

using test::Bytes;
using test::contains;
using test::reason_of;
using test::TemporaryFolder;

inline std::string path_of(const std::string& plugin) {
  return std::string(WEIR_TEST_PLUGINS) + "/" + plugin + ".so";
}
inline std::string path_of(const TemporaryFolder& folder) {
  std::string path = folder / "";
  path.pop_back();
  return path;
}
inline std::vector<std::string> scanner() {
  return {std::string(WEIR_TEST_CHILDREN) + "/plugin_scan_child"};
}
inline const Plugin& loaded(const std::string& plugin) {
  return load_plugin(path_of(plugin), check_plugin_node);
}
inline const PluginNode& node_of(const std::string& plugin, const std::string& node) {
  for (const PluginNode& known : loaded(plugin).nodes)
    if (known.name == node) return known;
  FAIL("plugin " << plugin << " has no node " << node);
  throw 0;
}
/// The node's parameters: `given` and defaults.
inline Parameters parameters_of(const PluginNode& node,
                                const std::map<std::string, std::string>& given = {}) {
  return Parameters(node.parameters, given);
}

}  // namespace weir::plugin_test
