#include "nodes/zarr/run_sizes.hpp"

#include <algorithm>

#include "nodes/zarr/stored_chunks.hpp"

namespace weir {
namespace {

/// What one thread decodes at once: at 2 GB/s about 250 us, against 1 us for an item's way through the graph; and it still
/// lies in the second-level cache when it is scattered.
constexpr std::uint64_t part_bytes = 512 << 10;
/// What is asked for in one request: at 100 MB/s to the server as long as the request's 40 ms of waiting.
constexpr std::uint64_t request_bytes = 4 << 20;

}  // namespace

RunSizes run_sizes(const ZarrArray& array, const GraphOptions& limits, std::uint64_t chunk_bytes,
                   std::uint64_t fixed_bytes, std::uint64_t standing) {
  const ZarrLayout& layout = *array.layout();
  const std::uint64_t raw = std::max<std::uint64_t>(layout.codec().raw_bytes(), 1);
  const unsigned at_once = array.store().requests_at_once();
  RunSizes sizes;
  sizes.part = std::max<std::uint64_t>(part_bytes / raw, 1);
  sizes.run = sizes.part;
  // A chunk that is an object of its own is a request of its own: in one run they would wait for each other.
  if (at_once > 0) sizes.run = layout.index() ? std::max(sizes.run, request_bytes / raw) : 1;
  // As many runs in flight as keep threads and requests busy; where that does not fit, smaller runs.
  const std::uint64_t wanted =
      std::min<std::uint64_t>(limits.tokens, limits.threads + std::uint64_t{2} + at_once);
  const std::uint64_t free = limits.memory > standing ? limits.memory - standing : 0;
  const std::uint64_t each = free / std::max<std::uint64_t>(wanted, 1);
  const std::uint64_t fit = each > fixed_bytes ? (each - fixed_bytes) / chunk_bytes : 0;
  sizes.run = std::clamp<std::uint64_t>(sizes.run, 1, std::max<std::uint64_t>(fit, 1));
  if (layout.index()) sizes.run = std::min(sizes.run, layout.chunk_count());
  sizes.part = std::min(sizes.part, sizes.run);
  if (layout.index() && each > fixed_bytes + sizes.run * chunk_bytes)
    sizes.gap_bytes = std::min(all_gap_bytes(layout, sizes.run, array.store().gap_bytes()),
                               each - fixed_bytes - sizes.run * chunk_bytes);
  return sizes;
}

GraphOptions limits_for(GraphOptions options, const Store& store) {
  options = with_requests(options, store.requests_at_once());
  if (store.is_in_memory() && options.tokens == 0) options.tokens = resolved(options).threads + 1;
  return options;
}

}  // namespace weir
