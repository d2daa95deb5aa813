#include "nodes/zarr/zarr_metadata.hpp"

#include <string>
#include <tuple>

namespace weir {

using Id = ZarrCodecSpec::Id;

std::string_view name_of(Id id) {
  switch (id) {
    case Id::transpose:
      return "transpose";
    case Id::delta:
      return "delta";
    case Id::fixed_scale_offset:
      return "fixedscaleoffset";
    case Id::bit_round:
      return "bitround";
    case Id::pack_bits:
      return "packbits";
    case Id::bytes:
      return "bytes";
    case Id::sharding_indexed:
      return "sharding_indexed";
    case Id::shuffle:
      return "shuffle";
    case Id::gzip:
      return "gzip";
    case Id::zlib:
      return "zlib";
    case Id::zstd:
      return "zstd";
    case Id::blosc:
      return "blosc";
    case Id::lz4:
      return "lz4";
    case Id::bz2:
      return "bz2";
    case Id::lzma:
      return "lzma";
    case Id::crc32c:
      return "crc32c";
  }
  return "unknown";
}

bool ZarrCodecSpec::operator==(const ZarrCodecSpec& other) const {
  const auto rest = [](const ZarrCodecSpec& codec) {
    return std::tie(codec.id, codec.order, codec.big_endian, codec.level, codec.checksum, codec.compressor,
                    codec.shuffling, codec.element_bytes, codec.block_bytes, codec.type, codec.as_type,
                    codec.type_is_big, codec.as_type_is_big, codec.scale, codec.offset);
  };
  if (rest(*this) != rest(other)) return false;
  if (!sharding || !other.sharding) return sharding == other.sharding;
  return *sharding == *other.sharding;
}

std::string ZarrKeys::key(std::span<const std::uint64_t> chunk) const {
  std::string key = has_prefix ? "c" : "";
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    if (has_prefix || i != 0) key += separator;
    key += std::to_string(chunk[i]);
  }
  return key.empty() ? "0" : key;
}

const ZarrSharding* ZarrArrayMetadata::sharding() const {
  for (const ZarrCodecSpec& codec : codecs)
    if (codec.id == Id::sharding_indexed) return codec.sharding.get();
  return nullptr;
}

}  // namespace weir
