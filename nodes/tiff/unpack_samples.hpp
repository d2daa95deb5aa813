#pragma once

#include <cstddef>
#include <cstdint>

namespace weir {

/// How the file stores the samples of a row, where that is not how memory has them.
enum class SampleStorage : std::uint8_t {
  plain,        ///< whole numbers of their SampleType, in the byte order of the file
  packed_bits,  ///< unsigned, 1 to 31 bits, without gaps, the most significant bit first in either byte order
  half,         ///< float16 in the byte order of the file, which is read as float32
};

/// What BitsPerSample (258) and SampleFormat (339) say of the samples of a file.
struct StoredSamples {
  SampleStorage storage = SampleStorage::plain;
  std::uint32_t bits = 8;  ///< of one sample; with complex samples, of both numbers together

  bool is_plain() const { return storage == SampleStorage::plain; }
  /// Bytes of a row of so many samples: rows begin at whole bytes (TIFF 6.0, Compression 1).
  std::uint64_t row_bytes(std::uint64_t samples) const { return (samples * bits + 7) / 8; }
};

/// Whether samples of so many bits are packed: 1 to 7 become uint8, 9 to 15 uint16, 17 to 31 uint32.
constexpr bool is_packed_width(std::uint32_t bits) {
  return bits >= 1 && bits <= 31 && bits != 8 && bits != 16;
}

/// `count` samples of a stored row that is not plain to `to`, which need not be aligned, in the byte order of
/// the machine. Reads row_bytes(count) bytes of `row`, and no other; halves are in the order of the machine.
void unpack_row(const StoredSamples& stored, const std::byte* row, std::uint64_t count, std::byte* to);

/// Turns the bits of each byte around, in place: FillOrder (266) 2.
void reverse_bits(std::byte* bytes, std::uint64_t count);

}  // namespace weir
