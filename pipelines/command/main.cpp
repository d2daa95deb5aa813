// The weir command. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 128 + n stopped by signal
// n.

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "framework/build_info.hpp"
#include "framework/error.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/help.hpp"
#include "pipelines/command/signals.hpp"

namespace {

constexpr int failed = 1, wrong_usage = 2;

int run_command(int argc, char** argv) {
  // "weir explain convert ..." takes what "weir convert ..." takes, and has a parser of its own.
  std::vector<char*> arguments(argv, argv + argc);
  const bool explain = argc > 2 && std::strcmp(argv[1], "explain") == 0 && argv[2][0] != '-';
  if (explain) arguments.erase(arguments.begin() + 1);

  CLI::App app("Weir: rasters of any size as dataflow graphs, in bounded memory.", "weir");
  app.require_subcommand(0, 1);
  app.formatter(std::make_shared<weir::command::HelpFormatter>());
  app.set_version_flag("--version",
                       fmt::format("weir {}\ncompiler: {}\nlibraries: {}", weir::build_info::version,
                                   weir::build_info::compiler, weir::build_info::libraries));
  std::vector<weir::command::Action> actions;
  actions.push_back(weir::command::add_convert(app, explain));
  if (!explain) {
    actions.push_back(weir::command::add_read(app));
    actions.push_back(weir::command::add_info(app));
    app.add_subcommand("explain", "Show the plan of a command, e.g.: weir explain convert IN OUT")
        ->prefix_command();
  }

  const weir::command::StopOnSignal signals;
  try {
    if (explain && std::strcmp(argv[2], "convert") != 0)
      throw weir::Error::usage("explain", argv[2],
                               "only convert has a plan to show: weir explain convert IN OUT");
    app.parse(static_cast<int>(arguments.size()), arguments.data());
    if (app.get_subcommands().empty())
      throw weir::Error::usage("run", "weir",
                               "no command is named: convert, read, info or explain; weir --help says more");
    if (!explain && app.got_subcommand("explain"))
      throw weir::Error::usage("explain", "nothing", "name a command: weir explain convert IN OUT");
    for (const weir::command::Action& action : actions) action(signals.token());
    // Buffered until here, where a closed pipe or a full disk shows.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw weir::Error("write", "standard output", weir::system_reason(errno));
    return 0;
  } catch (const CLI::Success& asked) {  // --help and --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "weir: {}\n", error.what());
    return wrong_usage;
  } catch (const weir::Error& error) {
    fmt::print(stderr, "weir: {}\n", error.what());
    switch (error.kind()) {
      case weir::ErrorKind::failed:
        return failed;
      case weir::ErrorKind::usage:
        return wrong_usage;
      case weir::ErrorKind::cancelled:
        return signals.exit_code();
    }
    return failed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "weir: {}\n", error.what());
    return failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  return run_command(argc, argv);
}
