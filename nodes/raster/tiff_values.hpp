#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>

// What values look like in TIFF directories (TIFF 6.0 section 2, BigTIFF design): for all who read them byte by byte.

namespace weir {

/// Bytes of one value of a TIFF field type; 0 for a type that neither TIFF 6.0 nor BigTIFF defines.
constexpr std::uint64_t tiff_type_bytes(std::uint16_t type) {
  switch (type) {
    case 1:
    case 2:
    case 6:
    case 7:
      return 1;  // BYTE, ASCII, SBYTE, UNDEFINED
    case 3:
    case 8:
      return 2;  // SHORT, SSHORT
    case 4:
    case 9:
    case 11:
    case 13:
      return 4;  // LONG, SLONG, FLOAT, IFD
    case 5:
    case 10:
    case 12:
      return 8;  // RATIONAL, SRATIONAL, DOUBLE
    case 16:
    case 17:
    case 18:
      return 8;  // LONG8, SLONG8, IFD8
    default:
      return 0;
  }
}

/// Offset and byte count arrays of strips and tiles: as long as the raster needs.
constexpr bool is_strile_array(std::uint16_t tag) {
  return tag == 273 || tag == 279 || tag == 324 || tag == 325;
}

/// The unsigned number of 2, 4 or 8 bytes at `data`.
inline std::uint64_t load_unsigned(const std::byte* data, std::size_t bytes, bool is_swapped) {
  switch (bytes) {
    case 2: {
      std::uint16_t value;
      std::memcpy(&value, data, sizeof value);
      return is_swapped ? __builtin_bswap16(value) : value;
    }
    case 4: {
      std::uint32_t value;
      std::memcpy(&value, data, sizeof value);
      return is_swapped ? __builtin_bswap32(value) : value;
    }
    default: {
      assert(bytes == 8);
      std::uint64_t value;
      std::memcpy(&value, data, sizeof value);
      return is_swapped ? __builtin_bswap64(value) : value;
    }
  }
}

}  // namespace weir
