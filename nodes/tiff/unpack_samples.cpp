#include "nodes/tiff/unpack_samples.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstring>
#include <type_traits>
#include <utility>

#include "nodes/raster/half.hpp"

// MB/s of samples that come out, of one core (AMD EPYC, g++ 12 -O3, rows of 1024; tests/bench/unpack_bench.cpp):
// 1 bit 5400, 4 bits 6000, 12 bits 14400, 24 bits 15000, halves 4100. libzstd decodes at about 1500.

namespace weir {
namespace {

/// Eight samples of `bits` bits are `bits` bytes: after them everything begins anew. Groups of eight are done
/// with 64-bit words, whose shifts are constants because the number of bits is one.
constexpr std::uint64_t group = 8;

template <unsigned Bits>
using SampleOf = std::conditional_t<(Bits > 16), std::uint32_t,
                                    std::conditional_t<(Bits > 8), std::uint16_t, std::uint8_t>>;

std::uint64_t load_big_endian(const std::byte* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}
void store_big_endian(std::uint64_t word, std::byte* to) {
  if constexpr (std::endian::native == std::endian::little) word = __builtin_bswap64(word);
  std::memcpy(to, &word, sizeof word);
}

/// `Bits` ones in each lane of `Lane` bits.
template <unsigned Lane, unsigned Bits>
constexpr std::uint64_t lanes() {
  std::uint64_t mask = 0;
  for (unsigned at = 0; at < 64; at += Lane) mask |= ((std::uint64_t{1} << Bits) - 1) << at;
  return mask;
}

/// Takes the two numbers of `Bits` bits that lie at the low end of each lane to the low ends of its halves.
template <unsigned Lane, unsigned Bits>
std::uint64_t split_lanes(std::uint64_t word) {
  constexpr std::uint64_t low = lanes<Lane, Bits>();
  return (word & low) | (word << (Lane / 2 - Bits) & low << Lane / 2);
}

/// The low 8 * Bits bits are eight samples, the first one highest; each moves into a byte of its own.
template <unsigned Bits>
std::uint64_t spread_to_bytes(std::uint64_t word) {
  return split_lanes<16, Bits>(split_lanes<32, 2 * Bits>(split_lanes<64, 4 * Bits>(word)));
}

/// The low 4 * Bits bits are four samples, the first one highest; each moves into 16 bits of its own, in the
/// order of memory.
template <unsigned Bits>
std::uint64_t spread_to_shorts(std::uint64_t word) {
  constexpr std::uint64_t two = (std::uint64_t{1} << (2 * Bits)) - 1;
  if constexpr (std::endian::native == std::endian::little) {
    word = word >> (2 * Bits) | (word & two) << 32;
    return (word >> Bits & lanes<32, Bits>()) | (word & lanes<32, Bits>()) << 16;
  } else {
    return split_lanes<32, Bits>(split_lanes<64, 2 * Bits>(word));
  }
}

/// Eight samples. Reads 8 bytes at each place, so up to 8 bytes from the last sample's first one on.
template <unsigned Bits>
void unpack_group(const std::byte* from, std::byte* to) {
  if constexpr (Bits < 8) {
    store_big_endian(spread_to_bytes<Bits>(load_big_endian(from) >> (64 - 8 * Bits)), to);
  } else if constexpr (Bits < 16) {
    // The second four begin in the middle of a byte where Bits is odd.
    const std::uint64_t words[] = {
        spread_to_shorts<Bits>(load_big_endian(from) >> (64 - 4 * Bits)),
        spread_to_shorts<Bits>(load_big_endian(from + Bits / 2) << (Bits % 2 * 4) >> (64 - 4 * Bits))};
    std::memcpy(to, words, sizeof words);
  } else {
    for (unsigned i = 0; i < group; ++i) {
      const auto sample =
          static_cast<std::uint32_t>(load_big_endian(from + i * Bits / 8) << (i * Bits % 8) >> (64 - Bits));
      std::memcpy(to + i * sizeof sample, &sample, sizeof sample);
    }
  }
}

template <unsigned Bits>
void unpack_bits(const std::byte* row, std::uint64_t count, std::byte* to) {
  constexpr std::size_t sample_bytes = sizeof(SampleOf<Bits>);
  constexpr std::uint64_t read_bytes = Bits + 8;  // of a group, at most
  const std::uint64_t row_bytes = (count * Bits + 7) / 8;
  std::uint64_t done = 0;
  for (; done + group <= count && done / group * Bits + read_bytes <= row_bytes; done += group)
    unpack_group<Bits>(row + done / group * Bits, to + done * sample_bytes);
  // The last one to three groups, from a copy that may be read beyond its end.
  while (done < count) {
    std::array<std::byte, read_bytes> last{};
    std::array<std::byte, group * sample_bytes> samples;
    const std::uint64_t at = done / group * Bits, some = std::min(group, count - done);
    std::memcpy(last.data(), row + at, std::min<std::uint64_t>(Bits, row_bytes - at));
    unpack_group<Bits>(last.data(), samples.data());
    std::memcpy(to + done * sample_bytes, samples.data(), some * sample_bytes);
    done += some;
  }
}

using Unpack = void (*)(const std::byte*, std::uint64_t, std::byte*);

/// By number of bits; element 0, 8, 16 and those of plain types are never asked for.
template <std::size_t... Bits>
constexpr std::array<Unpack, sizeof...(Bits)> unpackers(std::index_sequence<Bits...>) {
  return {unpack_bits < Bits == 0 || Bits == 8 || Bits == 16 ? 1u : static_cast<unsigned>(Bits) > ...};
}
constexpr auto unpack = unpackers(std::make_index_sequence<32>());

void widen_halves(const std::byte* row, std::uint64_t count, std::byte* to) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint16_t half;
    std::memcpy(&half, row + i * sizeof half, sizeof half);
    const float number = float_from_half(half);
    std::memcpy(to + i * sizeof number, &number, sizeof number);
  }
}

}  // namespace

void unpack_row(const StoredSamples& stored, const std::byte* row, std::uint64_t count, std::byte* to) {
  switch (stored.storage) {
    case SampleStorage::packed_bits:
      assert(is_packed_width(stored.bits));
      return unpack[stored.bits](row, count, to);
    case SampleStorage::half:
      return widen_halves(row, count, to);
    case SampleStorage::plain:
      assert(false && "plain rows are copied");
  }
}

void reverse_bits(std::byte* bytes, std::uint64_t count) {
  // Eight bytes at a time: pairs of bits, of pairs and of halves change places inside each byte.
  const auto reversed = [](std::uint64_t word) {
    word = (word >> 1 & lanes<2, 1>()) | (word & lanes<2, 1>()) << 1;
    word = (word >> 2 & lanes<4, 2>()) | (word & lanes<4, 2>()) << 2;
    return (word >> 4 & lanes<8, 4>()) | (word & lanes<8, 4>()) << 4;
  };
  std::uint64_t at = 0;
  for (std::uint64_t word; at + sizeof word <= count; at += sizeof word) {
    std::memcpy(&word, bytes + at, sizeof word);
    word = reversed(word);
    std::memcpy(bytes + at, &word, sizeof word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, bytes + at, count - at);
  rest = reversed(rest);
  std::memcpy(bytes + at, &rest, count - at);
}

}  // namespace weir
