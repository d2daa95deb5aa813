#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/plugin_host.hpp"
#include "framework/registry.hpp"

namespace weir::command {

/// The plugins of WEIR_PLUGIN_PATH and of the installed folder, each scanned in a child process first. Says on the
/// error stream what was skipped, and why.
FoundPlugins find_command_plugins();

/// All node types that the command knows: ours and those of plugins. Throws a usage Error where two have one name.
Registry known_nodes();

/// This program, and the words that make it scan a library.
std::vector<std::string> scanner();

}  // namespace weir::command
