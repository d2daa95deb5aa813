#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string>

#include "framework/context.hpp"
#include "nodes/headers/header_items.hpp"
#include "nodes/headers/prefetch_guess.hpp"
#include "nodes/stores/range_reader.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

struct FetchHeadersOptions {
  unsigned in_flight = 1000;  ///< requests at once, at most 2048; of a store that waits, threads, at most 64
  std::uint64_t prefetch = 16 << 10;  ///< bytes to ask for first, until it is known where headers end
  std::uint64_t header_room =
      largest_header;  ///< of each key between fetching and parsing; more are fetched alone
  unsigned alone = 2;  ///< of these at once
  HeaderLimits limits = {};
};

/// What the fetching of a run came to. All its threads add to it.
struct FetchCounts {
  std::atomic<std::uint64_t> fetched = 0;  ///< objects, errors included
  std::atomic<std::uint64_t> in_flight = 0, alone = 0;
};

/// Fetches the headers of a batch of keys: the beginning of each file, all at once, then exactly what the reader of headers asks for,
/// as soon as each answer is there. Reads them on the thread that gets the answers, 1 to 4 us each. All bytes on their way are in one
/// arena of the unit; what does not fit waits for what is in it. Headers that grow beyond header_room are given up, and read from the
/// start when the others are done, a few in the whole run at once. Nothing that a file or its server does is an Error of the
/// run: it is one of the file. But a server that no request of the run has found yet, after all tries of one of them, is: its files would
/// all be errors, and the catalog finished. So is one that has fallen silent: of a file that got no answer at all in all its tries, another
/// one is asked for, as often, which was answered before; the silence of both ends the run, after twice the time that is allowed for one
/// file, however many there are. I/O lane; waits for the whole batch.
class FetchHeaders {
 public:
  /// The store outlives the node.
  FetchHeaders(const Store& store, const FetchHeadersOptions& options, std::shared_ptr<FetchCounts> counts);

  FetchedBatch operator()(KeyBatch&& batch, const Context& context) const;

  unsigned concurrency() const;        ///< bodies that keep so many requests in flight
  std::uint64_t buffer_bytes() const;  ///< of a batch
  std::uint64_t item_bytes() const;    ///< of a batch that leaves
  std::uint64_t standing_bytes() const;

 private:
  class Batch;
  friend class Batch;
  static constexpr std::size_t guesses = 64;

  struct Shared {
    Shared(const Store& store, const FetchHeadersOptions& options);
    const FetchHeadersOptions options;
    std::unique_ptr<RangeReader> reader;
    std::unique_ptr<RangeReader>
        probe;  ///< finds out whether there is a server, where no other request is in the way
    std::deque<PrefetchGuess> guess;  ///< by range
    std::counting_semaphore<> alone;
    std::atomic<bool> is_reached = false;     ///< the server, by any request
    std::atomic<std::uint64_t> answered = 0;  ///< requests, whatever the answer
    std::mutex mutex;
    std::string known = "is-there-a-server";  ///< the first key that was answered; under the mutex
  };
  const std::string store_name_;
  std::shared_ptr<Shared> shared_;  ///< nodes are copied on their way into the graph
  std::shared_ptr<FetchCounts> counts_;
};

}  // namespace weir
