#include "nodes/codecs/lzw_decode.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace weir::codec_parts {
namespace {

constexpr unsigned clear_code = 256, end_code = 257, first_string = 258;
constexpr unsigned no_code = 1u << 16;
constexpr unsigned least_bits = 9, most_bits = 12;

/// Codes of a stream, high bits first.
class CodeReader {
 public:
  explicit CodeReader(std::span<const std::byte> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  /// no_code where the data ends.
  unsigned next(unsigned bits) {
    if (count_ < bits) {
      fill();
      if (count_ < bits) return no_code;
    }
    const auto code = static_cast<unsigned>(held_ >> (64 - bits));
    held_ <<= bits;
    count_ -= bits;
    return code;
  }

 private:
  void fill() {
    if (end_ - at_ >= 8) {
      std::uint64_t eight;
      std::memcpy(&eight, at_, sizeof eight);
      if constexpr (std::endian::native == std::endian::little) eight = __builtin_bswap64(eight);
      held_ |= eight >> count_;
      const unsigned taken =
          (63 - count_) / 8;  // whole bytes that fit; the bits of the next one are there, and come again
      at_ += taken;
      count_ += 8 * taken;
      return;
    }
    for (; count_ <= 56 && at_ < end_; count_ += 8)
      held_ |= static_cast<std::uint64_t>(*at_++) << (56 - count_);
  }

  const std::byte *at_, *end_;
  std::uint64_t held_ = 0;  // from the high bit on
  unsigned count_ = 0;      // how many of them are counted as held
};

/// Strings of up to this many bytes, nearly all, are copied with one load and one store, over what is decoded next.
constexpr std::size_t at_once = 16;

}  // namespace

bool decode_lzw(std::span<const std::byte> encoded, std::span<std::byte> out, LzwString* table) {
  if (out.size() > std::numeric_limits<std::uint32_t>::max()) return false;
  CodeReader codes(encoded);
  if (codes.next(least_bits) != clear_code) return false;

  std::byte* const data = out.data();
  const std::size_t size = out.size();
  std::size_t at = 0;
  unsigned bits = least_bits, strings = first_string;
  LzwString last{0, 0};  // nothing behind a clear code
  while (at < size) {
    const unsigned code = codes.next(bits);
    if (code == clear_code) {
      bits = least_bits;
      strings = first_string;
      last.bytes = 0;
      continue;
    }
    if (code == end_code || code == no_code) return false;  // before the piece is full
    const bool is_first = last.bytes == 0;
    if (!is_first) {
      if (strings == lzw_strings) return false;
      table[strings++] = {last.first, last.bytes + 1};
      if (strings == (1u << bits) - 1 && bits < most_bits) ++bits;
    }
    last = {static_cast<std::uint32_t>(at), 1};
    if (code < clear_code) {
      data[at++] = static_cast<std::byte>(code);
      continue;
    }
    if (is_first || code >= strings) return false;
    const LzwString string = table[code];
    const std::byte* const from = data + string.first;
    std::byte* const to = data + at;
    const std::size_t bytes = std::min<std::size_t>(string.bytes, size - at);
    if (bytes <= at_once && size - at >= at_once) {
      std::byte copy[at_once];
      std::memcpy(copy, from, at_once);  // ends in front of `to` + at_once
      std::memcpy(to, copy, at_once);
    } else {
      std::memcpy(to, from, std::min<std::size_t>(bytes, static_cast<std::size_t>(to - from)));
    }
    // The string that this very code has completed: its last byte is its first.
    if (code == strings - 1 && bytes == string.bytes) to[bytes - 1] = *from;
    last.bytes = string.bytes;
    at += bytes;
  }
  return true;
}

bool lzw_ends(std::span<const std::byte> encoded, std::uint64_t least, std::uint64_t most) {
  CodeReader codes(encoded);
  std::array<std::uint64_t, lzw_strings> lengths;  // of the strings
  unsigned bits = least_bits, strings = first_string;
  std::uint64_t at = 0, last = 0;  // bytes so far, and of the string before; 0: none behind a clear code
  while (at <= most) {
    // libtiff before 4.1.1 does not count the last string, and its end is one bit narrower where that string makes codes wider.
    if (CodeReader narrow = codes; at >= least && bits > least_bits && strings == (1u << (bits - 1)) - 1 &&
                                   narrow.next(bits - 1) == end_code)
      return true;
    const unsigned code = codes.next(bits);
    if (code == end_code) return at >= least;
    if (code == clear_code) {
      bits = least_bits;
      strings = first_string;
      last = 0;
      continue;
    }
    if (last > 0 && strings < lzw_strings) {
      lengths[strings++] = last + 1;
      if (strings == (1u << bits) - 1 && bits < most_bits) ++bits;
    }
    if (code > clear_code && code >= strings) return false;  // no_code among them
    last = code < clear_code ? 1 : lengths[code];
    at += last;
  }
  return false;
}

}  // namespace weir::codec_parts
