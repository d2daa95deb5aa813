// LZW without libtiff: what it takes, it decodes as libtiff does; the rest it leaves.
#include "nodes/codecs/lzw_decode.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "nodes/codecs/tiff_memory.hpp"
#include "tests/codec_support.hpp"

namespace weir::codec_parts {
namespace {

using namespace codec_support;

/// libtiff alone: whether `out` was filled.
bool by_libtiff(const Bytes& encoded, std::span<std::byte> out) {
  PieceImage image;
  image.codec = CodecId::lzw;
  image.width = image.rows = 1;
  const std::vector<std::byte> file = directory_file(image);
  return MemoryTiff(file, 256 * 1024, nullptr).decode(encoded, out);
}

/// A few values in rows, so that strings become long and complete themselves.
Bytes runs(std::size_t size, std::uint32_t seed) {
  std::mt19937 random(seed);
  Bytes bytes;
  while (bytes.size() < size)
    bytes.insert(bytes.end(), 1 + random() % 400, static_cast<std::byte>(random() % 3));
  bytes.resize(size);
  return bytes;
}

std::vector<LzwString> any_table() {
  return std::vector<LzwString>(lzw_strings, LzwString{0xffffffff, 0xffffffff});
}

TEST_CASE("sound LZW is decoded without libtiff, whole and up to any byte, inside of its memory") {
  std::vector<LzwString> table = any_table();
  for (const std::size_t size :
       {std::size_t{1}, std::size_t{15}, std::size_t{17}, std::size_t{700}, std::size_t{60000}})
    for (const Bytes& raw : {terrain(size, 1), random_bytes(size, 2), Bytes(size), runs(size, 3)}) {
      const Bytes encoded = encoded_with(resolved({CodecId::lzw}), raw);
      Fenced input(encoded);
      for (std::size_t wanted = size; wanted > 0; wanted = wanted * 2 / 3) {
        Fenced out(wanted);
        REQUIRE(decode_lzw(input.span(), out.span(), table.data()));
        REQUIRE(std::equal(out.span().begin(), out.span().end(), raw.begin()));
      }
      Fenced longer(size + 1);
      CHECK_FALSE(decode_lzw(input.span(), longer.span(), table.data()));
    }
}

TEST_CASE("damaged LZW is left to libtiff, or becomes what libtiff makes of it") {
  std::vector<LzwString> table = any_table();
  std::mt19937 random(4);
  std::size_t taken = 0, left = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::size_t size = 1 + random() % 5000;
    const auto seed = static_cast<std::uint32_t>(round);
    Bytes bad =
        encoded_with(resolved({CodecId::lzw}), round % 2 == 0 ? terrain(size, seed) : runs(size, seed));
    if (round % 10 == 0) bad.resize(1 + random() % bad.size());
    for (std::size_t flips = random() % 4; flips > 0; --flips)
      bad[random() % bad.size()] ^= static_cast<std::byte>(1u << random() % 8);
    Fenced input(bad), out(1 + random() % (size + 100));
    if (!decode_lzw(input.span(), out.span(), table.data())) {
      ++left;
      continue;
    }
    ++taken;
    Bytes theirs(out.span().size());
    REQUIRE(by_libtiff(bad, theirs));
    REQUIRE(std::equal(theirs.begin(), theirs.end(), out.span().begin()));
  }
  CHECK(taken > 500);
  CHECK(left > 500);
}

}  // namespace
}  // namespace weir::codec_parts
