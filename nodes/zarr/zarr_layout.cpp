#include "nodes/zarr/zarr_layout.hpp"

#include <fmt/format.h>

#include <limits>

#include "framework/error.hpp"

namespace weir {
namespace {

/// Chunks of a shard can be had alone where sharding is the only codec, and its inner codecs do not shard again.
bool has_parts(const ZarrArrayMetadata& metadata) {
  if (metadata.codecs.size() != 1 || metadata.codecs.front().id != ZarrCodecSpec::Id::sharding_indexed)
    return false;
  for (const ZarrCodecSpec& codec : metadata.codecs.front().sharding->codecs)
    if (codec.id == ZarrCodecSpec::Id::sharding_indexed) return false;
  return true;
}

}  // namespace

std::string joined_path(std::string_view path, std::string_view name) {
  return path.empty()   ? std::string(name)
         : name.empty() ? std::string(path)
                        : fmt::format("{}/{}", path, name);
}

ZarrLayout::ZarrLayout(const ZarrArrayMetadata& metadata, const std::string& name, const ZarrLimits& limits)
    : shape_(metadata.shape),
      object_shape_(metadata.chunk_shape),
      chunk_shape_(metadata.chunk_shape),
      type_(metadata.type),
      fill_(metadata.fill),
      keys_(metadata.keys) {
  if (fill_.empty()) fill_.resize(type_.bytes);
  const bool is_sharded = has_parts(metadata);
  const ZarrSharding* sharding = is_sharded ? metadata.codecs.front().sharding.get() : nullptr;
  if (is_sharded) chunk_shape_ = sharding->chunk_shape;
  for (std::size_t axis = 0; axis < rank(); ++axis) {
    chunks_of_object_.push_back(object_shape_[axis] / chunk_shape_[axis]);
    if (__builtin_mul_overflow(chunk_count_, chunks_of_object_.back(), &chunk_count_) ||
        chunk_count_ > std::numeric_limits<std::uint32_t>::max())
      throw Error("read", name, "its shards have more inner chunks than 2^32");
  }
  codec_.emplace(is_sharded ? sharding->codecs : metadata.codecs, type_, chunk_shape_, fill_);
  if (codec_->raw_bytes() > limits.chunk_bytes)
    throw Error("read", name,
                fmt::format("its chunks have {} bytes, and {} is the limit", codec_->raw_bytes(),
                            limits.chunk_bytes));
  if (is_sharded) index_.emplace(*sharding, chunk_count_);
}

std::uint64_t ZarrLayout::number_in_object(const ZarrIndex& chunk) const {
  std::uint64_t number = 0;
  for (std::size_t axis = 0; axis < rank(); ++axis)
    number = number * chunks_of_object_[axis] + chunk[axis] % chunks_of_object_[axis];
  return number;
}

ZarrIndex ZarrLayout::object_of(const ZarrIndex& chunk) const {
  ZarrIndex object(rank());
  for (std::size_t axis = 0; axis < rank(); ++axis) object[axis] = chunk[axis] / chunks_of_object_[axis];
  return object;
}

std::uint64_t ZarrLayout::max_object_bytes() const {
  return chunk_count_ * codec_->max_encoded_bytes() + (index_ ? index_->encoded_bytes() : 0);
}

}  // namespace weir
