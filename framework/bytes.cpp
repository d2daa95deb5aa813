#include "framework/bytes.hpp"

#include <fmt/format.h>

#include <limits>

#include "framework/error.hpp"

namespace weir {
namespace {

constexpr std::string_view units = "KMGT";
constexpr std::string_view digits = "0123456789";

std::string_view take_digits(std::string_view& text) {
  const std::size_t length = std::min(text.find_first_not_of(digits), text.size());
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length);
  return taken;
}

}  // namespace

std::uint64_t parse_bytes(std::string_view text) {
  const auto refuse = [text](std::string_view reason) {
    return Error::usage("read", fmt::format("the size '{}'", text), reason);
  };
  constexpr std::string_view expected =
      "expected a number with K, M, G, T or nothing behind it, like 64M or 1.5G";
  std::string_view rest = text;
  const std::string_view whole = take_digits(rest);
  std::string_view fraction;
  const bool has_point = rest.starts_with('.');
  if (has_point) {
    rest.remove_prefix(1);
    fraction = take_digits(rest);
  }
  if (whole.empty() || (has_point && fraction.empty())) throw refuse(expected);
  if (rest.starts_with(' ')) {
    rest.remove_prefix(1);
    if (rest.empty()) throw refuse(expected);
  }

  std::uint64_t unit = 1;
  if (!rest.empty()) {
    // Upper and lower case of a letter differ in this bit.
    const std::size_t power = units.find(static_cast<char>(rest.front() & ~0x20));
    if (power != std::string_view::npos) {
      unit = std::uint64_t{1} << (10 * (power + 1));
      rest.remove_prefix(1);
      if (rest.starts_with('i') && rest.size() == 2) rest.remove_prefix(1);  // 64Mi alone is refused
    }
    if (rest == "B") rest.remove_prefix(1);
  }
  if (!rest.empty()) throw refuse(expected);
  if (has_point && unit == 1) throw refuse("there are no parts of a byte");

  constexpr std::string_view too_large = "it is more than 64 bits hold";
  std::uint64_t bytes = 0;
  for (const char digit : whole)
    if (__builtin_mul_overflow(bytes, 10U, &bytes) ||
        __builtin_add_overflow(bytes, static_cast<unsigned>(digit - '0'), &bytes))
      throw refuse(too_large);
  // From the last digit on: exact, rounded down, and never above ten units.
  std::uint64_t part = 0;
  for (auto digit = fraction.rbegin(); digit != fraction.rend(); ++digit)
    part = (static_cast<unsigned>(*digit - '0') * unit + part) / 10;
  if (__builtin_mul_overflow(bytes, unit, &bytes) || __builtin_add_overflow(bytes, part, &bytes))
    throw refuse(too_large);
  return bytes;
}

std::string format_bytes(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t power = 0;
  // 1023.95 would be shown as 1024.0
  while (value >= 1023.95 && power + 1 < units.size()) {
    value /= 1024;
    ++power;
  }
  return fmt::format("{:.1f} {}iB", value, units[power]);
}

}  // namespace weir
