#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <stop_token>

namespace weir::command {

/// What a subcommand is to do once the command line is read; throws Error. `explain` shows the plan and runs
/// nothing.
using Action = std::function<void(const std::stop_token& stop)>;

Action add_convert(CLI::App& app, bool explain);
Action add_read(CLI::App& app);
Action add_info(CLI::App& app);

}  // namespace weir::command
