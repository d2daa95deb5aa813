#pragma once

#include <memory>
#include <optional>
#include <string>

#include "framework/context.hpp"
#include "nodes/headers/catalog_listing.hpp"
#include "nodes/headers/catalog_writer.hpp"
#include "nodes/headers/header_items.hpp"

namespace weir {

struct CatalogFolder {
  std::string path;
  CatalogOptions options = {};
  bool overwrite = false;
  FileSystem* files = &FileSystem::real();
};

/// The sink of a catalog's graph: rows and errors of each unit to the parts of a folder. Opened, it looks how far an earlier run of the
/// same came, and has the listing go on from there. A folder that is finished, or another catalog's, is a usage Error.
class WriteCatalogRows {
 public:
  /// Touches nothing. A usage Error where the folder is, by whatever name, that of an earlier catalog which the listing reads.
  WriteCatalogRows(CatalogFolder folder, std::shared_ptr<CatalogListing> listing);

  void open();
  void operator()(const RowBatch& batch, const Context& context);
  void close();

  /// Of all runs. Any thread.
  struct Counts {
    std::atomic<std::uint64_t> rows = 0, errors = 0, rows_before = 0, errors_before = 0;
    std::atomic<std::uint64_t> parsed = 0;  ///< objects of this run
  };
  std::shared_ptr<const Counts> counts() const { return counts_; }
  std::uint64_t standing_bytes() const;

 private:
  const CatalogFolder folder_;
  const std::shared_ptr<CatalogListing> listing_;
  std::shared_ptr<Counts> counts_;
  std::shared_ptr<CatalogWriter> writer_;
  bool has_memory_ = false;  ///< the writer, from the run
};

}  // namespace weir
