#include "nodes/zarr/crc32c.hpp"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace weir {
namespace {

constexpr std::uint32_t polynomial = 0x82f63b78;  // reflected

using Table = std::array<std::uint32_t, 256>;

// tables[k][b]: what byte b does to the sum, with k zero bytes behind it.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = sum >> 1 ^ ((sum & 1) != 0 ? polynomial : 0);
    tables[0][byte] = sum;
  }
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      tables[k][byte] = tables[k - 1][byte] >> 8 ^ tables[0][tables[k - 1][byte] & 0xff];
  return tables;
}
constexpr std::array<Table, 8> tables = make_tables();

std::uint64_t word_at(const std::byte* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#if defined(__x86_64__)

// What `lane` zero bytes do to a sum, in four tables of one byte each.
constexpr std::size_t lane = 4096;
constexpr std::array<Table, 4> make_shift() {
  // Each bit alone, then every byte as the sum of its bits.
  std::array<std::uint32_t, 32> bits{};
  for (std::size_t bit = 0; bit < 32; ++bit) bits[bit] = std::uint32_t{1} << bit;
  // x -> x times 2^8 (one zero byte), squared until it is `lane` bytes.
  std::array<std::uint32_t, 32> step{};
  for (std::size_t bit = 0; bit < 32; ++bit) step[bit] = bits[bit] >> 8 ^ tables[0][bits[bit] & 0xff];
  const auto apply = [](const std::array<std::uint32_t, 32>& matrix, std::uint32_t sum) {
    std::uint32_t result = 0;
    for (std::size_t bit = 0; bit < 32; ++bit)
      if ((sum >> bit & 1) != 0) result ^= matrix[bit];
    return result;
  };
  for (std::size_t bytes = 1; bytes < lane; bytes *= 2) {
    std::array<std::uint32_t, 32> twice{};
    for (std::size_t bit = 0; bit < 32; ++bit) twice[bit] = apply(step, step[bit]);
    step = twice;
  }
  std::array<Table, 4> shift{};
  for (std::size_t k = 0; k < 4; ++k)
    for (std::uint32_t byte = 0; byte < 256; ++byte) shift[k][byte] = apply(step, byte << 8 * k);
  return shift;
}
constexpr std::array<Table, 4> shift = make_shift();

std::uint32_t shifted(std::uint64_t sum) {
  return shift[0][sum & 0xff] ^ shift[1][sum >> 8 & 0xff] ^ shift[2][sum >> 16 & 0xff] ^
         shift[3][sum >> 24 & 0xff];
}

// The instruction takes three cycles and can be started in each: three lanes side by side, put together by what a lane of zeros does.
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(const std::byte* at, std::size_t bytes,
                                                               std::uint32_t before) {
  std::uint64_t sum = before;
  for (; bytes >= 3 * lane; at += 3 * lane, bytes -= 3 * lane) {
    std::uint64_t second = 0, third = 0;
    for (std::size_t i = 0; i < lane; i += 8) {
      sum = _mm_crc32_u64(sum, word_at(at + i));
      second = _mm_crc32_u64(second, word_at(at + lane + i));
      third = _mm_crc32_u64(third, word_at(at + 2 * lane + i));
    }
    sum = shifted(shifted(sum) ^ second) ^ third;
  }
  for (; bytes >= 8; at += 8, bytes -= 8) sum = _mm_crc32_u64(sum, word_at(at));
  auto rest = static_cast<std::uint32_t>(sum);
  for (; bytes > 0; ++at, --bytes) rest = _mm_crc32_u8(rest, std::to_integer<unsigned char>(*at));
  return rest;
}

#endif

}  // namespace

std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes, std::uint32_t before) {
  std::uint32_t sum = ~before;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  if constexpr (std::endian::native == std::endian::little)
    for (; left >= 8; at += 8, left -= 8) {
      const std::uint64_t word = word_at(at) ^ sum;
      sum = 0;
      for (std::size_t k = 0; k < 8; ++k) sum ^= tables[7 - k][word >> 8 * k & 0xff];
    }
  for (; left > 0; ++at, --left)
    sum = sum >> 8 ^ tables[0][(sum ^ std::to_integer<std::uint32_t>(*at)) & 0xff];
  return ~sum;
}

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) {
#if defined(__x86_64__)
  static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
  if (has_instruction) return ~by_instruction(bytes.data(), bytes.size(), ~before);
#endif
  return crc32c_by_tables(bytes, before);
}

}  // namespace weir
