#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "nodes/headers/tiff_header.hpp"

namespace weir {

/// The value of an entry that was read, as numbers or as text. Lives no longer than the header.
class HeaderValues {
 public:
  HeaderValues(const TiffHeader& header, const HeaderEntry& entry)
      : type_(entry.type), count_(entry.was_read ? entry.count : 0), bytes_(header.value(entry)) {}

  std::uint64_t count() const { return count_; }
  /// Bytes that may be text: ASCII, BYTE, UNDEFINED.
  bool is_text() const { return type_ == 1 || type_ == 2 || type_ == 7; }
  std::span<const std::byte> bytes() const { return bytes_; }
  /// Value `index`, below count(). Nothing where it is no whole number of 64 bits with a sign, or is text.
  std::optional<std::int64_t> whole(std::uint64_t index) const;
  /// The same of any number; nothing for text, and for a denominator of 0.
  std::optional<double> real(std::uint64_t index) const;
  /// Up to the first NUL, as libtiff, GDAL and tiff-dumper read it.
  std::string_view chars() const;
  /// Everything: numbers joined by ", " (shortest that reads as the same number; rationals as "1/3"), ASCII as chars(), in
  /// UTF-8, UNDEFINED in hexadecimal.
  std::string to_text() const;

 private:
  template <class T>
  T load(std::uint64_t index) const;

  std::uint16_t type_;
  std::uint64_t count_;
  std::span<const std::byte> bytes_;
};

/// As it is where it is UTF-8; else every byte that is not is taken for Latin-1.
std::string to_utf8(std::string_view text);

}  // namespace weir
