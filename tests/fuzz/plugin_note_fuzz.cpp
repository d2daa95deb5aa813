// The reader of plugin notes on any bytes: a note or an Error that says why, no more read than there is.
// Seeds: seeds/plugin_note_fuzz, the beginnings of small libraries, whose headers are made to fit: section
// headers left out, and segments cut to what is there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "framework/error.hpp"
#include "framework/plugin_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = [&](std::uint64_t offset, std::span<std::byte> out) -> std::size_t {
    // What the reader asks for lies inside of the file, and is not much at once.
    if (offset > size || out.size() > size - offset || out.size() > 1 << 20) std::abort();
    if (!out.empty()) std::memcpy(out.data(), data + offset, out.size());
    return out.size();
  };
  try {
    const weir::PluginNote note = weir::read_plugin_note("fuzz.so", size, read);
    for (const std::string* text : {&note.name, &note.version, &note.compiler_abi, &note.compiler})
      for (const char c : *text)
        if (c < ' ' || c > '~') std::abort();
    weir::check_plugin_note("fuzz.so", note);
  } catch (const weir::Error& error) {
    if (error.reason().empty() || error.kind() != weir::ErrorKind::usage) std::abort();
  }
  return 0;
}
