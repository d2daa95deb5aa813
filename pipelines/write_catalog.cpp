#include "pipelines/write_catalog.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nodes/headers/catalog_nodes.hpp"
#include "nodes/headers/parse_headers.hpp"
#include "nodes/raster/remote_reading.hpp"

namespace weir {

//  list ──► fetch ──► parse ──► catalog
//  source,  I/O lane  all       ordered,
//  serial             cores     I/O lane
//
//  list     KeyBatch      the next 32 keys of all ranges that are listed side by side       nodes/headers/catalog_listing.hpp
//  fetch    FetchedBatch  their headers, on one event loop for every 256 requests           nodes/headers/fetch_headers.hpp
//  parse    RowBatch      GeoKeys, bounds, footprints                                       nodes/headers/parse_headers.hpp
//  catalog                to Parquet, part by part, with its errors beside it               nodes/headers/write_catalog_rows.hpp
//                         (CatalogWriter, whose work is loaded with Arrow)                 nodes/headers/parquet/catalog_files.cpp
//
//  How many units there are is known when the listing is at its end.
CatalogWrite::CatalogWrite(const std::string& folder, const WriteCatalogOptions& options) {
  const CatalogConfig& config = options.config;
  store_ = options.store ? options.store : open_catalog_store(config, *options.files);
  listing_ = std::make_shared<CatalogListing>(config, store_, *options.files);
  if (!options.update.empty())
    listing_->update(std::make_shared<const OldCatalog>(options.update, *options.files));
  const GraphOptions limits = catalog_limits(options.graph, config, *store_);
  fetched_ = std::make_shared<FetchCounts>();
  FetchHeaders fetch(*store_, fetch_options(config, *store_, limits), fetched_);
  WriteCatalogRows rows({folder, catalog_options(config), options.overwrite, options.files}, listing_);
  written_ = rows.counts();

  graph_ = std::make_unique<Graph>(limits);
  const auto keys = graph_->source<KeyBatch>("list", ListHeaders{listing_}, list_node(listing_));
  const auto fetched = graph_->transform<FetchedBatch>("fetch", keys, fetch, fetch_node(fetch));
  const auto parsed = graph_->transform<RowBatch>("parse", fetched, ParseHeaders{}, parse_node(limits));
  const NodeOptions catalog = catalog_node(rows);
  graph_->ordered_sink("catalog", parsed, std::move(rows), catalog);
  for (const auto& [node, concurrency] : options.concurrency) graph_->set_concurrency(node, concurrency);
}

std::string CatalogWrite::explain() const {
  return explain_catalog(*listing_) + graph_->explain();
}

RunReport CatalogWrite::run(const RunOptions& run) {
  RunReport report = graph_->run(run);
  add_traffic(store_->traffic(), report);
  const CatalogCounts counted = counts();
  report.counts = {{"scanned", counted.scanned}, {"listed", counted.listed},
                   {"ranges", counted.ranges},   {"unchanged", counted.unchanged},
                   {"fetched", counted.fetched}, {"fetched_alone", counted.alone},
                   {"rows", counted.rows},       {"errors", counted.errors}};
  return report;
}

CatalogCounts CatalogWrite::counts() const {
  CatalogCounts counts;
  const KeyLister& lister = listing_->lister();
  counts.scanned = lister.scanned();
  counts.listed = lister.listed();
  counts.is_listed = lister.is_listed();
  counts.ranges = lister.ranges();
  counts.unchanged = listing_->unchanged();
  counts.fetched = fetched_->fetched;
  counts.in_flight = fetched_->in_flight;
  counts.alone = fetched_->alone;
  counts.parsed = written_->parsed;
  counts.rows = written_->rows;
  counts.errors = written_->errors;
  counts.rows_before = written_->rows_before;
  counts.errors_before = written_->errors_before;
  return counts;
}

RunReport write_catalog(const std::string& folder, const WriteCatalogOptions& options,
                        const RunOptions& run) {
  return CatalogWrite(folder, options).run(run);
}

}  // namespace weir
