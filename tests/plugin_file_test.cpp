#include <elf.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "framework/plugin.h"
#include "tests/plugin_support.hpp"

using namespace weir;
using namespace weir::plugin_test;

namespace {

PluginNote note_in(const Bytes& file) {
  return read_plugin_note("a.so", file.size(),
                          [&](std::uint64_t offset, std::span<std::byte> out) -> std::size_t {
                            if (offset >= file.size()) return 0;
                            const std::size_t bytes = std::min<std::size_t>(out.size(), file.size() - offset);
                            std::memcpy(out.data(), file.data() + offset, bytes);
                            return bytes;
                          });
}
std::string refusal(const Bytes& file) {
  return reason_of([&] { note_in(file); }, ErrorKind::usage);
}
std::string refusal_of(const std::string& path) {
  return reason_of([&] { check_plugin_note(path, read_plugin_note(path)); }, ErrorKind::usage);
}

/// Where the note of a library begins in its file.
std::size_t note_at(const Bytes& file) {
  const char owner[] = "WEIR";
  for (std::size_t at = 12; at + 16 < file.size(); ++at)
    if (std::memcmp(file.data() + at, owner, 5) == 0 && std::memcmp(file.data() + at + 8, "weir", 4) == 0)
      return at - 12;
  FAIL("no note");
  return 0;
}
template <class T>
void put(Bytes& file, std::size_t at, T value) {
  REQUIRE(at + sizeof value <= file.size());
  std::memcpy(file.data() + at, &value, sizeof value);
}

}  // namespace

TEST_CASE("a plugin's note is read from its file, and nothing of the plugin runs") {
  const PluginNote note = read_plugin_note(path_of("crashing"));
  CHECK(note.name == "plain");
  CHECK(note.version == "1.0");
  CHECK(note.abi_major == WEIR_PLUGIN_ABI_MAJOR);
  CHECK(note.abi_minor == WEIR_PLUGIN_ABI_MINOR);
  CHECK(note.compiler_abi == host_compiler_abi());
  CHECK_FALSE(note.compiler.empty());
  check_plugin_note("a.so", note);
  CHECK(read_plugin_note(path_of("good")).version == "2.1");
}

TEST_CASE("a plugin of another border is refused with what was found, what is wanted and what to do") {
  const std::string major = refusal_of(path_of("other_major"));
  CHECK(contains(
      major, "other_major.so: it was built for plugin ABI 2.0, and this Weir has 1.0; build it again with"));
  const std::string minor = refusal_of(path_of("newer_minor"));
  CHECK(contains(
      minor,
      "newer_minor.so: it was built for plugin ABI 1.99, and this Weir has 1.0; use a newer Weir, or"));
  const std::string compiler = refusal_of(path_of("other_compiler"));
  CHECK(contains(compiler, "it was built with compiler ABI ilp32-big (by "));
  CHECK(contains(compiler,
                 "), and this Weir has " + host_compiler_abi() + "; build it again with a compiler for"));
  CHECK(contains(refusal_of(path_of("other_sanitizer")), "build it without the sanitizer, or Weir with it"));
  CHECK(contains(refusal_of(path_of("no_note")), "no_note.so: it carries no note of a Weir plugin"));
}

TEST_CASE("a library that is cut off anywhere is refused before the loader sees it") {
  for (const char* plugin : {"good", "plain"}) {
    const Bytes whole = test::file_bytes(path_of(plugin));
    note_in(whole);
    std::vector<std::size_t> lengths{whole.size() - 1, whole.size() - 2, 1, 63};
    for (std::size_t length = 0; length < whole.size(); length += 64) lengths.push_back(length);
    for (const std::size_t length : lengths) {
      CAPTURE(length);
      const std::string reason =
          refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
      const bool says_so = contains(reason, "cut off") || contains(reason, "no shared library");
      CHECK_MESSAGE(says_so, reason);
    }
  }
}

TEST_CASE("what is no shared library for this machine is refused") {
  CHECK(contains(refusal({}), "cannot load plugin a.so: it is no shared library"));
  CHECK(contains(refusal(Bytes(1000, std::byte{'x'})), "it is no shared library"));
  const TemporaryFolder folder;
  CHECK(contains(refusal_of(path_of(folder)), "cannot load plugin " + path_of(folder)));
  CHECK(contains(refusal_of(folder / "missing.so"), "No such file or directory"));
  CHECK(contains(refusal_of("/proc/self/exe"), "it carries no note"));
  const Bytes whole = test::file_bytes(path_of("plain"));
  for (const auto& [at, value] : {std::pair{EI_CLASS, ELFCLASS32}, std::pair{EI_DATA, ELFDATA2MSB}}) {
    Bytes other = whole;
    other[static_cast<std::size_t>(at)] = static_cast<std::byte>(value);
    CHECK(contains(refusal(other), "it was built for another kind of machine"));
  }
  Bytes other = whole;
  put(other, offsetof(Elf64_Ehdr, e_machine), std::uint16_t{EM_SPARC});
  CHECK(contains(refusal(other), "another kind of machine"));
}

TEST_CASE("broken headers and notes are refused, whatever their numbers say") {
  const Bytes whole = test::file_bytes(path_of("plain"));
  const std::size_t at = note_at(whole);
  const auto with = [&](std::size_t where, auto value) {
    Bytes changed = whole;
    put(changed, where, value);
    return changed;
  };
  for (const std::uint16_t count : {std::uint16_t{0}, std::uint16_t{0xffff}})
    CHECK(contains(refusal(with(offsetof(Elf64_Ehdr, e_phnum), count)), "its program headers are broken"));
  for (const std::uint64_t place : {whole.size() - 8, ~std::uint64_t{0}, std::uint64_t{1} << 63}) {
    CHECK(contains(refusal(with(offsetof(Elf64_Ehdr, e_phoff), place)), "cut off"));
    CHECK(contains(refusal(with(offsetof(Elf64_Ehdr, e_shoff), place)), "cut off"));
  }
  CHECK(contains(refusal(with(at + 0, ~std::uint32_t{0})), "no note"));  // the owner's length
  CHECK(contains(refusal(with(at + 4, ~std::uint32_t{0})), "no note"));  // the description's
  CHECK(contains(refusal(with(at + 4, std::uint32_t{8})), "its note is broken"));
  CHECK(contains(refusal(with(at + 4, std::uint32_t{40})), "its note is broken"));
  CHECK(contains(refusal(with(at + 8, std::uint32_t{2})), "no note"));  // another type
  CHECK(contains(refusal(with(at + offsetof(weir_plugin_note, magic), std::uint32_t{5})),
                 "its note is broken"));
  CHECK(contains(refusal(with(at + offsetof(weir_plugin_note, name), char{0})), "its note is broken"));
  // The numbers of another major are believed, however its note goes on.
  Bytes other = with(at + 4, std::uint32_t{12});
  put(other, at + offsetof(weir_plugin_note, abi_major), std::uint32_t{7});
  CHECK(note_in(other).abi_major == 7);
  // Texts end up on a terminal.
  CHECK(note_in(with(at + offsetof(weir_plugin_note, name), char{27})).name == "?lain");
}

TEST_CASE("a library with any bytes changed is read or refused") {
  const Bytes whole = test::file_bytes(path_of("plain"));
  std::mt19937 random(7);
  const std::size_t note = note_at(whole);
  int read = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    Bytes changed = whole;
    for (int change = 0; change < 3; ++change) {
      // Headers, program headers and the note.
      const std::size_t at = random() % 2 == 0 ? random() % 1024 : note + random() % sizeof(weir_plugin_note);
      changed[at % changed.size()] = static_cast<std::byte>(random());
    }
    try {
      note_in(changed);
      ++read;
    } catch (const Error& error) {
      REQUIRE(error.kind() == ErrorKind::usage);
      ++refused;
    }
  }
  CHECK(read > 100);
  CHECK(refused > 100);
}
