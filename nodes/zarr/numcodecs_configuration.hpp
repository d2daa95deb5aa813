#pragma once

#include <optional>
#include <string_view>

#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// A codec of numcodecs by its id. `members` has its configuration, perhaps with "id" beside it; what is absent is numcodecs' default.
/// Types are numpy's ("<i2"), or v3's names. Throws an Error for what is not known or out of range.
ZarrCodecSpec numcodec(std::string_view id, const JsonPlace& members, const ZarrType& type);
/// The members but "id", in numcodecs' own order; `format` 3 has types by name.
JsonValue::Object numcodec_members(const ZarrCodecSpec& codec, const ZarrType& type, int format);

/// What `level` can be, and what it is where metadata needs one and it is absent: the library's default.
struct LevelRange {
  int least = 0, most = 0, usual = 0;
};
LevelRange level_range(ZarrCodecSpec::Id id);

/// Of blosc, for both formats: the size that it is told, and what such a size is in a ZarrCodecSpec.
std::uint32_t blosc_element_bytes(const ZarrCodecSpec& codec, const ZarrType& type);
std::uint32_t blosc_element_bytes(const JsonPlace& place, const ZarrType& type);
std::string blosc_compressor(const JsonPlace& place);

}  // namespace weir
