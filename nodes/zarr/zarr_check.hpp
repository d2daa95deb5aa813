#pragma once

#include <optional>
#include <string>

#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// Why no reader would take this metadata, with the member that is wrong in front; nothing where it is sound. What reading and writing
/// check alike: ranks, sizes and their products, the order of codecs, types that do not fit.
std::optional<std::string> wrong_with(const ZarrArrayMetadata& array, const ZarrLimits& limits);

}  // namespace weir
