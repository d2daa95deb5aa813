#include <doctest/doctest.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "nodes/zarr/chunk_codec.hpp"
#include "tests/zarr_chunk_support.hpp"

namespace weir {
namespace {

using namespace codec_support;
using namespace zarr_chunk_support;

TEST_CASE("every chain of Zarr's codecs gives chunks back, within its bound and its memory") {
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    for (std::size_t size : {0u, 1u, 2u, 3u, 128u, 1000u, 65536u, 300001u}) {
      CAPTURE(size);
      const ChunkCodec codec = chunk_codec_16(chain.codecs, size);
      const auto encoder = codec.make_encoder(Scratch());
      const auto decoder = codec.make_decoder(Scratch());
      for (const Bytes& raw :
           {terrain(size, 1), random_bytes(size, 2), Bytes(size), Bytes(size, std::byte{0xff})}) {
        Fenced input(raw), bounded(codec.max_encoded_bytes()), output(size);
        const std::size_t bytes = encoder->encode(input.span(), bounded.span());
        REQUIRE(bytes <= bounded.span().size());
        if (codec.is_fixed_size()) REQUIRE(bytes == codec.max_encoded_bytes());
        Fenced stored(bounded.span().first(bytes));
        decoder->decode(stored.span(), output.span());
        REQUIRE(std::equal(raw.begin(), raw.end(), output.span().begin()));
      }
    }
  }
}

TEST_CASE("chunks of bytes alone are raw, with crc32c of fixed size, and compressed ones neither") {
  CHECK(chunk_codec({codec(Id::bytes)}, 100).is_raw());
  CHECK(chunk_codec({codec(Id::bytes)}, 100).max_encoded_bytes() == 100);
  const ChunkCodec summed = chunk_codec({codec(Id::bytes), codec(Id::crc32c)}, 100);
  CHECK_FALSE(summed.is_raw());
  CHECK(summed.is_fixed_size());
  CHECK(summed.max_encoded_bytes() == 104);
  CHECK_FALSE(chunk_codec({codec(Id::zstd), codec(Id::crc32c)}, 100).is_fixed_size());
}

TEST_CASE("the encoded bytes of a chunk do not depend on what was encoded before") {
  const Bytes piece = terrain(30000, 3);
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, piece.size());
    const Bytes first = encoded_with(codec, piece);
    const auto used = codec.make_encoder(Scratch());
    for (const Bytes& before : {terrain(30000, 4), random_bytes(30000, 5), Bytes(30000)}) {
      Bytes out(codec.max_encoded_bytes());
      (void)used->encode(before, out);
      out.resize(used->encode(piece, out));
      REQUIRE(out == first);
    }
  }
}

TEST_CASE("transposes and the byte order become the layout, in which nothing is moved") {
  const std::vector<std::uint64_t> shape = {2, 3, 4};
  ZarrCodecSpec first = codec(Id::transpose), second = codec(Id::transpose), big = codec(Id::bytes);
  first.order = {2, 0, 1};
  second.order = {1, 2, 0};
  big.big_endian = true;
  const ChunkCodec plain({codec(Id::bytes)}, uint16, shape);
  CHECK(plain.layout().is_plain());
  const ChunkCodec turned({first, big}, uint16, shape);
  CHECK(turned.layout().axes == std::vector<std::uint32_t>{2, 0, 1});
  CHECK(turned.layout().swapped);
  CHECK_FALSE(turned.layout().is_plain());
  CHECK(turned.is_raw());
  // The second takes back what the first did: its dimensions are those of the first one's result.
  CHECK(ChunkCodec({first, second, codec(Id::bytes)}, uint16, shape).layout().axes ==
        std::vector<std::uint32_t>{0, 1, 2});
  CHECK_FALSE(ChunkCodec({big}, {ZarrType::Kind::raw, 3}, shape).layout().swapped);
  CHECK(ChunkCodec({big}, {ZarrType::Kind::complex, 8}, shape).layout().word_bytes == 4);
  for (const std::vector<std::uint32_t>& order :
       {std::vector<std::uint32_t>{0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, 2, 2}}) {
    first.order = order;
    CHECK_THROWS_AS(ChunkCodec({first}, uint16, shape), Error);
  }
}

TEST_CASE("levels, shuffles and compressors that do not exist are usage errors") {
  const auto refuses = [](const ZarrCodecSpec& spec) {
    try {
      (void)chunk_codec({spec}, 100);
    } catch (const Error& error) {
      return error.kind() == ErrorKind::usage;
    }
    return false;
  };
  CHECK(refuses(codec(Id::gzip, 10)));
  CHECK(refuses(codec(Id::gzip, -2)));
  CHECK(refuses(codec(Id::zstd, 23)));
  CHECK(refuses(blosc("lz4", 10, 1)));
  CHECK(refuses(blosc("lz4", 5, 3)));
  CHECK(refuses(blosc("lzma", 5, 1)));
  CHECK(refuses(codec(Id::bz2, 0)));
  CHECK(refuses(codec(Id::lzma, 10)));
  CHECK(refuses(codec(Id::sharding_indexed)));
  CHECK_THROWS_AS(ChunkCodec({}, uint16, std::vector<std::uint64_t>{1ull << 40, 1ull << 40}), Error);
}

TEST_CASE("gzip is made without time, name and system, zstd states its size and has the checksum asked for") {
  const Bytes raw = terrain(50000, 1);
  for (const int level : {0, 1, 9}) {
    const Bytes encoded = encoded_with(chunk_codec({codec(Id::gzip, level)}, raw.size()), raw);
    CHECK(std::equal(encoded.begin(), encoded.begin() + 8,
                     Bytes{std::byte{0x1f}, std::byte{0x8b}, std::byte{8}, {}, {}, {}, {}, {}}.begin()));
    CHECK(encoded[9] == std::byte{255});
  }
  ZarrCodecSpec spec = codec(Id::zstd, 1);
  const Bytes bare = encoded_with(chunk_codec({spec}, raw.size()), raw);
  spec.checksum = true;
  const Bytes summed = encoded_with(chunk_codec({spec}, raw.size()), raw);
  CHECK(ZSTD_getFrameContentSize(bare.data(), bare.size()) == raw.size());
  CHECK(summed.size() == bare.size() + 4);
}

TEST_CASE("a wrong checksum is an error, unless sums are not to be checked") {
  const Bytes raw = terrain(1000, 1);
  ZarrCodecSpec zstd = codec(Id::zstd, 1);
  zstd.checksum = true;
  for (const Codecs& codecs :
       {Codecs{codec(Id::crc32c)}, Codecs{zstd}, Codecs{codec(Id::zstd), codec(Id::crc32c)}}) {
    const ChunkCodec chunks = chunk_codec(codecs, raw.size());
    Bytes encoded = encoded_with(chunks, raw);
    encoded.back() ^= std::byte{1};
    CHECK_THROWS_AS((void)decoded_with(chunks, encoded), Error);
    CHECK(decoded_with(chunks, encoded, false) == raw);
  }
}

TEST_CASE("a part of a blosc chunk is the same as of the whole") {
  const Bytes raw = terrain(300000, 7);
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, raw.size());
    const Bytes encoded = encoded_with(codec, raw);
    const auto decoder = codec.make_decoder(Scratch());
    for (const auto& [first, bytes] :
         {std::pair{0u, 300000u}, {0u, 2u}, {299998u, 2u}, {65000u, 1200u}, {130000u, 0u}}) {
      Fenced part(bytes);
      REQUIRE(decoder->decode_part(encoded, first, part.span()) == codec.decodes_parts());
      if (codec.decodes_parts())
        REQUIRE(std::equal(part.span().begin(), part.span().end(), raw.begin() + first));
    }
  }
}

TEST_CASE("encoders and decoders of chunks take no more scratch than they declare") {
  for (const Chain& chain : chains())
    for (const std::size_t size : {1u, 5000u, 65536u, 200000u}) {
      CAPTURE(chain.name);
      CAPTURE(size);
      const ChunkCodec codec = chunk_codec_16(chain.codecs, size);
      Bytes encoded(codec.max_encoded_bytes()), out(size);
      const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
      {
        const auto encoder = codec.make_encoder(Scratch(pool));
        (void)encoder->encode(random_bytes(size, 1), encoded);
        encoded.resize(encoder->encode(terrain(size, 2), encoded));
      }
      REQUIRE(pool->peak_bytes() <= codec.encoder_scratch_bytes());
      REQUIRE(pool->live_bytes() == 0);
      const auto other = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
      {
        const auto decoder = codec.make_decoder(Scratch(other));
        decoder->decode(encoded, out);
        encoded.pop_back();
        CHECK_THROWS_AS(decoder->decode(encoded, out), Error);
      }
      REQUIRE(other->peak_bytes() <= codec.decoder_scratch_bytes());
      REQUIRE(other->live_bytes() == 0);
    }
}

TEST_CASE("encoders and decoders of chunks work side by side on threads") {
  const Bytes raw = terrain(50000, 23);
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
  for (const Chain& chain : chains()) {
    CAPTURE(chain.name);
    const ChunkCodec codec = chunk_codec_16(chain.codecs, raw.size());
    const Bytes expected = encoded_with(codec, raw);
    std::vector<int> good(3);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < good.size(); ++i)
      threads.emplace_back([&, i] {
        Bytes out(codec.max_encoded_bytes()), back(raw.size());
        out.resize(codec.make_encoder(Scratch(pool))->encode(raw, out));
        codec.make_decoder(Scratch(pool))->decode(out, back);
        good[i] = out == expected && back == raw;
      });
    for (std::thread& thread : threads) thread.join();
    CHECK(good == std::vector<int>(3, 1));
  }
  CHECK(pool->live_bytes() == 0);
}

}  // namespace
}  // namespace weir
