#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir::codec_parts {

/// A string of the table, as it lies in what was decoded: behind a string, its first byte comes next, so the two are one.
struct LzwString {
  std::uint32_t first, bytes;
};
constexpr std::size_t lzw_strings = 4096;

/// Decodes LZW as TIFF 6.0 section 13 has it (codes from the high bit on, wider one code early) where the data is sound and
/// fills `out`: true then. False for everything else (damaged, short, or of the bit-reversed kind), with anything in `out`:
/// libtiff has the word for that. `table` has lzw_strings entries, whatever is in them. Any number of threads, each with a table of its
/// own. Terrain of uint16 with predictor 2: 640 MB/s of one core, libtiff 4.5: 390.
bool decode_lzw(std::span<const std::byte> encoded, std::span<std::byte> out, LzwString* table);

/// Whether an EndOfInformation code stands behind at least `least` and at most `most` bytes of LZW as above. For checks of files:
/// decoders stop where they have what they want.
bool lzw_ends(std::span<const std::byte> encoded, std::uint64_t least, std::uint64_t most);

}  // namespace weir::codec_parts
