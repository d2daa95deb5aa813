#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>

namespace weir {

/// The number that the whole text is, or nothing; out of the type's range is nothing, too. White space and
/// NULs around it do not count (TIFF's ASCII fields end in NUL, some writers pad). Independent of the locale.
/// Floating types also read "nan" and "inf".
template <class Number>
std::optional<Number> number_in(std::string_view text) {
  constexpr std::string_view padding(" \t\r\n\0", 5);
  const auto first = text.find_first_not_of(padding);
  if (first == std::string_view::npos) return std::nullopt;
  text = text.substr(first, text.find_last_not_of(padding) - first + 1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);  // from_chars knows no plus
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The text as a value of the sample type, or nothing where the type cannot hold it (300 in uint8, 0.5 in any
/// integer). "-9999.0" and "1e3" are integers, too. Exact for 64-bit integers, which a double is not.
template <class Sample>
std::optional<Sample> sample_in(std::string_view text) {
  if (const auto sample = number_in<Sample>(text)) return sample;
  if constexpr (std::integral<Sample>) {
    // The upper bound is a power of two and so exact in a double; its predecessor, the type's maximum, need
    // not be.
    const auto number = number_in<double>(text);
    if (number && *number == std::trunc(*number) &&
        *number >= static_cast<double>(std::numeric_limits<Sample>::min()) &&
        *number < std::ldexp(1.0, std::numeric_limits<Sample>::digits))
      return static_cast<Sample>(*number);
  }
  return std::nullopt;
}

}  // namespace weir
