#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "framework/recording.hpp"

namespace weir {

/// What one node did in a run. Times are summed over threads.
struct NodeReport {
  std::string name;
  std::string kind;          ///< source, transform, expand, join, sink, ordered sink
  unsigned concurrency = 0;  ///< bodies allowed inside at once
  std::uint64_t items_in = 0, items_out = 0;
  std::uint64_t bytes_in = 0, bytes_out = 0;  ///< payload
  double busy_seconds = 0;                    ///< inside the body, opening and closing included
  double waiting_seconds = 0;                 ///< items between being sent and entering the body; of these:
  double waiting_order_seconds = 0;           ///< until it was the item's turn
  double waiting_body_seconds = 0;            ///< until one of the node's bodies was free
  double waiting_thread_seconds = 0;          ///< until a compute thread was free
  unsigned most_in_flight = 0;                ///< bodies inside at once, at most
  std::string lane = {};                      ///< compute or io
  std::vector<std::string> inputs = {};       ///< names of the nodes whose items it takes
  bool is_input = false;                      ///< its payload out is what counts as read
  std::string output_type = {};               ///< of the items that leave it, for people; empty for sinks
  IdleSeconds idle = {};                      ///< known where the run was recorded, else all 0
};

/// What a run did.
struct RunReport {
  std::string error;                     ///< why it failed; empty where it did not
  std::string failed_node, failed_item;  ///< where; empty where it did not fail, or in no node
  std::string repeat;         ///< the command that repeats just that item; empty where there is none
  bool was_recorded = false;  ///< with GraphOptions::recording: only then idle seconds are known
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
  std::uint64_t standing_bytes = 0;   ///< planned: kept through the whole run
  std::uint64_t largest_unit = 0;     ///< planned: bytes, most that one unit takes
  std::uint64_t carried_bytes = 0;    ///< planned: most that earlier units still hold when a unit is admitted
  std::uint64_t smallest_memory = 0;  ///< planned: the smallest budget that works
  double waiting_for_bytes_seconds = 0;  ///< admission had a unit and a token, but the budget no bytes for it
  double waiting_for_tokens_seconds = 0;  ///< admission had a unit, but all tokens were in flight
  std::uint64_t source_chunks = 0,
                source_reads = 0;  ///< chunks of the sources, and how many were read; 0: not counted
  std::uint64_t raw_bytes = 0;     ///< of pixels written or read, decoded; 0: not counted
  std::uint64_t output_bytes = 0;  ///< of the files written
  /// Of remote sources: requests sent and bytes that came, the opening of the file included; 0: nothing was remote.
  std::uint64_t requests = 0, fetched_bytes = 0;
  std::map<std::string, std::uint64_t> counts = {};  ///< what a pipeline counts of its own, by name
  std::vector<NodeReport> nodes;

  const NodeReport& node(const std::string& name) const;  ///< throws a usage Error for an unknown name
  double reads_per_chunk() const {
    return source_chunks == 0 ? 0 : static_cast<double>(source_reads) / static_cast<double>(source_chunks);
  }
};

/// One JSON object with the fields of RunReport and NodeReport by their names, `nodes` an array; and
/// `verdict`, what limited the run, in words (framework/verdict.hpp).
std::string to_json(const RunReport& report);

/// A string as a JSON string literal, quotes included. What is not UTF-8 (a file name may be any bytes) becomes
/// U+FFFD.
std::string json_string(const std::string& text);

}  // namespace weir
