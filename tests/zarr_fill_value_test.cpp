#include <doctest/doctest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "tests/zarr_metadata_support.hpp"

using namespace weir;

namespace {

/// The fill's bytes, most significant first on every machine (of words: complex values keep real before imaginary).
std::string fill_of(const std::string& type, const std::string& value) {
  const auto array =
      parse_zarr_v3_array(with_member(v3_with("fill_value", value, type), "codecs",
                                      R"([{"name": "bytes", "configuration": {"endian": "little"}}])"),
                          "a");
  std::string text;
  const std::size_t word = array.type.word_bytes();
  for (std::size_t i = 0; i < array.fill.size(); ++i) {
    const std::size_t place = i / word * word + (word - 1 - i % word);
    const auto byte = std::to_integer<unsigned>(array.fill[place]);
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  // What is written is read as the same bits.
  CHECK(parse_zarr_v3_array(to_json(array), "again").fill == array.fill);
  return text;
}

std::string refusal(const std::string& type, const std::string& value) {
  return v3_refusal(v3_with("fill_value", value, type));
}

}  // namespace

TEST_CASE("fill values of integers are exact in 64 bits, and refused beyond the type") {
  CHECK(fill_of("uint64", "18446744073709551615") == "ffffffffffffffff");
  CHECK(fill_of("uint64", "9007199254740993") == "0020000000000001");
  CHECK(fill_of("int64", "-9223372036854775808") == "8000000000000000");
  CHECK(fill_of("int64", "-9007199254740993") == "ffdfffffffffffff");
  CHECK(fill_of("int8", "-128") == "80");
  CHECK(fill_of("bool", "true") == "01");
  CHECK(refusal("uint64", "18446744073709551616") ==
        "fill_value: 18446744073709551616 is no value of the data type");
  CHECK(refusal("int64", "9223372036854775808") != "");
  CHECK(refusal("uint8", "256") == "fill_value: 256 is no value of the data type");
  CHECK(refusal("uint8", "-1") != "");
  CHECK(refusal("uint8", "1.0") == "fill_value: is no whole number");
  CHECK(refusal("uint8", "1e2") == "fill_value: is no whole number");
  CHECK(refusal("uint8", "null") == "fill_value: is no number");
  CHECK(refusal("uint8", R"("1")") == "fill_value: is no number");
  CHECK(refusal("bool", "1") == "fill_value: is neither true nor false");
}

TEST_CASE("fill values of floats keep zeros' signs, NaNs' payloads, and the nearest value") {
  CHECK(fill_of("float32", "0.1") == "3dcccccd");
  CHECK(fill_of("float32", "-0.0") == "80000000");
  CHECK(fill_of("float64", "-0.0") == "8000000000000000");
  CHECK(fill_of("float16", "-0.0") == "8000");
  CHECK(fill_of("float32", R"("NaN")") == "7fc00000");
  CHECK(fill_of("float64", R"("NaN")") == "7ff8000000000000");
  CHECK(fill_of("float16", R"("NaN")") == "7e00");
  CHECK(fill_of("float32", R"("Infinity")") == "7f800000");
  CHECK(fill_of("float16", R"("-Infinity")") == "fc00");
  CHECK(fill_of("float32", R"("0xff800001")") == "ff800001");  // signalling, negative
  CHECK(fill_of("float64", R"("0x7ff8000000000001")") == "7ff8000000000001");
  CHECK(fill_of("float16", R"("0x3C01")") == "3c01");
  CHECK(fill_of("float16", "65519.9") == "7bff");
  CHECK(fill_of("float16", "5.960464477539063e-08") == "0001");
  // Just above the middle of 1 and the next half: rounded to a float first, it would be the middle, and go down to even.
  CHECK(fill_of("float16", "1.00048828125000001") == "3c00");
  CHECK(fill_of("float16", "1.0004882812500002") == "3c01");
  CHECK(fill_of("float32", "3.4028235677973362e38") == "7f7fffff");
  CHECK(refusal("float32", "3.4028235677973366e38") == "fill_value: is too large for the data type");
  CHECK(refusal("float16", "65520") == "fill_value: is too large for the data type");
  CHECK(refusal("float32", R"("0x7fc0000")") != "");
  CHECK(refusal("float32", R"("0x7fc0000g")") != "");
  CHECK(refusal("float32", R"("nan")") != "");
}

TEST_CASE("fill values of complex numbers are pairs, of raw ones arrays of bytes or base64") {
  CHECK(fill_of("complex64", R"([1.5, "NaN"])") == "3fc000007fc00000");
  CHECK(fill_of("complex128", R"(["-Infinity", -0.0])") == "fff00000000000008000000000000000");
  CHECK(fill_of("r24", "[1, 2, 255]") == "0102ff");
  CHECK(fill_of("r24", R"("AQL/")") == "0102ff");
  CHECK(fill_of("r8", R"("AQ==")") == "01");
  CHECK(refusal("complex64", "1") == "fill_value: is no array");
  CHECK(refusal("complex64", "[1]") == "fill_value: is no pair of real and imaginary part");
  CHECK(refusal("r24", "[1, 2]") == "fill_value: has 2 bytes, and an element has 3");
  CHECK(refusal("r24", "[1, 2, 256]") == "fill_value[2]: is 256, and from 0 to 255 is allowed");
  CHECK(refusal("r24", R"("AQ=L")") == "fill_value: is no base64");
}

TEST_CASE("v2's fill values are as zarr-python writes them") {
  const auto fill = [](const std::string& dtype, const std::string& value) {
    return parse_zarr_v2_array(with_member(v2_with("dtype", dtype), "fill_value", value), "", "a").fill;
  };
  CHECK(fill(R"("<u2")", "null").empty());
  CHECK(fill(R"("|b1")", "0") == std::vector<std::byte>{std::byte{0}});
  CHECK(fill(R"("|b1")", "true") == std::vector<std::byte>{std::byte{1}});
  CHECK(fill(R"("<i4")", "-1.0") == std::vector<std::byte>(4, std::byte{255}));
  CHECK(fill(R"("|V3")", R"("AQID")") == std::vector<std::byte>{std::byte{1}, std::byte{2}, std::byte{3}});
  CHECK(fill(R"("|V3")", "0") == std::vector<std::byte>(3));
  CHECK(fill(R"("<f8")", R"("NaN")").size() == 8);
  auto payload = parse_zarr_v2_array(
      with_member(v2_with("dtype", R"("<f4")"), "fill_value", R"("0x7fc00001")"), "", "a");
  CHECK_THROWS_AS(to_json(payload), Error);  // bits are v3's word
}
