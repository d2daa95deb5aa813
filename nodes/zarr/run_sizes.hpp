#pragma once

#include <cstdint>

#include "framework/graph.hpp"
#include "nodes/zarr/zarr_array.hpp"

namespace weir {

/// How many chunks travel together: in a run (a unit: what is fetched at once), and in a part of it (what one thread works on at
/// once). `gap_bytes`: room in a run for what lies between its chunks in a shard, and is read along because that costs less than
/// another request (Store::gap_bytes); what the budget has left.
struct RunSizes {
  std::uint64_t run = 1, part = 1, gap_bytes = 0;
};

/// `chunk_bytes`: what a chunk takes in a run, all nodes together; `fixed_bytes`: what a run takes beside; `standing`: what the graph keeps.
/// `limits` are resolved.
RunSizes run_sizes(const ZarrArray& array, const GraphOptions& limits, std::uint64_t chunk_bytes,
                   std::uint64_t fixed_bytes, std::uint64_t standing);

/// Where a store's calls are made. The I/O lane lets threads compute while others wait: chunks of 512 KiB, zstd, on ext4, not in the page
/// cache, are read in 72 ms instead of 88. In memory nobody waits, and handing over costs: 1024 raw chunks are written in 34 ms
/// instead of 41, read in 12 instead of 16.
inline Lane lane_of(const Store& store) {
  return store.is_in_memory() ? Lane::compute : Lane::io;
}
/// What a graph over a store is limited to where the caller says nothing: with_requests, and in memory, where nothing is waited for, one
/// run in flight for each thread and one more. Fewer buffers are touched for the first time: chunks of 4 MiB of blosc are read in 12.8 ms
/// instead of 16.3 (64 MiB, two threads), chunks of 512 KiB of zstd written in 98 instead of 105.
GraphOptions limits_for(GraphOptions options, const Store& store);

}  // namespace weir
