#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// How an array is stored otherwise, its chunks being what they are.
struct ZarrStoredAs {
  std::optional<int> format = std::nullopt;  ///< 2 or 3; default: what it has
  /// Elements of a shard along each axis, multiples of the chunk's; empty: no shards. Format 3. Default: what it has, without shards
  /// in format 2.
  std::optional<std::vector<std::uint64_t>> shard = std::nullopt;
};

/// The metadata of the array in other shards, or in the other format: of shards, the inner chunks stay. An index goes to the end, with a checksum, where
/// the array had none. Names of dimensions go between v3's dimension_names and v2's `_ARRAY_DIMENSIONS`; v2's null for a fill
/// value becomes zeros. Throws a usage Error for what the format has not.
ZarrArrayMetadata stored_as(const ZarrArrayMetadata& array, const ZarrStoredAs& wanted);

}  // namespace weir
