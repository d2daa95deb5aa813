#include "nodes/codecs/codec.hpp"

#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <thread>

#include "framework/error.hpp"
#include "tests/codec_support.hpp"

namespace weir {
namespace {

using namespace codec_support;

TEST_CASE("codecs and engines are found by their names") {
  for (CodecId id : {CodecId::none, CodecId::lzw, CodecId::jpeg, CodecId::deflate, CodecId::packbits,
                     CodecId::lerc, CodecId::lzma, CodecId::zstd, CodecId::webp})
    CHECK(codec_named(name_of(id)) == id);
  CHECK(name_of(CodecId::zstd) == "zstd");
  CHECK_FALSE(codec_named("jpeg2000").has_value());
  for (DeflateEngine engine :
       {DeflateEngine::automatic, DeflateEngine::zlib, DeflateEngine::libdeflate, DeflateEngine::isal})
    CHECK(deflate_engine_named(name_of(engine)) == engine);
  CHECK_FALSE(deflate_engine_named("zopfli").has_value());
  CHECK(deflate_engines().front() == DeflateEngine::zlib);
}

TEST_CASE("levels and engines that do not exist are refused") {
  const auto refuses = [](const CodecSpec& spec) {
    try {
      (void)resolved(spec);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
    return false;
  };
  CHECK(refuses({CodecId::zstd, 0}));
  CHECK(refuses({CodecId::zstd, 23}));
  CHECK(refuses({CodecId::zstd, -1}));
  CHECK(refuses({CodecId::deflate, 0}));
  CHECK(refuses({CodecId::deflate, 13}));
  CHECK(refuses({CodecId::deflate, 10, DeflateEngine::zlib}));
  CHECK(refuses({CodecId::deflate, 4, DeflateEngine::isal}));
  CHECK(refuses({CodecId::lzw, 1}));
  CHECK(refuses({CodecId::packbits, 1}));
  CHECK(refuses({CodecId::none, 1}));
  CHECK(refuses({CodecId::lzma}) == !missing_reason(CodecId::lzma).empty());
  CHECK(refuses({CodecId::zstd, 3, DeflateEngine::zlib}));
  CHECK(refuses({static_cast<CodecId>(9)}));
  const std::vector<DeflateEngine> built_in = deflate_engines();
  for (DeflateEngine engine : {DeflateEngine::libdeflate, DeflateEngine::isal})
    CHECK(refuses({CodecId::deflate, std::nullopt, engine}) ==
          (std::find(built_in.begin(), built_in.end(), engine) == built_in.end()));
}

TEST_CASE("a resolved codec has its level and engine, and stays as it is") {
  CHECK(resolved({CodecId::zstd}).level == 3);
  CHECK_FALSE(resolved({CodecId::lzw}).level.has_value());
  const CodecSpec deflate = resolved({CodecId::deflate});
  CHECK(deflate.level.has_value());
  CHECK(deflate.engine != DeflateEngine::automatic);
  for (const CodecSpec& spec : all_specs()) {
    const CodecSpec again = resolved(spec);
    CHECK(again.level == spec.level);
    CHECK(again.engine == spec.engine);
    CHECK(again.format.row_bytes() == spec.format.row_bytes());
  }
}

TEST_CASE(
    "deflate without a level is libdeflate 1, with the floating-point predictor 4; no other default depends "
    "on it") {
  for (const DeflateEngine engine : deflate_engines()) {
    CAPTURE(name_of(engine));
    const CodecSpec spec{CodecId::deflate, std::nullopt, engine};
    const bool is_libdeflate = engine == DeflateEngine::libdeflate;
    const int usual = is_libdeflate ? 1 : engine == DeflateEngine::isal ? 2 : 4;
    CHECK(resolved(spec).level == usual);
    CHECK(resolved(spec, Predictor::horizontal).level == usual);
    CHECK(resolved(spec, Predictor::floating_point).level == (is_libdeflate ? 4 : usual));
    CHECK(resolved({CodecId::deflate, 2, engine}, Predictor::floating_point).level == 2);
  }
  CHECK(resolved({CodecId::zstd}, Predictor::floating_point).level == resolved({CodecId::zstd}).level);
}

TEST_CASE("deflate with a level goes to the engine that knows all levels, else to zlib") {
  const std::vector<DeflateEngine> built_in = deflate_engines();
  const bool has_libdeflate =
      std::find(built_in.begin(), built_in.end(), DeflateEngine::libdeflate) != built_in.end();
  const CodecSpec spec = resolved({CodecId::deflate, 6});
  CHECK(spec.level == 6);
  CHECK(spec.engine == (has_libdeflate ? DeflateEngine::libdeflate : DeflateEngine::zlib));
  if (has_libdeflate)
    CHECK(resolved({CodecId::deflate, 12}).engine == DeflateEngine::libdeflate);
  else
    CHECK_THROWS_WITH_AS((void)resolved({CodecId::deflate, 12}), doctest::Contains("zlib"), Error);
}

TEST_CASE("every codec, level and engine gives pieces back, within its bound") {
  for (const CodecSpec& spec : all_specs()) {
    CAPTURE(described(spec));
    const auto decoder = make_decoder(spec.id, Scratch());
    for (std::size_t size : {1u, 2u, 3u, 127u, 128u, 129u, 1000u, 65536u, 70001u}) {
      const auto encoder = make_encoder(spec, size, Scratch());
      for (const Bytes& raw :
           {terrain(size, 1), random_bytes(size, 2), Bytes(size), Bytes(size, std::byte{0xff})}) {
        Fenced input(raw), bounded(max_encoded_bytes(spec, size)), output(size);
        const std::size_t bytes = encoder->encode(input.span(), bounded.span());
        REQUIRE(bytes <= bounded.span().size());
        Fenced stored(bounded.span().first(bytes));
        REQUIRE(decoder->decode(stored.span(), output.span()) == size);
        REQUIRE(std::equal(raw.begin(), raw.end(), output.span().begin()));
      }
    }
  }
}

TEST_CASE("pieces that codecs find hard stay within the bound") {
  // All pairs of bytes, each once: LZW learns nothing. Pairs and single bytes in turn: PackBits' worst.
  Bytes pairs, turns;
  for (unsigned a = 0; a < 256; ++a)
    for (unsigned b = 0; b < a; ++b) {
      pairs.push_back(static_cast<std::byte>(a));
      pairs.push_back(static_cast<std::byte>(b));
    }
  std::mt19937 random(7);
  while (turns.size() < 100000) {
    const std::size_t run = 1 + random() % 3;
    turns.insert(turns.end(), run, static_cast<std::byte>(random()));
    if (random() % 50 == 0) {
      const Bytes literal = random_bytes(120 + random() % 12, static_cast<std::uint32_t>(random()));
      turns.insert(turns.end(), literal.begin(), literal.end());
    }
  }
  Bytes long_literals;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const Bytes literal = random_bytes(126, i);
    long_literals.insert(long_literals.end(), literal.begin(), literal.end());
    long_literals.insert(long_literals.end(), 2, std::byte{1});
  }
  for (const CodecSpec& spec : all_specs()) {
    if (spec.id == CodecId::zstd && *spec.level > 12) continue;  // slow
    for (const Bytes& raw : {pairs, turns, long_literals, random_bytes(300000, 8)}) {
      Fenced bounded(max_encoded_bytes(spec, raw.size()));
      CAPTURE(described(spec));
      CHECK_NOTHROW((void)make_encoder(spec, raw.size(), Scratch())->encode(raw, bounded.span()));
    }
  }
}

TEST_CASE("the encoded bytes do not depend on what was encoded before") {
  const Bytes piece = terrain(30000, 3), other = terrain(60000, 4), noise = random_bytes(45000, 5),
              small = terrain(77, 6);
  for (const CodecSpec& spec : all_specs()) {
    CAPTURE(described(spec));
    Bytes out(max_encoded_bytes(spec, 60000));
    const auto encode = [&](Encoder& encoder, const Bytes& raw) {
      const std::size_t bytes = encoder.encode(raw, out);
      return Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(bytes));
    };
    const auto fresh = make_encoder(spec, 60000, Scratch());
    const Bytes first = encode(*fresh, piece);
    CHECK(encode(*fresh, piece) == first);
    const auto used = make_encoder(spec, 60000, Scratch());
    for (const Bytes& before : {other, noise, small, Bytes(60000), other}) {
      (void)encode(*used, before);
      REQUIRE(encode(*used, piece) == first);
    }
  }
}

TEST_CASE("the encoded bytes do not depend on what lay in the scratch memory") {
  const Bytes piece = terrain(50000, 3);
  for (const CodecSpec& spec : all_specs()) {
    CAPTURE(described(spec));
    const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
    Bytes out(max_encoded_bytes(spec, piece.size()));
    const auto encode = [&] {
      const std::size_t bytes = make_encoder(spec, piece.size(), Scratch(pool))->encode(piece, out);
      return Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(bytes));
    };
    // Blocks of the very sizes that the codec asks for are filled with garbage and freed; malloc hands them
    // out again.
    std::vector<std::uint64_t> held;
    pool->before_allocation = [&] {
      held.push_back(pool->live_bytes());
      return true;
    };
    const auto watched = make_encoder(spec, piece.size(), Scratch(pool));
    pool->before_allocation = nullptr;
    held.push_back(pool->live_bytes());
    const Bytes expected = encode();
    for (const std::uint16_t garbage : std::initializer_list<std::uint16_t>{0, 1, 8, 0x101, 0x8000, 0xffff}) {
      std::vector<void*> blocks;
      for (std::size_t i = 1; i < held.size(); ++i) {
        const std::size_t bytes = held[i] - held[i - 1] - 64;  // without the pool's own header
        blocks.push_back(pool->scratch_malloc(bytes));
        std::fill_n(static_cast<std::uint16_t*>(blocks.back()), bytes / 2, garbage);
      }
      for (void* block : blocks) pool->scratch_free(block);
      REQUIRE(encode() == expected);
    }
  }
}

TEST_CASE("codecs take no more scratch than they declare") {
  for (const CodecSpec& spec : all_specs())
    for (std::size_t size : {1u, 5000u, 16384u, 65536u, 131072u, 262144u, 300000u}) {
      if (size > 131072 && spec.id == CodecId::zstd && *spec.level > 12 && size != 262144) continue;  // slow
      CAPTURE(described(spec));
      CAPTURE(size);
      const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
      const std::uint64_t declared = encoder_scratch_bytes(spec, size);
      {
        const auto encoder = make_encoder(spec, size, Scratch(pool));
        Bytes out(max_encoded_bytes(spec, size));
        (void)encoder->encode(terrain(size, 7), out);
        (void)encoder->encode(terrain(size / 2 + 1, 8), out);
        (void)encoder->encode(terrain(std::min<std::size_t>(size, 1000), 8), out);
      }
      REQUIRE(pool->peak_bytes() <= declared);
      REQUIRE(pool->live_bytes() == 0);
      // Not much less either: what is declared is reserved for the whole run. (libtiff takes its own memory.)
      if (spec.id == CodecId::zstd || spec.id == CodecId::deflate)
        CHECK(declared <= pool->peak_bytes() + 4096);
      if (spec.id == CodecId::lzma) CHECK(declared <= pool->peak_bytes() + 131072);
    }
  for (CodecId id : byte_codecs()) {
    CAPTURE(name_of(id));
    const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
    DecodeSpec decode;
    decode.id = id;
    decode.format.width = 1000;
    decode.rows = 200;
    {
      const auto decoder = make_decoder(decode, Scratch(pool));
      const Bytes raw = random_bytes(200000, 9), encoded = encoded_with(resolved({id}), raw);
      Bytes out(raw.size());
      for (std::size_t bytes : {encoded.size(), encoded.size() / 2})
        for (std::size_t wanted : {out.size(), out.size() / 2})
          (void)decoder->decode(std::span(encoded).first(bytes), std::span(out).first(wanted));
    }
    CHECK(pool->peak_bytes() <= decoder_scratch_bytes(decode));
    CHECK(pool->live_bytes() == 0);
  }
}

TEST_CASE("deflate engines make zlib streams and zstd makes one frame that states its size") {
  const Bytes raw = terrain(100000, 11);
  for (const CodecSpec& spec : all_specs()) {
    CAPTURE(described(spec));
    const Bytes encoded = encoded_with(spec, raw);
    Bytes out(raw.size());
    if (spec.id == CodecId::deflate) {
      uLongf bytes = out.size();
      REQUIRE(uncompress(reinterpret_cast<Bytef*>(out.data()), &bytes,
                         reinterpret_cast<const Bytef*>(encoded.data()), encoded.size()) == Z_OK);
      CHECK(out == raw);
    }
    if (spec.id == CodecId::zstd) {
      CHECK(ZSTD_getFrameContentSize(encoded.data(), encoded.size()) == raw.size());
      CHECK(ZSTD_findFrameCompressedSize(encoded.data(), encoded.size()) == encoded.size());
      CHECK(ZSTD_decompress(out.data(), out.size(), encoded.data(), encoded.size()) == raw.size());
      CHECK(out == raw);
    }
  }
}

TEST_CASE("packbits packs each row apart") {
  const Bytes raw(8, std::byte{'a'});
  CodecSpec spec = resolved({CodecId::packbits});
  CHECK(encoded_with(spec, raw) == Bytes{std::byte{0xf9}, std::byte{'a'}});
  spec.format.width = 4;
  CHECK(encoded_with(spec, raw) == Bytes{std::byte{0xfd}, std::byte{'a'}, std::byte{0xfd}, std::byte{'a'}});
}

TEST_CASE("packbits of what it makes a fifth longer fits its bound") {
  const std::string five = "xyyzz";
  for (const std::size_t width : {0U, 1390U, 1393U}) {
    CAPTURE(width);
    CodecSpec spec = resolved({CodecId::packbits});
    spec.format.width = width;
    Bytes raw(1393 * 1390);
    for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(five[i % 5]);
    const Bytes encoded = encoded_with(spec, raw);
    CHECK(encoded.size() > raw.size() + raw.size() / 6);
    CHECK(encoded.size() <= max_encoded_bytes(spec, raw.size()));
  }
}

TEST_CASE("encoders and decoders work side by side on threads, and may end on another one") {
  const Bytes raw = terrain(50000, 23);
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
  for (const CodecSpec& spec : default_specs()) {
    const Bytes expected = encoded_with(spec, raw);
    std::vector<std::unique_ptr<Encoder>> encoders(4);
    std::vector<int> good(4);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        for (int round = 0; round < 5; ++round) {
          encoders[i] = make_encoder(spec, raw.size(), Scratch(pool));
          const auto decoder = make_decoder(spec.id, Scratch(pool));
          Bytes out(max_encoded_bytes(spec, raw.size())), back(raw.size());
          out.resize(encoders[i]->encode(raw, out));
          good[i] += out == expected && decoder->decode(out, back) == raw.size() && back == raw;
        }
      });
    for (std::thread& thread : threads) thread.join();
    CAPTURE(described(spec));
    CHECK(good == std::vector<int>(4, 5));
    encoders.clear();
    CHECK(pool->live_bytes() == 0);
  }
}

}  // namespace
}  // namespace weir
