#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stop_token>

namespace weir::command {

/// What a subcommand is to do once the command line is read; throws Error. `explain` shows the plan and runs nothing.
using Action = std::function<void(const std::stop_token& stop)>;

Action add_convert(CLI::App& app, bool explain);
Action add_read(CLI::App& app);
Action add_info(CLI::App& app);
Action add_validate(CLI::App& app);
Action add_compact(CLI::App& app);
Action add_headers(CLI::App& app, bool explain);
/// A graph file; its plan.
Action add_run(CLI::App& app, bool explain);
Action add_nodes(CLI::App& app);
Action add_plugin_check(CLI::App& app);
Action add_plugin_scan(CLI::App& app);  ///< of a child process, see PluginSearch::scanner

}  // namespace weir::command
