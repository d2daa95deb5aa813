#include "nodes/headers/list_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "nodes/stores/http_objects.hpp"

namespace weir {
namespace {

/// Ranges that a bucket is cut into: more than listers, so that one that has most of the keys keeps fewer waiting.
constexpr std::size_t most_ranges = 64;

unsigned listers_of(const Store& store, const ListKeysOptions& options) {
  return options.walk ? 1 : store.requests_at_once() > 0 ? options.listers : 1;
}

/// A text as one word without spaces, and back.
std::string word(std::string_view text) {
  return "." + encode_url(text, true);
}
std::string unword(std::string_view text) {
  return decode_url(text.substr(std::min<std::size_t>(1, text.size())), false);
}

class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}
  std::string_view next() {
    const std::size_t end = std::min(text_.find(' '), text_.size());
    const std::string_view found = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    if (found.empty())
      throw Error::usage("go on with", "the catalog", "its cursor is not one of this program");
    return found;
  }
  std::uint64_t number() {
    const std::string_view digits = next();
    std::uint64_t value = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ptr !=
        digits.data() + digits.size())
      throw Error::usage("go on with", "the catalog", "its cursor is not one of this program");
    return value;
  }

 private:
  std::string_view text_;
};

}  // namespace

KeyLister::KeyLister(const Store& store, ListKeysOptions options)
    : store_(store),
      options_(std::move(options)),
      page_keys_(static_cast<std::uint32_t>(
          std::clamp<std::uint64_t>(options_.round_keys / listers_of(store, options_), 1, keys_of_page))) {}

KeyLister::~KeyLister() {
  for (Lister& lister : listers_) lister.thread.request_stop();
}

std::uint64_t KeyLister::standing_bytes(const Store& store, const ListKeysOptions& options) {
  const std::uint64_t listers = listers_of(store, options);
  // An entry may go over; ranges and cursors are some keys each.
  return listers * (room_bytes + 4 * largest_key + store.listing_bytes()) + 4 * most_ranges * largest_key;
}

void KeyLister::start(const std::stop_token& stop) {
  const unsigned listers = listers_of(store_, options_);
  for (unsigned i = 0; i < listers; ++i) listers_.emplace_back().range = i;
  if (!cursor_.empty())
    read_cursor(cursor_);
  else if (options_.walk)
    ranges_.emplace_back();
  else
    ranges_ = find_key_ranges(store_, distinct_prefixes(options_.prefixes), listers, most_ranges, stop);
  header_ = fmt::format("{} {}", page_keys_, ranges_.size());
  for (const KeyRange& range : ranges_)
    header_ += fmt::format(" {} {} {}", word(range.prefix), word(range.after), word(range.until));
  listers_left_ = listers;
  ranges_found_ = ranges_.size();
  for (std::size_t i = 0; i < listers_.size(); ++i) {
    Lister& lister = listers_[i];
    const std::uint32_t place = i == turn_ ? taken_ : 0;
    lister.thread = std::jthread([this, &lister, place, range = lister.range, mark = lister.mark](
                                     const std::stop_token& ends) { run(lister, range, mark, place, ends); });
  }
}

/// "page_keys ranges (.prefix .after .until)... turn taken (range .mark)..."
void KeyLister::read_cursor(const std::string& cursor) {
  Words words(cursor);
  if (words.number() != page_keys_)
    throw Error::usage("go on with", "the catalog", "its listing went by other pages");
  ranges_.resize(std::min<std::uint64_t>(words.number(), cursor.size()));
  for (KeyRange& range : ranges_)
    for (std::string* text : {&range.prefix, &range.after, &range.until}) *text = unword(words.next());
  turn_ = words.number() % listers_.size();
  taken_ = static_cast<std::uint32_t>(words.number());
  for (Lister& lister : listers_) {
    lister.range = words.number();
    lister.mark = unword(words.next());
  }
}

std::string KeyLister::write_cursor() const {
  std::string text = fmt::format("{} {}", turn_, taken_);
  for (const Lister& lister : listers_) text += fmt::format(" {} {}", lister.range, word(lister.mark));
  return text;
}

// The listers' threads ------------------------------------------------------------------------------------------------

void KeyLister::run(Lister& lister, std::size_t range, std::string mark, std::uint32_t place,
                    const std::stop_token& stop) {
  std::optional<Error> error;
  try {
    for (; range < ranges_.size(); range += listers_.size()) {
      list_range(lister, ranges_[range], mark, std::exchange(place, 0), stop);
      mark.clear();
      if (!push(lister, {.kind = Entry::Kind::range_end, .object = {}, .mark = {}}, stop)) break;
    }
  } catch (const Error& failed) {
    error = failed;
  } catch (const std::exception& failed) {
    error = Error("list", store_.name(), failed.what());
  }
  {
    const std::lock_guard lock(lister.mutex);
    lister.error = std::move(error);
    lister.is_done = true;
  }
  lister.changed.notify_all();
  --listers_left_;
}

/// `place`: how many keys of the first page were listed before.
void KeyLister::list_range(Lister& lister, const KeyRange& range, const std::string& mark,
                           std::uint32_t place, const std::stop_token& stop) {
  const auto take = [&](ListedObject&& object, const std::string& at) {
    scanned_.fetch_add(1, std::memory_order_relaxed);
    if (options_.filter.takes(object)) {
      listed_.fetch_add(1, std::memory_order_relaxed);
      if (!push(lister, {.kind = Entry::Kind::key, .object = std::move(object), .mark = at, .place = place},
                stop))
        return false;
    }
    if (++place < page_keys_) return true;
    place = 0;
    return push(lister, {.kind = Entry::Kind::page_end, .object = {}, .mark = at}, stop);
  };
  if (place >= page_keys_) {  // the page's last key was the last that was taken
    place = 0;
    if (!push(lister, {.kind = Entry::Kind::page_end, .object = {}, .mark = mark}, stop)) return;
  }
  if (options_.walk) return options_.walk(mark, take, stop);
  ListRequest request;
  request.prefix = range.prefix;
  request.start_after = mark.empty() ? std::string_view(range.after) : mark;
  store_.list_objects(
      request,
      [&](const StoredObject& object) {
        if (!range.until.empty() && object.key > range.until) return false;
        if (object.key.ends_with('/')) return true;  // a folder's mark
        return take({.path = std::string(object.key),
                     .size = object.size,
                     .etag = std::string(object.etag),
                     .last_modified = object.last_modified},
                    std::string(object.key));
      },
      stop);
}

/// Waits for room. False where the lister is to end.
bool KeyLister::push(Lister& lister, Entry entry, const std::stop_token& stop) {
  if (entry.kind == Entry::Kind::key && entry.mark == entry.object.path) entry.mark.clear();  // said once
  entry.mark.shrink_to_fit();
  std::unique_lock lock(lister.mutex);
  if (!lister.changed.wait(lock, stop, [&] { return lister.bytes < room_bytes; })) return false;
  lister.bytes += entry.bytes();
  lister.entries.push_back(std::move(entry));
  if (lister.entries.size() == 1) lister.changed.notify_all();
  return true;
}

// What takes from them ------------------------------------------------------------------------------------------------

KeyLister::Entry KeyLister::pop(Lister& lister, const std::stop_token& stop) {
  std::unique_lock lock(lister.mutex);
  if (!lister.changed.wait(lock, stop, [&] { return !lister.entries.empty() || lister.is_done; }))
    throw Error::cancelled();
  if (lister.entries.empty())
    throw lister.error ? *lister.error : Error("list", store_.name(), "a lister ended early");
  Entry entry = std::move(lister.entries.front());
  lister.entries.pop_front();
  const bool was_full = lister.bytes >= room_bytes;
  lister.bytes -= entry.bytes();
  if (was_full && lister.bytes < room_bytes) lister.changed.notify_all();
  return entry;
}

void KeyLister::turn() {
  taken_ = 0;
  for (std::size_t i = 0; i < listers_.size(); ++i) {
    turn_ = (turn_ + 1) % listers_.size();
    if (listers_[turn_].range < ranges_.size()) return;
  }
  has_ended_ = true;
}

KeyBatch KeyLister::next(const std::stop_token& stop) {
  KeyBatch batch;
  if (listers_.empty()) start(stop);
  if (listers_[turn_].range >= ranges_.size()) turn();
  while (batch.keys.size() < keys_of_unit && !has_ended_) {
    Lister& lister = listers_[turn_];
    Entry entry = pop(lister, stop);
    if (entry.kind == Entry::Kind::range_end) {
      lister.range += listers_.size();
      lister.mark.clear();
      turn();
    } else if (entry.kind == Entry::Kind::page_end) {
      lister.mark = std::move(entry.mark);
      turn();
    } else {
      lister.mark = entry.mark.empty() ? entry.object.path : std::move(entry.mark);
      taken_ = entry.place + 1;
      batch.keys.push_back({std::move(entry.object), static_cast<std::uint32_t>(lister.range)});
    }
  }
  batch.cursor = write_cursor();
  return batch;
}

}  // namespace weir
