#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/zarr/chunk_codec.hpp"
#include "nodes/zarr/shard_index.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// Parts of a path, either of which may be empty.
std::string joined_path(std::string_view path, std::string_view name);

/// Number of a chunk along each axis.
using ZarrIndex = std::vector<std::uint64_t>;

/// How an array lies in its store: objects (shards, or chunks where there are none), and in them the chunks that are encoded one by
/// one. Shards whose parts cannot be had alone (codecs before or behind sharding, shards in shards) are such chunks
/// themselves. Const and thread-safe.
class ZarrLayout {
 public:
  /// `name`: what messages call the array. Throws an Error for codecs that are not built in and sizes beyond the limits.
  ZarrLayout(const ZarrArrayMetadata& metadata, const std::string& name, const ZarrLimits& limits = {});

  std::size_t rank() const { return shape_.size(); }
  const std::vector<std::uint64_t>& shape() const { return shape_; }
  const ZarrType& type() const { return type_; }
  /// One element; of v2's null fill: zeros.
  std::span<const std::byte> fill() const { return fill_; }

  const std::vector<std::uint64_t>& object_shape() const { return object_shape_; }  ///< elements
  const std::vector<std::uint64_t>& chunk_shape() const { return chunk_shape_; }    ///< divides it
  const ChunkCodec& codec() const { return *codec_; }
  /// Nothing where an object is a chunk.
  const std::optional<ShardIndexCodec>& index() const { return index_; }
  /// Chunks of an object along each axis, and in all.
  const std::vector<std::uint64_t>& chunks_of_object() const { return chunks_of_object_; }
  std::uint64_t chunk_count() const { return chunk_count_; }
  /// Row-major number of a chunk in its object.
  std::uint64_t number_in_object(const ZarrIndex& chunk) const;
  ZarrIndex object_of(const ZarrIndex& chunk) const;
  std::string key(const ZarrIndex& object) const { return keys_.key(object); }
  /// Most bytes that an object has.
  std::uint64_t max_object_bytes() const;

 private:
  std::vector<std::uint64_t> shape_, object_shape_, chunk_shape_, chunks_of_object_;
  std::uint64_t chunk_count_ = 1;
  ZarrType type_;
  std::vector<std::byte> fill_;
  ZarrKeys keys_;
  std::optional<ChunkCodec> codec_;
  std::optional<ShardIndexCodec> index_;
};

}  // namespace weir
