#pragma once

#include <string_view>
#include <vector>

#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

// Codecs' configurations, member by member: what is missing, unknown or out of range is an Error that names it. `type` is the data type
// of the array.

/// v3's codecs, in short and long form; also "numcodecs.delta" and its kind, as zarr-python and zarrs write those that v3 does
/// not have. https://zarr-specs.readthedocs.io/en/latest/v3/codecs/index.html, https://github.com/zarr-developers/zarr-extensions
std::vector<ZarrCodecSpec> codecs_v3(const JsonPlace& codecs, const ZarrType& type);
JsonValue codecs_v3_json(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type);

/// v2's compressor, or one of its filters: {"id": "blosc", ...}. https://numcodecs.readthedocs.io/en/stable/
ZarrCodecSpec codec_v2(const JsonPlace& codec, const ZarrType& type);
JsonValue codec_v2_json(const ZarrCodecSpec& codec, const ZarrType& type);

/// 0 for codecs from array to array, 1 to bytes, 2 from bytes to bytes: a chain has them in this order, and one of 1.
int stage_of(ZarrCodecSpec::Id id);

}  // namespace weir
