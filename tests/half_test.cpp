#include "nodes/raster/half.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

using namespace weir;

namespace {

/// By the definition (IEEE 754-2019, 3.4).
double value_of(std::uint16_t half) {
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  const double magnitude =
      exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}
bool is_special(std::uint32_t half) {
  return (half & 0x7c00u) == 0x7c00u;
}

}  // namespace

TEST_CASE("every half is read as the number that it is, and written back as itself") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float number = float_from_half(half);
    CAPTURE(bits);
    if (!is_special(bits)) {
      REQUIRE(static_cast<double>(number) == value_of(half));
      REQUIRE(std::signbit(number) == ((bits & 0x8000u) != 0));
    } else if ((bits & 0x3ffu) == 0) {
      REQUIRE(std::isinf(number));
    } else {
      REQUIRE(std::isnan(number));
      REQUIRE(std::isnan(float_from_half(half_from_float(number))));
      continue;
    }
    REQUIRE(half_from_float(number) == half);
  }
}

TEST_CASE("a float becomes the nearest half, and the even one of two that are equally near") {
  for (std::uint32_t bits = 0; bits < 0x7bff; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits), next = static_cast<std::uint16_t>(bits + 1);
    const float low = float_from_half(half), high = float_from_half(next);
    const float middle = low + (high - low) / 2;  // exact: a float has bits enough
    CAPTURE(bits);
    REQUIRE(half_from_float(std::nextafter(middle, 0.0f)) == half);
    REQUIRE(half_from_float(middle) == (bits % 2 == 0 ? half : next));
    REQUIRE(half_from_float(std::nextafter(middle, 1e9f)) == next);
    REQUIRE(half_from_float(-middle) == ((bits % 2 == 0 ? half : next) | 0x8000));
  }
  CHECK(half_from_float(65519.996f) == 0x7bff);
  CHECK(half_from_float(65520.0f) == half_infinity);
  CHECK(half_from_float(std::numeric_limits<float>::max()) == half_infinity);
  CHECK(half_from_float(std::numeric_limits<float>::denorm_min()) == 0);
}
