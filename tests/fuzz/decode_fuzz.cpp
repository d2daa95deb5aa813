// Decoders and predictors on any bytes: a piece or an Error, without a crash, a hang or a byte outside. In
// half of the inputs the payload is encoded first and damaged afterwards, so that it gets behind the headers.
// Seeds: seeds/decode_fuzz, small pieces made for this, one or two per codec.
//
//   byte 0     codec (modulo their number); bit 7: encode and damage
//   bytes 1-3  size of the buffer to decode into, below 2^18
//   byte 4     predictor, bytes of a sample, samples per pixel, byte order; of jpeg, webp and lerc: log2 of a sample's
//              bytes (bits 0, 1), samples less one (2-4), tiles (5), floats or YCbCr (6), packed or lossless (7)
//   byte 5     width of a row, less one
//   bytes 6-7  where to damage, byte 8: how, byte 9: how much to cut off
//   the rest   payload
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "framework/error.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/codec_tags.hpp"
#include "nodes/codecs/predictor.hpp"

namespace {

using namespace weir;
using Bytes = std::vector<std::byte>;

constexpr std::size_t header_bytes = 10;
constexpr std::array codecs = {CodecId::none,     CodecId::lzw,  CodecId::deflate,
                               CodecId::packbits, CodecId::zstd, CodecId::jpeg,
                               CodecId::webp,     CodecId::lerc, CodecId::lzma};

bool sees_samples(CodecId id) {
  return id == CodecId::jpeg || id == CodecId::webp || id == CodecId::lerc;
}

// A codec with pieces that it can hold, whatever the header says.
CodecSpec spec_of(CodecId id, const std::uint8_t* header) {
  CodecSpec spec;
  spec.id = id;
  const bool is_float = (header[4] & 0x40) != 0, is_special = (header[4] & 0x80) != 0;
  PieceFormat& format = spec.format;
  if (sees_samples(id)) {
    format.width = 1 + std::uint64_t{header[5]};
    format.samples = 1 + (header[4] >> 2 & 3);
  }
  if (id == CodecId::webp) {
    format.samples = 3 + format.samples % 2;
    spec.lossless = is_special;
  }
  if (id == CodecId::jpeg) format.is_rgb = is_float && format.samples == 3;
  if (id == CodecId::lerc) {
    constexpr SampleType integers[] = {SampleType::uint8, SampleType::int16, SampleType::uint32,
                                       SampleType::int8};
    format.type = !is_float              ? integers[header[4] & 3]
                  : (header[4] & 1) != 0 ? SampleType::float64
                                         : SampleType::float32;
    if (is_special)
      spec.lerc_compression = (header[4] & 2) != 0 ? LercCompression::zstd : LercCompression::deflate;
  }
  return resolved(spec);
}

DecodeSpec decode_spec_of(const CodecSpec& spec, const std::uint8_t* header, std::size_t wanted) {
  DecodeSpec decode;
  decode.id = spec.id;
  if (!sees_samples(spec.id)) return decode;
  decode.format = spec.format;
  decode.rows = std::max<std::uint64_t>(wanted / spec.format.row_bytes(), 1);
  decode.is_padded = (header[4] & 0x20) != 0;
  for (const RawTag& tag : tags_of(spec).tags)
    if (tag.id == 347) decode.jpeg_tables = tag.bytes;
  if (spec.format.is_rgb) decode.ycbcr_across = decode.ycbcr_down = 2;
  decode.lerc_compression = static_cast<std::uint32_t>(spec.lerc_compression);
  decode.ends_in_alpha = (header[4] & 0x10) != 0;
  return decode;
}

Bytes encoded_and_damaged(const CodecSpec& spec, Bytes raw, const std::uint8_t* header) {
  if (sees_samples(spec.id)) raw.resize(raw.size() / spec.format.row_bytes() * spec.format.row_bytes());
  Bytes encoded(max_encoded_bytes(spec, raw.size()));
  encoded.resize(make_encoder(spec, raw.size(), Scratch())->encode(raw, encoded));
  if (encoded.empty()) return encoded;
  const std::size_t where = (std::size_t{header[6]} << 8 | header[7]) % encoded.size();
  encoded[where] ^= static_cast<std::byte>(header[8]);
  encoded.resize(encoded.size() - std::min<std::size_t>(encoded.size(), header[9] % 32));
  return encoded;
}

// What undo_predictor makes, apply_predictor takes back.
void check_predictor(const std::uint8_t* header, Bytes rows) {
  RowLayout layout;
  layout.sample_bytes = 1u << (header[4] & 3);
  layout.samples = 1 + (header[4] >> 2 & 7);
  layout.width = 1 + std::uint64_t{header[5]};
  const bool floating = (header[4] & 0x20) != 0 && layout.sample_bytes > 1;
  const Predictor predictor = floating ? Predictor::floating_point : Predictor::horizontal;
  const bool swap = (header[4] & 0x40) != 0;
  rows.resize(rows.size() / layout.row_bytes() * layout.row_bytes());
  const Bytes before = rows;
  Bytes scratch(layout.row_bytes());
  undo_predictor(predictor, layout, rows, scratch, swap);
  apply_predictor(predictor, layout, rows, scratch);
  if (swap && !floating) swap_samples(rows, layout.sample_bytes);
  if (rows != before) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < header_bytes) return 0;
  const CodecId id = codecs[(data[0] & 0x7f) % codecs.size()];
  const std::size_t wanted = (std::size_t{data[1]} << 16 | std::size_t{data[2]} << 8 | data[3]) & 0x3ffff;
  Bytes payload(size - header_bytes);
  if (!payload.empty()) std::memcpy(payload.data(), data + header_bytes, payload.size());

  if (!missing_reason(id).empty()) return 0;
  const bool encode = (data[0] & 0x80) != 0;
  Bytes out(wanted);
  try {
    const CodecSpec spec = spec_of(id, data);
    const Bytes encoded = encode ? encoded_and_damaged(spec, payload, data) : payload;
    const std::size_t filled =
        make_decoder(decode_spec_of(spec, data, wanted), Scratch())->decode(encoded, out);
    if (filled > out.size()) std::abort();
    const bool unharmed = encode && !sees_samples(id) && data[8] == 0 && data[9] % 32 == 0;
    if (unharmed &&
        (filled != std::min(wanted, payload.size()) ||
         !std::equal(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(filled), payload.begin())))
      std::abort();
  } catch (const Error&) {
  }
  check_predictor(data, std::move(out));
  return 0;
}
