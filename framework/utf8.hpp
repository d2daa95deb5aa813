#pragma once

#include <cstddef>
#include <string_view>

namespace weir {

/// Length of the well-formed UTF-8 character that starts at `at`, or 0 (Unicode 15, table 3-7).
inline std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  const auto is_tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned a = byte(0), b = byte(1);
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return is_tail(1) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    const bool fits = (a != 0xe0 || b >= 0xa0) && (a != 0xed || b <= 0x9f);
    return fits && is_tail(1) && is_tail(2) ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    const bool fits = (a != 0xf0 || b >= 0x90) && (a != 0xf4 || b <= 0x8f);
    return fits && is_tail(1) && is_tail(2) && is_tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace weir
