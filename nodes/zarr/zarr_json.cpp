// Writes zarr.json and .zarray.

#include <fmt/format.h>

#include "framework/error.hpp"
#include "nodes/zarr/codec_configuration.hpp"
#include "nodes/zarr/dtype_v2.hpp"
#include "nodes/zarr/fill_value.hpp"
#include "nodes/zarr/zarr_extension.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;

JsonValue sizes(const std::vector<std::uint64_t>& shape) {
  JsonValue::Array array;
  for (const std::uint64_t size : shape) array.emplace_back(size);
  return array;
}

/// Attributes are the caller's text.
JsonValue attributes_json(const std::string& attributes) {
  const ZarrLimits limits;
  JsonValue value = parse_json(attributes, "the attributes", limits.metadata_bytes, limits.depth);
  if (value.object() == nullptr) throw Error::usage("write", "the attributes", "they are no object");
  return value;
}

JsonValue v3_json(const ZarrArrayMetadata& array) {
  JsonValue::Object object{
      {"zarr_format", 3},
      {"node_type", "array"},
      {"shape", sizes(array.shape)},
      {"data_type", name_of(array.type)},
      {"chunk_grid", extension_json("regular", {{"chunk_shape", sizes(array.chunk_shape)}})},
      {"chunk_key_encoding", extension_json(array.keys.has_prefix ? "default" : "v2",
                                            {{"separator", std::string(1, array.keys.separator)}})},
      {"fill_value", fill_value_json(array.fill, array.type, 3)},
      {"codecs", codecs_v3_json(array.codecs, array.type)},
      {"attributes", attributes_json(array.attributes)}};
  if (!array.dimension_names.empty()) {
    JsonValue::Array names;
    for (const auto& name : array.dimension_names) names.push_back(name ? JsonValue(*name) : JsonValue());
    object.emplace_back("dimension_names", std::move(names));
  }
  return object;
}

JsonValue v2_json(const ZarrArrayMetadata& array) {
  JsonValue::Array filters;
  JsonValue compressor;
  bool is_big = false, is_f = false, made_bytes = false;
  for (const ZarrCodecSpec& codec : array.codecs) {
    if (codec.id == Id::bytes) {
      is_big = codec.big_endian, made_bytes = true;
    } else if (codec.id == Id::transpose) {
      is_f = array.rank() > 1;
    } else if (made_bytes) {
      compressor = codec_v2_json(codec, array.type);
    } else {
      filters.push_back(codec_v2_json(codec, array.type));
    }
  }
  return JsonValue::Object{{"zarr_format", 2},
                           {"shape", sizes(array.shape)},
                           {"chunks", sizes(array.chunk_shape)},
                           {"dtype", dtype_text(array.type, is_big)},
                           {"compressor", std::move(compressor)},
                           {"fill_value", fill_value_json(array.fill, array.type, 2)},
                           {"order", is_f ? "F" : "C"},
                           {"filters", filters.empty() ? JsonValue() : JsonValue(std::move(filters))},
                           {"dimension_separator", std::string(1, array.keys.separator)}};
}

}  // namespace

std::string to_json(const ZarrArrayMetadata& array) {
  check(array, "an array's metadata");
  return to_text(array.format == 3 ? v3_json(array) : v2_json(array)) + '\n';
}

std::string to_json(const ZarrGroupMetadata& group) {
  JsonValue::Object object{{"zarr_format", group.format}};
  if (group.format == 3) {
    object.emplace_back("node_type", "group");
    object.emplace_back("attributes", attributes_json(group.attributes));
  }
  return to_text(object) + '\n';
}

}  // namespace weir
