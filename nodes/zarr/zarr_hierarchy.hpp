#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "nodes/stores/store.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// What consolidated metadata says of a node: its documents as they are, parsed when the node is opened, so that one that cannot be read
/// (an array of strings) leaves its neighbours alone.
struct ZarrDocuments {
  bool is_array = false;
  std::string json, zattrs;  ///< zarr.json, or .zarray or .zgroup; .zattrs (v2; empty: none)
};
/// By their paths below the group that has them.
using ZarrConsolidated = std::map<std::string, ZarrDocuments>;

/// A group or an array at a path of a store: parts joined by '/', "" is the root.
struct ZarrNode {
  std::string path;
  std::variant<ZarrGroupMetadata, ZarrArrayMetadata> metadata;
  /// Of a group: v3's consolidated_metadata (inline), v2's .zmetadata; nullptr where there is none. What it says is taken for true.
  std::shared_ptr<const ZarrConsolidated> consolidated;

  const ZarrArrayMetadata* array() const { return std::get_if<ZarrArrayMetadata>(&metadata); }
  const ZarrGroupMetadata* group() const { return std::get_if<ZarrGroupMetadata>(&metadata); }
  int format() const {
    return std::visit([](const auto& either) { return either.format; }, metadata);
  }
};

// The calls wait for the store. Every Error names the store and the key.

/// v3 is looked for first, then v2: one request for v3, up to five for v2. Nothing where there is no node.
std::optional<ZarrNode> find_zarr(const Store& store, const std::string& path, const ZarrLimits& limits = {},
                                  const std::stop_token& stop = {});
/// As find_zarr; an Error where there is none.
ZarrNode open_zarr(const Store& store, const std::string& path, const ZarrLimits& limits = {},
                   const std::stop_token& stop = {});
/// A node below a group ("a", "a/b"), from the group's consolidated metadata where it has one, else from the store.
ZarrNode open_zarr(const Store& store, const ZarrNode& group, const std::string& path,
                   const ZarrLimits& limits = {}, const std::stop_token& stop = {});

struct ZarrChild {
  std::string name;
  bool is_array = false;
  bool operator==(const ZarrChild&) const = default;
};
/// The nodes right below a group, by name. Without consolidated metadata all keys below the group are listed.
std::vector<ZarrChild> zarr_children(const Store& store, const ZarrNode& group, const ZarrLimits& limits = {},
                                     const std::stop_token& stop = {});

/// Write the metadata in place of what is there; v2's attributes first, so that a node that is seen has them.
void create_zarr(const Store& store, const std::string& path, const ZarrArrayMetadata& array);
void create_zarr(const Store& store, const std::string& path, const ZarrGroupMetadata& group);

/// Writes what all nodes below a group say into the group: v3's zarr.json (every other member stays), v2's .zmetadata.
void consolidate_zarr(const Store& store, const std::string& path, const ZarrLimits& limits = {},
                      const std::stop_token& stop = {});

}  // namespace weir
