#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "nodes/zarr/chunk_stages.hpp"

namespace weir::chunk_stages {

/// A shard that is a chunk as a whole, in memory: shards in shards, and those with codecs before or behind sharding. `shape`: of
/// the shard as it comes here (transposed, where it is). Inner chunks are written in Morton order; those that are all `fill` are
/// left out, and come back as it.
std::shared_ptr<const Stage> shard_stage(const ZarrSharding& sharding, const ZarrType& type,
                                         std::span<const std::uint64_t> shape,
                                         std::span<const std::byte> fill);

}  // namespace weir::chunk_stages
