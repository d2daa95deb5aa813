#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/zarr/zarr_type.hpp"

namespace weir {

struct ZarrSharding;

/// A codec as metadata names it, with its configuration. v2's compressor and filters are codecs of the same list: filters in
/// their order, then `bytes` with the dtype's byte order (and before it `transpose` for order F), then the compressor.
struct ZarrCodecSpec {
  enum class Id : std::uint8_t {
    transpose,  ///< array to array: `order`
    delta,      ///< v2 filters from here: array to array on the raw elements, in `type` and `as_type`
    fixed_scale_offset,
    bit_round,  ///< reading: nothing to undo; `level` is the bits kept
    pack_bits,
    bytes,             ///< array to bytes: `big_endian`
    sharding_indexed,  ///< array to bytes: `sharding`
    shuffle,           ///< bytes to bytes from here; v2: `element_bytes`
    gzip,
    zlib,
    zstd,
    blosc,
    lz4,  ///< v2's, with 4 bytes of length (little endian) in front
    bz2,
    lzma,
    crc32c,
  };
  Id id = Id::bytes;
  std::vector<std::uint32_t> order =
      {};  ///< transpose: dimension i of the result is dimension order[i] of the input
  bool big_endian = false;
  /// gzip, zlib, zstd, blosc, bz2, lzma, and lz4's acceleration; absent: the library's default, which metadata then names.
  std::optional<int> level = std::nullopt;
  bool checksum = false;        ///< zstd
  std::string compressor = {};  ///< blosc: lz4, lz4hc, blosclz, zstd, zlib, snappy
  /// blosc: 0 none, 1 bytes, 2 bits; v2's -1 (automatic) is 2 for elements of a byte and 1 for others.
  int shuffling = 1;
  /// blosc, shuffle: 0: the data type's, as metadata that names that size is read.
  std::uint32_t element_bytes = 0;
  std::uint64_t block_bytes = 0;     ///< blosc: 0: automatic
  ZarrType type = {}, as_type = {};  ///< delta, fixed_scale_offset
  bool type_is_big = false, as_type_is_big = false;
  double scale = 1, offset = 0;  ///< fixed_scale_offset
  std::shared_ptr<const ZarrSharding> sharding = nullptr;

  bool operator==(const ZarrCodecSpec& other) const;  ///< of shardings by what they say
};
std::string_view name_of(ZarrCodecSpec::Id id);  ///< v3's name, or numcodecs' for those that v3 does not have

/// sharding_indexed 1.0: https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed/index.html
struct ZarrSharding {
  std::vector<std::uint64_t> chunk_shape;   ///< of inner chunks; divides the shape of the shard
  std::vector<ZarrCodecSpec> codecs;        ///< of inner chunks: may end in another sharding
  std::vector<ZarrCodecSpec> index_codecs;  ///< of fixed size: bytes, and crc32c or nothing
  bool index_at_end = true;
  bool operator==(const ZarrSharding&) const = default;
};

/// How chunk (i, j, ...) is called: "c/1/2" (v3 default), "1.2" (v2).
struct ZarrKeys {
  bool has_prefix = true;  ///< v3's `default`: "c" in front, which is the whole key of a 0-d array; v2's: "0"
  char separator = '/';
  std::string key(std::span<const std::uint64_t> chunk) const;
  bool operator==(const ZarrKeys&) const = default;
};

/// All that zarr.json or .zarray (with .zattrs) says of an array. Row-major throughout: the last axis is the fastest.
struct ZarrArrayMetadata {
  int format = 3;                          ///< 2 or 3
  std::vector<std::uint64_t> shape;        ///< elements
  std::vector<std::uint64_t> chunk_shape;  ///< of the chunk grid: of a shard, where there are shards
  ZarrType type;
  /// One element in the machine's byte order; empty: v2's null, which reads as zeros.
  std::vector<std::byte> fill;
  ZarrKeys keys;
  std::vector<ZarrCodecSpec> codecs;
  std::vector<std::optional<std::string>> dimension_names;  ///< empty: absent
  std::string attributes = "{}";                            ///< JSON, an object, kept as it is

  bool operator==(const ZarrArrayMetadata&) const = default;
  std::size_t rank() const { return shape.size(); }
  /// nullptr where chunks are no shards.
  const ZarrSharding* sharding() const;
};

struct ZarrGroupMetadata {
  int format = 3;
  std::string attributes = "{}";  ///< JSON, an object
  bool operator==(const ZarrGroupMetadata&) const = default;
};

/// Limits on metadata from outside.
struct ZarrLimits {
  std::uint64_t metadata_bytes = 16 << 20;
  std::uint64_t depth = 64;                ///< of nested JSON
  std::uint64_t chunk_bytes = 1ull << 31;  ///< of one inner chunk, decoded, and of one shard index
  std::size_t rank = 32;
};

/// Reads a zarr.json. Throws an Error whose object is `name` (store and key) and whose reason names the member.
/// An unknown codec, data type, key encoding or must-understand member is one.
ZarrArrayMetadata parse_zarr_v3_array(std::string_view json, const std::string& name,
                                      const ZarrLimits& limits = {});
ZarrGroupMetadata parse_zarr_v3_group(std::string_view json, const std::string& name,
                                      const ZarrLimits& limits = {});
/// Reads a .zarray, and .zattrs where there is one (empty: none).
ZarrArrayMetadata parse_zarr_v2_array(std::string_view zarray, std::string_view zattrs,
                                      const std::string& name, const ZarrLimits& limits = {});
/// Reads a .zgroup, and .zattrs where there is one.
ZarrGroupMetadata parse_zarr_v2_group(std::string_view zgroup, std::string_view zattrs,
                                      const std::string& name, const ZarrLimits& limits = {});

/// zarr.json or .zarray of an array, canonical: two spaces, members in the specification's order, long extension forms (data types
/// as the names that every reader takes); the same for the same metadata on every machine. v2's attributes are a file of their own,
/// .zattrs. Throws a usage Error for what check() or the format does not allow.
std::string to_json(const ZarrArrayMetadata& array);
std::string to_json(const ZarrGroupMetadata& group);

/// Throws a usage Error (writing) for metadata that no reader would take: shapes that do not divide, codecs in a wrong order.
void check(const ZarrArrayMetadata& array, const std::string& name, const ZarrLimits& limits = {});

}  // namespace weir
