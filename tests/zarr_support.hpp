#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

inline constexpr ZarrType uint16_type{ZarrType::Kind::unsigned_integer, 2};

inline ZarrCodecSpec codec_of(ZarrCodecSpec::Id id) {
  ZarrCodecSpec codec;
  codec.id = id;
  return codec;
}

/// An array of the given shape, chunks and inner chunks (empty: none), stored by `codecs`.
inline ZarrArrayMetadata zarr_array(std::vector<std::uint64_t> shape, std::vector<std::uint64_t> chunks,
                                    std::vector<std::uint64_t> inner, ZarrType type,
                                    std::vector<ZarrCodecSpec> codecs = {ZarrCodecSpec{}},
                                    bool index_at_end = true) {
  ZarrArrayMetadata array;
  array.shape = std::move(shape);
  array.chunk_shape = std::move(chunks);
  array.type = type;
  array.fill.resize(type.bytes);
  array.codecs = std::move(codecs);
  if (!inner.empty()) {
    ZarrSharding sharding;
    sharding.chunk_shape = std::move(inner);
    sharding.codecs = std::move(array.codecs);
    sharding.index_codecs = {ZarrCodecSpec{}, codec_of(ZarrCodecSpec::Id::crc32c)};
    sharding.index_at_end = index_at_end;
    ZarrCodecSpec codec = codec_of(ZarrCodecSpec::Id::sharding_indexed);
    codec.sharding = std::make_shared<const ZarrSharding>(std::move(sharding));
    array.codecs = {codec};
  }
  return array;
}

}  // namespace weir
