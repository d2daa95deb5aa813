#include "nodes/codecs/codec.hpp"

#include <doctest/doctest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <thread>

#include "framework/error.hpp"

namespace weir {
namespace {

using Bytes = std::vector<std::byte>;

constexpr CodecId all_codecs[] = {CodecId::none, CodecId::lzw, CodecId::deflate, CodecId::packbits, CodecId::zstd};

std::string described(const CodecSpec& spec) {
  std::string text(name_of(spec.id));
  if (spec.id == CodecId::deflate) text += " " + std::string(name_of(spec.engine));
  if (spec.level) text += " " + std::to_string(*spec.level);
  if (spec.row_bytes != 0) text += " rows of " + std::to_string(spec.row_bytes);
  return text;
}

// Every codec, engine and level that is built in.
std::vector<CodecSpec> all_specs() {
  std::vector<CodecSpec> specs = {{CodecId::none}, {CodecId::lzw}, {CodecId::packbits}};
  specs.push_back({CodecId::packbits});
  specs.back().row_bytes = 100;
  specs.push_back({CodecId::packbits});
  specs.back().row_bytes = 1;
  for (int level = 1; level <= 22; ++level) specs.push_back({CodecId::zstd, level});
  for (DeflateEngine engine : deflate_engines()) {
    const int highest = engine == DeflateEngine::zlib ? 9 : engine == DeflateEngine::isal ? 3 : 12;
    for (int level = 1; level <= highest; ++level) specs.push_back({CodecId::deflate, level, engine});
  }
  for (CodecSpec& spec : specs) spec = resolved(spec);
  return specs;
}

// One of each codec and engine.
std::vector<CodecSpec> default_specs() {
  std::vector<CodecSpec> specs = {{CodecId::none}, {CodecId::lzw}, {CodecId::packbits}, {CodecId::zstd}};
  for (DeflateEngine engine : deflate_engines()) specs.push_back({CodecId::deflate, std::nullopt, engine});
  for (CodecSpec& spec : specs) spec = resolved(spec);
  return specs;
}

Bytes random_bytes(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Slowly changing 16-bit samples with some noise, runs of zeros between.
Bytes terrain(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  std::uint32_t height = 1000;
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    height += static_cast<std::uint32_t>(random() % 7) - 3;
    const std::uint32_t sample = i / 1000 % 5 == 4 ? 0 : height;
    bytes[i] = static_cast<std::byte>(sample);
    bytes[i + 1] = static_cast<std::byte>(sample >> 8);
  }
  return bytes;
}

Bytes encoded_with(const CodecSpec& spec, const Bytes& raw) {
  Bytes out(max_encoded_bytes(spec, raw.size()));
  out.resize(make_encoder(spec, raw.size(), Scratch())->encode(raw, out));
  return out;
}

// Memory that ends where no access is allowed: reading or writing one byte too far ends the test program.
class Fenced {
 public:
  explicit Fenced(std::size_t bytes) : size_(bytes) {
    const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    whole_ = (bytes + page - 1) / page * page + page;
    void* block = ::mmap(nullptr, whole_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(block != MAP_FAILED);
    start_ = static_cast<std::byte*>(block);
    REQUIRE(::mprotect(start_ + whole_ - page, page, PROT_NONE) == 0);
    data_ = start_ + whole_ - page - bytes;
  }
  explicit Fenced(std::span<const std::byte> content) : Fenced(content.size()) {
    std::copy(content.begin(), content.end(), data_);
  }
  Fenced(const Fenced&) = delete;
  Fenced& operator=(const Fenced&) = delete;
  ~Fenced() { ::munmap(start_, whole_); }
  std::span<std::byte> span() { return {data_, size_}; }

 private:
  std::byte *start_ = nullptr, *data_ = nullptr;
  std::size_t size_, whole_ = 0;
};

TEST_CASE("codecs and engines are found by their names") {
  for (CodecId id : all_codecs) CHECK(codec_named(name_of(id)) == id);
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
  CHECK(refuses({CodecId::zstd, 3, DeflateEngine::zlib}));
  CHECK(refuses({static_cast<CodecId>(7)}));
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
    CHECK(again.row_bytes == spec.row_bytes);
  }
}

TEST_CASE("deflate with a level goes to the engine that knows all levels, else to zlib") {
  const std::vector<DeflateEngine> built_in = deflate_engines();
  const bool has_libdeflate = std::find(built_in.begin(), built_in.end(), DeflateEngine::libdeflate) != built_in.end();
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
      for (const Bytes& raw : {terrain(size, 1), random_bytes(size, 2), Bytes(size), Bytes(size, std::byte{0xff})}) {
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
  const Bytes piece = terrain(30000, 3), other = terrain(60000, 4), noise = random_bytes(45000, 5), small = terrain(77, 6);
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
  // Blocks freed to malloc come back as they were, unless they are so large that they are mapped one by one.
  REQUIRE(::mallopt(M_MMAP_THRESHOLD, 32 << 20) == 1);
  REQUIRE(::mallopt(M_TRIM_THRESHOLD, 256 << 20) == 1);
  const Bytes piece = terrain(50000, 3);
  for (const CodecSpec& spec : all_specs()) {
    CAPTURE(described(spec));
    const Bytes clean = encoded_with(spec, piece);
    for (std::uint16_t garbage : {0x0000, 0x0001, 0x0008, 0x0101, 0x8000, 0xffff}) {
      std::vector<std::uint16_t> dirt(encoder_scratch_bytes(spec, piece.size()) + 200000, garbage);
      dirt = {};
      dirt.shrink_to_fit();
      REQUIRE(encoded_with(spec, piece) == clean);
    }
  }
}

TEST_CASE("codecs take no more scratch than they declare") {
  for (const CodecSpec& spec : all_specs())
    for (std::size_t size : {1u, 5000u, 16384u, 65536u, 131072u, 262144u, 300000u}) {
      if (size > 131072 && *spec.level > 12 && spec.id == CodecId::zstd && size != 262144) continue;  // slow
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
      if (spec.id == CodecId::zstd || spec.id == CodecId::deflate) CHECK(declared <= pool->peak_bytes() + 4096);
    }
  for (CodecId id : all_codecs) {
    CAPTURE(name_of(id));
    const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
    {
      const auto decoder = make_decoder(id, Scratch(pool));
      const Bytes raw = random_bytes(200000, 9), encoded = encoded_with(resolved({id}), raw);
      Bytes out(raw.size());
      for (std::size_t bytes : {encoded.size(), encoded.size() / 2})
        for (std::size_t wanted : {out.size(), out.size() / 2})
          (void)decoder->decode(std::span(encoded).first(bytes), std::span(out).first(wanted));
    }
    CHECK(pool->peak_bytes() <= decoder_scratch_bytes(id));
    CHECK(pool->live_bytes() == 0);
  }
}

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

TEST_CASE("deflate engines make zlib streams and zstd makes one frame that states its size") {
  const Bytes raw = terrain(100000, 11);
  for (const CodecSpec& spec : all_specs()) {
    CAPTURE(described(spec));
    const Bytes encoded = encoded_with(spec, raw);
    Bytes out(raw.size());
    if (spec.id == CodecId::deflate) {
      uLongf bytes = out.size();
      REQUIRE(uncompress(reinterpret_cast<Bytef*>(out.data()), &bytes, reinterpret_cast<const Bytef*>(encoded.data()),
                         encoded.size()) == Z_OK);
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
  spec.row_bytes = 4;
  CHECK(encoded_with(spec, raw) == Bytes{std::byte{0xfd}, std::byte{'a'}, std::byte{0xfd}, std::byte{'a'}});
}

TEST_CASE("decoding fills what is asked for, and no more") {
  const Bytes raw = terrain(300000, 12);
  for (const CodecSpec& spec : default_specs()) {
    CAPTURE(described(spec));
    const Bytes encoded = encoded_with(spec, raw);
    const auto decoder = make_decoder(spec.id, Scratch());
    for (std::size_t wanted : {0u, 1u, 2u, 999u, 65536u, 131071u, 131072u, 131073u, 262144u, 299999u, 300000u}) {
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
    for (const Bytes& raw : {terrain(3000, 15), random_bytes(600, 16), Bytes(2000, std::byte{0xff}), Bytes(2000)}) {
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
        REQUIRE(std::equal(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(filled), out.span().begin()));
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
    const std::size_t filled = make_decoder(spec.id, Scratch())->decode(std::span(encoded).first(encoded.size() * 3 / 4), out);
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
      if (round % 7 == 0 && bad.size() > 4) std::copy_n(good.begin(), 4, bad.begin());  // past the header checks
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
  Bytes encoded = {std::byte{0x50}, std::byte{0x2a}, std::byte{0x4d}, std::byte{0x18},  // a skippable frame of 2 bytes
                   std::byte{2},    std::byte{0},    std::byte{0},    std::byte{0},    std::byte{9}, std::byte{9}};
  const Bytes first = encoded_with(resolved({CodecId::zstd}), Bytes(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(half)));
  encoded.insert(encoded.end(), first.begin(), first.end());
  Bytes second(ZSTD_compressBound(half));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  REQUIRE(ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)) == 0);
  const std::size_t bytes = ZSTD_compress2(context, second.data(), second.size(), raw.data() + half, raw.size() - half);
  REQUIRE(ZSTD_isError(bytes) == 0);
  ZSTD_freeCCtx(context);
  encoded.insert(encoded.end(), second.begin(), second.begin() + static_cast<std::ptrdiff_t>(bytes));

  const auto decoder = make_decoder(CodecId::zstd, Scratch());
  for (std::size_t wanted : {std::size_t{1}, half - 1, half, half + 1, half + 150000, raw.size() - 1, raw.size(), raw.size() + 1}) {
    CAPTURE(wanted);
    Fenced out(wanted);
    REQUIRE(decoder->decode(encoded, out.span()) == std::min(wanted, raw.size()));
    REQUIRE(std::equal(raw.begin(), raw.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, raw.size())), out.span().begin()));
  }
  Bytes out(raw.size());
  CHECK(decoder->decode(std::span(encoded).first(encoded.size() - 1), out) >= half);
}

TEST_CASE("a piece that looks like the bit-reversed LZW of old files leaves the next ones alone") {
  const Bytes raw = terrain(3000, 22), encoded = encoded_with(resolved({CodecId::lzw}), raw);
  const Bytes reversed = {std::byte{0x00}, std::byte{0x83}, std::byte{0x04}, std::byte{0x0a}, std::byte{0x02}};
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
