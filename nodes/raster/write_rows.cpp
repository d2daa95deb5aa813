#include "nodes/raster/write_rows.hpp"

#include <fmt/format.h>

#include <bit>

namespace weir {

std::string npy_header(const RasterInfo& info) {
  // NumPy has no complex integers: they come as pairs along a last axis of their own.
  const bool is_pair = is_complex(info.type) && !is_floating(component_of(info.type));
  const SampleType element = is_pair ? component_of(info.type) : info.type;
  const char kind = is_complex(element)          ? 'c'
                    : is_floating(element)       ? 'f'
                    : is_signed_integer(element) ? 'i'
                                                 : 'u';
  const char order = bytes_of(element) == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
  std::string shape = fmt::format("({}, {}", info.height, info.width);
  if (info.samples > 1) shape += fmt::format(", {}", info.samples);
  shape += is_pair ? ", 2)" : ")";
  std::string dict = fmt::format("{{'descr': '{}{}{}', 'fortran_order': False, 'shape': {}, }}", order, kind,
                                 bytes_of(element), shape);
  dict.resize((10 + dict.size() + 1 + 63) / 64 * 64 - 10 - 1, ' ');
  dict += '\n';
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size() & 0xff);
  header += static_cast<char>(dict.size() >> 8);
  return header + dict;
}

}  // namespace weir
