#include "nodes/zarr/metadata_problems.hpp"

#include <algorithm>
#include <cstdint>

#include "framework/error.hpp"
#include "nodes/zarr/json_value.hpp"

namespace weir {
namespace {

const std::string document = "the document";

/// The positive sizes that a value is; nothing where it is something else.
std::optional<std::vector<std::uint64_t>> sizes_of(const JsonValue* value) {
  if (value == nullptr || value->array() == nullptr) return std::nullopt;
  std::vector<std::uint64_t> sizes;
  try {
    for (const JsonPlace& item : JsonPlace(*value, document).items())
      sizes.push_back(std::max<std::uint64_t>(item.size(0), 1));
  } catch (const Error&) {
    return std::nullopt;
  }
  return sizes;
}

const JsonValue* found(const JsonValue* value, std::string_view member) {
  return value == nullptr ? nullptr : value->find(member);
}

/// chunk_shape of a configuration: of the grid, or of the codec that shards.
std::optional<std::vector<std::uint64_t>> chunk_shape_of(const JsonValue* extension) {
  return sizes_of(found(found(extension, "configuration"), "chunk_shape"));
}
std::optional<std::vector<std::uint64_t>> inner_shape_of(const JsonValue& array) {
  const JsonValue* codecs = array.find("codecs");
  if (codecs == nullptr || codecs->array() == nullptr) return std::nullopt;
  for (const JsonValue& codec : *codecs->array())
    if (auto shape = chunk_shape_of(&codec)) return shape;
  return std::nullopt;
}

JsonValue json_of(const std::vector<std::uint64_t>& sizes) {
  JsonValue::Array list;
  for (const std::uint64_t size : sizes) list.emplace_back(size);
  return list;
}

/// Puts something in the place of a broken member that makes no other look broken; false where there is nothing.
bool mend(JsonValue& array, const std::string& member, int format) {
  const std::vector<std::uint64_t> none;
  const bool is_v2 = format == 2;
  const auto chunks = is_v2 ? sizes_of(array.find("chunks")) : chunk_shape_of(array.find("chunk_grid"));
  if (member == "zarr_format") {
    array.set(member, format);
  } else if (member == "node_type") {
    array.set(member, "array");
  } else if (member == "shape") {
    array.set(member, json_of(chunks ? *chunks : inner_shape_of(array).value_or(none)));
  } else if (member == "data_type" || member == "dtype") {
    array.set(member, is_v2 ? "|u1" : "uint8");
    array.set("fill_value", 0);
    if (is_v2) array.set("filters", nullptr);
  } else if (member == "chunks" || member == "chunk_grid") {
    const auto shape = sizes_of(array.find("shape")).value_or(none);
    const JsonValue sizes = json_of(is_v2 ? shape : inner_shape_of(array).value_or(shape));
    array.set(member, is_v2
                          ? sizes
                          : JsonValue::Object{{"name", "regular"},
                                              {"configuration", JsonValue::Object{{"chunk_shape", sizes}}}});
  } else if (member == "chunk_key_encoding") {
    array.set(member, "default");
  } else if (member == "fill_value") {
    array.set(member, is_v2 ? JsonValue() : JsonValue(0));
  } else if (member == "codecs") {
    array.set(member, JsonValue::Array{JsonValue::Object{
                          {"name", "bytes"}, {"configuration", JsonValue::Object{{"endian", "little"}}}}});
  } else if (member == "compressor" || member == "filters") {
    array.set(member, nullptr);
  } else if (member == "order") {
    array.set(member, "C");
  } else if (array.find(member) != nullptr) {  // those that may be missing, and those that nobody knows
    array.erase(member);
  } else {
    return false;
  }
  return true;
}

/// Elements of an array that are none of ours, and yet what its format allows: of v2 numpy's texts, bytes, times, objects and
/// structures (https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html#data-type-encoding), of v3 the extensions that are registered
/// (https://github.com/zarr-developers/zarr-extensions/tree/main/data-types).
std::optional<std::string> unread_elements(const JsonValue& array, int format) {
  const JsonValue* type = array.find(format == 2 ? "dtype" : "data_type");
  if (type == nullptr) return std::nullopt;
  if (format == 2 && type->array() != nullptr && !type->array()->empty()) return "a structure";
  const JsonValue* named = type->object() != nullptr ? type->find("name") : type;
  if (named == nullptr || named->text() == nullptr) return std::nullopt;
  const std::string& name = *named->text();
  if (format == 3) {
    constexpr std::string_view extensions[] = {"string",
                                               "bytes",
                                               "variable_length_bytes",
                                               "fixed_length_utf32",
                                               "null_terminated_bytes",
                                               "numpy.datetime64",
                                               "numpy.timedelta64",
                                               "struct",
                                               "structured"};
    return std::ranges::find(extensions, name) != std::end(extensions) ? std::optional(name) : std::nullopt;
  }
  if (name.size() < 2 || std::string_view("<>|").find(name[0]) == std::string_view::npos) return std::nullopt;
  std::string_view size = std::string_view(name).substr(2);
  bool is_known = false;
  switch (name[1]) {
    case 'O':
      return size.empty() ? std::optional(name) : std::nullopt;
    case 'S':
    case 'a':
    case 'U':
      is_known = !size.empty() && size.find_first_not_of("0123456789") == std::string_view::npos;
      break;
    case 'M':
    case 'm':  // "8", and mostly a unit: "8[ns]", "8[25s]"
      is_known =
          size == "8" || (size.starts_with("8[") && size.size() < 16 && size.find(']') == size.size() - 1);
      break;
    default:
      break;
  }
  return is_known ? std::optional(name) : std::nullopt;
}

bool same(const JsonValue& one, const JsonValue& other) {
  if (const auto* members = one.object()) {
    const auto* others = other.object();
    return others != nullptr && members->size() == others->size() &&
           std::ranges::all_of(*members, [&](const auto& member) {
             const JsonValue* its = other.find(member.first);
             return its != nullptr && same(member.second, *its);
           });
  }
  if (const auto* items = one.array()) {
    const auto* others = other.array();
    return others != nullptr && std::ranges::equal(*items, *others, same);
  }
  return one == other;
}

}  // namespace

ArrayProblems problems_of_array(std::string_view json, std::string_view zattrs, int format,
                                const ZarrLimits& limits) {
  ArrayProblems found;
  JsonValue array;
  try {
    array = parse_json(json, document, limits.metadata_bytes, limits.depth);
    JsonPlace(array, document).object();
  } catch (const Error& error) {
    found.problems.push_back(error.reason());
    return found;
  }
  std::string attributes(zattrs);
  try {
    if (format == 2)
      static_cast<void>(parse_zarr_v2_group(R"({"zarr_format": 2})", attributes, document, limits));
  } catch (const Error& error) {
    found.problems.push_back(".zattrs: " + error.reason());
    attributes.clear();
  }
  found.unread = unread_elements(array, format);
  if (found.unread) {
    mend(array, format == 2 ? "dtype" : "data_type", format);
    if (format == 3) mend(array, "codecs", format);  // of texts: no bytes make them
  }
  // More members than there are; those that nobody knows may be more, and a document of 16 MiB takes a second.
  for (int i = 0; i < 16; ++i) {
    try {
      const std::string text = to_text(array);
      ZarrArrayMetadata metadata = format == 2 ? parse_zarr_v2_array(text, attributes, document, limits)
                                               : parse_zarr_v3_array(text, document, limits);
      if (found.problems.empty() && !found.unread) found.array = std::move(metadata);
      return found;
    } catch (const Error& error) {
      const std::string& reason = error.reason();
      if (std::ranges::find(found.problems, reason) != found.problems.end()) return found;
      found.problems.push_back(reason);
      if (!mend(array, reason.substr(0, reason.find_first_of(".:[")), format)) return found;
    }
  }
  return found;
}

std::optional<std::string> difference(std::string_view one, std::string_view other,
                                      const ZarrLimits& limits) {
  const JsonValue a = parse_json(one, document, limits.metadata_bytes, limits.depth);
  const JsonValue b = parse_json(other, document, limits.metadata_bytes, limits.depth);
  if (a.object() == nullptr || b.object() == nullptr) return same(a, b) ? std::nullopt : std::optional("");
  for (const auto& [left, right] : {std::pair(&a, &b), std::pair(&b, &a)})
    for (const auto& [name, value] : *left->object()) {
      if (name == "consolidated_metadata") continue;
      const JsonValue* its = right->find(name);
      if (its == nullptr || !same(value, *its)) return name;
    }
  return std::nullopt;
}

}  // namespace weir
