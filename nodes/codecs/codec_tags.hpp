#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nodes/codecs/codec.hpp"
#include "nodes/raster/raster_info.hpp"

namespace weir {

/// What a TIFF directory has to say of pieces beyond their codec: JPEGTables (347), YCbCrSubSampling (530) and
/// ReferenceBlackWhite (532) of jpeg, LercParameters (50674).
struct CodecTags {
  std::vector<RawTag> tags;                                 ///< ascending ids
  std::optional<std::uint16_t> photometric = std::nullopt;  ///< in place of the raster's: 6, YCbCr
};

/// They follow from the spec alone (resolved, with its format), so they can be had before any piece is encoded.
CodecTags tags_of(const CodecSpec& spec);

}  // namespace weir
