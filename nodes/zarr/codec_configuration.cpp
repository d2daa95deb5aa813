#include "nodes/zarr/codec_configuration.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/numcodecs_configuration.hpp"
#include "nodes/zarr/zarr_extension.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

constexpr std::string_view numcodecs = "numcodecs.";
constexpr std::string_view shufflings[] = {"noshuffle", "shuffle", "bitshuffle"};

ZarrCodecSpec bytes_codec(const ZarrExtension& from, const ZarrType& type) {
  from.allow_only({"endian"});
  ZarrCodecSpec codec;
  const auto endian = from.find("endian");
  if (!endian) {
    if (type.word_bytes() > 1) from.place.refuse_member("configuration.endian", "is missing");
    return codec;
  }
  if (endian->text() != "little" && endian->text() != "big")
    endian->refuse("is neither \"little\" nor \"big\"");
  codec.big_endian = endian->text() == "big" && type.word_bytes() > 1;
  return codec;
}

ZarrCodecSpec transpose_codec(const ZarrExtension& from) {
  from.allow_only({"order"});
  ZarrCodecSpec codec;
  codec.id = Id::transpose;
  for (const JsonPlace& axis : from.member("order").items())
    codec.order.push_back(static_cast<std::uint32_t>(axis.whole(0, 1 << 20)));
  return codec;
}

ZarrCodecSpec blosc_codec(const ZarrExtension& from, const ZarrType& type) {
  from.allow_only({"cname", "clevel", "shuffle", "typesize", "blocksize"});
  ZarrCodecSpec codec;
  codec.id = Id::blosc;
  codec.compressor = blosc_compressor(from.member("cname"));
  codec.level = static_cast<int>(from.member("clevel").whole(0, 9));
  const JsonPlace shuffle = from.member("shuffle");
  codec.shuffling = -1;
  for (int i = 0; i < 3; ++i)
    if (shufflings[i] == shuffle.text()) codec.shuffling = i;
  if (codec.shuffling < 0) shuffle.refuse("is neither \"noshuffle\", \"shuffle\" nor \"bitshuffle\"");
  const auto size = from.find("typesize");
  if (size) codec.element_bytes = blosc_element_bytes(*size, type);
  if (!size && codec.shuffling != 0) from.member("typesize");
  codec.block_bytes = static_cast<std::uint64_t>(from.member("blocksize").whole(0, 1 << 30));
  return codec;
}

ZarrCodecSpec sharding_codec(const ZarrExtension& from, const ZarrType& type) {
  from.allow_only({"chunk_shape", "codecs", "index_codecs", "index_location"});
  auto sharding = std::make_shared<ZarrSharding>();
  for (const JsonPlace& size : from.member("chunk_shape").items())
    sharding->chunk_shape.push_back(size.size(1));
  sharding->codecs = codecs_v3(from.member("codecs"), type);
  sharding->index_codecs =
      codecs_v3(from.member("index_codecs"), {ZarrType::Kind::unsigned_integer, sizeof(std::uint64_t)});
  if (const auto location = from.find("index_location")) {
    if (location->text() != "start" && location->text() != "end")
      location->refuse("is neither \"start\" nor \"end\"");
    sharding->index_at_end = location->text() == "end";
  }
  ZarrCodecSpec codec;
  codec.id = Id::sharding_indexed;
  codec.sharding = std::move(sharding);
  return codec;
}

ZarrCodecSpec codec_v3(const JsonPlace& place, const ZarrType& type) {
  const ZarrExtension from = zarr_extension(place);
  ZarrCodecSpec codec;
  if (from.name == "bytes") return bytes_codec(from, type);
  if (from.name == "transpose") return transpose_codec(from);
  if (from.name == "blosc") return blosc_codec(from, type);
  if (from.name == "sharding_indexed") return sharding_codec(from, type);
  if (from.name == "crc32c") {
    from.allow_only({});
    codec.id = Id::crc32c;
  } else if (from.name == "gzip") {
    from.allow_only({"level"});
    codec.id = Id::gzip;
    codec.level = static_cast<int>(from.member("level").whole(0, 9));
  } else if (from.name == "zstd") {
    from.allow_only({"level", "checksum"});
    codec.id = Id::zstd;
    codec.level = static_cast<int>(from.member("level").whole(-131072, 22));
    if (const auto checksum = from.find("checksum")) codec.checksum = checksum->boolean();
  } else if (from.name.starts_with(numcodecs)) {
    const JsonValue none(JsonValue::Object{});
    return numcodec(std::string_view(from.name).substr(numcodecs.size()),
                    from.configuration ? *from.configuration : JsonPlace(none, place.document()), type);
  } else {
    place.refuse(fmt::format("codec '{}' is not known", from.name.substr(0, 80)));
  }
  return codec;
}

/// numcodecs' filters work on numbers in the machine's byte order, and `bytes` behind them turns what they made: the same as
/// filtering numbers in the order that `bytes` says, which is how ZarrCodecSpec (and v2) has it.
void set_filter_order(std::vector<ZarrCodecSpec>& codecs) {
  bool is_big = false;
  for (const ZarrCodecSpec& codec : codecs)
    if (codec.id == Id::bytes) is_big = codec.big_endian;
  for (ZarrCodecSpec& codec : codecs)
    if (codec.id == Id::delta || codec.id == Id::fixed_scale_offset) {
      codec.type_is_big = is_big && codec.type.word_bytes() > 1;
      codec.as_type_is_big = is_big && codec.as_type.word_bytes() > 1;
    }
}

JsonValue numbers(const auto& list) {
  JsonValue::Array array;
  for (const auto number : list) array.emplace_back(number);
  return array;
}

JsonValue codec_v3_json(const ZarrCodecSpec& codec, const ZarrType& type) {
  const std::string_view name = name_of(codec.id);
  switch (codec.id) {
    case Id::bytes:
      if (type.word_bytes() == 1) return extension_json(name, {});
      return extension_json(name, {{"endian", codec.big_endian ? "big" : "little"}});
    case Id::transpose:
      return extension_json(name, {{"order", numbers(codec.order)}});
    case Id::gzip:
      return extension_json(name, {{"level", codec.level.value_or(level_range(codec.id).usual)}});
    case Id::zstd:
      return extension_json(name, numcodec_members(codec, type, 3));
    case Id::blosc:
      return extension_json(name, {{"typesize", blosc_element_bytes(codec, type)},
                                   {"cname", codec.compressor},
                                   {"clevel", codec.level.value_or(level_range(codec.id).usual)},
                                   {"shuffle", std::string(shufflings[codec.shuffling])},
                                   {"blocksize", codec.block_bytes}});
    case Id::crc32c:
      return extension_json(name, {});
    case Id::sharding_indexed: {
      const ZarrSharding& sharding = *codec.sharding;
      return extension_json(
          name,
          {{"chunk_shape", numbers(sharding.chunk_shape)},
           {"codecs", codecs_v3_json(sharding.codecs, type)},
           {"index_codecs", codecs_v3_json(sharding.index_codecs, {ZarrType::Kind::unsigned_integer, 8})},
           {"index_location", sharding.index_at_end ? "end" : "start"}});
    }
    default:
      return extension_json(fmt::format("{}{}", numcodecs, name), numcodec_members(codec, type, 3));
  }
}

}  // namespace

std::vector<ZarrCodecSpec> codecs_v3(const JsonPlace& codecs, const ZarrType& type) {
  std::vector<ZarrCodecSpec> list;
  for (const JsonPlace& place : codecs.items()) list.push_back(codec_v3(place, type));
  set_filter_order(list);
  return list;
}

JsonValue codecs_v3_json(const std::vector<ZarrCodecSpec>& codecs, const ZarrType& type) {
  JsonValue::Array array;
  for (const ZarrCodecSpec& codec : codecs) array.push_back(codec_v3_json(codec, type));
  return array;
}

ZarrCodecSpec codec_v2(const JsonPlace& codec, const ZarrType& type) {
  return numcodec(codec.member("id").text(), codec, type);
}

JsonValue codec_v2_json(const ZarrCodecSpec& codec, const ZarrType& type) {
  JsonValue::Object object = numcodec_members(codec, type, 2);
  object.insert(object.begin(), {"id", std::string(name_of(codec.id))});
  return object;
}

int stage_of(ZarrCodecSpec::Id id) {
  switch (id) {
    case Id::transpose:
    case Id::delta:
    case Id::fixed_scale_offset:
    case Id::bit_round:
    case Id::pack_bits:
      return 0;
    case Id::bytes:
    case Id::sharding_indexed:
      return 1;
    default:
      return 2;
  }
}

}  // namespace weir
