#pragma once

#include <string>

#include "framework/graph.hpp"
#include "nodes/headers/catalog_listing.hpp"
#include "nodes/headers/fetch_headers.hpp"
#include "nodes/headers/write_catalog_rows.hpp"

namespace weir {

// How the nodes of a catalog's graph are planned, which C++ and graph files have in common.

/// Where nothing was said, what the configuration says: max_buffer_size are tokens.
GraphOptions catalog_limits(GraphOptions limits, const CatalogConfig& config, const Store& store);
/// `limits`: resolved.
FetchHeadersOptions fetch_options(const CatalogConfig& config, const Store& store,
                                  const GraphOptions& limits);
CatalogOptions catalog_options(const CatalogConfig& config);

NodeOptions list_node(std::shared_ptr<const CatalogListing> listing);
NodeOptions fetch_node(const FetchHeaders& fetch);
NodeOptions parse_node(const GraphOptions& limits);
NodeOptions catalog_node(const WriteCatalogRows& rows);

/// Lines for explain: what is listed.
std::string explain_catalog(const CatalogListing& listing);

}  // namespace weir
