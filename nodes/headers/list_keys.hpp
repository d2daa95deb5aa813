#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "nodes/headers/header_items.hpp"
#include "nodes/headers/key_filter.hpp"
#include "nodes/headers/key_ranges.hpp"

namespace weir {

/// Keys in an order of their own, each with a mark from which the walk goes on: what is listed instead of a bucket. Calls until
/// `each` returns false.
using KeyWalk =
    std::function<void(const std::string& after_mark,
                       const std::function<bool(ListedObject&& object, const std::string& mark)>& each,
                       const std::stop_token& stop)>;

struct ListKeysOptions {
  std::vector<std::string> prefixes;
  KeyFilter filter;
  /// Keys of one round over the listers; each gives an equal part of them in turn, at most a thousand.
  std::uint64_t round_keys = 10'000;
  unsigned listers = 8;  ///< ranges that are listed side by side
  KeyWalk walk = {};     ///< instead of the store's listing; one lister
};

/// Lists a bucket, several ranges of it at once:
///
///   lister 0  range 0, 8, 16 ...  ─┐
///   lister 1  range 1, 9 ...      ─┼─► next(): a page of each in turn, filtered, in batches of 32
///     ...                          │
///   lister 7  range 7, 15 ...     ─┘
///
/// Each lister is a thread that is at most room_bytes ahead. A page is a number of keys as listed, before the filter: so the order
/// depends on the store alone, and all listers advance together. The cursor of a batch says where each lister was, and a lister
/// that begins there goes on with the same keys. Keys that are none of ours ("a//b") are passed on, for the errors.
class KeyLister {
 public:
  /// The store outlives this.
  KeyLister(const Store& store, ListKeysOptions options);
  ~KeyLister();
  KeyLister(const KeyLister&) = delete;
  KeyLister& operator=(const KeyLister&) = delete;

  /// Before the first next(): goes on behind a cursor, header() and a batch's with a space between; empty: from the start.
  void begin_at(std::string cursor) { cursor_ = std::move(cursor); }
  /// The next keys, at most 32: waits for them; the first time for the ranges to be found, too. Fewer, or none, at the end of the
  /// listing. Throws what a lister met. One thread at a time.
  KeyBatch next(const std::stop_token& stop = {});
  /// Whether next() has given all there was. Any thread.
  bool has_ended() const { return has_ended_.load(); }

  /// The ranges, once there was a batch: what a cursor needs in front of it.
  const std::string& header() const { return header_; }
  std::uint64_t scanned() const {
    return scanned_.load(std::memory_order_relaxed);
  }  ///< keys, before the filter
  std::uint64_t listed() const { return listed_.load(std::memory_order_relaxed); }  ///< those that passed it
  bool is_listed() const { return listers_left_.load() == 0; }
  /// 0 until they are found. Any thread may ask, as for all these counts.
  std::size_t ranges() const { return ranges_found_.load(); }

  static constexpr std::uint64_t room_bytes = 512 << 10;
  /// That listers hold at most, beside what the store says of itself.
  static std::uint64_t standing_bytes(const Store& store, const ListKeysOptions& options);

 private:
  struct Entry {
    enum class Kind { key, page_end, range_end } kind = Kind::key;
    ListedObject object;
    std::string mark;
    std::uint32_t place = 0;  ///< of a key, in its page
    std::uint64_t bytes() const {
      return sizeof *this + object.path.capacity() + object.etag.capacity() + mark.capacity();
    }
  };
  struct Lister {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::deque<Entry> entries;
    std::uint64_t bytes = 0;
    bool is_done = false;
    std::optional<Error> error;
    // Of next() alone: where it is.
    std::size_t range = 0;
    std::string mark;
    std::jthread thread;
  };

  void start(const std::stop_token& stop);
  void read_cursor(const std::string& cursor);
  std::string write_cursor() const;
  void run(Lister& lister, std::size_t range, std::string mark, std::uint32_t place,
           const std::stop_token& stop);
  void list_range(Lister& lister, const KeyRange& range, const std::string& mark, std::uint32_t place,
                  const std::stop_token& stop);
  static bool push(Lister& lister, Entry entry, const std::stop_token& stop);
  Entry pop(Lister& lister, const std::stop_token& stop);
  void turn();

  const Store& store_;
  const ListKeysOptions options_;
  const std::uint32_t page_keys_;
  std::string cursor_, header_;
  std::vector<KeyRange> ranges_;
  std::deque<Lister> listers_;
  std::size_t turn_ = 0;     ///< whose page it is
  std::uint32_t taken_ = 0;  ///< keys of it, as listed
  std::atomic<bool> has_ended_ = false;
  std::atomic<std::uint64_t> scanned_ = 0, listed_ = 0;
  std::atomic<std::size_t> ranges_found_ = 0;
  std::atomic<unsigned> listers_left_ = 1;
};

}  // namespace weir
