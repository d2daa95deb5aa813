#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/headers/header_rows.hpp"
#include "nodes/headers/header_values.hpp"
#include "nodes/raster/tiff_values.hpp"
#include "tests/memory_tiff.hpp"

// What the tests of headers share: TIFF headers of any content, put together byte by byte, and a file that is given to
// the reader in pieces.

namespace weir::test {

/// An entry of a directory to be made. `count` and `offset` replace what would be right.
struct MadeEntry {
  std::uint16_t tag = 0, type = 0;
  Bytes value;  ///< in the file's byte order
  std::optional<std::uint64_t> count = {}, offset = {};
};

/// Numbers as the file has them.
class HeaderMaker {
 public:
  explicit HeaderMaker(bool is_little_endian = true, bool is_big = false)
      : is_swapped_(is_little_endian != (std::endian::native == std::endian::little)), is_big_(is_big) {
    bytes_ = {is_little_endian ? std::byte{'I'} : std::byte{'M'},
              is_little_endian ? std::byte{'I'} : std::byte{'M'}};
    put<std::uint16_t>(bytes_, is_big ? 43 : 42);
    if (is_big) put<std::uint16_t>(bytes_, 8), put<std::uint16_t>(bytes_, 0);
    link_ = bytes_.size();
    put_word(bytes_, 0);
  }

  template <class T>
  void put(Bytes& to, T number) const {
    Bytes raw(sizeof number);
    std::memcpy(raw.data(), &number, sizeof number);
    if (is_swapped_) std::ranges::reverse(raw);
    to.insert(to.end(), raw.begin(), raw.end());
  }
  void put_word(Bytes& to, std::uint64_t number) const {
    if (is_big_)
      put<std::uint64_t>(to, number);
    else
      put<std::uint32_t>(to, static_cast<std::uint32_t>(number));
  }

  template <class T>
  MadeEntry numbers(std::uint16_t tag, std::uint16_t type, std::vector<T> values) const {
    MadeEntry entry{tag, type, {}};
    for (const T value : values) put<T>(entry.value, value);
    return entry;
  }
  MadeEntry shorts(std::uint16_t tag, std::vector<std::uint16_t> values) const {
    return numbers(tag, 3, values);
  }
  MadeEntry longs(std::uint16_t tag, std::vector<std::uint32_t> values) const {
    return numbers(tag, 4, values);
  }
  MadeEntry doubles(std::uint16_t tag, std::vector<double> values) const { return numbers(tag, 12, values); }
  static MadeEntry text(std::uint16_t tag, std::string_view chars) {
    MadeEntry entry{tag, 2, Bytes(chars.size() + 1)};
    std::memcpy(entry.value.data(), chars.data(), chars.size());
    return entry;
  }

  /// Appends a directory, with its values behind it or, `values_first`, in front, and lets the last one, or `link`, point at it.
  /// Returns its offset.
  std::uint64_t add(const std::vector<MadeEntry>& entries, bool values_first = false,
                    std::optional<std::uint64_t> link = {}) {
    pad_to_word();
    const std::uint64_t word = is_big_ ? 8 : 4,
                        table = (is_big_ ? 8 : 2) + entries.size() * (is_big_ ? 20 : 12) + word;
    Bytes values;
    std::uint64_t values_at = bytes_.size() + table;
    if (values_first) {
      values_at = bytes_.size();
      for (const MadeEntry& entry : entries)
        if (entry.value.size() > word) bytes_.insert(bytes_.end(), entry.value.begin(), entry.value.end());
      pad_to_word();
    }
    const std::uint64_t at = bytes_.size();
    set_word(link.value_or(link_), at);
    if (is_big_)
      put<std::uint64_t>(bytes_, entries.size());
    else
      put<std::uint16_t>(bytes_, static_cast<std::uint16_t>(entries.size()));
    for (const MadeEntry& entry : entries) {
      put<std::uint16_t>(bytes_, entry.tag);
      put<std::uint16_t>(bytes_, entry.type);
      put_word(bytes_, entry.count.value_or(entry.value.size() / size_of(entry.type)));
      if (entry.value.size() > word || entry.offset) {
        put_word(bytes_, entry.offset.value_or(values_at + values.size()));
        values.insert(values.end(), entry.value.begin(), entry.value.end());
      } else {
        Bytes field = entry.value;
        field.resize(word);
        bytes_.insert(bytes_.end(), field.begin(), field.end());
      }
    }
    link_ = bytes_.size();
    put_word(bytes_, 0);
    if (!values_first) bytes_.insert(bytes_.end(), values.begin(), values.end());
    return at;
  }
  void fill(std::uint64_t bytes, std::byte with = std::byte{0xee}) {
    bytes_.insert(bytes_.end(), bytes, with);
  }
  void set_word(std::uint64_t at, std::uint64_t number) {
    Bytes raw;
    put_word(raw, number);
    std::ranges::copy(raw, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  }
  std::uint64_t link() const { return link_; }  ///< where the last directory says which one is next
  Bytes& bytes() { return bytes_; }

  /// A small picture: what every reader wants to know.
  std::vector<MadeEntry> picture(std::vector<MadeEntry> more = {}) const {
    std::vector<MadeEntry> entries = {shorts(256, {40}), shorts(257, {30}), shorts(258, {8}),
                                      shorts(259, {1}),  shorts(262, {1}),  longs(273, {8}),
                                      shorts(277, {1}),  shorts(278, {30}), longs(279, {1200})};
    for (MadeEntry& entry : more) {
      std::erase_if(entries, [&](const MadeEntry& old) { return old.tag == entry.tag; });
      entries.push_back(std::move(entry));
    }
    std::ranges::stable_sort(entries, {}, &MadeEntry::tag);
    return entries;
  }

 private:
  static std::uint64_t size_of(std::uint16_t type) {
    return std::max<std::uint64_t>(tiff_type_bytes(type), 1);
  }
  void pad_to_word() {
    if (bytes_.size() % 2 != 0) bytes_.push_back({});
  }

  bool is_swapped_, is_big_;
  Bytes bytes_;
  std::uint64_t link_ = 0;
};

/// A header as it was read, and what that took.
struct ReadHeader {
  TiffHeader header;
  std::vector<ByteRange> asked;  ///< of all calls
  std::size_t calls = 0;         ///< that were answered
};

/// How the ranges that a reader asks for are given to it: all of them, or in pieces.
struct Feeding {
  std::uint64_t prefix = 16384;
  std::uint64_t piece = ~0ULL;  ///< bytes at most in one piece
  bool one_at_a_time = false;   ///< of each call only the first piece of the first range
};

inline ReadHeader read_header(std::span<const std::byte> file, const Feeding& feeding = {},
                              const HeaderLimits& limits = {}) {
  HeaderReader reader(file.size(), limits);
  HeaderBytes bytes;
  const auto add = [&](ByteRange range) {
    for (std::uint64_t at = range.offset; at < range.end(); at += std::min(feeding.piece, range.end() - at)) {
      bytes.add(at, file.subspan(at, std::min(feeding.piece, range.end() - at)));
      if (feeding.one_at_a_time) return;
    }
  };
  ReadHeader result;
  if (feeding.prefix > 0) bytes.add(0, file.first(std::min<std::uint64_t>(feeding.prefix, file.size())));
  for (std::vector<ByteRange> wanted = reader.read(bytes); !wanted.empty(); wanted = reader.read(bytes)) {
    ++result.calls;
    for (const ByteRange& range : wanted) {
      result.asked.push_back(range);
      add(range);
      if (feeding.one_at_a_time) break;
    }
  }
  result.header = reader.take();
  return result;
}

inline HeaderRows rows_of(std::span<const std::byte> file) {
  return header_rows({"a.tif", file.size()}, read_header(file).header);
}

/// All of a header in words, so that two can be compared.
inline std::string in_words(const TiffHeader& header) {
  std::string text = std::to_string(header.is_little_endian) + std::to_string(header.is_bigtiff) + " " +
                     std::to_string(header.header_end) + "\n";
  for (const HeaderDirectory& directory : header.directories) {
    text += "directory " + std::to_string(directory.offset) + " of " +
            (directory.parent ? std::to_string(*directory.parent) : "none") + "\n";
    for (const HeaderEntry& entry : directory.entries) {
      text += std::to_string(entry.tag) + " " + std::to_string(entry.type) + " " +
              std::to_string(entry.count) + " " + std::to_string(entry.offset) + " " +
              std::to_string(entry.was_read) + " ";
      for (const std::byte byte : header.value(entry))
        text += std::to_string(std::to_integer<int>(byte)) + ",";
      text += "\n";
    }
  }
  for (const HeaderProblem& problem : header.notes.problems)
    text += std::string(problem.code) + " " + std::to_string(problem.offset) + " " + problem.reason + "\n";
  for (const std::string& warning : header.notes.warnings) text += warning + "\n";
  return text;
}

inline bool has_error(const HeaderRows& rows, std::string_view code) {
  return std::ranges::any_of(rows.errors, [&](const HeaderError& error) { return error.code == code; });
}

}  // namespace weir::test
