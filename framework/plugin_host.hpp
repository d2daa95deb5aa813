#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/error.hpp"
#include "framework/parameters.hpp"
#include "framework/plugin_file.hpp"

namespace weir {

/// A node of a plugin, copied out of its descriptor and checked. Lives as long as the process.
struct PluginNode {
  struct Input {
    std::string name, help;
  };
  std::string name, help;
  std::string bytes;  ///< the memory that it takes, in words
  std::uint32_t kind = 0;
  std::vector<Parameter> parameters;
  std::vector<Input> inputs;
  const void* functions =
      nullptr;         ///< what these are depends on the kind; PluginNodeCheck has looked at them
  std::string origin;  ///< "plugin terrain (/usr/lib/weir/plugins/terrain.so)"
};

/// A library that was loaded. It is never unloaded: its code may be on any stack.
struct Plugin {
  std::string path, name, version, licence;
  PluginNote note;
  std::vector<PluginNode> nodes;
};

/// Refuses, by an Error whose reason counts, a node whose kind and functions it does not understand.
using PluginNodeCheck = std::function<void(const PluginNode& node)>;

/// Reads the note, loads the library and checks its descriptor, all in this process: for a library that is
/// trusted or was scanned. The same file twice is the same Plugin. Throws Error "cannot load plugin <path>:
/// <reason>". Thread-safe.
const Plugin& load_plugin(const std::string& path, const PluginNodeCheck& check);

struct PluginSearch {
  /// Folders, separated by colons: what WEIR_PLUGIN_PATH holds. Entries that are empty or relative are
  /// refused: the current folder is nobody's to trust.
  std::string path;
  std::string installed;  ///< looked at last; need not exist
  /// The program and arguments, to which the library's path is added, that scan it in a process of their own:
  /// it ends as answer_scan says. Empty: a library is loaded without, and a crash of it is ours.
  std::vector<std::string> scanner;
  std::chrono::milliseconds limit{5'000};  ///< for one library
};
/// WEIR_PLUGIN_PATH (not where a program runs with more rights than its caller) and the installed folder.
PluginSearch default_plugin_search();

struct FoundPlugins {
  std::vector<const Plugin*> plugins;
  std::vector<Error> refused;  ///< files and folders that were skipped, and why
};
/// Loads the plugins (*.so) in the folders, by name within each. Does not throw for what is wrong with them.
FoundPlugins find_plugins(const PluginSearch& search, const PluginNodeCheck& check);

/// The scanner's side: checks a library in this process, and says so on standard output. What the library
/// itself prints is dropped. The result is the exit code that main returns.
int answer_scan(const std::string& path, const PluginNodeCheck& check);
/// The other side: scans a library in a child process. Throws Error where it crashes, hangs, ends its
/// process, or is refused.
void scan_plugin(const std::string& path, const std::vector<std::string>& scanner,
                 std::chrono::milliseconds limit);

/// A struct that a plugin wrote, as this host knows it: of a longer one what is known, and a shorter one
/// filled up with zeros. `least` is its size in the first minor version. Throws Error where it is none.
template <class T>
T sized_struct(const void* written, std::size_t least, std::string_view what);

/// Throws, as the above does.
std::uint32_t checked_size(const void* written, std::size_t least, std::string_view what);

template <class T>
T sized_struct(const void* written, std::size_t least, std::string_view what) {
  const std::size_t size = checked_size(written, least, what);
  T known{};
  std::memcpy(&known, written, size < sizeof known ? size : sizeof known);
  return known;
}

}  // namespace weir
