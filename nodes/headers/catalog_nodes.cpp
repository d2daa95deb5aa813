#include "nodes/headers/catalog_nodes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nodes/headers/lon_lat.hpp"

namespace weir {
namespace {

/// Where there is memory for it, headers of several times the usual are not fetched alone, and those that are more at once.
bool has_much(const GraphOptions& limits) {
  return limits.memory >= std::uint64_t{1} << 30;
}
std::uint64_t header_room(const GraphOptions& limits) {
  return has_much(limits) ? 4 * largest_header : largest_header;
}

}  // namespace

GraphOptions catalog_limits(GraphOptions limits, const CatalogConfig& config, const Store& store) {
  if (limits.memory == 0) limits.memory = config.memory;
  if (limits.threads == 0) limits.threads = config.threads;
  if (limits.tokens == 0)
    limits.tokens =
        static_cast<unsigned>(std::clamp<std::uint64_t>(config.max_buffer_size / keys_of_unit, 1, 1'000'000));
  return resolved(with_requests(limits, store.requests_at_once()));
}

FetchHeadersOptions fetch_options(const CatalogConfig& config, const Store& store,
                                  const GraphOptions& limits) {
  FetchHeadersOptions options;
  // A unit of 32 keys takes 6 to 9 MiB, so no more than one for each MiB of the budget can be in flight; they need not have buffers.
  const std::uint64_t most = std::max<std::uint64_t>(64, limits.memory >> 20);
  options.in_flight = static_cast<unsigned>(std::min(config.n_consumers, most));
  // Local files are read by threads, which have all to do.
  if (store.requests_at_once() == 0)
    options.in_flight = std::min(options.in_flight, std::max(2U, limits.threads));
  options.prefetch = config.prefetch;
  options.header_room = header_room(limits);
  options.alone = has_much(limits) ? 16 : 2;
  return options;
}

CatalogOptions catalog_options(const CatalogConfig& config) {
  CatalogOptions options;
  options.schema = config.schema;
  options.rows_per_part = config.write_chunk_size;
  options.rows_per_group = std::min(options.rows_per_group, options.rows_per_part);
  options.group_bytes = 6 << 20;  // 50,000 rows of scenes have 4 MB, and Arrow holds a group three times
  return options;
}

NodeOptions list_node(std::shared_ptr<const CatalogListing> listing) {
  NodeOptions options{.concurrency = 1, .lane = Lane::io};
  options.item_bytes = KeyBatch::item_bytes;
  options.standing_bytes = listing->standing_bytes();
  options.ended = [listing = std::move(listing)](std::uint64_t) { return listing->lister().has_ended(); };
  return options;
}

NodeOptions fetch_node(const FetchHeaders& fetch) {
  NodeOptions options{.concurrency = fetch.concurrency(), .lane = Lane::io};
  options.item_bytes = fetch.item_bytes();
  options.buffer_bytes = BufferPool::charge(fetch.buffer_bytes());
  options.standing_bytes = fetch.standing_bytes();
  options.is_input = true;
  return options;
}

NodeOptions parse_node(const GraphOptions& limits) {
  NodeOptions options;
  options.item_bytes = RowBatch::item_bytes;
  options.standing_bytes = lon_lat_bytes();
  options.slot_bytes = 4 * header_room(limits);  // texts in hexadecimal, before the row is made to fit
  return options;
}

NodeOptions catalog_node(const WriteCatalogRows& rows) {
  NodeOptions options{.lane = Lane::io};
  options.standing_bytes = rows.standing_bytes();
  return options;
}

std::string explain_catalog(const CatalogListing& listing) {
  const CatalogConfig& config = listing.config();
  std::string text = fmt::format("store       {}\n", listing.store().name());
  if (!config.keys.empty())
    text += fmt::format("keys        of the file {}\n", config.keys);
  else if (!config.catalog.empty())
    text += fmt::format("keys        of the catalog {}\n", config.catalog);
  else
    for (const std::string& prefix : distinct_prefixes(config.prefixes))
      text += prefix.empty() ? "keys        all that are listed\n"
                             : fmt::format("keys        below {}/\n", prefix);
  if (const OldCatalog* old = listing.old())
    text += fmt::format("update      of {}, with {} rows\n", old->folder(), old->rows());
  return text;
}

}  // namespace weir
