// Helper of image_codec_memory_test.cpp: what codecs really take from malloc, libtiff's and its libraries' part
// included, against what they declare. In a program of its own, as it replaces malloc.
//
//   codec_memory_child            prints a line for each codec and kind of piece that takes more than it
//                                 declares; exit code 1 where there is one
//   codec_memory_child --table    prints them all: codec, piece, declared, taken
#include "nodes/codecs/codec.hpp"

#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/counting_malloc.hpp"
#include "tests/image_codec_support.hpp"

namespace {

using namespace weir;
using namespace weir::codec_support;

void try_piece(const CodecSpec& spec, std::uint64_t rows) {
  const std::size_t bytes = rows * spec.format.row_bytes();
  Bytes noise = random_bytes(bytes, 1);
  if (spec.max_error && is_floating(spec.format.type)) noise = picture(spec.format, rows, 2, 1000);
  if (spec.lossless && spec.format.samples == 4)
    for (std::size_t i = 3; i < bytes; i += 4) noise[i] |= std::byte{1};
  const std::string name = described_image(spec) + ", " + std::to_string(rows) + " rows, ";
  for (const auto& [kind, raw] : {std::pair{"noise", noise}, {"picture", picture(spec.format, rows, 3)}}) {
    Bytes encoded(max_encoded_bytes(spec, bytes)), out(bytes);
    compare(name + kind + ", encoding", encoder_scratch_bytes(spec, bytes),
            [&, &raw = raw] { encoded.resize(make_encoder(spec, bytes, Scratch())->encode(raw, encoded)); });
    const DecodeSpec decode = decode_spec(spec, rows);
    compare(name + kind + ", decoding", decoder_scratch_bytes(decode),
            [&] { (void)make_decoder(decode, Scratch())->decode(encoded, out); });
  }
}

}  // namespace

int main(int count, char** arguments) {
  shows_all = count > 1 && std::string(arguments[1]) == "--table";
#if WEIR_COUNTS_MALLOC
  struct Size {
    std::uint64_t width, rows;
  };
  for (const Size size : {Size{16, 1}, Size{16, 16}, Size{16, 1024}, Size{250, 256}, Size{6000, 16}})
    for (const CodecSpec& spec : image_specs(size.width))
      if (spec.quality != 1 && spec.max_error.value_or(0) == 0) try_piece(spec, size.rows);
#endif
  return failures > 0 ? 1 : 0;
}
