#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace weir {

/// How files behind http(s):// are read. Files that are opened with equal options share one event loop and its
/// connections.
struct HttpOptions {
  /// Longest time without a sign of life: while connecting, before the answer, before its body, inside it. Inside what is read, less than
  /// 1 KiB is none, as a server that lets bytes drip would hold a request for ever: the last KiB, or a smaller rest, has this time, too.
  /// A try as a whole, connecting and redirections included, has 4 such times, and one more for every 64 KiB that are wanted or sent: 2
  /// minutes of a header for the default, 66 of 8 MiB, which is 2.1 KB/s; an answer to a POST that has begun has no such end, as S3 keeps one alive for minutes. With the last of its tries, a request ends within retry_time and
  /// such a time.
  std::chrono::milliseconds timeout{30'000};
  std::chrono::milliseconds connect_timeout{0};  ///< of connecting alone; 0: the same
  /// How often a request is repeated that met a busy server (408, 429, 5xx but 501 and 505), a broken connection or a
  /// timeout.
  unsigned retries = 6;
  /// Whether a broken connection is one, too, where no server has ever answered. Else a name or address where nobody is found is taken
  /// for a wrong one, and refused at once.
  bool awaits_server = false;
  /// Pause before the first repetition; doubled each time, up to the longest, and scattered by a half. Retry-After counts
  /// where the server sends it.
  std::chrono::milliseconds retry_pause{200}, longest_pause{10'000};
  /// A request is not repeated later than this after it was first sent.
  std::chrono::milliseconds retry_time{120'000};
  /// Requests in flight at most, and how many a run tries to have there. With 30 ms to the server, 16 requests of
  /// 1 MiB at once are 560 MB/s, more than two cores decode.
  unsigned requests = 16;
  /// Requests that are begun in a second at most; 0: no limit.
  double rate = 0;
  /// What each of them has for what comes; curl's own 16 KiB takes four times the calls for large bodies.
  std::uint32_t receive_bytes = 64 << 10;
  /// Redirections that one request follows.
  unsigned redirects = 10;
  /// What opening a file reads of its beginning, and then what is read around a tag or array elsewhere. 64 KiB are 5 ms
  /// at 100 Mbit/s, less than another round trip, and hold the arrays of 4096 tiles of a BigTIFF file.
  std::uint64_t prefix_bytes = 64 << 10;
  /// The largest file that is taken from a server which knows no ranges: it is read whole and kept.
  std::uint64_t whole_bytes = 16 << 20;

  bool operator==(const HttpOptions&) const = default;
};

/// As people write times; at least a millisecond.
inline std::chrono::milliseconds seconds_of(double seconds) {
  return std::max(std::chrono::milliseconds(1),
                  std::chrono::round<std::chrono::milliseconds>(std::chrono::duration<double>(seconds)));
}

}  // namespace weir
