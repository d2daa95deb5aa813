#pragma once

#include <atomic>
#include <memory>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_nodes.hpp"

namespace weir {

/// Adds the nodes that turn requests into pixels: fetch (I/O lane) and decode (every core) for sources that store chunks,
/// decode alone for those that compute them. `reads` counts the chunks.
inline Output<DecodedChunk> read_chunks(Graph& graph, Output<ChunkRequest> requests,
                                        std::shared_ptr<const ChunkSource> source,
                                        std::shared_ptr<std::atomic<std::uint64_t>> reads, NodeOptions fetch_options,
                                        NodeOptions decode_options) {
  fetch_options.lane = Lane::io;
  decode_options.is_input = true;
  decode_options.slot_bytes = source->local_bytes();
  if (source->fetch_bytes() == 0)
    return graph.transform<DecodedChunk>("decode", requests, MakeChunk(source, std::move(reads)), std::move(decode_options));
  auto fetched = graph.transform<FetchedChunk>("fetch", requests, FetchChunk(source), std::move(fetch_options));
  return graph.transform<DecodedChunk>("decode", fetched, DecodeChunk(source, std::move(reads)), std::move(decode_options));
}

}  // namespace weir
