// v2's filters, against what their definitions say.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "nodes/zarr/chunk_codec.hpp"
#include "tests/zarr_chunk_support.hpp"

namespace weir {
namespace {

using namespace codec_support;
using namespace zarr_chunk_support;
using Kind = ZarrType::Kind;

template <class Number>
Bytes bytes_of(std::initializer_list<Number> numbers, bool is_big = false) {
  Bytes bytes;
  for (const Number number : numbers) {
    auto word = std::bit_cast<std::array<std::byte, sizeof(Number)>>(number);
    if (is_big == (std::endian::native == std::endian::little)) std::reverse(word.begin(), word.end());
    bytes.insert(bytes.end(), word.begin(), word.end());
  }
  return bytes;
}

ZarrCodecSpec filter(Id id, ZarrType type, ZarrType as_type, bool is_big = false, bool as_is_big = false) {
  ZarrCodecSpec spec = codec(id);
  spec.type = type;
  spec.as_type = as_type;
  spec.type_is_big = is_big;
  spec.as_type_is_big = as_is_big;
  return spec;
}

ChunkCodec chunk_of(const Codecs& codecs, ZarrType type, std::size_t bytes) {
  return ChunkCodec(codecs, type, std::vector<std::uint64_t>{bytes / type.bytes});
}

constexpr ZarrType int8{Kind::integer, 1}, int16{Kind::integer, 2}, int64{Kind::integer, 8},
    float32{Kind::floating, 4}, float64{Kind::floating, 8}, boolean{Kind::boolean, 1},
    uint8{Kind::unsigned_integer, 1};

void check_both_ways(const Codecs& codecs, ZarrType type, const Bytes& raw, const Bytes& encoded) {
  const ChunkCodec codec = chunk_of(codecs, type, raw.size());
  CHECK(codec.is_fixed_size());
  CHECK(codec.max_encoded_bytes() == encoded.size());
  CHECK(encoded_with(codec, raw) == encoded);
  CHECK(decoded_with(codec, encoded) == raw);
}

TEST_CASE("delta stores the first element and differences, in both byte orders and in a narrower type") {
  const Bytes raw = bytes_of<std::int16_t>({100, 102, 99, 99}),
              big = bytes_of<std::int16_t>({100, 102, 99, 99}, true);
  check_both_ways({filter(Id::delta, int16, int16)}, int16, raw, bytes_of<std::int16_t>({100, 2, -3, 0}));
  check_both_ways({filter(Id::delta, int16, int16, true, true)}, int16, big,
                  bytes_of<std::int16_t>({100, 2, -3, 0}, true));
  check_both_ways({filter(Id::delta, int16, int8)}, int16, raw, bytes_of<std::int8_t>({100, 2, -3, 0}));
  check_both_ways({filter(Id::delta, int16, int64, false, true)}, int16, raw,
                  bytes_of<std::int64_t>({100, 2, -3, 0}, true));
}

TEST_CASE("differences wrap around where they leave their type, and come back") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         most = std::numeric_limits<std::int64_t>::max();
  check_both_ways({filter(Id::delta, int64, int64)}, int64, bytes_of<std::int64_t>({least, most, least, 0}),
                  bytes_of<std::int64_t>({least, -1, 1, least}));
  const ZarrType uint64{Kind::unsigned_integer, 8};
  check_both_ways({filter(Id::delta, uint64, uint64)}, uint64, bytes_of<std::uint64_t>({5, 3}),
                  bytes_of<std::uint64_t>({5, ~std::uint64_t{1}}));
}

TEST_CASE("delta of floating point sums in the type of the elements, one after the other") {
  check_both_ways({filter(Id::delta, float32, float32)}, float32, bytes_of({1.5f, 2.0f, -1.0f}),
                  bytes_of({1.5f, 0.5f, -3.0f}));
  check_both_ways({filter(Id::delta, float64, float32)}, float64, bytes_of({-0.0, 2.0}),
                  bytes_of({-0.0f, 2.0f}));
  CHECK_THROWS_AS(chunk_of({filter(Id::delta, float32, int16)}, float32, 8), Error);
  CHECK_THROWS_AS(chunk_of({filter(Id::delta, boolean, boolean)}, boolean, 8), Error);
}

TEST_CASE("shuffle stores first bytes first, of the size that it names or the type's") {
  ZarrCodecSpec spec = codec(Id::shuffle);
  const Bytes raw = bytes_of<std::uint8_t>({1, 2, 3, 4, 5, 6, 7, 8});
  check_both_ways({spec}, int16, raw, bytes_of<std::uint8_t>({1, 3, 5, 7, 2, 4, 6, 8}));
  spec.element_bytes = 4;
  check_both_ways({spec}, int16, raw, bytes_of<std::uint8_t>({1, 5, 2, 6, 3, 7, 4, 8}));
  spec.element_bytes = 3;
  CHECK_THROWS_AS(chunk_of({spec}, int16, 8), Error);
}

TEST_CASE("filters in front of a compressor come back, and lengths that are no elements are errors") {
  const Bytes raw = terrain(10000, 1);
  const Codecs codecs = {filter(Id::delta, int16, int16), codec(Id::shuffle), codec(Id::bytes),
                         codec(Id::zstd, 1)};
  const ChunkCodec chunks = chunk_of(codecs, int16, raw.size());
  const Bytes encoded = encoded_with(chunks, raw);
  CHECK(decoded_with(chunks, encoded) == raw);
  CHECK(encoded.size() < encoded_with(chunk_of({codec(Id::zstd, 1)}, int16, raw.size()), raw).size());
  const Bytes odd = encoded_with(chunk_codec({codec(Id::zstd, 1)}, 9999), Bytes(9999));
  CHECK_THROWS_AS((void)decoded_with(chunks, odd), Error);
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
  Bytes out(raw.size());
  chunks.make_decoder(Scratch(pool))->decode(encoded, out);
  CHECK(pool->peak_bytes() <= chunks.decoder_scratch_bytes());
}

TEST_CASE("fixedscaleoffset is undone, and refused for writing") {
  ZarrCodecSpec spec = filter(Id::fixed_scale_offset, float64, uint8);
  spec.scale = 10;
  spec.offset = 1000;
  const ChunkCodec doubles = chunk_of({spec}, float64, 3 * 8);
  CHECK(doubles.max_encoded_bytes() == 3);
  const Bytes decoded = decoded_with(doubles, bytes_of<std::uint8_t>({0, 1, 255}));
  CHECK(decoded == bytes_of({0 / 10.0 + 1000, 1 / 10.0 + 1000, 255 / 10.0 + 1000}));
  CHECK_THROWS_WITH_AS((void)doubles.make_encoder(Scratch()),
                       "cannot write with codec fixedscaleoffset: it is only read", Error);
  // Into integers: towards zero, and to the nearest end where numpy and C have none.
  spec = filter(Id::fixed_scale_offset, int8, float64);
  spec.scale = 2;
  const Bytes integers =
      decoded_with(chunk_of({spec}, int8, 5),
                   bytes_of({7.0, -7.0, 1e300, -std::numeric_limits<double>::infinity(), std::nan("")}));
  CHECK(integers == bytes_of<std::int8_t>({3, -3, 127, -128, 0}));
}

TEST_CASE("packbits is undone, bitround needs nothing undone, and both are refused for writing") {
  const ChunkCodec bits = chunk_of({codec(Id::pack_bits)}, boolean, 10);
  CHECK(bits.max_encoded_bytes() == 3);
  CHECK(decoded_with(bits, bytes_of<std::uint8_t>({6, 0b10010001, 0b11000000})) ==
        bytes_of<std::uint8_t>({1, 0, 0, 1, 0, 0, 0, 1, 1, 1}));
  for (const std::uint8_t padding : std::initializer_list<std::uint8_t>{0, 5, 7, 8, 255})
    CHECK_THROWS_AS((void)decoded_with(bits, bytes_of<std::uint8_t>({padding, 1, 2})), Error);
  CHECK_THROWS_AS((void)bits.make_encoder(Scratch()), Error);
  const ChunkCodec rounded = chunk_of({codec(Id::bit_round)}, float32, 8);
  CHECK(decoded_with(rounded, bytes_of({1.0f, 2.0f})) == bytes_of({1.0f, 2.0f}));
  CHECK_FALSE(rounded.is_raw());
  CHECK_THROWS_AS((void)rounded.make_encoder(Scratch()), Error);
}

}  // namespace
}  // namespace weir
