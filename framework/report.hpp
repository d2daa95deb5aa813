#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

/// What one node did in a run. Times are summed over threads.
struct NodeReport {
  std::string name;
  std::string kind;          ///< source, transform, expand, join, sink, ordered sink
  unsigned concurrency = 0;  ///< bodies allowed inside at once
  std::uint64_t items_in = 0, items_out = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< payload
  double busy_seconds = 0;                    ///< inside the body
  double waiting_seconds = 0;                 ///< items between being sent and entering the body
  unsigned most_in_flight = 0;                ///< bodies inside at once, at most
};

/// What a run did.
struct RunReport {
  std::string engine;         ///< oneTBB or serial
  unsigned threads = 0;       ///< compute threads asked for
  unsigned threads_seen = 0;  ///< compute threads that ran at least one body
  double wall_seconds = 0, cpu_seconds = 0;
  std::uint64_t memory_limit = 0;  ///< the budget, bytes
  std::uint64_t peak_planned = 0;  ///< bytes, computed before the run; never above the limit
  std::uint64_t peak_leased = 0;   ///< bytes, most ever leased
  std::uint64_t peak_payload =
      0;  ///< bytes, most ever allocated as the buffer allocator saw it, reuse and scratch included
  std::uint64_t peak_resident = 0;  ///< bytes, of the process since its start
  unsigned tokens = 0;
  std::uint64_t units = 0;
  unsigned most_units_in_flight = 0;
  std::uint64_t source_chunks = 0,
                source_reads = 0;  ///< chunks of the sources, and how many were read; 0: not counted
  std::uint64_t raw_bytes = 0;     ///< of pixels written or read, decoded; 0: not counted
  std::uint64_t output_bytes = 0;  ///< of the files written
  std::vector<NodeReport> nodes;

  const NodeReport& node(const std::string& name) const;  ///< throws a usage Error for an unknown name
  double reads_per_chunk() const {
    return source_chunks == 0 ? 0 : static_cast<double>(source_reads) / static_cast<double>(source_chunks);
  }
};

/// One JSON object with the fields of RunReport by their names, `nodes` an array.
std::string to_json(const RunReport& report);

/// A string as a JSON string literal, quotes included.
std::string json_string(const std::string& text);

}  // namespace weir
