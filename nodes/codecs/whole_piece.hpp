#pragma once

#include <cstddef>
#include <span>

#include "nodes/codecs/codec.hpp"

namespace weir {

/// Decodes a piece as a check of a file has to: what Decoder::decode leaves alone as readers do, because it lies behind the bytes that
/// are wanted, is looked at too. `out` has room for all that may come out, `needed` of it must (fewer of the last strip of an
/// image, which may be padded to the height of the others); `decoder` is one of `spec`. Throws Error with what is wrong as its reason:
///
///   all codecs   the data is broken, or ends before `needed` bytes
///   deflate      the stream does not end (RFC 1950: its last block, then Adler-32), its checksum is wrong, or more than `out` comes out
///   zstd         a frame does not end, its checksum, where it has one, is wrong, or more than `out` comes out
///   lzma         as deflate, with the index and the footer of the .xz stream; not looked at where its dictionary takes over 64 MiB
///   lzw          no EndOfInformation code behind the last byte (TIFF 6.0 section 13); not asked of bit-reversed data
///   jpeg         no EOI marker
///
/// packbits, webp, lerc and codecs of plugins have no end of their own that decoding has not come to. What stands behind the end is
/// nobody's, and not looked at.
void decode_whole_piece(const DecodeSpec& spec, Decoder& decoder, std::span<const std::byte> encoded,
                        std::span<std::byte> out, std::size_t needed);

}  // namespace weir
