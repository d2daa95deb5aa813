// Chunks as no writer should leave them, and as other writers legally do.
#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <random>

#include "nodes/zarr/chunk_codec.hpp"
#include "tests/zarr_chunk_support.hpp"

namespace weir {
namespace {

using namespace codec_support;
using namespace zarr_chunk_support;

// Decodes into fenced memory; empty where it is an Error.
std::optional<Bytes> decoded(const ChunkCodec& codec, std::span<const std::byte> encoded) {
  Fenced input(encoded), output(codec.raw_bytes());
  try {
    codec.make_decoder(Scratch())->decode(input.span(), output.span());
  } catch (const Error& error) {
    REQUIRE(error.kind() == ErrorKind::failed);
    return std::nullopt;
  }
  return Bytes(output.span().begin(), output.span().end());
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

TEST_CASE("a chunk cut at any length, or with something behind its end, is an error") {
  const Bytes raw = terrain(3000, 1);
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, raw.size());
    const Bytes encoded = encoded_with(codec, raw);
    REQUIRE(decoded(codec, encoded) == raw);
    for (std::size_t length = 0; length < encoded.size();
         length += length < 40 || length + 40 > encoded.size() ? 1u : 13u) {
      CAPTURE(length);
      REQUIRE_FALSE(decoded(codec, std::span(encoded).first(length)));
    }
    CHECK_FALSE(decoded(codec, joined({encoded, {std::byte{1}}})));
    CHECK_FALSE(decoded(codec, joined({encoded, Bytes(8, std::byte{0xff})})));
    CHECK_FALSE(decoded(codec, joined({encoded, Bytes(codec.max_encoded_bytes())})));
  }
}

TEST_CASE(
    "a chunk with a changed bit is an error or some chunk, and where there is a checksum never another one") {
  const Bytes raw = terrain(1500, 1);
  std::mt19937 random(5);
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, raw.size());
    const Bytes encoded = encoded_with(codec, raw);
    const Id last = chain.codecs.back().id;
    const bool has_sum = last == Id::crc32c || last == Id::gzip || last == Id::zlib || last == Id::bz2 ||
                         chain.codecs.back().checksum;
    for (std::size_t i = 0; i < std::min<std::size_t>(8 * encoded.size(), 600); ++i) {
      Bytes damaged = encoded;
      // The first bits one by one: they are headers.
      const std::size_t bit = i < 300 ? i : random() % (8 * encoded.size());
      damaged[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
      const std::optional<Bytes> result = decoded(codec, damaged);
      CAPTURE(bit);
      if (has_sum && result) REQUIRE(*result == raw);
    }
  }
}

TEST_CASE(
    "chunks that hold more or less than they should are errors, and nothing is written behind the room") {
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, 10000);
    for (const std::size_t size : {0u, 2u, 9998u, 10002u, 20000u, 1000000u}) {
      CAPTURE(size);
      CHECK_FALSE(decoded(codec, encoded_with(chunk_codec_16(chain.codecs, size), Bytes(size))));
    }
  }
}

TEST_CASE("bytes that are no chunk at all are errors") {
  std::mt19937 random(9);
  for (const Chain& chain : chains()) {
    if (chain.codecs.back().id == Id::bytes) continue;
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, 4096);
    const Bytes good = encoded_with(codec, terrain(4096, 1));
    for (std::uint32_t i = 0; i < 200; ++i) {
      Bytes noise = random_bytes(random() % 1000, i);
      // Half of them with a good beginning.
      if (i % 2 == 0)
        std::copy_n(good.begin(), std::min({noise.size(), good.size(), std::size_t{1 + i % 32}}),
                    noise.begin());
      REQUIRE_FALSE(decoded(codec, noise));
    }
  }
}

TEST_CASE("gzip of several members, with names and padding, is read") {
  const Bytes raw = terrain(3000, 1), first(raw.begin(), raw.begin() + 1000),
              second(raw.begin() + 1000, raw.end());
  const Codecs gzip = {codec(Id::gzip, 6)};
  const ChunkCodec whole = chunk_codec(gzip, 3000);
  const Bytes one = encoded_with(chunk_codec(gzip, 1000), first),
              two = encoded_with(chunk_codec(gzip, 2000), second);
  const Bytes none = encoded_with(chunk_codec(gzip, 0), {});
  CHECK(decoded(whole, joined({one, two})) == raw);
  CHECK(decoded(whole, joined({none, one, none, two, Bytes(100)})) == raw);
  CHECK_FALSE(decoded(whole, joined({one, Bytes(4), two})));
  CHECK_FALSE(decoded(whole, joined({one, two, one})));
  // A header with a time, a name and a comment, as gzip(1) writes it.
  Bytes named = two;
  named[3] = std::byte{0x18};
  named[4] = std::byte{77};
  const Bytes texts = {std::byte{'a'}, {}, std::byte{'b'}, {}};
  named.insert(named.begin() + 10, texts.begin(), texts.end());
  CHECK(decoded(whole, joined({one, named})) == raw);
}

TEST_CASE("zstd of several frames, without sizes and with skippable ones between, is read") {
  const Bytes raw = terrain(300000, 1);
  const ChunkCodec whole = chunk_codec({codec(Id::zstd)}, raw.size());
  ZSTD_CCtx* context = ZSTD_createCCtx();
  REQUIRE(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0) == 0);
  const auto frame = [&](std::size_t from, std::size_t bytes) {
    Bytes out(ZSTD_compressBound(bytes));
    out.resize(ZSTD_compress2(context, out.data(), out.size(), raw.data() + from, bytes));
    return out;
  };
  const Bytes unknown = frame(0, raw.size()), first = frame(0, 1000), second = frame(1000, raw.size() - 1000);
  ZSTD_freeCCtx(context);
  REQUIRE(ZSTD_getFrameContentSize(unknown.data(), unknown.size()) == ZSTD_CONTENTSIZE_UNKNOWN);
  const Bytes skippable = {
      std::byte{0x50}, std::byte{0x2a}, std::byte{0x4d}, std::byte{0x18}, std::byte{2}, {}, {}, {},
      std::byte{9},    std::byte{9}};
  CHECK(decoded(whole, unknown) == raw);
  CHECK(decoded(whole, joined({first, second})) == raw);
  CHECK(decoded(whole, joined({skippable, first, skippable, second, skippable})) == raw);
  CHECK_FALSE(decoded(whole, joined({first, second, first})));
}

TEST_CASE("bz2 and lzma of several streams are read") {
  const Bytes raw = terrain(3000, 1), first(raw.begin(), raw.begin() + 1000),
              second(raw.begin() + 1000, raw.end());
  for (const Id id : {Id::bz2, Id::lzma}) {
    if (!is_built_in(codec(id))) continue;
    const Codecs codecs = {codec(id)};
    const ChunkCodec whole = chunk_codec(codecs, 3000);
    const Bytes one = encoded_with(chunk_codec(codecs, 1000), first),
                two = encoded_with(chunk_codec(codecs, 2000), second);
    const Bytes none = encoded_with(chunk_codec(codecs, 0), {});
    CHECK(decoded(whole, joined({one, two})) == raw);
    CHECK(decoded(whole, joined({none, one, none, two})) == raw);
    CHECK_FALSE(decoded(whole, joined({one, two, one})));
    CHECK_FALSE(decoded(whole, one));
    if (id == Id::lzma) {
      CHECK(decoded(whole, joined({one, Bytes(4), two, Bytes(8)})) == raw);
      CHECK_FALSE(decoded(whole, joined({one, Bytes(3), two})));
    }
  }
}

TEST_CASE("a blosc chunk whose header asks for large blocks is refused before they are allocated") {
  if (!is_built_in(codec(Id::blosc))) return;
  const std::size_t size = 16 << 20;
  const ChunkCodec automatic = chunk_codec({blosc("zstd", 1, 0)}, size);
  const Bytes large = encoded_with(chunk_codec({blosc("zstd", 1, 0, size)}, size), Bytes(size));
  CHECK_FALSE(decoded(automatic, large));
  CHECK(decoded(chunk_codec({blosc("zstd", 1, 0, size)}, size), large) == Bytes(size));
}

}  // namespace
}  // namespace weir
