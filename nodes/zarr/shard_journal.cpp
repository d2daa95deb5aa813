#include "nodes/zarr/shard_journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "framework/error.hpp"
#include "nodes/zarr/crc32c.hpp"

namespace weir {
namespace {

constexpr std::string_view magic = "weirjnl1";
constexpr std::uint64_t no_change = ~std::uint64_t{0};
// Longer than any key of ours; a journal that says more is broken.
constexpr std::uint64_t longest_key = 4096;

std::array<std::byte, 8> bytes_of(std::uint64_t number) {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(number >> (8 * i));
  return bytes;
}

/// A journal from its front to its end: what is held of it, or what the store has.
class Reader {
 public:
  /// `window`: bytes from the front of the journal, maybe all of them, and room for others.
  Reader(const Store& store, const std::string& key, std::span<std::byte> window, std::uint64_t size,
         const std::stop_token& stop)
      : store_(store), key_(key), window_(window), size_(size), stop_(stop) {
    filled_ = std::min<std::uint64_t>(window.size(), size);
  }

  Error broken(std::string_view reason) const {
    return Error("replay", fmt::format("the journal {} in {}", key_, store_.name()), reason);
  }
  std::uint64_t left() const { return size_ - at_; }
  std::uint32_t sum() const { return sum_; }

  /// The next bytes, at most as many as the window has: a view until the next call.
  std::span<const std::byte> take(std::uint64_t bytes) {
    if (bytes > left()) throw broken("it ends too early");
    if (at_ + bytes > begin_ + filled_) {
      begin_ = at_;
      filled_ = std::min<std::uint64_t>(window_.size(), left());
      const ObjectRange range{begin_, window_.first(filled_)};
      if (!store_.get_ranges(key_, std::span(&range, 1), stop_)) throw broken("it is gone");
    }
    const auto taken = window_.subspan(at_ - begin_, bytes);
    at_ += bytes;
    sum_ = crc32c(taken, sum_);
    return taken;
  }
  std::uint64_t number(std::size_t bytes = 8) {
    const auto taken = take(bytes);
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes; ++i) number |= std::to_integer<std::uint64_t>(taken[i]) << (8 * i);
    return number;
  }

 private:
  const Store& store_;
  const std::string& key_;
  std::span<std::byte> window_;
  std::uint64_t size_, begin_ = 0, filled_ = 0, at_ = 0;
  std::uint32_t sum_ = 0;
  std::stop_token stop_;
};

struct Summary {
  std::uint64_t before = 0, after = 0;  // bytes of the shard
};

/// Reads a whole journal, and does its changes where `target` says so.
Summary read_through(Reader reader, std::uint64_t most_at_once, const std::string& shard,
                     const Store* target) {
  const auto front = reader.take(magic.size());
  if (std::memcmp(front.data(), magic.data(), magic.size()) != 0) throw reader.broken("it is no journal");
  Summary summary;
  summary.before = summary.after = reader.number();
  const std::uint64_t key_bytes = reader.number();
  if (key_bytes > longest_key) throw reader.broken("the key of its shard is too long");
  const auto key = reader.take(key_bytes);
  if (std::string_view(reinterpret_cast<const char*>(key.data()), key.size()) != shard)
    throw reader.broken(fmt::format("it is not of {}", shard));
  for (std::uint64_t changes = 0;; ++changes) {
    std::uint64_t where = reader.number();
    const std::uint64_t bytes = reader.number();
    if (where == no_change) {
      if (bytes != changes) throw reader.broken("changes are missing");
      break;
    }
    if (bytes > reader.left()) throw reader.broken("it ends too early");
    if (where > summary.after) throw reader.broken("a change lies behind the end of its shard");
    summary.after = std::max(summary.after, where + bytes);
    for (std::uint64_t left = bytes; left > 0;) {
      const auto piece = reader.take(std::min(left, most_at_once));
      if (target != nullptr) target->put_range(shard, where, piece);
      where += piece.size();
      left -= piece.size();
    }
  }
  const std::uint32_t sum = reader.sum();
  if (reader.number(4) != sum) throw reader.broken("its checksum is wrong");
  if (reader.left() > 0) throw reader.broken("it is longer than it says");
  return summary;
}

std::unique_ptr<ObjectLock> try_lock(const Store& store, const std::string& key) {
  std::stop_source once;
  once.request_stop();
  try {
    return store.lock(key, once.get_token());
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::cancelled) return nullptr;
    throw;
  }
}

}  // namespace

bool can_patch(const Store& store) {
  const StoreAbilities abilities = store.abilities();
  return abilities.write && abilities.put_range && abilities.list && abilities.lock;
}

std::string journal_folder(const std::string& path) {
  return path.empty() ? ".weir-journal" : path + "/.weir-journal";
}

std::string journal_key(const std::string& path, const std::string& shard) {
  std::string name = path.empty() ? shard : shard.substr(path.size() + 1);
  std::ranges::replace(name, '/', '.');
  return fmt::format("{}/{}", journal_folder(path), name);
}

ShardJournal::ShardJournal(const Store& store, std::string key, std::string shard, std::uint64_t shard_bytes,
                           std::uint64_t room)
    : store_(store), key_(std::move(key)), shard_(std::move(shard)), room_(room) {
  held_.reserve(room_);
  write(std::as_bytes(std::span(magic)));
  write(shard_bytes);
  write(shard_.size());
  write(std::as_bytes(std::span(shard_)));
}

void ShardJournal::write(std::span<const std::byte> bytes) {
  if (held_.size() + bytes.size() <= room_) {
    held_.insert(held_.end(), bytes.begin(), bytes.end());
    return;
  }
  if (writer_ == nullptr) writer_ = store_.writer(key_);
  sum_ = crc32c(bytes, crc32c(held_, sum_));
  writer_->append(held_);
  held_.clear();
  last_.reset();
  writer_->append(bytes);
}

void ShardJournal::write(std::uint64_t number) {
  write(bytes_of(number));
}

void ShardJournal::change(std::uint64_t where, std::span<const std::byte> bytes) {
  if (last_ && where == last_->end && held_.size() + bytes.size() <= room_) {
    last_->bytes += bytes.size();
    std::ranges::copy(bytes_of(last_->bytes), held_.begin() + static_cast<std::ptrdiff_t>(last_->at));
    last_->end += bytes.size();
    write(bytes);
    return;
  }
  write(where);
  write(bytes.size());
  last_.reset();
  if (held_.size() >= sizeof(std::uint64_t))
    last_ = {held_.size() - sizeof(std::uint64_t), bytes.size(), where + bytes.size()};
  write(bytes);
  ++changes_;
}

ObjectVersion ShardJournal::commit() {
  write(no_change);
  write(changes_);
  const std::array<std::byte, 8> sum = bytes_of(crc32c(held_, sum_));
  write(std::span(sum).first<4>());
  std::uint64_t size = held_.size();
  if (writer_ == nullptr) {
    store_.put(key_, held_);
  } else {
    writer_->append(held_);
    size = writer_->size();
    writer_->commit();
    writer_.reset();
    held_.resize(room_);
    store_.get(key_, held_);
  }
  read_through(Reader(store_, key_, held_, size, {}), held_.size(), shard_, &store_);
  const ObjectVersion version = store_.sync(shard_);
  store_.erase(key_);
  return version;
}

bool replay_journal(const Store& store, const std::string& path, const std::string& shard,
                    const std::stop_token& stop) {
  const std::string key = journal_key(path, shard);
  if (!store.size(key, stop)) return false;
  std::vector<std::byte> window(journal_buffer_bytes);
  const std::optional<std::uint64_t> size = store.get(key, window, stop);
  if (!size) return false;
  const Reader reader(store, key, window, *size, stop);
  const Summary summary = read_through(reader, window.size(), shard, nullptr);
  const std::optional<std::uint64_t> now = store.size(shard, stop);
  if (!now || *now < summary.before || *now > summary.after)
    throw reader.broken(fmt::format("{} is not as it left it: replaced since, it would be spoilt", shard));
  if (*size > window.size()) store.get(key, window, stop);  // reading has moved it
  read_through(Reader(store, key, window, *size, stop), window.size(), shard, &store);
  store.sync(shard);
  store.erase(key);
  return true;
}

void replay_journals(const Store& store, const std::string& path, const std::stop_token& stop) {
  std::vector<std::string> keys;
  const std::string folder = journal_folder(path);
  store.list(
      folder,
      [&](std::string_view key, std::uint64_t) {
        keys.emplace_back(key);
        return true;
      },
      stop);
  for (const std::string& key : keys) {
    // The name in the journal is looked at before anything is done for it.
    std::vector<std::byte> front(magic.size() + 16 + longest_key);
    const std::optional<std::uint64_t> size = store.get(key, front, stop);
    if (!size) continue;  // its writer has erased it
    Reader reader(store, key, front, *size, stop);
    reader.take(magic.size() + 8);
    const std::uint64_t bytes = reader.number();
    if (bytes > longest_key) throw reader.broken("the key of its shard is too long");
    const auto name = reader.take(bytes);
    const std::string shard(reinterpret_cast<const char*>(name.data()), name.size());
    const bool is_below = path.empty() || shard.starts_with(path + "/");
    if (!is_below || journal_key(path, shard) != key) throw reader.broken("it is of another shard");
    check_key(shard);
    if (const auto lock = try_lock(store, shard)) replay_journal(store, path, shard, stop);
  }
}

}  // namespace weir
