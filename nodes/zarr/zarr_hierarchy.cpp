#include "nodes/zarr/zarr_hierarchy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/zarr_layout.hpp"

namespace weir {
namespace {

constexpr std::string_view v3_file = "zarr.json", v2_array_file = ".zarray", v2_group_file = ".zgroup",
                           v2_attributes_file = ".zattrs", v2_consolidated_file = ".zmetadata";

/// The path of the node that a key is a document of: "a/b/zarr.json" gives "a/b", for `file` "zarr.json".
std::optional<std::string> node_of(std::string_view key, std::string_view file) {
  if (key == file) return "";
  if (!key.ends_with(file) || key.size() <= file.size() || key[key.size() - file.size() - 1] != '/')
    return std::nullopt;
  return std::string(key.substr(0, key.size() - file.size() - 1));
}

std::string in_store(const Store& store, std::string_view key) {
  return fmt::format("{} in {}", key, store.name());
}

/// What a store's calls are made with, in one place.
struct Reading {
  const Store& store;
  const ZarrLimits& limits;
  const std::stop_token& stop;

  std::optional<std::string> text(const std::string& key) const {
    const auto bytes = get_small(store, key, limits.metadata_bytes, stop);
    if (!bytes) return std::nullopt;
    return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  }
  JsonValue json(const std::string& text, const std::string& name) const {
    return parse_json(text, name, limits.metadata_bytes, limits.depth);
  }
};

void put(const Store& store, const std::string& key, const std::string& text) {
  store.put(key, std::as_bytes(std::span(text)));
}

bool is_v3_array(const JsonValue& document, const std::string& name) {
  const JsonPlace type = JsonPlace(document, name).member("node_type");
  if (type.text() != "array" && type.text() != "group") type.refuse("is neither \"array\" nor \"group\"");
  return type.text() == "array";
}

/// Paths in consolidated metadata are from outside: they become keys of the store.
void check_path(const JsonPlace& place, const std::string& path) {
  try {
    check_key(path);
  } catch (const Error& error) {
    place.refuse(fmt::format("path '{}': {}", path.substr(0, 80), error.reason()));
  }
}

std::shared_ptr<const ZarrConsolidated> consolidated_v3(const JsonValue& document, const std::string& name) {
  const auto place = JsonPlace(document, name).find("consolidated_metadata");
  if (!place || place->value().is_null()) return nullptr;
  const auto kind = place->find("kind");
  if (!kind || kind->text() != "inline") return nullptr;  // it never must be understood
  auto consolidated = std::make_shared<ZarrConsolidated>();
  const JsonPlace metadata = place->member("metadata");
  for (const auto& [path, node] : metadata.object()) {
    check_path(metadata, path);
    (*consolidated)[path] = {is_v3_array(node, fmt::format("{}, node {}", name, path)), to_text(node), {}};
  }
  return consolidated;
}

std::shared_ptr<const ZarrConsolidated> consolidated_v2(const Reading& from, const std::string& path) {
  const std::string key = joined_path(path, v2_consolidated_file);
  const auto text = from.text(key);
  if (!text) return nullptr;
  const std::string name = in_store(from.store, key);
  const JsonValue document = from.json(*text, name);
  const JsonPlace place(document, name);
  const JsonPlace format = place.member("zarr_consolidated_format");
  if (format.whole(0, 1 << 20) != 1) format.refuse("is not 1");
  auto consolidated = std::make_shared<ZarrConsolidated>();
  const JsonPlace metadata = place.member("metadata");
  for (const auto& [document_key, value] : metadata.object()) {
    check_path(metadata, document_key);
    for (const std::string_view file : {v2_array_file, v2_group_file, v2_attributes_file}) {
      const auto node = node_of(document_key, file);
      if (!node || node->empty()) continue;
      ZarrDocuments& documents = (*consolidated)[*node];
      (file == v2_attributes_file ? documents.zattrs : documents.json) = to_text(value);
      if (file == v2_array_file) documents.is_array = true;
    }
  }
  std::erase_if(*consolidated, [](const auto& node) { return node.second.json.empty(); });
  return consolidated;
}

/// What is below `path` of what is below a group.
std::shared_ptr<const ZarrConsolidated> below(const ZarrConsolidated& all, const std::string& path) {
  auto part = std::make_shared<ZarrConsolidated>();
  const std::string prefix = path + "/";
  for (auto node = all.lower_bound(prefix); node != all.end() && node->first.starts_with(prefix); ++node)
    part->emplace(node->first.substr(prefix.size()), node->second);
  return part;
}

std::optional<ZarrNode> find_v2(const Reading& from, const std::string& path) {
  const auto attributes = [&] { return from.text(joined_path(path, v2_attributes_file)).value_or(""); };
  std::string key = joined_path(path, v2_array_file);
  if (const auto zarray = from.text(key))
    return ZarrNode{path, parse_zarr_v2_array(*zarray, attributes(), in_store(from.store, key), from.limits),
                    nullptr};
  key = joined_path(path, v2_group_file);
  const auto zgroup = from.text(key);
  if (!zgroup) return std::nullopt;
  return ZarrNode{path, parse_zarr_v2_group(*zgroup, attributes(), in_store(from.store, key), from.limits),
                  consolidated_v2(from, path)};
}

}  // namespace

std::optional<ZarrNode> find_zarr(const Store& store, const std::string& path, const ZarrLimits& limits,
                                  const std::stop_token& stop) {
  const Reading from{store, limits, stop};
  const std::string key = joined_path(path, v3_file);
  const auto text = from.text(key);
  if (!text) return find_v2(from, path);
  const std::string name = in_store(store, key);
  const JsonValue document = from.json(*text, name);
  if (is_v3_array(document, name)) return ZarrNode{path, parse_zarr_v3_array(*text, name, limits), nullptr};
  return ZarrNode{path, parse_zarr_v3_group(*text, name, limits), consolidated_v3(document, name)};
}

ZarrNode open_zarr(const Store& store, const std::string& path, const ZarrLimits& limits,
                   const std::stop_token& stop) {
  auto node = find_zarr(store, path, limits, stop);
  if (!node)
    throw Error("open", path.empty() ? store.name() : in_store(store, path),
                "there is no array and no group: neither zarr.json nor .zarray nor .zgroup");
  return std::move(*node);
}

ZarrNode open_zarr(const Store& store, const ZarrNode& group, const std::string& path,
                   const ZarrLimits& limits, const std::stop_token& stop) {
  const std::string whole = joined_path(group.path, path);
  if (!group.consolidated) return open_zarr(store, whole, limits, stop);
  const auto found = group.consolidated->find(path);
  if (found == group.consolidated->end())
    throw Error("open", in_store(store, whole), "the group's consolidated metadata has no such node");
  const ZarrDocuments& documents = found->second;
  const std::string name = fmt::format("the consolidated metadata of {}", in_store(store, whole));
  const bool is_v2 = group.format() == 2;
  ZarrNode node;
  node.path = whole;
  if (documents.is_array) {
    node.metadata = is_v2 ? parse_zarr_v2_array(documents.json, documents.zattrs, name, limits)
                          : parse_zarr_v3_array(documents.json, name, limits);
  } else {
    node.metadata = is_v2 ? parse_zarr_v2_group(documents.json, documents.zattrs, name, limits)
                          : parse_zarr_v3_group(documents.json, name, limits);
    node.consolidated = below(*group.consolidated, path);
  }
  return node;
}

std::vector<ZarrChild> zarr_children(const Store& store, const ZarrNode& group, const ZarrLimits& limits,
                                     const std::stop_token& stop) {
  std::map<std::string, bool> children;
  if (group.consolidated) {
    for (const auto& [path, documents] : *group.consolidated)
      if (path.find('/') == std::string::npos) children[path] = documents.is_array;
  } else {
    require(store, {.list = true});
    const bool is_v2 = group.format() == 2;
    const std::size_t skipped = group.path.empty() ? 0 : group.path.size() + 1;
    store.list(
        group.path,
        [&](std::string_view key, std::uint64_t) {
          const std::string_view rest = key.substr(std::min(skipped, key.size()));
          for (const std::string_view file : {v3_file, v2_array_file, v2_group_file}) {
            const auto node = node_of(rest, file);
            if (!node || node->empty() || node->find('/') != std::string::npos || is_v2 == (file == v3_file))
              continue;
            children[*node] |= file == v2_array_file;
          }
          return true;
        },
        stop);
    const Reading from{store, limits, stop};
    if (!is_v2)
      for (auto& [name, is_array] : children) {
        const std::string key = joined_path(joined_path(group.path, name), v3_file);
        const std::string named = in_store(store, key);
        if (const auto text = from.text(key)) is_array = is_v3_array(from.json(*text, named), named);
      }
  }
  std::vector<ZarrChild> list;
  for (const auto& [name, is_array] : children) list.push_back({name, is_array});
  return list;
}

namespace {

void put_v2_attributes(const Store& store, const std::string& path, const std::string& attributes) {
  const std::string key = joined_path(path, v2_attributes_file);
  if (attributes == "{}") return store.erase(key);
  put(store, key, attributes + '\n');
}

}  // namespace

void create_zarr(const Store& store, const std::string& path, const ZarrArrayMetadata& array) {
  require(store, {.write = true});
  const std::string text = to_json(array);
  if (array.format == 2) put_v2_attributes(store, path, array.attributes);
  put(store, joined_path(path, array.format == 2 ? v2_array_file : v3_file), text);
}

void create_zarr(const Store& store, const std::string& path, const ZarrGroupMetadata& group) {
  require(store, {.write = true});
  const std::string text = to_json(group);
  if (group.format == 2) put_v2_attributes(store, path, group.attributes);
  put(store, joined_path(path, group.format == 2 ? v2_group_file : v3_file), text);
}

void consolidate_zarr(const Store& store, const std::string& path, const ZarrLimits& limits,
                      const std::stop_token& stop) {
  require(store, {.write = true, .list = true});
  const Reading from{store, limits, stop};
  const ZarrNode group = open_zarr(store, path, limits, stop);
  if (group.group() == nullptr)
    throw Error::usage("consolidate", path.empty() ? store.name() : in_store(store, path), "it is no group");
  const bool is_v2 = group.format() == 2;
  const std::size_t skipped = path.empty() ? 0 : path.size() + 1;
  // Keys first, then documents: a store may hold its lock while it lists.
  std::map<std::string, std::string> keys;  // by what they are called in the metadata
  store.list(
      path,
      [&](std::string_view key, std::uint64_t) {
        const std::string_view rest = key.substr(std::min(skipped, key.size()));
        for (const std::string_view file : {v3_file, v2_array_file, v2_group_file, v2_attributes_file}) {
          const auto node = node_of(rest, file);
          if (!node || is_v2 == (file == v3_file)) continue;
          if (is_v2 || !node->empty()) keys[is_v2 ? std::string(rest) : *node] = key;
        }
        return true;
      },
      stop);
  JsonValue::Object nodes;
  for (const auto& [called, key] : keys) {
    const auto text = from.text(key);
    if (!text) continue;  // gone since
    JsonValue document = from.json(*text, in_store(store, key));
    if (document.object() == nullptr) JsonPlace(document, in_store(store, key)).refuse("it is no object");
    if (!is_v2) document.erase("consolidated_metadata");
    nodes.emplace_back(called, std::move(document));
  }
  const std::string key = joined_path(path, is_v2 ? v2_consolidated_file : v3_file);
  JsonValue whole;
  if (is_v2) {
    whole = JsonValue::Object{{"zarr_consolidated_format", 1}, {"metadata", std::move(nodes)}};
  } else {
    whole = from.json(from.text(key).value_or(""), in_store(store, key));
    whole.set(
        "consolidated_metadata",
        JsonValue::Object{{"kind", "inline"}, {"must_understand", false}, {"metadata", std::move(nodes)}});
  }
  const std::string text = to_text(whole) + '\n';
  if (text.size() > limits.metadata_bytes)
    throw Error(
        "write", in_store(store, key),
        fmt::format("it would have {} bytes, and {} are read again", text.size(), limits.metadata_bytes));
  put(store, key, text);
}

}  // namespace weir
