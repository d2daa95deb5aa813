#pragma once

// Small graphs whose limit is known: what a recording, a verdict and a page must be able to tell apart.

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "framework/graph.hpp"
#include "framework/recording.hpp"

namespace weir::testing {

enum class SlowPart { source, sink, budget, cores, narrow_node, tokens };

struct Piece {
  std::uint64_t number = 0;
  Buffer payload = {};
};
inline std::uint64_t payload_bytes(const Piece& piece) {
  return piece.payload.size();
}
inline std::string item_name(const Piece& piece) {
  return "piece " + std::to_string(piece.number);
}

/// Waits without a core, as I/O does; or works on one.
inline void wait_for(double milliseconds) {
  std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(milliseconds));
}
inline void work_for(double milliseconds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double, std::milli>(milliseconds);
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Where the milliseconds of one item go.
struct Times {
  double fetch = 0.3, decode = 0.3, pack = 0.3, file = 0.3;
  bool waits = true;  ///< decode and pack wait instead of working: then the machine's other work matters less
};

/// plan -> fetch -> decode -> pack -> file, and decode -> statistics. Two compute threads.
inline std::unique_ptr<Graph> seen_graph(GraphOptions options, std::uint64_t units, const Times& times,
                                         const std::string& sink_name = "file", unsigned pack_at_once = 2) {
  constexpr std::uint64_t piece_bytes = 256 << 10, packed_bytes = 64 << 10;
  auto graph = std::make_unique<Graph>(std::move(options));
  auto planned =
      graph->source<std::uint64_t>("plan", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); },
                                   {.concurrency = 1, .units = units});
  auto fetched = graph->transform<Piece>(
      "fetch", planned,
      [times](const std::uint64_t& number, const Context& context) {
        wait_for(times.fetch);
        return Piece{number, context.buffer(piece_bytes)};
      },
      {.concurrency = 2, .lane = Lane::io, .buffer_bytes = piece_bytes, .is_input = true});
  const auto compute = [waits = times.waits](double milliseconds) {
    waits ? wait_for(milliseconds) : work_for(milliseconds);
  };
  auto decoded = graph->transform<Piece>("decode", fetched,
                                         [times, compute](const Piece& piece, const Context& context) {
                                           compute(times.decode);
                                           return Piece{piece.number, context.buffer(piece_bytes)};
                                         },
                                         {.buffer_bytes = piece_bytes});
  auto packed = graph->transform<Piece>("pack", decoded,
                                        [times, compute](const Piece& piece, const Context& context) {
                                          // One item is slower than all the others, and can be found by its
                                          // name.
                                          compute(piece.number == 7 ? 3 * times.pack + 5 : times.pack);
                                          return Piece{piece.number, context.buffer(packed_bytes)};
                                        },
                                        {.concurrency = pack_at_once, .buffer_bytes = packed_bytes});
  graph->ordered_sink(sink_name, packed, [times](const Piece&) { wait_for(times.file); });
  graph->sink("statistics", decoded, [](const Piece&) {}, {.concurrency = 1});
  return graph;
}

/// The graph whose limit is `part`, and what it says of itself.
inline std::unique_ptr<Graph> slow_graph(SlowPart part, RunRecording* recording, std::uint64_t units = 60) {
  const std::uint64_t room = recording ? recording->bytes() : 0;
  GraphOptions options{.memory = (64 << 20) + room, .tokens = 6, .threads = 2, .engine = Engine::onetbb};
  options.recording = recording;
  switch (part) {
    case SlowPart::source:
      return seen_graph(options, units, {.fetch = 8});
    case SlowPart::sink:
      return seen_graph(options, units, {.file = 5});
    case SlowPart::budget:
      options.memory = (600 << 10) + room;  // one unit, not two
      return seen_graph(options, units, {.fetch = 2, .decode = 2, .pack = 2, .file = 2});
    case SlowPart::cores:
      return seen_graph(options, units, {.decode = 2, .pack = 5, .waits = false});
    case SlowPart::narrow_node:
      return seen_graph(options, units, {.pack = 5}, "file", 1);
    case SlowPart::tokens:
      options.tokens = 1;
      return seen_graph(options, units, {.fetch = 2, .decode = 2, .pack = 2, .file = 2});
  }
  return nullptr;
}

inline RunReport run_slow_graph(SlowPart part, RunRecording* recording, std::uint64_t units = 60) {
  return slow_graph(part, recording, units)->run();
}

}  // namespace weir::testing
