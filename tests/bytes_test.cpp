#include "framework/bytes.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "framework/error.hpp"

using weir::format_bytes;
using weir::parse_bytes;

TEST_CASE("a size is a number with a unit in powers of 1024") {
  CHECK(parse_bytes("0") == 0);
  CHECK(parse_bytes("65536") == 65536);
  CHECK(parse_bytes("64B") == 64);
  CHECK(parse_bytes("1K") == 1024);
  CHECK(parse_bytes("64M") == 64U << 20);
  CHECK(parse_bytes("64MB") == 64U << 20);
  CHECK(parse_bytes("64MiB") == 64U << 20);
  CHECK(parse_bytes("64 MiB") == 64U << 20);
  CHECK(parse_bytes("64m") == 64U << 20);
  CHECK(parse_bytes("2G") == std::uint64_t{2} << 30);
  CHECK(parse_bytes("3T") == std::uint64_t{3} << 40);
  CHECK(parse_bytes("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("a size may be a fraction of a unit, rounded down") {
  CHECK(parse_bytes("1.5G") == std::uint64_t{3} << 29);
  CHECK(parse_bytes("0.25K") == 256);
  CHECK(parse_bytes("1.3K") == 1331);
  CHECK(parse_bytes("0.9999999999999999999999999999T") == (std::uint64_t{1} << 40) - 1);
  CHECK(parse_bytes("16777215.9999999999999999T") == std::numeric_limits<std::uint64_t>::max());
}

TEST_CASE("what is no size is refused as wrong usage, with the text") {
  for (const char* text : {"",    " ",    "M",     "64Q",    "-1",     "-64M", "+1",   "1.5",  "1.",
                           ".5G", "64 ",  "64  M", " 64M",   "64M ",   "64Mi", "64iB", "64MM", "64BM",
                           "1e6", "0x10", "1,5G",  "64MiBs", "1.5.2G", "nan",  "1.5B"}) {
    CAPTURE(text);
    try {
      parse_bytes(text);
      FAIL_CHECK("was read");
    } catch (const weir::Error& error) {
      CHECK(error.kind() == weir::ErrorKind::usage);
      CHECK(error.object() == "the size '" + std::string(text) + "'");
      CHECK(!error.reason().empty());
    }
  }
  CHECK_THROWS_AS(parse_bytes(std::string_view("64\0M", 4)), weir::Error);
}

TEST_CASE("a size of more than 64 bits is refused") {
  for (const char* text : {"18446744073709551616", "99999999999999999999999", "16777216T",
                           "18014398509481984K", "16777216.0T"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(parse_bytes(text), weir::Error);
  }
}

TEST_CASE("sizes are shown with one digit behind the point, and can be read again") {
  CHECK(format_bytes(0) == "0 B");
  CHECK(format_bytes(1023) == "1023 B");
  CHECK(format_bytes(1024) == "1.0 KiB");
  CHECK(format_bytes(64U << 20) == "64.0 MiB");
  CHECK(format_bytes((1U << 20) - 1) == "1.0 MiB");
  CHECK(format_bytes(std::uint64_t{3} << 29) == "1.5 GiB");
  CHECK(format_bytes(std::uint64_t{2048} << 40) == "2048.0 TiB");
  for (const std::uint64_t bytes : {std::uint64_t{0}, std::uint64_t{1023}, std::uint64_t{1536},
                                    std::uint64_t{64} << 20, std::uint64_t{3} << 29})
    CHECK(parse_bytes(format_bytes(bytes)) == bytes);
}
