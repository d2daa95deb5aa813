#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/zarr_type.hpp"

namespace weir {

/// The fill value as one element in the machine's byte order (complex: real, imaginary). v3, core section "Fill value": integers in
/// full, floats as numbers, "NaN", "Infinity", "-Infinity" or their bits ("0x7fc00001"), complex ones as pairs, raw ones as an array of
/// bytes. Base64 for raw bytes, as zarr-python writes v3's too, is read as well. Throws where the type cannot hold it.
std::vector<std::byte> fill_value_v3(const JsonPlace& place, const ZarrType& type);
/// As zarr-python and numcodecs write it: null (empty), 0 and 1 for bool, whole floats for integers, base64 for raw bytes.
std::vector<std::byte> fill_value_v2(const JsonPlace& place, const ZarrType& type);

/// The inverse. Of NaN, only the one of sign 0 with just the first fraction bit is "NaN"; others are written as bits, which v2
/// does not know: a usage Error there.
JsonValue fill_value_json(const std::vector<std::byte>& fill, const ZarrType& type, int format);

std::string base64(const std::vector<std::byte>& bytes);
/// Nothing where it is none.
std::optional<std::vector<std::byte>> bytes_of_base64(std::string_view text);

}  // namespace weir
