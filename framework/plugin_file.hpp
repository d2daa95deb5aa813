#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "framework/file.hpp"

namespace weir {

/// What a plugin's file says of itself before anything of it is loaded: its note (framework/plugin.h).
struct PluginNote {
  std::uint32_t abi_major = 0, abi_minor = 0;
  std::string name, version;
  std::string compiler_abi;  ///< what must be the host's
  std::string compiler;      ///< for people
};

/// Reads bytes of a file at an offset, as many as there are.
using FileBytes = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)>;

/// Reads the note of a shared library of this machine's kind, and checks that the file is whole as far as its
/// ELF headers say: the loader would crash on one that is cut off. Reads headers and notes alone; takes any
/// bytes. Throws Error "cannot load plugin <path>: <reason>".
PluginNote read_plugin_note(const std::string& path, std::uint64_t size, const FileBytes& read);
PluginNote read_plugin_note(const std::string& path, FileSystem& files = FileSystem::real());

/// Throws Error where a plugin with this note cannot be loaded here: found, wanted, what to do.
void check_plugin_note(const std::string& path, const PluginNote& note);

/// WEIR_PLUGIN_COMPILER_ABI of this program.
std::string host_compiler_abi();

}  // namespace weir
