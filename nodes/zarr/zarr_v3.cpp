// Reads zarr.json: https://zarr-specs.readthedocs.io/en/latest/v3/core/index.html

#include <fmt/format.h>

#include <algorithm>

#include "framework/error.hpp"
#include "nodes/zarr/codec_configuration.hpp"
#include "nodes/zarr/fill_value.hpp"
#include "nodes/zarr/zarr_check.hpp"
#include "nodes/zarr/zarr_extension.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {
namespace {

/// Members that the specification does not know must be refused, unless they say that they may be ignored.
void refuse_unknown(const JsonPlace& node, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : node.object()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const JsonValue* must_understand = value.find("must_understand");
    const bool* says = must_understand != nullptr ? must_understand->boolean() : nullptr;
    if (says == nullptr || *says)
      node.refuse_member(name, "is not known, and does not say that it may be ignored");
  }
}

void check_node(const JsonPlace& node, std::string_view type) {
  const JsonPlace format = node.member("zarr_format");
  if (format.whole(0, 1 << 20) != 3) format.refuse("is not 3");
  const JsonPlace node_type = node.member("node_type");
  if (node_type.text() != type) node_type.refuse(fmt::format("is not \"{}\"", type));
}

std::string attributes_of(const JsonPlace& node) {
  const auto attributes = node.find("attributes");
  if (!attributes) return "{}";
  attributes->object();
  return to_text(attributes->value());
}

ZarrType type_of(const JsonPlace& place) {
  const ZarrExtension type = zarr_extension(place);
  type.allow_only({});
  try {
    return zarr_type_named(type.name);
  } catch (const Error& error) {
    place.refuse(fmt::format("'{}': {}", type.name.substr(0, 80), error.reason()));
  }
}

std::vector<std::uint64_t> chunk_shape_of(const JsonPlace& place) {
  const ZarrExtension grid = zarr_extension(place);
  if (grid.name != "regular")
    place.refuse(fmt::format("'{}' is not known, only 'regular'", grid.name.substr(0, 80)));
  grid.allow_only({"chunk_shape"});
  std::vector<std::uint64_t> shape;
  for (const JsonPlace& size : grid.member("chunk_shape").items()) shape.push_back(size.size(1));
  return shape;
}

ZarrKeys keys_of(const JsonPlace& place) {
  const ZarrExtension encoding = zarr_extension(place);
  ZarrKeys keys;
  if (encoding.name != "default" && encoding.name != "v2")
    place.refuse(fmt::format("'{}' is neither 'default' nor 'v2'", encoding.name.substr(0, 80)));
  encoding.allow_only({"separator"});
  keys.has_prefix = encoding.name == "default";
  keys.separator = keys.has_prefix ? '/' : '.';
  if (const auto separator = encoding.find("separator")) {
    if (separator->text() != "." && separator->text() != "/") separator->refuse("is neither \".\" nor \"/\"");
    keys.separator = separator->text().front();
  }
  return keys;
}

std::vector<std::optional<std::string>> dimension_names_of(const JsonPlace& node) {
  std::vector<std::optional<std::string>> names;
  const auto list = node.find("dimension_names");
  if (!list || list->value().is_null()) return names;  // zarr-python writes null for "none"
  for (const JsonPlace& name : list->items())
    names.push_back(name.value().is_null() ? std::nullopt : std::optional(name.text()));
  return names;
}

}  // namespace

ZarrArrayMetadata parse_zarr_v3_array(std::string_view json, const std::string& name,
                                      const ZarrLimits& limits) {
  const JsonValue document = parse_json(json, name, limits.metadata_bytes, limits.depth);
  const JsonPlace node(document, name);
  check_node(node, "array");
  refuse_unknown(node, {"zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding",
                        "fill_value", "codecs", "attributes", "storage_transformers", "dimension_names"});
  ZarrArrayMetadata array;
  array.format = 3;
  for (const JsonPlace& size : node.member("shape").items()) array.shape.push_back(size.size(0));
  array.type = type_of(node.member("data_type"));
  // Before any element is made: "r4294967288" is a valid type.
  if (array.type.bytes > limits.chunk_bytes)
    node.refuse_member("data_type", "an element is larger than a chunk may be");
  array.chunk_shape = chunk_shape_of(node.member("chunk_grid"));
  array.keys = keys_of(node.member("chunk_key_encoding"));
  array.fill = fill_value_v3(node.member("fill_value"), array.type);
  array.codecs = codecs_v3(node.member("codecs"), array.type);
  array.dimension_names = dimension_names_of(node);
  array.attributes = attributes_of(node);
  if (const auto transformers = node.find("storage_transformers"))
    for (const JsonPlace& transformer : transformers->items())
      transformer.refuse(fmt::format("'{}' is not known", zarr_extension(transformer).name.substr(0, 80)));
  if (const auto wrong = wrong_with(array, limits)) node.refuse(*wrong);
  return array;
}

ZarrGroupMetadata parse_zarr_v3_group(std::string_view json, const std::string& name,
                                      const ZarrLimits& limits) {
  const JsonValue document = parse_json(json, name, limits.metadata_bytes, limits.depth);
  const JsonPlace node(document, name);
  check_node(node, "group");
  refuse_unknown(node, {"zarr_format", "node_type", "attributes", "consolidated_metadata"});
  return {3, attributes_of(node)};
}

}  // namespace weir
