#include "framework/plugin_host.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>

#include "framework/child.hpp"
#include "framework/plugin.h"

#ifndef WEIR_LIBDIR  // set by CMake: where libraries are, below the prefix, and in full
#define WEIR_LIBDIR "lib"
#define WEIR_FULL_LIBDIR "/usr/local/lib"
#endif

namespace weir {
namespace {

namespace fs = std::filesystem;

// A descriptor beyond these is a broken one.
constexpr std::uint32_t most_nodes = 256, most_parameters = 64, most_inputs = WEIR_MOST_INPUTS,
                        most_choices = 256;
constexpr std::size_t longest_text = 2000;
constexpr std::uint32_t largest_struct = 64 * 1024;

Error refused(const std::string& path, const std::string& reason) {
  return Error::usage("load", "plugin " + path, reason);
}
Error broken(const std::string& reason) {
  return Error::usage("read", "a descriptor", reason);
}

std::string text_of(const char* text, std::string_view what) {
  if (text == nullptr) throw broken(fmt::format("{} is missing (a null pointer)", what));
  const std::size_t length = ::strnlen(text, longest_text + 1);
  if (length > longest_text) throw broken(fmt::format("{} is longer than {} bytes", what, longest_text));
  std::string copy(text, length);
  for (char& c : copy)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return copy;
}

std::string name_in(const char* text, std::string_view what) {
  std::string name = text_of(text, what);
  const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; };
  if (name.empty() || name[0] < 'a' || name[0] > 'z' || !std::all_of(name.begin(), name.end(), fits))
    throw broken(fmt::format("{} '{}' is not made of small letters, digits and underscores", what, name));
  return name;
}

/// The elements of a descriptor's array of pointers.
template <class T>
std::vector<const T*> elements(const T* const* array, std::uint32_t count, std::uint32_t most,
                               std::string_view what) {
  if (count > most)
    throw broken(fmt::format("it tells of {} {}, where at most {} are allowed", count, what, most));
  if (count > 0 && array == nullptr)
    throw broken(fmt::format("it tells of {} {}, and has a null pointer", count, what));
  return {array, array + count};
}

ParameterType type_of(std::uint32_t type) {
  switch (type) {
    case WEIR_FLAG:
      return ParameterType::flag;
    case WEIR_INTEGER:
      return ParameterType::integer;
    case WEIR_NUMBER:
      return ParameterType::number;
    case WEIR_TEXT:
      return ParameterType::text;
    case WEIR_CHOICE:
      return ParameterType::choice;
    case WEIR_BYTES:
      return ParameterType::bytes;
    case WEIR_SIZE:
      return ParameterType::size;
    default:
      throw broken(fmt::format("a parameter has type {}, which is none", type));
  }
}

Parameter parameter_of(const weir_parameter* written, const std::string& node) {
  const auto raw =
      sized_struct<weir_parameter>(written, sizeof(weir_parameter), "a parameter of node " + node);
  Parameter parameter;
  parameter.name = name_in(raw.name, fmt::format("a parameter name of node {}", node));
  const std::string whose = fmt::format("parameter {} of node {}", parameter.name, node);
  parameter.type = type_of(raw.type);
  parameter.help = text_of(raw.help, "the help of " + whose);
  if (raw.unit != nullptr) parameter.unit = text_of(raw.unit, "the unit of " + whose);
  parameter.is_required = (raw.flags & WEIR_REQUIRED) != 0;
  if ((raw.flags & WEIR_HAS_LEAST) != 0) parameter.least = raw.least;
  if ((raw.flags & WEIR_HAS_MOST) != 0) parameter.most = raw.most;
  if (!(parameter.least <= parameter.most)) throw broken(fmt::format("the range of {} is empty", whose));
  for (const char* choice : elements(raw.choices, raw.choice_count, most_choices, "choices of " + whose))
    parameter.choices.push_back(text_of(choice, "a choice of " + whose));
  if ((parameter.type == ParameterType::choice) == parameter.choices.empty())
    throw broken(
        fmt::format("{} has {} choices", whose, parameter.choices.empty() ? "no" : "a type without"));
  if (raw.default_value != nullptr) {
    parameter.default_value = text_of(raw.default_value, "the default of " + whose);
    try {
      parse_parameter(parameter, *parameter.default_value);
    } catch (const Error& error) {
      throw broken(fmt::format("the default of {} does not fit: {}", whose, error.reason()));
    }
  }
  return parameter;
}

PluginNode node_of(const weir_node* written, const std::string& origin) {
  const auto raw = sized_struct<weir_node>(written, sizeof(weir_node), "a node");
  PluginNode node;
  node.name = name_in(raw.name, "a node name");
  node.help = text_of(raw.help, "the help of node " + node.name);
  node.bytes = text_of(raw.bytes, "the memory of node " + node.name);
  node.kind = raw.kind;
  node.functions = raw.functions;
  node.origin = origin;
  if (raw.functions == nullptr)
    throw broken(fmt::format("node {} has no functions (a null pointer)", node.name));
  std::set<std::string> names;
  for (const weir_parameter* parameter :
       elements(raw.parameters, raw.parameter_count, most_parameters, "parameters of node " + node.name)) {
    node.parameters.push_back(parameter_of(parameter, node.name));
    if (!names.insert(node.parameters.back().name).second)
      throw broken(fmt::format("node {} has two parameters {}", node.name, node.parameters.back().name));
  }
  names.clear();
  for (const weir_input* input :
       elements(raw.inputs, raw.input_count, most_inputs, "inputs of node " + node.name)) {
    const auto known = sized_struct<weir_input>(input, sizeof(weir_input), "an input of node " + node.name);
    node.inputs.push_back({name_in(known.name, "an input name of node " + node.name),
                           text_of(known.help, "the help of an input of node " + node.name)});
    if (!names.insert(node.inputs.back().name).second)
      throw broken(fmt::format("node {} has two inputs {}", node.name, node.inputs.back().name));
  }
  return node;
}

Plugin plugin_of(const std::string& path, const PluginNote& note, const weir_plugin_descriptor* written,
                 const PluginNodeCheck& check) {
  const auto raw =
      sized_struct<weir_plugin_descriptor>(written, sizeof(weir_plugin_descriptor), "the descriptor");
  if (raw.magic != WEIR_PLUGIN_MAGIC) throw broken("its descriptor is none (wrong magic number)");
  Plugin plugin;
  plugin.path = path;
  plugin.note = note;
  plugin.name = text_of(raw.name, "its name");
  plugin.version = text_of(raw.version, "its version");
  plugin.licence = text_of(raw.licence, "its licence");
  if (raw.abi_major != note.abi_major || raw.abi_minor != note.abi_minor || plugin.name != note.name ||
      plugin.version != note.version)
    throw broken(fmt::format(
        "its descriptor says {} {} with ABI {}.{}, and its note {} {} with ABI {}.{}; build all of "
        "it again",
        plugin.name, plugin.version, raw.abi_major, raw.abi_minor, note.name, note.version, note.abi_major,
        note.abi_minor));
  std::set<std::string> names;
  for (const weir_node* node : elements(raw.nodes, raw.node_count, most_nodes, "nodes")) {
    plugin.nodes.push_back(node_of(node, fmt::format("plugin {} ({})", plugin.name, path)));
    check(plugin.nodes.back());
    if (!names.insert(plugin.nodes.back().name).second)
      throw broken(fmt::format("it has two nodes {}", plugin.nodes.back().name));
  }
  if (plugin.nodes.empty()) throw broken("it has no nodes");
  return plugin;
}

/// What the loader says, without the path in front.
std::string loader_reason(const std::string& path) {
  const char* said = ::dlerror();
  std::string reason = said != nullptr ? said : "the loader does not say why";
  if (reason.starts_with(path + ": ")) reason.erase(0, path.size() + 2);
  if (reason.starts_with("undefined symbol")) reason += "; link the library that has it to the plugin";
  return reason;
}

bool is_library(const fs::directory_entry& entry) {
  std::error_code error;
  return entry.path().extension() == ".so" && entry.is_regular_file(error);
}

}  // namespace

std::uint32_t checked_size(const void* written, std::size_t least, std::string_view what) {
  if (written == nullptr) throw broken(fmt::format("{} is missing (a null pointer)", what));
  std::uint32_t size = 0;
  std::memcpy(&size, written, sizeof size);
  if (size < least || size > largest_struct)
    throw broken(fmt::format("{} says that it has {} bytes, where this ABI has {}", what, size, least));
  return size;
}

const Plugin& load_plugin(const std::string& path, const PluginNodeCheck& check) {
  const PluginNote note = read_plugin_note(path);
  check_plugin_note(path, note);

  // Never freed: what nodes refer to must outlive every other static object.
  static auto& mutex = *new std::mutex;
  static auto& loaded = *new std::map<void*, Plugin>;
  std::lock_guard lock(mutex);
  // A path with a slash, or the loader would look in its own folders. Its handle is the same for the same
  // file.
  const std::string file = fs::absolute(path).string();
  void* library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) throw refused(path, loader_reason(file));
  if (const auto found = loaded.find(library); found != loaded.end()) return found->second;
  void* symbol = ::dlsym(library, "weir_plugin");
  if (symbol == nullptr)
    throw refused(path, "it does not export weir_plugin; its source has WEIR_PLUGIN once");
  try {
    const weir_plugin_descriptor* descriptor = reinterpret_cast<weir_plugin_function>(symbol)();
    return loaded.emplace(library, plugin_of(file, note, descriptor, check)).first->second;
  } catch (const Error& error) {
    throw refused(path, error.reason());
  } catch (const std::exception& error) {
    throw refused(path, fmt::format("it threw an exception: {}", error.what()));
  } catch (...) {
    throw refused(path, "it threw an exception");
  }
}

PluginSearch default_plugin_search() {
  PluginSearch search;
  if (const char* path = ::secure_getenv("WEIR_PLUGIN_PATH")) search.path = path;
  // Beside the library where it is a shared one, else as installed programs lie to libraries.
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  ::Dl_info self{};
  fs::path folder;
  if (::dladdr(reinterpret_cast<const void*>(&default_plugin_search), &self) != 0 &&
      self.dli_fname != nullptr && fs::path(self.dli_fname).is_absolute() &&
      !fs::equivalent(self.dli_fname, program, error))
    folder = fs::path(self.dli_fname).parent_path() / "weir/plugins";
  else
    folder = program.parent_path().parent_path() / WEIR_LIBDIR / "weir/plugins";
  if (!folder.is_absolute() || !fs::is_directory(folder, error)) folder = WEIR_FULL_LIBDIR "/weir/plugins";
  search.installed = folder.string();
  return search;
}

FoundPlugins find_plugins(const PluginSearch& search, const PluginNodeCheck& check) {
  FoundPlugins found;
  std::set<std::pair<dev_t, ino_t>> seen;
  const auto look_in = [&](const std::string& folder) {
    std::error_code error;
    std::vector<std::string> files;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
      if (is_library(*entry)) files.push_back(entry->path().string());
    if (error) found.refused.push_back(Error::usage("look for plugins in", folder, error.message()));
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) {
      struct ::stat status {};
      if (::stat(file.c_str(), &status) != 0 || !seen.emplace(status.st_dev, status.st_ino).second) continue;
      try {
        check_plugin_note(file, read_plugin_note(file));
        if (!search.scanner.empty()) scan_plugin(file, search.scanner, search.limit);
        found.plugins.push_back(&load_plugin(file, check));
      } catch (const Error& refusal) {
        found.refused.push_back(refusal);
      }
    }
  };
  std::string_view rest = search.path;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string folder(rest.substr(0, colon));
    if (folder.starts_with('/'))
      look_in(folder);
    else
      found.refused.push_back(Error::usage("look for plugins in", fmt::format("'{}'", folder),
                                           "WEIR_PLUGIN_PATH takes whole paths, from / on, alone"));
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
    if (rest.empty())
      found.refused.push_back(Error::usage("look for plugins in", "''", "WEIR_PLUGIN_PATH ends in a colon"));
  }
  std::error_code error;
  if (fs::is_directory(search.installed, error)) look_in(search.installed);
  return found;
}

int answer_scan(const std::string& path, const PluginNodeCheck& check) {
  const ::rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::alarm(120);  // should the parent have died
  // The answer goes where the library cannot write by accident.
  const int answer = ::fcntl(1, F_DUPFD_CLOEXEC, 3);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (answer < 0 || nowhere < 0 || ::dup2(nowhere, 1) < 0 || ::dup2(nowhere, 2) < 0) return 1;
  std::string said = "ok\n";
  try {
    load_plugin(path, check);
  } catch (const Error& error) {
    said = "refused " + error.reason() + "\n";
  } catch (const std::exception& error) {
    said = fmt::format("refused {}\n", error.what());
  }
  return ::write(answer, said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1;
}

void scan_plugin(const std::string& path, const std::vector<std::string>& scanner,
                 std::chrono::milliseconds limit) {
  std::vector<std::string> argv = scanner;
  argv.push_back(path);
  const ChildEnd end = run_child(argv, limit);
  if (end.said.starts_with("refused ")) {
    std::string reason = end.said.substr(8);
    while (!reason.empty() && reason.back() == '\n') reason.pop_back();
    throw refused(path, reason);
  }
  if (end.is_timed_out)
    throw refused(path, fmt::format("loading it for a look did not come to an end in {:.3g} s",
                                    std::chrono::duration<double>(limit).count()));
  if (!end.is_success()) throw refused(path, "when it was loaded for a look, " + end.how());
  if (end.said != "ok\n") throw refused(path, "when it was loaded for a look, it ended the process");
}

}  // namespace weir
