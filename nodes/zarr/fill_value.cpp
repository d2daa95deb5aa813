#include "nodes/zarr/fill_value.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>

#include "framework/error.hpp"
#include "nodes/raster/half.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

using Kind = ZarrType::Kind;

template <class Value>
void append(std::vector<std::byte>& out, const Value& value) {
  const auto bytes = std::bit_cast<std::array<std::byte, sizeof(Value)>>(value);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class Value>
Value value_at(const std::vector<std::byte>& fill, std::size_t offset = 0) {
  Value value;
  std::memcpy(&value, fill.data() + offset, sizeof value);
  return value;
}

// Floats are handled as their bits, of which a NaN keeps each. `bytes` is 2, 4 or 8.

void append_bits(std::vector<std::byte>& out, std::uint64_t bits, std::uint32_t bytes) {
  if (bytes == 2) append(out, static_cast<std::uint16_t>(bits));
  if (bytes == 4) append(out, static_cast<std::uint32_t>(bits));
  if (bytes == 8) append(out, bits);
}

std::uint64_t bits_at(const std::vector<std::byte>& fill, std::size_t offset, std::uint32_t bytes) {
  return bytes == 2   ? value_at<std::uint16_t>(fill, offset)
         : bytes == 4 ? value_at<std::uint32_t>(fill, offset)
                      : value_at<std::uint64_t>(fill, offset);
}

std::uint64_t fraction_bits(std::uint32_t bytes) {
  return bytes == 2 ? 10 : bytes == 4 ? 23 : 52;
}
std::uint64_t infinity_bits(std::uint32_t bytes) {
  const std::uint64_t exponent_bits = 8 * bytes - 1 - fraction_bits(bytes);
  return ((1ull << exponent_bits) - 1) << fraction_bits(bytes);
}
std::uint64_t nan_bits(std::uint32_t bytes) {
  return infinity_bits(bytes) | 1ull << (fraction_bits(bytes) - 1);
}
std::uint64_t sign_bit(std::uint32_t bytes) {
  return 1ull << (8 * bytes - 1);
}

/// To the float towards zero, with its last bit set where that lost something: rounding it on to a half is then right (a
/// nearest float could lie just between two halves where the double did not).
float rounded_to_odd(double number) {
  const auto nearest = static_cast<float>(number);
  if (static_cast<double>(nearest) == number) return nearest;
  auto bits = std::bit_cast<std::uint32_t>(nearest);
  if (std::fabs(static_cast<double>(nearest)) > std::fabs(number)) --bits;
  return std::bit_cast<float>(bits | 1u);
}

std::uint64_t bits_of(double number, std::uint32_t bytes, const JsonPlace& place) {
  if (std::isnan(number)) return nan_bits(bytes);
  if (std::isinf(number)) return infinity_bits(bytes) | (number < 0 ? sign_bit(bytes) : 0);
  // From here on the nearest value would be infinity: half a step beyond the largest.
  const double too_large = bytes == 2 ? 65520 : 0x1.ffffffp127;
  if (bytes < 8 && std::fabs(number) >= too_large) place.refuse("is too large for the data type");
  if (bytes == 2) return half_from_float(rounded_to_odd(number));
  if (bytes == 4) return std::bit_cast<std::uint32_t>(static_cast<float>(number));
  return std::bit_cast<std::uint64_t>(number);
}

std::uint64_t float_bits(const JsonPlace& place, std::uint32_t bytes) {
  const std::string* text = place.value().text();
  if (text == nullptr) return bits_of(place.number(), bytes, place);
  if (*text == "NaN") return nan_bits(bytes);
  if (*text == "Infinity") return infinity_bits(bytes);
  if (*text == "-Infinity") return infinity_bits(bytes) | sign_bit(bytes);
  std::uint64_t bits = 0;
  if (text->size() == 2 + 2 * std::size_t{bytes} && text->starts_with("0x")) {
    const char* end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data() + 2, end, bits, 16);
    if (error == std::errc() && stop == end) return bits;
  }
  place.refuse(fmt::format(
      "is neither a number, \"NaN\", \"Infinity\", \"-Infinity\" nor \"0x\" with {} digits", 2 * bytes));
}

template <class Integer>
void append_integer(std::vector<std::byte>& out, const JsonPlace& place, int format) {
  const JsonNumber* number = place.value().number();
  if (number == nullptr) place.refuse("is no number");
  const bool is_whole = number->text.find_first_of(".eEN") == std::string::npos;
  if (!is_whole && format == 3) place.refuse("is no whole number");
  const auto value = sample_in<Integer>(number->text);
  if (!value) place.refuse(fmt::format("{} is no value of the data type", number->text.substr(0, 40)));
  append(out, *value);
}

void append_integer_of(std::vector<std::byte>& out, const JsonPlace& place, const ZarrType& type,
                       int format) {
  const bool is_signed = type.kind == Kind::integer;
  switch (type.bytes) {
    case 1:
      return is_signed ? append_integer<std::int8_t>(out, place, format)
                       : append_integer<std::uint8_t>(out, place, format);
    case 2:
      return is_signed ? append_integer<std::int16_t>(out, place, format)
                       : append_integer<std::uint16_t>(out, place, format);
    case 4:
      return is_signed ? append_integer<std::int32_t>(out, place, format)
                       : append_integer<std::uint32_t>(out, place, format);
    default:
      return is_signed ? append_integer<std::int64_t>(out, place, format)
                       : append_integer<std::uint64_t>(out, place, format);
  }
}

std::vector<std::byte> raw_value(const JsonPlace& place, std::uint32_t bytes) {
  std::vector<std::byte> fill;
  if (const std::string* text = place.value().text()) {
    auto decoded = bytes_of_base64(*text);
    if (!decoded) place.refuse("is no base64");
    fill = std::move(*decoded);
  } else {
    for (const JsonPlace& item : place.items()) fill.push_back(static_cast<std::byte>(item.whole(0, 255)));
  }
  if (fill.size() != bytes)
    place.refuse(fmt::format("has {} bytes, and an element has {}", fill.size(), bytes));
  return fill;
}

std::vector<std::byte> fill_value(const JsonPlace& place, const ZarrType& type, int format) {
  std::vector<std::byte> fill;
  switch (type.kind) {
    case Kind::boolean:
      fill.push_back(place.boolean() ? std::byte{1} : std::byte{0});
      break;
    case Kind::integer:
    case Kind::unsigned_integer:
      append_integer_of(fill, place, type, format);
      break;
    case Kind::floating:
      append_bits(fill, float_bits(place, type.bytes), type.bytes);
      break;
    case Kind::complex: {
      const auto parts = place.items();
      if (parts.size() != 2) place.refuse("is no pair of real and imaginary part");
      for (const JsonPlace& part : parts)
        append_bits(fill, float_bits(part, type.word_bytes()), type.word_bytes());
      break;
    }
    case Kind::raw:
      return raw_value(place, type.bytes);
  }
  return fill;
}

JsonValue float_json(std::uint64_t bits, std::uint32_t bytes, int format) {
  const std::uint64_t magnitude = bits & ~sign_bit(bytes);
  if (magnitude == infinity_bits(bytes)) return magnitude == bits ? "Infinity" : "-Infinity";
  if (magnitude > infinity_bits(bytes)) {
    if (bits == nan_bits(bytes)) return "NaN";
    if (format == 2)
      throw Error::usage("write", "fill_value", "Zarr v2 has no NaN but the usual one (sign 0, no payload)");
    return fmt::format("0x{:0{}x}", bits, 2 * bytes);
  }
  // As a double, which every value is exactly: what readers go through.
  if (bytes == 2) return static_cast<double>(float_from_half(static_cast<std::uint16_t>(bits)));
  if (bytes == 4) return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  return std::bit_cast<double>(bits);
}

JsonValue integer_json(const std::vector<std::byte>& fill, const ZarrType& type) {
  const bool is_signed = type.kind == Kind::integer;
  switch (type.bytes) {
    case 1:
      return is_signed ? JsonValue(std::int64_t{value_at<std::int8_t>(fill)})
                       : JsonValue(std::uint64_t{value_at<std::uint8_t>(fill)});
    case 2:
      return is_signed ? JsonValue(std::int64_t{value_at<std::int16_t>(fill)})
                       : JsonValue(std::uint64_t{value_at<std::uint16_t>(fill)});
    case 4:
      return is_signed ? JsonValue(std::int64_t{value_at<std::int32_t>(fill)})
                       : JsonValue(std::uint64_t{value_at<std::uint32_t>(fill)});
    default:
      return is_signed ? JsonValue(value_at<std::int64_t>(fill)) : JsonValue(value_at<std::uint64_t>(fill));
  }
}

constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::vector<std::byte> fill_value_v3(const JsonPlace& place, const ZarrType& type) {
  return fill_value(place, type, 3);
}

std::vector<std::byte> fill_value_v2(const JsonPlace& place, const ZarrType& type) {
  if (place.value().is_null()) return {};
  const JsonNumber* number = place.value().number();
  // numpy's zero of any type, as zarr-python 2 puts it where nothing else was said.
  if (number != nullptr && number->text == "0" && (type.kind == Kind::raw || type.kind == Kind::complex))
    return std::vector<std::byte>(type.bytes);
  if (number != nullptr && type.kind == Kind::boolean) return {static_cast<std::byte>(place.whole(0, 1))};
  return fill_value(place, type, 2);
}

JsonValue fill_value_json(const std::vector<std::byte>& fill, const ZarrType& type, int format) {
  if (fill.empty()) {
    if (format == 2) return nullptr;
    // v3 has no null: what v2's reads as.
    return fill_value_json(std::vector<std::byte>(type.bytes), type, format);
  }
  switch (type.kind) {
    case Kind::boolean:
      return fill[0] != std::byte{0};
    case Kind::integer:
    case Kind::unsigned_integer:
      return integer_json(fill, type);
    case Kind::floating:
      return float_json(bits_at(fill, 0, type.bytes), type.bytes, format);
    case Kind::complex: {
      const std::uint32_t bytes = type.word_bytes();
      return JsonValue::Array{float_json(bits_at(fill, 0, bytes), bytes, format),
                              float_json(bits_at(fill, bytes, bytes), bytes, format)};
    }
    case Kind::raw:
      break;
  }
  if (format == 2) return base64(fill);
  JsonValue::Array array;
  for (const std::byte byte : fill) array.push_back(std::to_integer<int>(byte));
  return array;
}

std::string base64(const std::vector<std::byte>& bytes) {
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t there = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < there ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
    for (std::size_t k = 0; k < 4; ++k) text += k <= there ? base64_digits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::optional<std::vector<std::byte>> bytes_of_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::vector<std::byte> bytes;
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = i >= text.size() - padding ? 0 : base64_digits.find(text[i]);
    if (digit == std::string_view::npos) return std::nullopt;
    group = group << 6 | static_cast<std::uint32_t>(digit);
    if (i % 4 == 3)
      for (const int shift : {16, 8, 0}) bytes.push_back(static_cast<std::byte>(group >> shift & 255));
  }
  for (; padding > 0; --padding) bytes.pop_back();
  return bytes;
}

}  // namespace weir
