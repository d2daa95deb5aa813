#pragma once

#include <string>

#include "framework/graph.hpp"
#include "framework/report.hpp"
#include "nodes/raster/chunk_source.hpp"

namespace weir {

/// Requests that a source wants in flight; 0 where it is not remote.
unsigned requests_at_once(const ChunkSource& source);

/// Adds the requests that were counted since the last report; nothing for nullptr.
void add_traffic(Traffic* traffic, RunReport& report);
/// Adds the requests that a source has made since its opening, or since the last report.
void add_traffic(const ChunkSource& source, RunReport& report);

/// The requests that are planned, as a line of explain; empty where the source is not remote.
std::string explain_requests(const ChunkSource& source);

}  // namespace weir
