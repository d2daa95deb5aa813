// Pieces as a check of files decodes them: to their end.
#include "nodes/codecs/whole_piece.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>

#include "framework/error.hpp"
#include "nodes/codecs/stream_codecs.hpp"
#include "tests/codec_support.hpp"

namespace weir {
namespace {

using namespace codec_support;

/// What is wrong with a piece of `room` bytes of which `needed` are wanted; empty: nothing.
std::string wrong_with(CodecId id, std::span<const std::byte> encoded, std::size_t room,
                       std::optional<std::size_t> needed = std::nullopt) {
  DecodeSpec spec;
  spec.id = id;
  spec.format.width = room;
  spec.rows = 1;
  const auto decoder = make_decoder(spec, Scratch());
  Fenced out(room);
  try {
    decode_whole_piece(spec, *decoder, encoded, out.span(), needed.value_or(room));
  } catch (const Error& error) {
    REQUIRE_FALSE(error.reason().empty());
    return std::string(error.reason());
  }
  return "";
}

}  // namespace

TEST_CASE("nothing is wrong with whole pieces, with fewer rows than there could be, and with bytes behind") {
  for (const CodecSpec& spec : all_specs()) {
    if (is_plain(spec)) continue;
    CAPTURE(described(spec));
    for (const std::size_t size : {1u, 700u, 20000u})
      for (const Bytes& raw : {terrain(size, 1), random_bytes(size, 2), Bytes(size)}) {
        Bytes encoded = encoded_with(spec, raw);
        CHECK(wrong_with(spec.id, encoded, size) == "");
        if (spec.format.width != 0) continue;  // packbits has whole rows
        if (spec.id != CodecId::packbits) CHECK(wrong_with(spec.id, encoded, size + 500, size) == "");
        encoded.push_back(std::byte{0});
        if (spec.id != CodecId::lzma) CHECK(wrong_with(spec.id, encoded, size) == "");
      }
  }
}

TEST_CASE("a piece is not whole where any of its last bytes are missing, though all pixels are there") {
  for (const CodecSpec& spec : default_specs()) {
    if (is_plain(spec) || spec.id == CodecId::packbits) continue;
    CAPTURE(described(spec));
    const Bytes raw = terrain(5000, 3), encoded = encoded_with(spec, raw);
    for (std::size_t cut = 1; cut < encoded.size(); cut += 1 + cut / 8) {
      // The 12 bits of LZW's last code end somewhere in its last two bytes.
      if (spec.id == CodecId::lzw && cut == 1) continue;
      CAPTURE(cut);
      CHECK(wrong_with(spec.id, std::span(encoded).first(encoded.size() - cut), raw.size()) != "");
    }
    CHECK(wrong_with(spec.id, encoded, raw.size() / 2) != "");  // more than its tile
    CHECK(wrong_with(spec.id, encoded, raw.size() + 1) != "");  // and less
  }
}

TEST_CASE("a wrong checksum is seen behind the pixels that are wanted") {
  const Bytes raw = terrain(5000, 4);
  Bytes deflated = encoded_with(resolved({CodecId::deflate}), raw);
  deflated.back() ^= std::byte{1};
  CHECK(wrong_with(CodecId::deflate, deflated, raw.size()) == "incorrect data check");
  CHECK(wrong_with(CodecId::deflate, deflated, raw.size(), 100) == "incorrect data check");
  Bytes frame(max_zstd_bytes(raw.size()) + 4);
  frame.resize(make_zstd_encoder(3, true, raw.size(), Scratch())->encode(raw, frame));
  CHECK(wrong_with(CodecId::zstd, frame, raw.size()) == "");
  frame.back() ^= std::byte{1};
  CHECK(wrong_with(CodecId::zstd, frame, raw.size()) == "Restored data doesn't match checksum");
}

}  // namespace weir
