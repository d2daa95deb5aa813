#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "framework/child.hpp"
#include "nodes/plugins/plugin_nodes.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/plugin_trial.hpp"
#include "pipelines/command/plugins.hpp"

namespace weir::command {
namespace {

using namespace std::chrono_literals;

struct CheckOptions {
  std::string path;
  std::vector<std::string> settings;  ///< node.parameter=value
  std::string child;                  ///< in the child: the node to try out
  std::string scratch;                ///< in the child: a folder that it may write to
};

/// The parameters of a node out of all settings. Throws a usage Error.
std::map<std::string, std::string> settings_of(const CheckOptions& options, const std::string& node) {
  std::map<std::string, std::string> given;
  for (const std::string& setting : options.settings) {
    const std::size_t dot = setting.find('.'), equals = setting.find('=');
    if (dot == std::string::npos || equals == std::string::npos || dot > equals)
      throw Error::usage("use", "--set " + setting, "it is not NODE.PARAMETER=VALUE");
    if (setting.substr(0, dot) == node)
      given[setting.substr(dot + 1, equals - dot - 1)] = setting.substr(equals + 1);
  }
  return given;
}

// ---- the child, which a bad plugin may take down: one line as each check begins, and one as it ends

int try_here(const CheckOptions& options) {
  const ::rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  const int answer = ::fcntl(1, F_DUPFD_CLOEXEC, 3);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (answer < 0 || nowhere < 0 || ::dup2(nowhere, 1) < 0 || ::dup2(nowhere, 2) < 0) return 1;
  const auto say = [answer](std::string line) {
    for (char& c : line)
      if (c == '\n') c = ' ';
    line += '\n';
    // A line that does not arrive is missed by the parent.
    static_cast<void>(::write(answer, line.data(), line.size()) < 0);
  };
  const Plugin& plugin = load_plugin(options.path, check_plugin_node);
  for (const PluginNode& node : plugin.nodes) {
    if (node.name != options.child) continue;
    const auto named = [&](const std::string& check) { return fmt::format("{}: {}", node.name, check); };
    try_plugin_node(
        node, settings_of(options, node.name), options.scratch + "/out",
        {.begin = [&](const std::string& check) { say("begin " + named(check)); },
         .ok = [&](const std::string& check) { say("ok " + named(check)); },
         .not_ok =
             [&](const std::string& check, const std::string& reason) {
               say(fmt::format("not ok {}: {}", named(check), reason));
             },
         .skip = [&](const std::string& check,
                     const std::string& reason) { say(fmt::format("skip {}: {}", named(check), reason)); }});
  }
  say("done");
  return 0;
}

// ---- the parent

struct Counts {
  unsigned ok = 0, not_ok = 0, skipped = 0;

  void line(const std::string& text) {
    if (text.starts_with("ok "))
      ++ok;
    else if (text.starts_with("not ok "))
      ++not_ok;
    else
      ++skipped;
    fmt::print("{}\n", text);
    std::fflush(stdout);
  }
};

/// A folder that goes, with all that is in it.
struct ScratchFolder {
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-plugin-check-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw Error("make", "folder " + name, system_reason(errno));
    path = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;  // left over at worst
    std::filesystem::remove_all(path, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string path;
};

void try_in_child(const CheckOptions& options, const PluginNode& node, Counts& counts) {
  const ScratchFolder folder;
  std::vector<std::string> argv{scanner().front(), "plugin-check", options.path, "--child",
                                node.name,         "--scratch",    folder.path};
  for (const std::string& setting : options.settings) argv.insert(argv.end(), {"--set", setting});
  const ChildEnd end = run_child(argv, 120s);
  std::istringstream said(end.said);
  std::string begun = node.name;
  bool is_done = false;
  for (std::string line; std::getline(said, line);) {
    if (line.starts_with("begin "))
      begun = line.substr(6);
    else if (line == "done")
      is_done = true;
    else
      counts.line(line);
  }
  if (!is_done || !end.is_success())
    counts.line(fmt::format("not ok {}: {}", is_done ? node.name + ": ends" : begun, end.how()));
}

/// Each check of the library as a whole: true where it passed.
bool passes(Counts& counts, const std::string& check, const std::function<std::string()>& body) {
  try {
    counts.line(fmt::format("ok {}{}", check, body()));
    return true;
  } catch (const Error& error) {
    counts.line(fmt::format("not ok {}: {}", check, error.reason()));
    return false;
  }
}

Counts check_plugin(const CheckOptions& options) {
  if (!std::filesystem::is_regular_file(options.path))
    throw Error::usage("check", "plugin " + options.path, "there is no such file");
  Counts counts;
  if (!passes(counts, "note", [&] {
        const PluginNote note = read_plugin_note(options.path);
        check_plugin_note(options.path, note);
        return fmt::format(": {} {}, plugin ABI {}.{}, {}, compiler {}", note.name, note.version,
                           note.abi_major, note.abi_minor, note.compiler_abi, note.compiler);
      }))
    return counts;
  if (!passes(counts, "load", [&] {
        scan_plugin(options.path, scanner(), 5s);
        return std::string();
      }))
    return counts;
  const Plugin& plugin = load_plugin(options.path, check_plugin_node);
  for (const std::string& setting : options.settings) {
    const std::string name = setting.substr(0, setting.find('.'));
    const auto is_named = [&](const PluginNode& node) { return node.name == name; };
    if (std::none_of(plugin.nodes.begin(), plugin.nodes.end(), is_named))
      throw Error::usage("use", "--set " + setting, fmt::format("the plugin has no node {}", name));
  }
  for (const PluginNode& node : plugin.nodes) {
    fmt::print("# {} {}: {}\n", name_of(kind_of(node)), node.name, node.help);
    settings_of(options, node.name);  // refused here, where it is said
    try_in_child(options, node, counts);
  }
  return counts;
}

}  // namespace

Action add_plugin_check(CLI::App& app) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* check = app.add_subcommand("plugin-check", "Try a plugin out: does it keep what it promises?");
  check->add_option("LIB", options->path, "The shared library")->required();
  check->add_option("--set", options->settings, "A parameter that a node needs, e.g. dem.path=in.dem")
      ->option_text("NODE.PARAMETER=VALUE ...")
      ->allow_extra_args(false);
  check->add_option("--child", options->child)->group("");  // what it runs for each node
  check->add_option("--scratch", options->scratch)->group("");
  return [options, check](const std::stop_token&) {
    if (!check->parsed()) return;
    if (!options->child.empty()) std::exit(try_here(*options));
    const Counts counts = check_plugin(*options);
    fmt::print("{} ok, {} not ok{}\n", counts.ok, counts.not_ok,
               counts.skipped > 0 ? fmt::format(", {} skipped", counts.skipped) : "");
    if (counts.not_ok > 0)
      throw Error("trust", "plugin " + options->path,
                  fmt::format("{} of {} checks failed", counts.not_ok, counts.ok + counts.not_ok));
  };
}

}  // namespace weir::command
