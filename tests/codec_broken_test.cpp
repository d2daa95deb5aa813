// Decoding what is cut, damaged, too long, or oddly put together; and running out of memory.
#include <doctest/doctest.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>

#include "framework/error.hpp"
#include "nodes/codecs/codec.hpp"
#include "tests/codec_support.hpp"

namespace weir {
namespace {

using namespace codec_support;

TEST_CASE("a codec that gets no memory says so and leaks nothing") {
  for (const CodecSpec& spec : default_specs()) {
    CAPTURE(described(spec));
    const Bytes raw = terrain(200000, 10), encoded = encoded_with(spec, raw);
    for (int allowed = 0; allowed < 8; ++allowed) {
      const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
      int left = allowed;
      pool->before_allocation = [&left] { return left-- > 0; };
      try {
        Bytes out(max_encoded_bytes(spec, raw.size()));
        (void)make_encoder(spec, raw.size(), Scratch(pool))->encode(raw, out);
      } catch (const Error& error) {
        CHECK(std::string(error.what()).find("out of memory") != std::string::npos);
      }
      CHECK(pool->live_bytes() == 0);
      left = allowed;
      try {
        Bytes out(100);
        (void)make_decoder(spec.id, Scratch(pool))->decode(encoded, out);
      } catch (const Error& error) {
        CHECK(std::string(error.what()).find("out of memory") != std::string::npos);
      }
      CHECK(pool->live_bytes() == 0);
    }
  }
}

TEST_CASE("decoding fills what is asked for, and no more") {
  const Bytes raw = terrain(300000, 12);
  for (const CodecSpec& spec : default_specs()) {
    CAPTURE(described(spec));
    const Bytes encoded = encoded_with(spec, raw);
    const auto decoder = make_decoder(spec.id, Scratch());
    for (std::size_t wanted :
         {0u, 1u, 2u, 999u, 65536u, 131071u, 131072u, 131073u, 262144u, 299999u, 300000u}) {
      Fenced out(wanted);
      REQUIRE(decoder->decode(encoded, out.span()) == wanted);
      REQUIRE(std::equal(out.span().begin(), out.span().end(), raw.begin()));
    }
    Bytes more(raw.size() + 1000);
    CHECK(decoder->decode(encoded, more) == raw.size());
    CHECK(std::equal(raw.begin(), raw.end(), more.begin()));
    CHECK(decoder->decode({}, more) == 0);
  }
}

TEST_CASE("bytes behind the data do not matter once the piece is full") {
  const Bytes raw = terrain(5000, 13);
  for (const CodecSpec& spec : default_specs()) {
    CAPTURE(described(spec));
    Bytes encoded = encoded_with(spec, raw), out(raw.size());
    const Bytes junk = random_bytes(100, 14);
    encoded.insert(encoded.end(), junk.begin(), junk.end());
    CHECK(make_decoder(spec.id, Scratch())->decode(encoded, out) == raw.size());
    CHECK(out == raw);
  }
}

TEST_CASE("data cut at any length is an error or a shorter piece, never wrong bytes") {
  for (const CodecSpec& spec : default_specs())
    for (const Bytes& raw :
         {terrain(3000, 15), random_bytes(600, 16), Bytes(2000, std::byte{0xff}), Bytes(2000)}) {
      CAPTURE(described(spec));
      const Bytes encoded = encoded_with(spec, raw);
      const auto decoder = make_decoder(spec.id, Scratch());
      Fenced out(raw.size());
      for (std::size_t length = 0; length < encoded.size(); ++length) {
        CAPTURE(length);
        const std::span<const std::byte> whole = encoded;
        Fenced cut(whole.first(length));
        std::fill(out.span().begin(), out.span().end(), std::byte{0x5a});
        std::size_t filled = 0;
        try {
          filled = decoder->decode(cut.span(), out.span());
        } catch (const Error&) {
          continue;
        }
        REQUIRE(filled <= raw.size());
        REQUIRE(
            std::equal(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(filled), out.span().begin()));
        if (length < encoded.size() / 2 && raw[0] != raw[1]) REQUIRE(filled < raw.size());
      }
      // The decoder is none the worse for it.
      REQUIRE(decoder->decode(encoded, out.span()) == raw.size());
      REQUIRE(std::equal(raw.begin(), raw.end(), out.span().begin()));
    }
}

TEST_CASE("lzw, packbits, deflate and stored data give what came before the cut") {
  const Bytes raw = terrain(3000, 17);
  for (const CodecSpec& spec : default_specs()) {
    if (spec.id == CodecId::zstd) continue;  // gives whole blocks only
    CAPTURE(described(spec));
    const Bytes encoded = encoded_with(spec, raw);
    Bytes out(raw.size());
    const std::size_t filled =
        make_decoder(spec.id, Scratch())->decode(std::span(encoded).first(encoded.size() * 3 / 4), out);
    CHECK(filled > raw.size() / 2);
    CHECK(filled < raw.size());
  }
}

TEST_CASE("damaged and random data never crash, hang or reach outside, and do no harm to the next piece") {
  std::mt19937 random(18);
  const Bytes raw = terrain(4000, 19);
  for (const CodecSpec& spec : default_specs()) {
    CAPTURE(described(spec));
    const Bytes good = encoded_with(spec, raw);
    const auto decoder = make_decoder(spec.id, Scratch());
    for (int round = 0; round < 3000; ++round) {
      Bytes bad = round % 3 == 0 ? random_bytes(random() % 300, static_cast<std::uint32_t>(random())) : good;
      if (round % 3 != 0)
        for (std::size_t flips = 1 + random() % 4; flips > 0; --flips)
          bad[random() % bad.size()] ^= static_cast<std::byte>(1u << random() % 8);
      if (round % 7 == 0 && bad.size() > 4)
        std::copy_n(good.begin(), 4, bad.begin());  // past the header checks
      Fenced input(bad), out(round % 5 == 0 ? random() % 5000 : raw.size());
      std::size_t filled = 0;
      try {
        filled = decoder->decode(input.span(), out.span());
      } catch (const Error&) {
      }
      REQUIRE(filled <= out.span().size());
      if (round % 50 == 0) {
        Fenced whole(raw.size());
        REQUIRE(decoder->decode(good, whole.span()) == raw.size());
        REQUIRE(std::equal(raw.begin(), raw.end(), whole.span().begin()));
      }
    }
  }
}

TEST_CASE("a deflate stream whose checksum is wrong is an error") {
  const Bytes raw = terrain(4000, 20);
  for (const CodecSpec& spec : default_specs()) {
    if (spec.id != CodecId::deflate) continue;
    Bytes encoded = encoded_with(spec, raw), out(raw.size());
    encoded.back() ^= std::byte{1};
    CHECK_THROWS_WITH_AS((void)make_decoder(spec.id, Scratch())->decode(encoded, out),
                         "cannot decode deflate data: incorrect data check", Error);
  }
}

TEST_CASE("zstd data may be several frames, skipped frames, or frames that do not state their size") {
  const Bytes raw = terrain(400000, 21);
  const std::size_t half = raw.size() / 2;
  Bytes encoded = {
      std::byte{0x50}, std::byte{0x2a}, std::byte{0x4d}, std::byte{0x18},  // a skippable frame of 2 bytes
      std::byte{2},    std::byte{0},    std::byte{0},    std::byte{0},    std::byte{9}, std::byte{9}};
  const Bytes first = encoded_with(resolved({CodecId::zstd}),
                                   Bytes(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(half)));
  encoded.insert(encoded.end(), first.begin(), first.end());
  Bytes second(ZSTD_compressBound(half));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  REQUIRE(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)) == 0);
  const std::size_t bytes =
      ZSTD_compress2(context, second.data(), second.size(), raw.data() + half, raw.size() - half);
  REQUIRE(ZSTD_isError(bytes) == 0);
  ZSTD_freeCCtx(context);
  encoded.insert(encoded.end(), second.begin(), second.begin() + static_cast<std::ptrdiff_t>(bytes));

  const auto decoder = make_decoder(CodecId::zstd, Scratch());
  for (std::size_t wanted : {std::size_t{1}, half - 1, half, half + 1, half + 150000, raw.size() - 1,
                             raw.size(), raw.size() + 1}) {
    CAPTURE(wanted);
    Fenced out(wanted);
    REQUIRE(decoder->decode(encoded, out.span()) == std::min(wanted, raw.size()));
    REQUIRE(std::equal(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, raw.size())),
                       out.span().begin()));
  }
  Bytes out(raw.size());
  CHECK(decoder->decode(std::span(encoded).first(encoded.size() - 1), out) >= half);
}

TEST_CASE("a piece that looks like the bit-reversed LZW of old files leaves the next ones alone") {
  const Bytes raw = terrain(3000, 22), encoded = encoded_with(resolved({CodecId::lzw}), raw);
  const Bytes reversed = {std::byte{0x00}, std::byte{0x83}, std::byte{0x04}, std::byte{0x0a},
                          std::byte{0x02}};
  const auto decoder = make_decoder(CodecId::lzw, Scratch());
  const auto try_reversed = [&] {
    Bytes out(10);
    try {
      (void)decoder->decode(reversed, out);
      return out;
    } catch (const Error&) {
      return Bytes();
    }
  };
  const Bytes before = try_reversed();
  for (int round = 0; round < 3; ++round) {
    Bytes out(raw.size());
    REQUIRE(decoder->decode(encoded, out) == raw.size());
    REQUIRE(out == raw);
    REQUIRE(try_reversed() == before);
  }
}

}  // namespace
}  // namespace weir
