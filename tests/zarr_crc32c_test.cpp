#include <doctest/doctest.h>

#include <cstring>
#include <string_view>

#include "nodes/zarr/crc32c.hpp"
#include "tests/codec_support.hpp"

namespace weir {
namespace {

using namespace codec_support;

TEST_CASE("crc32c gives the sums of RFC 3720, and that of the check string") {
  Bytes ascending(32), descending(32);
  for (std::size_t i = 0; i < 32; ++i) {
    ascending[i] = static_cast<std::byte>(i);
    descending[i] = static_cast<std::byte>(31 - i);
  }
  const std::string_view check = "123456789";
  for (const auto sum : {crc32c, crc32c_by_tables}) {
    CHECK(sum(Bytes(32), 0) == 0x8a9136aa);
    CHECK(sum(Bytes(32, std::byte{0xff}), 0) == 0x62a8ab43);
    CHECK(sum(ascending, 0) == 0x46dd794e);
    CHECK(sum(descending, 0) == 0x113fdb5c);
    CHECK(sum(std::as_bytes(std::span(check)), 0) == 0xe3069283);
    CHECK(sum({}, 0) == 0);
  }
}

TEST_CASE("the instruction and the tables agree on every length and start, and on sums that go on") {
  const Bytes bytes = random_bytes(3 * 4096 * 3 + 100, 1);
  for (const std::size_t start : {0u, 1u, 3u, 8u})
    for (std::size_t length : {0u, 1u, 7u, 8u, 9u, 63u, 4096u, 12287u, 12288u, 12289u, 24576u, 36900u}) {
      const std::span<const std::byte> part = std::span(bytes).subspan(start, length);
      CAPTURE(start);
      CAPTURE(length);
      REQUIRE(crc32c(part) == crc32c_by_tables(part));
      REQUIRE(crc32c(part.subspan(length / 3), crc32c(part.first(length / 3))) == crc32c_by_tables(part));
    }
}

}  // namespace
}  // namespace weir
