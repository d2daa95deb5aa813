#include "nodes/headers/header_values.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>

#include "framework/utf8.hpp"

namespace weir {
namespace {

// TIFF 6.0 section 2, and BigTIFF.
enum FieldType : std::uint16_t {
  byte_type = 1,
  ascii_type = 2,
  short_type = 3,
  long_type = 4,
  rational_type = 5,
  sbyte_type = 6,
  undefined_type = 7,
  sshort_type = 8,
  slong_type = 9,
  srational_type = 10,
  float_type = 11,
  double_type = 12,
  ifd_type = 13,
  long8_type = 16,
  slong8_type = 17,
  ifd8_type = 18,
};

std::optional<std::int64_t> whole_of(double number) {
  // -2^63 is a double, 2^63 is the first that is too large.
  if (!(number >= -0x1p63 && number < 0x1p63) || number != std::trunc(number)) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace

template <class T>
T HeaderValues::load(std::uint64_t index) const {
  T value;
  std::memcpy(&value, bytes_.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::optional<std::int64_t> HeaderValues::whole(std::uint64_t index) const {
  switch (type_) {
    case byte_type:
      return load<std::uint8_t>(index);
    case sbyte_type:
      return load<std::int8_t>(index);
    case short_type:
      return load<std::uint16_t>(index);
    case sshort_type:
      return load<std::int16_t>(index);
    case long_type:
    case ifd_type:
      return load<std::uint32_t>(index);
    case slong_type:
      return load<std::int32_t>(index);
    case long8_type:
    case ifd8_type: {
      const auto number = load<std::uint64_t>(index);
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
      return static_cast<std::int64_t>(number);
    }
    case slong8_type:
      return load<std::int64_t>(index);
    default: {
      const std::optional<double> number = real(index);
      return number ? whole_of(*number) : std::nullopt;
    }
  }
}

std::optional<double> HeaderValues::real(std::uint64_t index) const {
  switch (type_) {
    case rational_type: {
      const double over = load<std::uint32_t>(2 * index), under = load<std::uint32_t>(2 * index + 1);
      return under == 0 ? std::nullopt : std::optional(over / under);
    }
    case srational_type: {
      const double over = load<std::int32_t>(2 * index), under = load<std::int32_t>(2 * index + 1);
      return under == 0 ? std::nullopt : std::optional(over / under);
    }
    case float_type:
      return load<float>(index);
    case double_type:
      return load<double>(index);
    case long8_type:
    case ifd8_type:
      return static_cast<double>(load<std::uint64_t>(index));
    case ascii_type:
    case undefined_type:
      return std::nullopt;
    default: {
      const std::optional<std::int64_t> number = whole(index);
      return number ? std::optional(static_cast<double>(*number)) : std::nullopt;
    }
  }
}

std::string_view HeaderValues::chars() const {
  const auto* text = reinterpret_cast<const char*>(bytes_.data());
  const void* end = bytes_.empty() ? nullptr : std::memchr(text, 0, bytes_.size());
  return {text,
          end == nullptr ? bytes_.size() : static_cast<std::size_t>(static_cast<const char*>(end) - text)};
}

std::string HeaderValues::to_text() const {
  if (type_ == ascii_type) return to_utf8(chars());
  std::string text;
  if (type_ == undefined_type) {
    constexpr std::string_view digits = "0123456789abcdef";
    text.reserve(2 * bytes_.size());
    for (const std::byte byte : bytes_) {
      text += digits[std::to_integer<std::size_t>(byte) >> 4];
      text += digits[std::to_integer<std::size_t>(byte) & 15];
    }
    return text;
  }
  const auto end = std::back_inserter(text);
  for (std::uint64_t i = 0; i < count_; ++i) {
    if (i > 0) text += ", ";
    switch (type_) {
      case rational_type:
        fmt::format_to(end, "{}/{}", load<std::uint32_t>(2 * i), load<std::uint32_t>(2 * i + 1));
        break;
      case srational_type:
        fmt::format_to(end, "{}/{}", load<std::int32_t>(2 * i), load<std::int32_t>(2 * i + 1));
        break;
      case float_type:
        fmt::format_to(end, "{}", load<float>(i));
        break;
      case double_type:
        fmt::format_to(end, "{}", load<double>(i));
        break;
      case long8_type:
      case ifd8_type:
        text += fmt::format_int(load<std::uint64_t>(i)).c_str();
        break;
      default:
        text += fmt::format_int(*whole(i)).c_str();
    }
  }
  return text;
}

std::string to_utf8(std::string_view text) {
  std::string good;
  good.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    if (length > 0) {
      good.append(text, i, length);
      i += length;
    } else {
      const auto code = static_cast<unsigned char>(text[i++]);
      good += static_cast<char>(0xc0 | code >> 6);
      good += static_cast<char>(0x80 | (code & 0x3f));
    }
  }
  return good;
}

}  // namespace weir
