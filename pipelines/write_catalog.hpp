#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/headers/catalog_config.hpp"
#include "nodes/headers/catalog_listing.hpp"
#include "nodes/headers/fetch_headers.hpp"
#include "nodes/headers/write_catalog_rows.hpp"

namespace weir {

struct WriteCatalogOptions {
  /// Its memory and threads count where `graph` has none.
  CatalogConfig config;
  std::shared_ptr<const Store> store = {};  ///< instead of the one that the configuration names
  std::string update = {};                  ///< a folder with an earlier catalog, see OldCatalog; empty: none
  bool overwrite = false;
  GraphOptions graph = {};
  std::map<std::string, unsigned> concurrency = {};  ///< by node: list, fetch, parse, catalog
  FileSystem* files = &FileSystem::real();
};

/// How far a catalog is. Rows and errors are those of earlier runs, too; all else is of this one.
struct CatalogCounts {
  std::uint64_t scanned = 0;    ///< keys that were listed
  std::uint64_t listed = 0;     ///< those that are wanted
  bool is_listed = false;       ///< there are no more
  std::uint64_t unchanged = 0;  ///< of an update: rows that are taken over
  std::uint64_t fetched = 0, in_flight = 0, alone = 0;
  std::uint64_t parsed = 0, rows = 0, errors = 0;
  std::uint64_t rows_before = 0, errors_before = 0;  ///< of earlier runs
  std::uint64_t ranges = 0;                          ///< that the listing was cut into
};

/// A planned catalog: what explain shows, and what run() runs. Run again after it was stopped or killed, it goes on behind the last
/// finished part, and the files are those of a run that was not.
class CatalogWrite {
 public:
  /// Plans; sends nothing, and touches no output. A usage Error for what cannot be opened or listed, and in run() a budget that is too
  /// small.
  CatalogWrite(const std::string& folder, const WriteCatalogOptions& options);

  std::string explain() const;
  const Graph& graph() const { return *graph_; }
  /// Once. The report has what the graph did; counts() the rest.
  RunReport run(const RunOptions& run = {});
  CatalogCounts counts() const;  ///< any thread

 private:
  std::shared_ptr<const Store> store_;
  std::shared_ptr<CatalogListing> listing_;
  std::shared_ptr<FetchCounts> fetched_;
  std::shared_ptr<const WriteCatalogRows::Counts> written_;
  std::unique_ptr<Graph> graph_;
};

/// Lists a bucket or folder, reads the header of each TIFF file in it, and writes them as Parquet (nodes/headers/catalog_writer.hpp).
RunReport write_catalog(const std::string& folder, const WriteCatalogOptions& options,
                        const RunOptions& run = {});

}  // namespace weir
