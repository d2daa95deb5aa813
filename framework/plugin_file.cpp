#include "framework/plugin_file.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "framework/error.hpp"
#include "framework/plugin.h"

namespace weir {
namespace {

#if defined(__LP64__)
using Header = Elf64_Ehdr;
using Segment = Elf64_Phdr;
constexpr unsigned char elf_class = ELFCLASS64;
#else
using Header = Elf32_Ehdr;
using Segment = Elf32_Phdr;
constexpr unsigned char elf_class = ELFCLASS32;
#endif
constexpr unsigned char elf_order = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
// Of the machine that this is compiled for; others are left to the loader.
#if defined(__x86_64__)
constexpr std::uint16_t machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr std::uint16_t machine = EM_AARCH64;
#elif defined(__riscv)
constexpr std::uint16_t machine = EM_RISCV;
#else
constexpr std::uint16_t machine = EM_NONE;
#endif

// A linker makes about ten segments, and notes of some hundred bytes; what is far beyond is no plugin.
constexpr std::size_t most_segments = 512;
constexpr std::size_t most_note_bytes = 64 * 1024;

Error refused(const std::string& path, const std::string& reason) {
  return Error::usage("load", "plugin " + path, reason);
}

class NoteReader {
 public:
  NoteReader(const std::string& path, std::uint64_t size, const FileBytes& read)
      : path_(path), size_(size), read_(read) {}

  PluginNote note() {
    const Header header = read_header();
    std::vector<Segment> segments(header.e_phnum);
    read_at(header.e_phoff, std::as_writable_bytes(std::span(segments)));
    check_whole(header, segments);
    for (const Segment& segment : segments)
      if (segment.p_type == PT_NOTE)
        if (auto found = note_in(segment)) return *found;
    throw refused(
        path_,
        "it carries no note of a Weir plugin; a plugin's source has WEIR_PLUGIN once (framework/plugin.hpp)");
  }

 private:
  void read_at(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > size_ || out.size() > size_ - offset || read_(offset, out) != out.size())
      throw refused(path_, fmt::format("it is cut off after {} bytes", size_));
  }

  Header read_header() const {
    Header header{};
    if (size_ < sizeof header) throw refused(path_, "it is no shared library");
    read_at(0, std::as_writable_bytes(std::span(&header, 1)));
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_type != ET_DYN)
      throw refused(path_, "it is no shared library");
    if (header.e_ident[EI_CLASS] != elf_class || header.e_ident[EI_DATA] != elf_order ||
        (machine != EM_NONE && header.e_machine != machine))
      throw refused(path_, "it was built for another kind of machine; build it for this one");
    if (header.e_phentsize != sizeof(Segment) || header.e_phnum == 0 || header.e_phnum > most_segments)
      throw refused(path_, "its program headers are broken");
    return header;
  }

  void check_whole(const Header& header, const std::vector<Segment>& segments) const {
    // Linkers write the section headers last, so nearly every cut shows there; in a file without them the
    // segments are what counts.
    std::uint64_t end = 0;
    const std::uint64_t sections = std::uint64_t{header.e_shnum} * header.e_shentsize;
    if (header.e_shoff > size_) throw refused(path_, cut_off(header.e_shoff));
    end = std::max(end, std::uint64_t{header.e_shoff} + sections);
    for (const Segment& segment : segments) {
      if (segment.p_offset > size_ && segment.p_filesz > 0) throw refused(path_, cut_off(segment.p_offset));
      if (segment.p_filesz > size_) throw refused(path_, cut_off(segment.p_filesz));
      if (segment.p_filesz > 0) end = std::max(end, std::uint64_t{segment.p_offset} + segment.p_filesz);
    }
    if (end > size_) throw refused(path_, cut_off(end));
  }
  std::string cut_off(std::uint64_t wanted) const {
    return fmt::format("it is cut off: {} bytes, where its headers tell of {}; copy or build it again", size_,
                       wanted);
  }

  std::optional<PluginNote> note_in(const Segment& segment) const {
    std::vector<std::byte> bytes(
        static_cast<std::size_t>(std::min<std::uint64_t>(segment.p_filesz, most_note_bytes)));
    read_at(segment.p_offset, bytes);
    // Owner and description of each note are padded to the segment's alignment, which is 4 or 8.
    const std::size_t step = segment.p_align == 8 ? 8 : 4;
    const auto padded = [step](std::uint64_t n) { return (n + step - 1) / step * step; };
    std::size_t at = 0;
    while (bytes.size() - at >= sizeof(Elf64_Nhdr)) {
      Elf64_Nhdr note{};  // three 32-bit words in both classes
      std::memcpy(&note, bytes.data() + at, sizeof note);
      const std::uint64_t description = padded(sizeof note + std::uint64_t{note.n_namesz});
      const std::uint64_t whole = padded(description + note.n_descsz);
      const std::size_t left = bytes.size() - at;
      if (description + note.n_descsz > left) break;
      if (note.n_type == 1 && note.n_namesz == 5 &&
          std::memcmp(bytes.data() + at + sizeof note, "WEIR", 5) == 0)
        return decoded(std::span(bytes).subspan(at, static_cast<std::size_t>(description + note.n_descsz)));
      if (whole >= left) break;
      at += static_cast<std::size_t>(whole);
    }
    return std::nullopt;
  }

  // `bytes`: the note, its ELF header included.
  PluginNote decoded(std::span<const std::byte> bytes) const {
    weir_plugin_note raw{};
    // Another ABI may have other fields behind its numbers; the numbers stay where they are.
    constexpr std::size_t numbers = offsetof(weir_plugin_note, name);
    if (bytes.size() < numbers) throw refused(path_, "its note is broken: build it again");
    std::memcpy(&raw, bytes.data(), std::min(bytes.size(), sizeof raw));
    if (raw.magic != WEIR_PLUGIN_MAGIC) throw refused(path_, "its note is broken: build it again");
    PluginNote note;
    note.abi_major = raw.abi_major;
    note.abi_minor = raw.abi_minor;
    note.name = text(raw.name);
    note.version = text(raw.version);
    note.compiler_abi = text(raw.compiler_abi);
    note.compiler = text(raw.compiler);
    if (raw.abi_major == WEIR_PLUGIN_ABI_MAJOR && (bytes.size() < sizeof raw || note.name.empty()))
      throw refused(path_, "its note is broken: build it again");
    return note;
  }

  /// Up to the zero byte or the field's end; anything unprintable is replaced, for it ends up on a terminal.
  template <std::size_t size>
  static std::string text(const char (&field)[size]) {
    std::string text(field, ::strnlen(field, size));
    for (char& c : text)
      if (c < ' ' || c > '~') c = '?';
    return text;
  }

  const std::string& path_;
  const std::uint64_t size_;
  const FileBytes& read_;
};

/// "lp64-little" and "asan" of "lp64-little+asan".
std::pair<std::string, std::string> parts(const std::string& abi) {
  const std::size_t plus = abi.find('+');
  return {abi.substr(0, plus), plus == std::string::npos ? "" : abi.substr(plus + 1)};
}

}  // namespace

PluginNote read_plugin_note(const std::string& path, std::uint64_t size, const FileBytes& read) {
  return NoteReader(path, size, read).note();
}

PluginNote read_plugin_note(const std::string& path, FileSystem& files) {
  try {
    const InputFile file(path, files);
    return read_plugin_note(path, file.size(), [&](std::uint64_t offset, std::span<std::byte> out) {
      return file.read_at(offset, out);
    });
  } catch (const Error& error) {
    if (error.action() == "load") throw;
    throw refused(path, error.reason());
  }
}

void check_plugin_note(const std::string& path, const PluginNote& note) {
  const std::string host_version = fmt::format("{}.{}", WEIR_PLUGIN_ABI_MAJOR, WEIR_PLUGIN_ABI_MINOR);
  if (note.abi_major != WEIR_PLUGIN_ABI_MAJOR)
    throw refused(
        path, fmt::format("it was built for plugin ABI {}.{}, and this Weir has {}; build it again with the "
                          "plugin.hpp of this Weir",
                          note.abi_major, note.abi_minor, host_version));
  if (note.abi_minor > WEIR_PLUGIN_ABI_MINOR)
    throw refused(
        path,
        fmt::format("it was built for plugin ABI {}.{}, and this Weir has {}; use a newer Weir, or build "
                    "it with the plugin.hpp of this one",
                    note.abi_major, note.abi_minor, host_version));
  const auto [found, found_sanitizer] = parts(note.compiler_abi);
  const auto [wanted, wanted_sanitizer] = parts(host_compiler_abi());
  if (found != wanted)
    throw refused(
        path,
        fmt::format("it was built with compiler ABI {} (by {}), and this Weir has {}; build it again with "
                    "a compiler for this machine",
                    note.compiler_abi, note.compiler, host_compiler_abi()));
  if (!found_sanitizer.empty() && found_sanitizer != wanted_sanitizer)
    throw refused(path,
                  fmt::format("it was built with compiler ABI {}, and this Weir has {}; build it without the "
                              "sanitizer, or Weir with it",
                              note.compiler_abi, host_compiler_abi()));
}

std::string host_compiler_abi() {
  return WEIR_PLUGIN_COMPILER_ABI;
}

}  // namespace weir
