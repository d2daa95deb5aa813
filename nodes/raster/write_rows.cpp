#include "nodes/raster/write_rows.hpp"

#include <fmt/format.h>

#include <bit>

namespace weir {

std::string npy_header(const RasterInfo& info) {
  const char kind = is_floating(info.type) ? 'f' : is_signed_integer(info.type) ? 'i' : 'u';
  const char order = bytes_of(info.type) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
  const std::string shape = info.samples == 1
                                ? fmt::format("({}, {})", info.height, info.width)
                                : fmt::format("({}, {}, {})", info.height, info.width, info.samples);
  std::string dict = fmt::format("{{'descr': '{}{}{}', 'fortran_order': False, 'shape': {}, }}", order, kind,
                                 bytes_of(info.type), shape);
  dict.resize((10 + dict.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 0xff);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

}  // namespace weir
