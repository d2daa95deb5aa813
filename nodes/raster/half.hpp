#pragma once

#include <bit>
#include <cstdint>

// IEEE 754 binary16, which C++20 has no type for. Bits only, so that compilers vectorise loops over them.

namespace weir {

inline constexpr std::uint16_t half_infinity = 0x7c00;

/// Exact; a NaN stays one, with its payload.
constexpr float float_from_half(std::uint16_t half) {
  // Exponent and fraction of a half, moved to a float's place, are a float whose exponent is 112 too small: one
  // multiplication puts that right, for subnormals too. Infinities and NaN get the exponent that they need.
  const std::uint32_t sign = (half & 0x8000u) << 16, rest = (half & 0x7fffu) << 13;
  const float scaled = std::bit_cast<float>(rest) * std::bit_cast<float>((254u - 15u) << 23);
  const std::uint32_t special = (half & 0x7fffu) >= half_infinity ? 0x7f800000u : 0u;
  return std::bit_cast<float>(sign | special |
                              (special != 0 ? rest & 0x007fffffu : std::bit_cast<std::uint32_t>(scaled)));
}

/// To the nearest, ties to even; too large becomes infinity.
constexpr std::uint16_t half_from_float(float number) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(number), sign = bits >> 16 & 0x8000u,
                      magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u)  // NaN: quiet, with what its payload has room for
    return static_cast<std::uint16_t>(sign | 0x7e00u | (magnitude >> 13 & 0x3ffu));
  if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | half_infinity);  // from 65520 on
  if (magnitude < 0x38800000u) {  // subnormal: the addition rounds at the place of a half's last bit
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<std::uint16_t>(
        sign | (std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f)));
  }
  const std::uint32_t odd = magnitude >> 13 & 1u;
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

}  // namespace weir
