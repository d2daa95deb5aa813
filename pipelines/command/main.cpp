// The weir command. Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 128 + n stopped by signal n.

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

#include "framework/build_info.hpp"
#include "framework/error.hpp"
#include "framework/problem.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/help.hpp"
#include "pipelines/command/signals.hpp"

namespace {

constexpr int failed = 1, wrong_usage = 2;

/// There is nobody to tell where that cannot be written.
void say(const std::string& line) {
  static_cast<void>(std::fputs((line + "\n").c_str(), stderr));
}

/// One line; of a description with problems, one more for each, as compilers have them.
void tell_error(const weir::Error& error) {
  const auto* all = dynamic_cast<const weir::ProblemError*>(&error);
  if (all == nullptr) {
    say(fmt::format("weir: {}", error.what()));
    return;
  }
  say(fmt::format("weir: cannot {} {}: {} problem{}", error.action(), error.object(), all->count(),
                  all->count() == 1 ? "" : "s"));
  for (const weir::Problem& problem : all->problems()) say(to_text(problem));
  if (all->count() > all->problems().size())
    say(fmt::format("... and {} more", all->count() - all->problems().size()));
}

/// What else but starting a thread throws is a filesystem_error.
int tell_no_thread(const std::system_error& error) {
  say(fmt::format("weir: cannot start a thread: {}", weir::system_reason(error.code().value())));
  return failed;
}

int run_command(int argc, char** argv) {
  // "weir explain convert ..." takes what "weir convert ..." takes, headers alike, and "weir explain GRAPH.yaml ..." what "weir run
  // GRAPH.yaml ..." does.
  std::vector<char*> arguments(argv, argv + argc);
  const std::string_view explained = argc > 2 && std::strcmp(argv[1], "explain") == 0 ? argv[2] : "";
  const bool explain = !explained.empty() && explained != "--help" && explained != "-h";
  char run_word[] = "run";
  if (explain && (explained == "convert" || explained == "headers" || explained == "run"))
    arguments.erase(arguments.begin() + 1);
  else if (explain)
    arguments[1] = run_word;

  CLI::App app("Weir: rasters of any size as dataflow graphs, in bounded memory.", "weir");
  app.require_subcommand(0, 1);
  app.formatter(std::make_shared<weir::command::HelpFormatter>());
  app.set_version_flag("--version",
                       fmt::format("weir {}\ncompiler: {}\nlibraries: {}", weir::build_info::version,
                                   weir::build_info::compiler, weir::build_info::libraries));
  std::vector<weir::command::Action> actions;
  actions.push_back(weir::command::add_convert(app, explain));
  actions.push_back(weir::command::add_headers(app, explain));
  actions.push_back(weir::command::add_run(app, explain));
  if (!explain) {
    actions.push_back(weir::command::add_read(app));
    actions.push_back(weir::command::add_info(app));
    actions.push_back(weir::command::add_validate(app));
    actions.push_back(weir::command::add_compact(app));
    actions.push_back(weir::command::add_nodes(app));
    actions.push_back(weir::command::add_plugin_check(app));
    actions.push_back(weir::command::add_plugin_scan(app));
    app.add_subcommand("explain", "Show a plan: weir explain GRAPH.yaml, or weir explain convert IN OUT")
        ->prefix_command();
  }

  const weir::command::StopOnSignal signals;
  try {
    if (explained == "read" || explained == "info" || explained == "validate" || explained == "compact" ||
        explained == "nodes" || explained == "plugin-check")
      throw weir::Error::usage(
          "explain", explained,
          "only graph files, convert and headers have a plan to show: weir explain GRAPH.yaml");
    app.parse(static_cast<int>(arguments.size()), arguments.data());
    if (app.get_subcommands().empty())
      throw weir::Error::usage("run", "weir",
                               "no command is named: convert, read, headers, run, explain, validate, "
                               "compact, nodes or info; weir --help says more");
    if (!explain && app.got_subcommand("explain"))
      throw weir::Error::usage("explain", "nothing",
                               "name a command or a graph file: weir explain convert IN OUT");
    for (const weir::command::Action& action : actions) action(signals.token());
    // Buffered until here, where a closed pipe or a full disk shows.
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      throw weir::Error("write", "standard output", weir::system_reason(errno));
    return 0;
  } catch (const CLI::Success& asked) {  // --help and --version
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    say(fmt::format("weir: {}", error.what()));
    return wrong_usage;
  } catch (const weir::Error& error) {
    tell_error(error);
    switch (error.kind()) {
      case weir::ErrorKind::failed:
      case weir::ErrorKind::outdated:
        return failed;
      case weir::ErrorKind::usage:
        return wrong_usage;
      case weir::ErrorKind::cancelled:
        return signals.exit_code();
    }
    return failed;
  } catch (const std::filesystem::filesystem_error& error) {  // a system_error as well
    say(fmt::format("weir: {}", error.what()));
    return failed;
  } catch (const std::system_error& error) {
    return tell_no_thread(error);
  } catch (const std::exception& error) {
    say(fmt::format("weir: {}", error.what()));
    return failed;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command(argc, argv);
  } catch (const std::system_error& error) {  // not even the thread that waits for signals
    return tell_no_thread(error);
  }
}
