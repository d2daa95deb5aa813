#include "nodes/zarr/numcodecs_configuration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "framework/error.hpp"
#include "nodes/zarr/dtype_v2.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

constexpr std::string_view blosc_compressors[] = {"lz4", "lz4hc", "blosclz", "zstd", "zlib", "snappy"};

/// A number, or the default: null is what numcodecs writes for "not said".
std::optional<int> number(const JsonPlace& members, std::string_view name, int least, int most,
                          std::optional<int> missing) {
  const auto found = members.find(name);
  if (!found || found->value().is_null()) return missing;
  return static_cast<int>(found->whole(least, most));
}

/// A codec whose one number is its level.
ZarrCodecSpec leveled(Id id, const JsonPlace& members, std::string_view name, std::optional<int> missing) {
  ZarrCodecSpec codec;
  codec.id = id;
  const LevelRange range = level_range(id);
  codec.level = number(members, name, range.least, range.most, missing);
  return codec;
}

DtypeV2 type_of(const JsonPlace& place) {
  const std::string* name = place.value().text();
  if (name != nullptr && !name->empty() &&
      std::string_view("<>|").find(name->front()) == std::string_view::npos) {
    try {
      return {zarr_type_named(*name), false};
    } catch (const Error& error) {
      place.refuse(error.reason());
    }
  }
  return dtype_v2(place);
}

void add_types(ZarrCodecSpec& codec, const JsonPlace& members) {
  const DtypeV2 type = type_of(members.member("dtype"));
  const auto as = members.find("astype");
  const DtypeV2 as_type = as && !as->value().is_null() ? type_of(*as) : type;
  codec.type = type.type, codec.type_is_big = type.big_endian;
  codec.as_type = as_type.type, codec.as_type_is_big = as_type.big_endian;
}

ZarrCodecSpec blosc(const JsonPlace& members, const ZarrType& type) {
  members.allow_only({"id", "cname", "clevel", "shuffle", "blocksize", "typesize"});
  ZarrCodecSpec codec = leveled(Id::blosc, members, "clevel", 5);
  const auto compressor = members.find("cname");
  codec.compressor = compressor ? blosc_compressor(*compressor) : "lz4";
  const int shuffling = *number(members, "shuffle", -1, 2, 1);
  codec.shuffling = shuffling >= 0 ? shuffling : type.bytes == 1 ? 2 : 1;
  if (const auto block = members.find("blocksize"))
    codec.block_bytes = static_cast<std::uint64_t>(block->whole(0, 1 << 30));
  const auto size = members.find("typesize");
  if (size && !size->value().is_null()) codec.element_bytes = blosc_element_bytes(*size, type);
  return codec;
}

ZarrCodecSpec lzma(const JsonPlace& members) {
  members.allow_only({"id", "format", "check", "preset", "filters"});
  if (number(members, "format", 0, 3, 1) != 1) members.member("format").refuse("only 1, xz, is read");
  number(members, "check", -1, 10, -1);
  const auto filters = members.find("filters");
  if (filters && !filters->value().is_null()) filters->refuse("must be null: xz says itself what it needs");
  return leveled(Id::lzma, members, "preset", std::nullopt);
}

}  // namespace

std::uint32_t blosc_element_bytes(const ZarrCodecSpec& codec, const ZarrType& type) {
  const std::uint32_t bytes = codec.element_bytes != 0 ? codec.element_bytes : type.bytes;
  return bytes <= 255 ? bytes : 1;  // BLOSC_MAX_TYPESIZE: blosc itself shuffles no larger elements
}

std::uint32_t blosc_element_bytes(const JsonPlace& place, const ZarrType& type) {
  const auto bytes = static_cast<std::uint32_t>(place.whole(1, 255));
  return bytes == type.bytes ? 0 : bytes;
}

std::string blosc_compressor(const JsonPlace& place) {
  const std::string& name = place.text();
  if (std::find(std::begin(blosc_compressors), std::end(blosc_compressors), name) ==
      std::end(blosc_compressors))
    place.refuse(fmt::format("'{}' is no compressor of blosc", name.substr(0, 40)));
  return name;
}

ZarrCodecSpec numcodec(std::string_view id, const JsonPlace& members, const ZarrType& type) {
  ZarrCodecSpec codec;
  if (id == "blosc") return blosc(members, type);
  if (id == "lzma") return lzma(members);
  if (id == "gzip" || id == "zlib") {
    members.allow_only({"id", "level"});
    codec.id = id == "gzip" ? Id::gzip : Id::zlib;
    codec.level = number(members, "level", -1, 9, -1);
    if (codec.level == -1) codec.level = std::nullopt;  // zlib's own word for its default
  } else if (id == "zstd") {
    members.allow_only({"id", "level", "checksum"});
    codec = leveled(Id::zstd, members, "level", 0);
    if (const auto checksum = members.find("checksum")) codec.checksum = checksum->boolean();
  } else if (id == "lz4") {
    members.allow_only({"id", "acceleration"});
    codec = leveled(Id::lz4, members, "acceleration", 1);
  } else if (id == "bz2") {
    members.allow_only({"id", "level"});
    codec = leveled(Id::bz2, members, "level", 1);
  } else if (id == "shuffle") {
    members.allow_only({"id", "elementsize"});
    codec.id = Id::shuffle;
    codec.element_bytes = static_cast<std::uint32_t>(*number(members, "elementsize", 1, 1 << 20, 4));
    if (codec.element_bytes == type.bytes) codec.element_bytes = 0;
  } else if (id == "delta") {
    members.allow_only({"id", "dtype", "astype"});
    codec.id = Id::delta;
    add_types(codec, members);
  } else if (id == "fixedscaleoffset") {
    members.allow_only({"id", "offset", "scale", "dtype", "astype"});
    codec.id = Id::fixed_scale_offset;
    codec.scale = members.member("scale").number();
    codec.offset = members.member("offset").number();
    add_types(codec, members);
  } else if (id == "bitround") {
    members.allow_only({"id", "keepbits"});
    members.member("keepbits");
    codec = leveled(Id::bit_round, members, "keepbits", std::nullopt);
  } else if (id == "packbits") {
    members.allow_only({"id"});
    codec.id = Id::pack_bits;
  } else {
    members.refuse(fmt::format("codec '{}' is not known", id.substr(0, 40)));
  }
  return codec;
}

LevelRange level_range(ZarrCodecSpec::Id id) {
  switch (id) {
    case Id::gzip:
    case Id::zlib:
      return {0, 9, 6};
    case Id::zstd:
      return {-131072, 22, 0};  // ZSTD_minCLevel and ZSTD_maxCLevel; 0 is its default
    case Id::lz4:
      return {0, 65537, 1};  // LZ4_ACCELERATION_MAX
    case Id::bz2:
      return {1, 9, 9};
    case Id::blosc:
      return {0, 9, 5};
    case Id::lzma:
      return {0, 9, 6};
    case Id::bit_round:
      return {0, 52, 0};  // a double's fraction
    default:
      return {};
  }
}

JsonValue::Object numcodec_members(const ZarrCodecSpec& codec, const ZarrType& type, int format) {
  const auto dtype = [&](const ZarrType& named, bool is_big) -> JsonValue {
    return format == 3 ? name_of(named) : dtype_text(named, is_big);
  };
  const int level = codec.level.value_or(level_range(codec.id).usual);
  switch (codec.id) {
    case Id::gzip:
    case Id::zlib:
    case Id::bz2:
      return {{"level", level}};
    case Id::zstd:
      // v2's tensorstore 0.1.86 refuses a member "checksum" of either value, and numcodecs before 0.13 does not know it.
      if (format == 2 && !codec.checksum) return {{"level", level}};
      return {{"level", level}, {"checksum", codec.checksum}};
    case Id::lz4:
      return {{"acceleration", level}};
    case Id::blosc:
      return {{"cname", codec.compressor},
              {"clevel", level},
              {"shuffle", codec.shuffling},
              {"blocksize", codec.block_bytes}};
    case Id::lzma:
      return {{"format", 1},
              {"check", -1},
              {"preset", codec.level ? JsonValue(*codec.level) : JsonValue()},
              {"filters", nullptr}};
    case Id::shuffle:
      return {{"elementsize", codec.element_bytes != 0 ? codec.element_bytes : type.bytes}};
    case Id::delta:
      return {{"dtype", dtype(codec.type, codec.type_is_big)},
              {"astype", dtype(codec.as_type, codec.as_type_is_big)}};
    case Id::fixed_scale_offset:
      return {{"offset", codec.offset},
              {"scale", codec.scale},
              {"dtype", dtype(codec.type, codec.type_is_big)},
              {"astype", dtype(codec.as_type, codec.as_type_is_big)}};
    case Id::bit_round:
      return {{"keepbits", level}};
    case Id::pack_bits:
      return {};
    default:
      throw Error::usage("write", fmt::format("codec {}", name_of(codec.id)), "numcodecs has no such codec");
  }
}

}  // namespace weir
