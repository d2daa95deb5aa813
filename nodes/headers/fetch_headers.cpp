#include "nodes/headers/fetch_headers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

#include "framework/utf8.hpp"
#include "nodes/headers/byte_arena.hpp"
#include "nodes/headers/fit_row.hpp"
#include "nodes/headers/key_filter.hpp"
#include "nodes/stores/http_objects.hpp"

namespace weir {
namespace {

/// A batch's arena holds the beginnings of all its files; or what one reader asks for at once: 512 KiB of values, eight directories of
/// 36 KiB, 512 KiB of gaps.
constexpr std::uint64_t largest_request = (512 + 8 * 36 + 512) << 10;
/// The most that is asked for first: then the other 47 KiB of a file are not worth a second request to few.
constexpr std::uint64_t most_prefetch = 32 << 10;
/// Bodies at once: threads, which only wait.
constexpr unsigned most_bodies = 64;
/// Of a reader (HeaderReader); and of one alone with its row before that is made to fit: texts of 512 KiB in hexadecimal.
constexpr std::uint64_t reader_bytes = 1 << 20, alone_bytes = 3 << 20;
/// Answers that a reader needs, for all its directories, and some more.
constexpr unsigned most_rounds = 4096;
/// How often a file is read that is another one in the middle of it.
constexpr int tries_for_one_version = 3;
/// Questions at once whether there is a server, of as many keys that had no answer.
constexpr unsigned probes = 8;

}  // namespace

FetchHeaders::Shared::Shared(const Store& store, const FetchHeadersOptions& wanted)
    : options(wanted),
      reader(store.range_reader(std::min<unsigned>(wanted.in_flight, most_bodies * keys_of_unit))),
      probe(store.range_reader(probes)),
      alone(wanted.alone) {
  for (std::size_t i = 0; i < guesses; ++i)
    guess.emplace_back(options.prefetch, std::max(options.prefetch, most_prefetch));
}

/// One batch on its way. Callbacks come on threads of the reader; `mutex_` is for what they share.
class FetchHeaders::Batch {
 public:
  Batch(const FetchHeaders& node, KeyBatch&& batch, std::span<std::byte> memory)
      : node_(node), shared_(*node.shared_), arena_(memory), keys_(batch.keys.size()) {
    made_.cursor = std::move(batch.cursor);
    made_.old = std::move(batch.old);
    made_.headers.resize(batch.keys.size());
    for (std::size_t i = 0; i < keys_.size(); ++i) {
      keys_[i].object = std::move(batch.keys[i].object);
      keys_[i].range = batch.keys[i].range;
    }
  }

  FetchedBatch run(const std::stop_token& stop) {
    {
      const std::stop_callback on_stop(stop, [this] { cancel(); });
      begin(keys_.size());
      for (std::size_t i = 0; i < keys_.size(); ++i) start_key(i);
      wait();
      for (std::size_t i = 0; i < keys_.size(); ++i)
        if (keys_[i].is_alone && !is_cancelled()) read_alone(i);
    }
    if (!unreached_.empty()) throw Error("reach", node_.store_name_, unreached_);
    if (is_cancelled()) throw Error::cancelled();
    return std::move(made_);
  }

 private:
  struct Piece {
    std::uint64_t offset = 0;
    std::span<std::byte> memory;
    std::uint64_t bytes = 0;  ///< that came
  };
  struct Key {
    ListedObject object;
    std::uint32_t range = 0;
    std::optional<HeaderReader> reader;
    std::vector<Piece> pieces;
    std::size_t waited_for = 0;  ///< answers
    std::optional<RangeAnswer> failed;
    std::string etag;
    std::int64_t tries = 0, status = 0;
    unsigned rounds = 0;
    int versions = 0;
    bool is_alone = false, is_alone_now = false;
    std::byte one{};  ///< of what is asked for to find out whether there is a server
  };
  struct Refusal {
    std::string_view code = {}, reason = {};
  };
  struct Request {
    std::size_t key = 0;
    std::vector<ByteRange> ranges;
  };

  void begin(std::size_t keys) {
    const std::lock_guard lock(mutex_);
    open_ += keys;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return open_ == 0; });
  }
  bool is_cancelled() {
    const std::lock_guard lock(mutex_);
    return is_cancelled_;
  }
  /// On the thread that stops the run. A reader that waits does all on the batch's own, which finds out at its next request.
  void cancel() {
    std::vector<std::pair<RangeReader*, std::uint64_t>> numbers;
    {
      const std::lock_guard lock(mutex_);
      is_cancelled_ = true;
      numbers = numbers_;
    }
    if (shared_.reader->waits()) return;
    for (const auto& [reader, number] : numbers) reader->cancel(number);
    start_waiting();
  }

  void read_alone(std::size_t i) {
    shared_.alone.acquire();
    node_.counts_->alone.fetch_add(1, std::memory_order_relaxed);
    keys_[i].is_alone_now = true;
    begin(1);
    start_key(i);
    wait();
    keys_[i].reader.reset();
    shared_.alone.release();
  }

  void start_key(std::size_t i) {
    Key& key = keys_[i];
    if (!is_key(key.object.path))
      return fail(i, "list", "bad_key", "its key has an empty part, or one of dots");
    // As a text of Parquet it would be another key.
    if (!is_utf8(key.object.path))
      return fail(i, "list", "bad_key", "its key is no UTF-8; it is percent-encoded here");
    if (key.object.size == 0) return fail(i, "fetch", "empty", "the object has no bytes");
    const std::uint64_t guess = shared_.guess[key.range % guesses].bytes();
    request({i, {{0, std::min(guess, key.object.size)}}});
  }

  /// Starts what fits; what does not waits, behind what waits already.
  void request(Request request) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(request));
    }
    start_waiting();
  }

  void start_waiting() {
    // Of a reader that waits, the answer comes in here again: the loop that is running goes on with what that wants.
    const bool waits = shared_.reader->waits();
    if (waits && std::exchange(is_starting_, true)) return;
    start_all();
    if (waits) is_starting_ = false;
  }
  void start_all() {
    for (;;) {
      std::size_t i = 0;
      bool is_late = false;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) return;
        const Request& next = waiting_.front();
        i = next.key;
        is_late = is_cancelled_;
        Key& key = keys_[i];
        key.pieces.clear();
        for (const ByteRange& range : next.ranges) {
          const std::span<std::byte> memory = is_late ? std::span<std::byte>() : arena_.take(range.bytes);
          if (memory.empty()) break;
          key.pieces.push_back({range.offset, memory});
        }
        if (!is_late && key.pieces.size() < next.ranges.size()) {
          release(key);
          return;
        }
        key.waited_for = key.pieces.size();
        waiting_.pop_front();
      }
      if (is_late)
        finish_cancelled(i);
      else
        start_reading(i);
    }
  }

  void start_reading(std::size_t i) {
    // Once its last answer is there, the key may be at its next request: nothing of it is looked at then.
    const std::size_t pieces = keys_[i].pieces.size();
    const std::string& path = keys_[i].object.path;
    node_.counts_->in_flight.fetch_add(pieces, std::memory_order_relaxed);
    std::vector<Piece> all = keys_[i].pieces;
    for (std::size_t piece = 0; piece < pieces; ++piece)
      start_read(*shared_.reader, path, all[piece].offset, all[piece].memory,
                 [this, i, piece](RangeAnswer&& answer) { take_answer(i, piece, std::move(answer)); });
  }
  void start_read(RangeReader& reader, const std::string& path, std::uint64_t offset,
                  std::span<std::byte> memory, RangeReader::Done done) {
    const std::uint64_t number = reader.start(path, offset, memory, std::move(done));
    if (reader.waits()) return;
    bool is_late = false;
    {
      const std::lock_guard lock(mutex_);
      numbers_.emplace_back(&reader, number);
      is_late = is_cancelled_;
    }
    if (is_late) reader.cancel(number);
  }

  void take_answer(std::size_t i, std::size_t piece, RangeAnswer&& answer) noexcept {
    node_.counts_->in_flight.fetch_sub(1, std::memory_order_relaxed);
    if (answer.was_sent) shared_.is_reached = true;
    Key& key = keys_[i];
    if (answer.status && shared_.answered.fetch_add(1) == 0) {
      const std::lock_guard lock(shared_.mutex);
      shared_.known = key.object.path;
    }
    {
      const std::lock_guard lock(mutex_);
      key.pieces[piece].bytes = answer.bytes;
      key.tries = std::max(key.tries, answer.tries);
      key.status = answer.status.value_or(0);
      const bool is_other = !key.etag.empty() && !answer.etag.empty() && answer.etag != key.etag;
      if (answer.code.empty() && is_other) {
        answer.code = "changed";
        answer.reason = "it was replaced by another one while it was read";
      }
      if (!answer.code.empty() && !key.failed) key.failed = answer;
      if (--key.waited_for > 0) return;
      ++open_;  // this call: the batch stays until it has returned
    }
    try {
      read_on(i, answer);
    } catch (const std::exception& error) {
      fail(i, "fetch", "unreadable", error.what());
    }
    close();
  }

  /// All answers that the key waited for are there; `last` is one of them.
  void read_on(std::size_t i, const RangeAnswer& last) {
    Key& key = keys_[i];
    if (key.failed) {
      const RangeAnswer failed = std::move(*key.failed);
      key.failed.reset();
      if (failed.code == "cancelled") return finish_cancelled(i);
      if (failed.code == "no_answer" && !failed.was_sent && !shared_.is_reached)
        return give_up(i, failed.reason);
      if (failed.code == "no_answer" && !failed.status) return look_for_server(i, failed.reason);
      if (failed.code == "changed" && ++key.versions < tries_for_one_version) return start_again(i);
      return fail(i, "fetch", failed.code, failed.reason);
    }
    if (!key.reader)
      if (const Refusal refusal = begin_reader(key, last); !refusal.code.empty())
        return fail(i, "fetch", refusal.code, refusal.reason);
    for (const Piece& piece : key.pieces)
      if (piece.offset + piece.memory.size() <= key.object.size && piece.bytes < piece.memory.size())
        return fail(i, "fetch", "bad_answer",
                    fmt::format("bytes from {} on are missing", piece.offset + piece.bytes));
    if (++key.rounds > most_rounds)
      return fail(i, "fetch", "too_large", "its header lies in too many places");
    HeaderBytes bytes;
    for (const Piece& piece : key.pieces) bytes.add(piece.offset, piece.memory.first(piece.bytes));
    std::vector<ByteRange> missing = key.reader->read(bytes);
    // What is here is given up now, so it is asked what is needed without it: a value may lie half in it.
    if (!missing.empty()) missing = key.reader->read(HeaderBytes());
    {
      const std::lock_guard lock(mutex_);
      release(key);
    }
    if (missing.empty()) return finish(i);
    std::uint64_t wanted = 0;
    for (const ByteRange& range : missing) wanted += range.bytes;
    const bool is_large = key.reader->bytes() > shared_.options.header_room;
    if (is_large && !key.is_alone_now) {
      key.is_alone = true;
      forget(key);
      return close_key();
    }
    if (wanted > largest_request)
      return fail(i, "fetch", "too_large", "its header is larger than is read at once");
    request({i, std::move(missing)});
  }

  /// A key had no answer at all: because of what it is, or because nobody answers any more?
  void look_for_server(std::size_t i, const std::string& reason) {
    std::string known;
    {
      const std::lock_guard lock(shared_.mutex);
      known = shared_.known;
    }
    const auto take = [this, i, reason, before = shared_.answered.load()](RangeAnswer&& answer) {
      begin(1);  // this call, as in take_answer()
      if (answer.status) shared_.answered.fetch_add(1);
      if (answer.code == "cancelled")
        finish_cancelled(i);
      else if (shared_.answered.load() > before)
        fail(i, "fetch", "no_answer", reason);
      else
        give_up(i, "it is silent, whatever is asked for: " + reason);
      close();
    };
    start_read(*shared_.probe, known, 0, {&keys_[i].one, 1}, take);
  }

  /// At the first answer of a key: how long the file is, and which version of it this is.
  Refusal begin_reader(Key& key, const RangeAnswer& answer) {
    const Piece& first = key.pieces.front();
    std::optional<std::uint64_t> size = answer.size;
    if (!size && first.bytes < first.memory.size()) size = first.bytes;
    if (!size && key.object.size != unknown_size) size = key.object.size;
    if (!size) return {"bad_answer", "the server does not say how long it is"};
    if (*size == 0) return {"empty", "the object has no bytes"};
    // What the listing says is kept, as --update compares it; unless another version was fetched.
    ListedObject& object = key.object;
    const bool is_other =
        object.size != *size || (!object.etag.empty() && !answer.etag.empty() && object.etag != answer.etag);
    object.size = *size;
    if (is_other || object.etag.empty()) object.etag = answer.etag.substr(0, largest_etag);
    if (is_other || !object.last_modified) object.last_modified = answer.last_modified;
    key.etag = answer.etag;
    key.reader.emplace(*size, shared_.options.limits);
    return {};
  }

  void start_again(std::size_t i) {
    Key& key = keys_[i];
    {
      const std::lock_guard lock(mutex_);
      release(key);
    }
    forget(key);
    start_key(i);
  }
  void forget(Key& key) {
    key.reader.reset();
    key.etag.clear();
    key.rounds = 0;
  }

  void finish(std::size_t i) {
    Key& key = keys_[i];
    FetchedBatch::Header header{std::move(key.object), key.reader->take(), key.tries, key.status};
    key.reader.reset();
    if (!header.header.directories.empty()) shared_.guess[key.range % guesses].note(header.header.header_end);
    if (key.is_alone_now) {
      made_.headers[i] = rows_of(std::move(header));
    } else if (header.header.bytes() > shared_.options.header_room) {
      key.object = std::move(header.object);
      key.is_alone = true;
      forget(key);
      return close_key();
    } else {
      made_.headers[i] = std::move(header);
    }
    node_.counts_->fetched.fetch_add(1, std::memory_order_relaxed);
    close_key();
  }
  void fail(std::size_t i, std::string stage, std::string_view code, std::string_view reason) {
    Key& key = keys_[i];
    {
      const std::lock_guard lock(mutex_);
      release(key);
    }
    HeaderError error;
    error.path = is_utf8(key.object.path) ? std::move(key.object.path) : encode_url(key.object.path, true);
    error.stage = std::move(stage);
    error.code = code;
    error.reason = reason;
    if (key.status != 0) error.http_status = key.status;
    error.tries = std::max<std::int64_t>(1, key.tries);
    HeaderRows failed;
    failed.errors.push_back(std::move(error));
    made_.headers[i] = std::move(failed);
    key.is_alone = false;
    node_.counts_->fetched.fetch_add(1, std::memory_order_relaxed);
    close_key();
  }
  /// The whole batch.
  void give_up(std::size_t i, const std::string& reason) {
    {
      const std::lock_guard lock(mutex_);
      unreached_ = reason;
    }
    cancel();
    finish_cancelled(i);
  }
  void finish_cancelled(std::size_t i) {
    {
      const std::lock_guard lock(mutex_);
      is_cancelled_ = true;
      release(keys_[i]);
    }
    close_key();
  }

  /// One key less to wait for; others may have room now.
  void close_key() {
    start_waiting();
    close();
  }
  void close() {
    const std::lock_guard lock(mutex_);
    if (--open_ == 0) changed_.notify_all();
  }
  /// Under the mutex.
  void release(Key& key) {
    for (const Piece& piece : key.pieces) arena_.give_back(piece.memory);
    key.pieces.clear();
  }

  const FetchHeaders& node_;
  Shared& shared_;
  std::mutex mutex_;
  std::condition_variable changed_;
  ByteArena arena_;
  std::deque<Request> waiting_;
  std::vector<std::pair<RangeReader*, std::uint64_t>> numbers_;
  std::size_t open_ = 0;  ///< keys, and callbacks that are inside
  bool is_cancelled_ = false, is_starting_ = false;
  std::string unreached_;  ///< why no server was found
  std::vector<Key> keys_;
  FetchedBatch made_;
};

FetchHeaders::FetchHeaders(const Store& store, const FetchHeadersOptions& options,
                           std::shared_ptr<FetchCounts> counts)
    : store_name_(store.name()),
      shared_(std::make_shared<Shared>(store, options)),
      counts_(std::move(counts)) {}

FetchedBatch FetchHeaders::operator()(KeyBatch&& batch, const Context& context) const {
  Buffer memory;
  if (!batch.keys.empty()) memory = context.buffer(buffer_bytes());
  return Batch(*this, std::move(batch), memory.span()).run(context.stop());
}

unsigned FetchHeaders::concurrency() const {
  const unsigned in_flight = shared_->options.in_flight;
  if (shared_->reader->waits()) return std::clamp(in_flight, 1U, most_bodies);
  // Twice as many keys as places: a batch that waits for its last one does not leave places empty.
  return std::clamp(2 * ((in_flight + unsigned{keys_of_unit} - 1) / unsigned{keys_of_unit}), 2U, most_bodies);
}

std::uint64_t FetchHeaders::buffer_bytes() const {
  return std::max(keys_of_unit * std::max(shared_->options.prefetch, most_prefetch) + (256 << 10),
                  largest_request + (64 << 10));
}

std::uint64_t FetchHeaders::item_bytes() const {
  return keys_of_unit * (shared_->options.header_room + sizeof(FetchedBatch::Header) + largest_key) +
         (256 << 10);
}

std::uint64_t FetchHeaders::standing_bytes() const {
  // A reader grows by what one call brings before it is found too large.
  const std::uint64_t readers = shared_->reader->waits() ? concurrency() : shared_->reader->threads();
  return sizeof(Shared) + shared_->reader->standing_bytes() + shared_->probe->standing_bytes() +
         readers * reader_bytes + shared_->options.alone * alone_bytes;
}

}  // namespace weir
