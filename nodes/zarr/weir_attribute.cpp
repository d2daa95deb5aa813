#include "nodes/zarr/weir_attribute.hpp"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "nodes/zarr/fill_value.hpp"

namespace weir {
namespace {

template <class Number>
JsonValue numbers_json(const std::vector<Number>& numbers) {
  JsonValue::Array array;
  for (const Number number : numbers) {
    if constexpr (std::is_floating_point_v<Number>) {
      array.emplace_back(number);
    } else {
      array.emplace_back(std::uint32_t{number});
    }
  }
  return array;
}

std::vector<double> doubles_of(const JsonPlace& place) {
  std::vector<double> numbers;
  for (const JsonPlace& item : place.items()) numbers.push_back(item.number());
  return numbers;
}

std::vector<std::uint16_t> words_of(const JsonPlace& place) {
  std::vector<std::uint16_t> numbers;
  for (const JsonPlace& item : place.items())
    numbers.push_back(static_cast<std::uint16_t>(item.whole(0, 65535)));
  return numbers;
}

bool is_utf8(const std::string& text) {
  try {
    static_cast<void>(nlohmann::json(text).dump());
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

/// TIFF's texts are bytes of any code page.
JsonValue text_json(const std::string& text) {
  if (is_utf8(text)) return text;
  const auto bytes = std::as_bytes(std::span(text));
  return JsonValue::Object{{"base64", base64({bytes.begin(), bytes.end()})}};
}

std::vector<std::byte> bytes_of(const JsonPlace& place) {
  auto bytes = bytes_of_base64(place.text());
  if (!bytes) place.refuse("is no base64");
  return std::move(*bytes);
}

std::string text_of(const JsonPlace& place) {
  if (const std::string* text = place.value().text()) return *text;
  const auto bytes = bytes_of(place.member("base64"));
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

JsonValue place_json(const Georeferencing& place) {
  JsonValue::Object object;
  const auto add = [&](const char* name, const auto& numbers) {
    if (!numbers.empty()) object.emplace_back(name, numbers_json(numbers));
  };
  add("pixel_scale", place.pixel_scale);
  add("tiepoints", place.tiepoints);
  add("transformation", place.transformation);
  add("key_directory", place.key_directory);
  add("key_doubles", place.key_doubles);
  if (!place.key_ascii.empty()) object.emplace_back("key_ascii", text_json(place.key_ascii));
  return object;
}

Georeferencing place_of(const JsonPlace& from) {
  from.allow_only(
      {"pixel_scale", "tiepoints", "transformation", "key_directory", "key_doubles", "key_ascii"});
  Georeferencing place;
  if (const auto one = from.find("pixel_scale")) place.pixel_scale = doubles_of(*one);
  if (const auto one = from.find("tiepoints")) place.tiepoints = doubles_of(*one);
  if (const auto one = from.find("transformation")) place.transformation = doubles_of(*one);
  if (const auto one = from.find("key_directory")) place.key_directory = words_of(*one);
  if (const auto one = from.find("key_doubles")) place.key_doubles = doubles_of(*one);
  if (const auto one = from.find("key_ascii")) place.key_ascii = text_of(*one);
  return place;
}

JsonValue item_json(const MetadataItem& item) {
  JsonValue::Object object{{"name", text_json(item.name)}, {"text", text_json(item.text)}};
  if (item.sample) object.emplace_back("sample", *item.sample);
  if (!item.role.empty()) object.emplace_back("role", text_json(item.role));
  if (!item.domain.empty()) object.emplace_back("domain", text_json(item.domain));
  return object;
}

MetadataItem item_of(const JsonPlace& from) {
  from.allow_only({"name", "text", "sample", "role", "domain"});
  MetadataItem item;
  item.name = text_of(from.member("name"));
  item.text = text_of(from.member("text"));
  if (const auto sample = from.find("sample"))
    item.sample = static_cast<std::uint32_t>(sample->whole(0, 65535));
  if (const auto role = from.find("role")) item.role = text_of(*role);
  if (const auto domain = from.find("domain")) item.domain = text_of(*domain);
  return item;
}

/// Bytes of one value of a TIFF field type, 0 where there is none: TIFF 6.0, and BigTIFF's 16 to 18.
std::uint64_t value_bytes(std::uint16_t type) {
  constexpr std::uint8_t bytes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
  return type < std::size(bytes) ? bytes[type] : 0;
}

RawTag tag_of(const JsonPlace& from) {
  from.allow_only({"id", "type", "count", "bytes"});
  RawTag tag;
  tag.id = static_cast<std::uint16_t>(from.member("id").whole(0, 65535));
  const JsonPlace type = from.member("type");
  tag.type = static_cast<std::uint16_t>(type.whole(1, 18));
  const std::uint64_t size = value_bytes(tag.type);
  if (size == 0) type.refuse("is no TIFF field type");
  tag.count = from.member("count").size(0);
  tag.bytes = bytes_of(from.member("bytes"));
  if (tag.count != tag.bytes.size() / size || tag.bytes.size() % size != 0)
    from.refuse(fmt::format("{} values of type {} are not {} bytes", tag.count, tag.type, tag.bytes.size()));
  return tag;
}

}  // namespace

JsonValue weir_attribute(const RasterInfo& info) {
  JsonValue::Object object{{"version", 1}};
  JsonValue place = place_json(info.georeferencing);
  if (!place.object()->empty()) object.emplace_back("geotiff", std::move(place));
  if (info.nodata) object.emplace_back("nodata", text_json(*info.nodata));
  if (info.photometric != RasterInfo().photometric)
    object.emplace_back("photometric", std::uint32_t{info.photometric});
  if (!info.extra_samples.empty()) object.emplace_back("extra_samples", numbers_json(info.extra_samples));
  JsonValue::Array items, tags;
  for (const MetadataItem& item : info.metadata) items.push_back(item_json(item));
  for (const RawTag& tag : info.tags)
    tags.push_back(JsonValue::Object{{"id", std::uint32_t{tag.id}},
                                     {"type", std::uint32_t{tag.type}},
                                     {"count", tag.count},
                                     {"bytes", base64(tag.bytes)}});
  if (!items.empty()) object.emplace_back("metadata", std::move(items));
  if (!tags.empty()) object.emplace_back("tags", std::move(tags));
  if (object.size() == 1) return nullptr;
  return object;
}

void read_weir_attribute(RasterInfo& info, const JsonPlace& place) {
  const JsonPlace version = place.member("version");
  if (version.whole(0, 1 << 20) != 1) version.refuse("is not 1");
  place.allow_only({"version", "geotiff", "nodata", "photometric", "extra_samples", "metadata", "tags"});
  if (const auto from = place.find("geotiff")) info.georeferencing = place_of(*from);
  if (const auto from = place.find("nodata")) info.nodata = text_of(*from);
  if (const auto from = place.find("photometric"))
    info.photometric = static_cast<std::uint16_t>(from->whole(0, 65535));
  if (const auto from = place.find("extra_samples")) info.extra_samples = words_of(*from);
  if (const auto from = place.find("metadata"))
    for (const JsonPlace& item : from->items()) info.metadata.push_back(item_of(item));
  if (const auto from = place.find("tags"))
    for (const JsonPlace& tag : from->items()) info.tags.push_back(tag_of(tag));
}

}  // namespace weir
