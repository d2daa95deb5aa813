#include "pipelines/command/plugins.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "nodes/plugins/add_plugins.hpp"
#include "nodes/plugins/plugin_nodes.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/header_node_types.hpp"
#include "pipelines/node_types.hpp"
#ifdef WEIR_WITH_ZARR
#include "pipelines/zarr_node_types.hpp"
#endif

namespace weir::command {

std::vector<std::string> scanner() {
  return {std::filesystem::read_symlink("/proc/self/exe").string(), "plugin-scan"};
}

FoundPlugins find_command_plugins() {
  PluginSearch search = default_plugin_search();
  search.scanner = scanner();
  FoundPlugins found = find_plugins(search, check_plugin_node);
  for (const Error& error : found.refused) fmt::print(stderr, "weir: skipped: {}\n", error.what());
  return found;
}

Registry known_nodes() {
  const FoundPlugins found = find_command_plugins();
  Registry registry;
  add_geotiff_nodes(registry, plugin_codecs(found.plugins));
#ifdef WEIR_WITH_ZARR
  add_zarr_nodes(registry);
#endif
  add_header_nodes(registry);
  add_plugin_nodes(registry, found.plugins);
  return registry;
}

Action add_plugin_scan(CLI::App& app) {
  auto path = std::make_shared<std::string>();
  CLI::App* scan =
      app.add_subcommand("plugin-scan", "Load a plugin for a look; what weir runs for each library");
  scan->group("");  // not for people
  scan->add_option("LIB", *path)->required();
  return [path, scan](const std::stop_token&) {
    if (scan->parsed()) std::exit(answer_scan(*path, check_plugin_node));
  };
}

}  // namespace weir::command
