#include "nodes/raster/remote_reading.hpp"

#include <fmt/format.h>

namespace weir {

unsigned requests_at_once(const ChunkSource& source) {
  const std::optional<RemoteReading> remote = source.remote();
  return remote ? remote->traffic->at_once() : 0;
}

void add_traffic(Traffic* traffic, RunReport& report) {
  if (traffic == nullptr) return;
  const TrafficCount count = traffic->take();
  report.requests += count.requests;
  report.fetched_bytes += count.bytes;
}

void add_traffic(const ChunkSource& source, RunReport& report) {
  if (const std::optional<RemoteReading> remote = source.remote()) add_traffic(remote->traffic, report);
}

std::string explain_requests(const ChunkSource& source) {
  const std::optional<RemoteReading> remote = source.remote();
  if (!remote) return "";
  return fmt::format("requests    {} for the chunks, each read once, up to {} at once; {} so far\n",
                     remote->planned_requests, remote->traffic->at_once(), remote->traffic->total().requests);
}

}  // namespace weir
