#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "nodes/stores/store.hpp"
#include "nodes/zarr/shard_indexes.hpp"
#include "nodes/zarr/zarr_layout.hpp"
#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

struct ZarrOpenOptions {
  ZarrLimits limits;
  /// Bytes of shard indexes that are kept, the least recently used go; at least two are.
  std::uint64_t index_cache_bytes = 16 << 20;
  bool check_sums = true;  ///< false: for old files whose checksums are wrong
  /// A chunk (a shard) that has no key is an Error, instead of fill.
  bool missing_is_error = false;
};

/// An array in a store, open. What it knows of its shards it keeps. Const and thread-safe.
class ZarrArray {
 public:
  /// `path`: of the array in the store, "" or parts joined by '/'.
  ZarrArray(std::shared_ptr<const Store> store, std::string path, ZarrArrayMetadata metadata,
            const ZarrOpenOptions& options = {});

  const std::string& name() const { return name_; }  ///< what messages call it
  const std::string& path() const { return path_; }  ///< in the store
  const ZarrArrayMetadata& metadata() const { return metadata_; }
  const std::shared_ptr<const ZarrLayout>& layout() const { return layout_; }
  const ZarrOpenOptions& options() const { return options_; }
  const Store& store() const { return *store_; }
  std::string key(const ZarrIndex& object) const;  ///< in the store
  ShardIndexes& indexes() const { return *indexes_; }
  std::uint64_t standing_bytes() const { return store_->standing_bytes() + indexes_->standing_bytes(); }

 private:
  std::shared_ptr<const Store> store_;
  std::string path_, name_;
  ZarrArrayMetadata metadata_;
  std::shared_ptr<const ZarrLayout> layout_;
  ZarrOpenOptions options_;
  std::unique_ptr<ShardIndexes> indexes_;
};

/// Opens the array at a path of a store: zarr.json, else .zarray with .zattrs. Throws an Error where there is none. What a writer that
/// died left of an update in place is done before (nodes/zarr/shard_journal.hpp).
std::shared_ptr<const ZarrArray> open_zarr(std::shared_ptr<const Store> store, const std::string& path,
                                           const ZarrOpenOptions& options = {});
/// The same, of an array whose metadata was read.
std::shared_ptr<const ZarrArray> open_zarr(std::shared_ptr<const Store> store, const std::string& path,
                                           ZarrArrayMetadata metadata, const ZarrOpenOptions& options);

}  // namespace weir
