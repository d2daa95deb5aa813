#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "nodes/stores/store.hpp"

namespace weir {

/// What came of a read.
struct RangeAnswer {
  std::uint64_t bytes = 0;                 ///< in the caller's memory; fewer than wanted at the object's end
  std::optional<std::uint64_t> size = {};  ///< of the object
  std::string etag = {};                   ///< without quotation marks; empty: not known
  std::optional<std::int64_t> last_modified = {};  ///< milliseconds since 1970, UTC
  /// Why nothing was read, as a stable word; empty where something was, even if it is no byte: "not_found", "denied", "busy" (408, 429
  /// and 5xx but 501 and 505, to the last try), "status" (others), "no_answer" (no connection, silence, broken off), "bad_answer"
  /// (what was not asked for), "unreadable" (a file), "cancelled".
  std::string code = {};
  std::string reason = {};                  ///< as of an Error
  std::optional<std::int64_t> status = {};  ///< of HTTP
  std::int64_t tries = 1;
  bool was_sent = true;  ///< false: no try found a server to ask
};

/// Reads of parts of objects, many at once, without a thread for each. Thread-safe.
class RangeReader {
 public:
  RangeReader() = default;
  virtual ~RangeReader() = default;
  RangeReader(const RangeReader&) = delete;
  RangeReader& operator=(const RangeReader&) = delete;

  /// Called once per read: inside start, or later on a thread of the reader, where it must be quick. It may start others, and must not
  /// throw.
  using Done = std::function<void(RangeAnswer&& answer)>;
  /// Fills `out`, which is not empty, from the object's byte `offset` on, as far as the object goes; the memory outlives the read.
  /// Returns the read's number.
  virtual std::uint64_t start(std::string_view key, std::uint64_t offset, std::span<std::byte> out,
                              Done done) = 0;
  /// Ends a read soon, with "cancelled"; nothing where it is over.
  virtual void cancel(std::uint64_t number) = 0;
  /// Whether start waits, and calls `done` itself: then it belongs on the I/O lane.
  virtual bool waits() const = 0;
  virtual unsigned threads() const { return 0; }  ///< that call `done`
  virtual std::uint64_t standing_bytes() const { return 0; }
};

/// Of any store, by its own reading calls.
class WaitingRanges : public RangeReader {
 public:
  explicit WaitingRanges(const Store& store) : store_(store) {}
  std::uint64_t start(std::string_view key, std::uint64_t offset, std::span<std::byte> out,
                      Done done) override;
  void cancel(std::uint64_t) override {}
  bool waits() const override { return true; }

 private:
  const Store& store_;
};

}  // namespace weir
