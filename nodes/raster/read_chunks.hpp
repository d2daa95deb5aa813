#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/remote_reading.hpp"

namespace weir {

/// Bytes that the reading of chunks takes per unit; see NodeOptions::buffer_bytes_of_unit.
struct ReadBytes {
  std::function<std::uint64_t(std::uint64_t unit)> fetch, decode;
};

/// Adds the nodes that turn requests into pixels: fetch (I/O lane) and decode (every core) for sources that store chunks,
/// decode alone for those that compute them. `reads` counts the chunks. `name` goes in front of the nodes' names where a graph
/// reads several sources: "red." makes red.fetch and red.decode. `lane` is fetch's.
inline Output<DecodedChunk> read_chunks(Graph& graph, Output<ChunkRequest> requests,
                                        std::shared_ptr<const ChunkSource> source,
                                        std::shared_ptr<std::atomic<std::uint64_t>> reads, ReadBytes bytes,
                                        const std::string& name = "", Lane lane = Lane::io) {
  NodeOptions decode_options{
      .buffer_bytes_of_unit = std::move(bytes.decode), .is_input = true, .slot_bytes = source->local_bytes()};
  if (source->fetch_bytes() == 0)
    return graph.transform<DecodedChunk>(name + "decode", requests, MakeChunk(source, std::move(reads)),
                                         std::move(decode_options));
  NodeOptions fetch_options{.lane = lane, .buffer_bytes_of_unit = std::move(bytes.fetch)};
  // Threads that wait for answers; for files they are the lane's usual two.
  if (const unsigned at_once = requests_at_once(*source); at_once > 0) fetch_options.concurrency = at_once;
  auto fetched =
      graph.transform<FetchedChunk>(name + "fetch", requests, FetchChunk(source), std::move(fetch_options));
  return graph.transform<DecodedChunk>(name + "decode", fetched, DecodeChunk(source, std::move(reads)),
                                       std::move(decode_options));
}

}  // namespace weir
