#include <doctest/doctest.h>

#include <algorithm>

#include "framework/error.hpp"
#include "nodes/zarr/shard_index.hpp"
#include "zarr_support.hpp"

namespace weir {
namespace {

ZarrSharding sharding(bool is_big, bool has_sum, bool at_end = true) {
  ZarrSharding made;
  made.chunk_shape = {1};
  made.index_codecs = {ZarrCodecSpec{}};
  made.index_codecs.front().big_endian = is_big;
  if (has_sum) made.index_codecs.push_back(codec_of(ZarrCodecSpec::Id::crc32c));
  made.index_at_end = at_end;
  return made;
}

std::string said(const ShardIndexCodec& codec, std::span<const std::byte> encoded,
                 std::uint64_t object_bytes) {
  std::vector<ShardEntry> entries(codec.inner_chunks());
  try {
    codec.decode(encoded, object_bytes, 100, "s/c/0", entries);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("an index comes back as it was, in both byte orders, with and without a checksum") {
  for (const bool is_big : {false, true})
    for (const bool has_sum : {false, true}) {
      const ShardIndexCodec codec(sharding(is_big, has_sum), 3);
      CHECK(codec.encoded_bytes() == 48 + (has_sum ? 4 : 0));
      const std::vector<ShardEntry> entries = {{0, 100}, {}, {100, 7}};
      const std::vector<std::byte> encoded = codec.encode(entries);
      CHECK(encoded[is_big ? 15 : 8] == std::byte{100});
      std::vector<ShardEntry> back(3);
      codec.decode(encoded, 200, 100, "s", back);
      CHECK(back == entries);
    }
}

TEST_CASE("an index that points outside of its object, into itself or across another chunk is refused") {
  for (const bool at_end : {true, false}) {
    const ShardIndexCodec codec(sharding(false, true, at_end), 2);
    const std::uint64_t base = at_end ? 0 : codec.encoded_bytes(), object = 200 + codec.encoded_bytes();
    const auto of = [&](ShardEntry a, ShardEntry b) {
      return said(codec, codec.encode(std::vector{a, b}), object);
    };
    CHECK(of({base, 100}, {base + 100, 100}) == "");
    CHECK(of({base + 100, 100}, {base, 100}) == "");
    CHECK(of({base, 100}, {base + 99, 100}) ==
          "cannot read the index of s/c/0: inner chunks 0 and 1 overlap");
    CHECK(of({base, 100}, {base, 100}) != "");
    CHECK(of({object - 10, 11}, {}).find("and the object has") != std::string::npos);
    CHECK(of({~0ull - 5, 100}, {}).find("and the object has") != std::string::npos);
    CHECK(of({1, ~0ull}, {}).find("and the object has") != std::string::npos);
    CHECK(of({at_end ? 120u : 0u, 100}, {}).find("lie in the index") != std::string::npos);
    CHECK(of({base, 101}, {}).find("is the most that its codecs make of it") != std::string::npos);
    CHECK(of({ShardEntry::none, 3}, {}) != "");
  }
}

TEST_CASE("an index with a wrong checksum is refused") {
  const ShardIndexCodec codec(sharding(false, true), 2);
  const std::vector<std::byte> good = codec.encode(std::vector<ShardEntry>{{0, 9}, {9, 9}});
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{1};
    CHECK(said(codec, bad, 1000) != "");
  }
}

TEST_CASE("an index whose codecs compress is refused") {
  ZarrSharding made = sharding(false, false);
  made.index_codecs.push_back(codec_of(ZarrCodecSpec::Id::zstd));
  CHECK_THROWS_WITH_AS(ShardIndexCodec(made, 4), doctest::Contains("no codec may compress it"), Error);
}

// What zarr-python 3.1 gives for zarr.core.indexing.morton_order_iter.
TEST_CASE("inner chunks are in zarr-python's Morton order, whatever the counts") {
  CHECK(shard_order(ShardOrder::morton, std::vector<std::uint64_t>{2, 2}) ==
        std::vector<std::uint32_t>{0, 2, 1, 3});
  CHECK(shard_order(ShardOrder::morton, std::vector<std::uint64_t>{2, 4}) ==
        std::vector<std::uint32_t>{0, 4, 1, 5, 2, 6, 3, 7});
  CHECK(shard_order(ShardOrder::morton, std::vector<std::uint64_t>{3, 3}) ==
        std::vector<std::uint32_t>{0, 3, 1, 4, 6, 7, 2, 5, 8});
  CHECK(shard_order(ShardOrder::morton, std::vector<std::uint64_t>{1, 5}) ==
        std::vector<std::uint32_t>{0, 1, 2, 3, 4});
  CHECK(shard_order(ShardOrder::row_major, std::vector<std::uint64_t>{2, 2}) ==
        std::vector<std::uint32_t>{0, 1, 2, 3});
  for (const std::vector<std::uint64_t>& counts :
       {std::vector<std::uint64_t>{}, {7}, {5, 6, 7}, {1, 16, 3}}) {
    std::vector<std::uint32_t> order = shard_order(ShardOrder::morton, counts);
    std::uint64_t total = 1;
    for (const std::uint64_t count : counts) total *= count;
    REQUIRE(order.size() == total);
    std::ranges::sort(order);
    for (std::uint32_t i = 0; i < total; ++i) CHECK(order[i] == i);
  }
}

}  // namespace
}  // namespace weir
