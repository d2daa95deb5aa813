#include "nodes/zarr/dtype_v2.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

using Kind = ZarrType::Kind;

struct Numpy {
  char letter;
  Kind kind;
  std::array<std::uint32_t, 4> bytes;
};
constexpr Numpy numpy_kinds[] = {
    {'b', Kind::boolean, {1}},
    {'i', Kind::integer, {1, 2, 4, 8}},
    {'u', Kind::unsigned_integer, {1, 2, 4, 8}},
    {'f', Kind::floating, {2, 4, 8}},
    {'c', Kind::complex, {8, 16}},
};

}  // namespace

DtypeV2 dtype_v2(const JsonPlace& place) {
  if (place.value().array() != nullptr)
    place.refuse("structures are not read: only numbers, bool and raw bytes");
  const std::string& text = place.text();
  const auto refuse = [&](std::string_view reason) {
    place.refuse(fmt::format("'{}': {}", text.substr(0, 40), reason));
  };
  if (text.size() < 2 || std::string_view("<>|").find(text[0]) == std::string_view::npos)
    refuse("it is no numpy type string, such as \"<u2\"");
  const char letter = text[1];
  if (letter == 'O') refuse("objects are not read: only numbers, bool and raw bytes");
  if (letter == 'S' || letter == 'U' || letter == 'a')
    refuse("strings are not read: only numbers, bool and raw bytes");
  if (letter == 'M' || letter == 'm') refuse("times are not read: only numbers, bool and raw bytes");
  const std::string_view digits = std::string_view(text).substr(2);
  const auto bytes = digits.find_first_not_of("0123456789") == std::string_view::npos
                         ? number_in<std::uint32_t>(digits)
                         : std::nullopt;
  DtypeV2 dtype;
  dtype.big_endian = text[0] == '>';
  if (letter == 'V' && bytes && *bytes > 0) {
    dtype.type = {Kind::raw, *bytes};
    return dtype;
  }
  const auto kind = std::find_if(std::begin(numpy_kinds), std::end(numpy_kinds),
                                 [&](const Numpy& numpy) { return numpy.letter == letter; });
  if (kind == std::end(numpy_kinds) || !bytes || *bytes == 0 ||
      std::find(kind->bytes.begin(), kind->bytes.end(), *bytes) == kind->bytes.end())
    refuse("there is no such number");
  dtype.type = {kind->kind, *bytes};
  if (text[0] == '|' && dtype.type.word_bytes() > 1) refuse("it has no byte order");
  if (dtype.type.word_bytes() == 1) dtype.big_endian = false;
  return dtype;
}

std::string dtype_text(const ZarrType& type, bool big_endian) {
  const char order = type.word_bytes() == 1 ? '|' : big_endian ? '>' : '<';
  if (type.kind == Kind::raw) return fmt::format("|V{}", type.bytes);
  const auto kind = std::find_if(std::begin(numpy_kinds), std::end(numpy_kinds),
                                 [&](const Numpy& numpy) { return numpy.kind == type.kind; });
  return fmt::format("{}{}{}", order, kind->letter, type.bytes);
}

}  // namespace weir
