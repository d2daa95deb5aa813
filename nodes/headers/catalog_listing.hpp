#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "framework/context.hpp"
#include "framework/item.hpp"
#include "nodes/headers/catalog_config.hpp"
#include "nodes/headers/list_keys.hpp"
#include "nodes/headers/old_catalog.hpp"

namespace weir {

/// The store that a configuration names. A usage Error where it cannot be listed and no keys are given; sends nothing.
std::shared_ptr<const Store> open_catalog_store(const CatalogConfig& config,
                                                FileSystem& files = FileSystem::real());

/// The keys of a catalog: a store's listing, a list in a file, or those of an earlier catalog.
class CatalogListing {
 public:
  /// Opens lists and earlier catalogs, and begins nothing. `store`: as the configuration's, or another one. A usage Error for a filter
  /// that nothing passes.
  CatalogListing(CatalogConfig config, std::shared_ptr<const Store> store,
                 FileSystem& files = FileSystem::real());

  /// Listed objects that this earlier catalog has are not fetched where they are the same. Before anything is listed.
  void update(std::shared_ptr<const OldCatalog> old) { old_ = std::move(old); }
  const OldCatalog* old() const { return old_.get(); }

  KeyLister& lister() { return lister_; }
  const KeyLister& lister() const { return lister_; }
  const Store& store() const { return *store_; }
  const CatalogConfig& config() const { return config_; }
  std::uint64_t unchanged() const { return unchanged_.load(std::memory_order_relaxed); }
  /// Of what is listed, and how: two that are equal list the same, as long as the store has the same objects.
  std::string identity() const;
  std::uint64_t standing_bytes() const;

  /// The next keys that are to be fetched, and those that are not.
  KeyBatch next(const std::stop_token& stop);

 private:
  const CatalogConfig config_;
  const std::shared_ptr<const Store> store_;
  FileSystem& files_;
  const ListKeysOptions options_;
  KeyLister lister_;
  std::shared_ptr<const OldCatalog> old_;
  std::atomic<std::uint64_t> unchanged_ = 0;
};

/// The source of a catalog's graph: a batch of keys a unit. Waits for the lister: on the I/O lane, one at a time. Units that were
/// admitted before the end was known are empty.
struct ListHeaders {
  std::shared_ptr<CatalogListing> listing;
  void operator()(std::uint64_t, Emit<KeyBatch>& emit, const Context& context) {
    emit(listing->next(context.stop()));
  }
};

}  // namespace weir
