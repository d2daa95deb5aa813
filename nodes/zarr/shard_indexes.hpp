#pragma once

#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/stores/store.hpp"
#include "nodes/zarr/zarr_layout.hpp"

namespace weir {

/// The index of a shard, checked.
struct ShardIndex {
  std::uint64_t object_bytes = 0;
  ObjectVersion version;            ///< of the object that it is of
  std::vector<ShardEntry> entries;  ///< row-major; none where the shard is not there: all fill
  bool is_there() const { return !entries.empty(); }
};

/// The shard indexes of an array that were read, as many as fit into some bytes; the least recently used go. Each is read with
/// one request; who needs one that another thread is reading waits for it, and shares its Error. One that is kept may be of an
/// object that is not there any more: who reads by it compares versions. Thread-safe.
class ShardIndexes {
 public:
  /// `layout` outlives it. `bytes`: at least two indexes are kept whatever it is.
  ShardIndexes(const ZarrLayout& layout, std::uint64_t bytes, bool check_sums = true);

  std::shared_ptr<const ShardIndex> get(const Store& store, const std::string& key,
                                        const std::stop_token& stop);
  /// As get, but what is kept is compared with what is there: for the owner of the shard's lock, as another process may have
  /// written it.
  std::shared_ptr<const ShardIndex> renew(const Store& store, const std::string& key,
                                          const std::stop_token& stop);
  /// Keeps the index of an object that was read whole, unless one was forgotten or replaced since age() was asked, before that.
  void put(const std::string& key, std::shared_ptr<const ShardIndex> index, std::uint64_t age);
  std::uint64_t age() const;
  /// Once an object was found to be another one than this index is of.
  void outdate(const std::string& key, const std::shared_ptr<const ShardIndex>& index);
  /// Once an object was replaced: also those who read the index just now do not keep it, as it may be the one before.
  void forget(const std::string& key);
  /// The same, and keeps the new index where its version is known.
  void replace(const std::string& key, std::shared_ptr<const ShardIndex> index);
  /// From the bytes of a whole object.
  std::shared_ptr<const ShardIndex> parse(std::span<const std::byte> object, const std::string& name,
                                          const ObjectVersion& version = {}) const;

  std::uint64_t standing_bytes() const;  ///< of those kept; and what reading one takes

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const ShardIndex> index;  ///< none: being read
    std::optional<Error> error;
  };
  using Entries = std::list<std::shared_ptr<Entry>>;
  std::shared_ptr<const ShardIndex> read(const Store& store, const std::string& key,
                                         const std::stop_token& stop,
                                         const std::shared_ptr<const ShardIndex>& known = nullptr) const;
  Entries::iterator find(const std::string& key);
  void drop(Entries::iterator entry);
  void drop_old();

  const ZarrLayout& layout_;
  bool check_sums_;
  std::size_t capacity_ = 0;  // indexes
  mutable std::mutex mutex_;
  std::uint64_t age_ = 0;  // changes by forget and replace
  std::condition_variable changed_;
  Entries entries_;  // the least recently used first
  std::map<std::string, Entries::iterator, std::less<>> places_;
};

/// Forgets the index of a shard at the end of its scope: while the shard is being replaced, and where that fails, nobody can tell
/// which of the two a reader has got.
class ForgetIndex {
 public:
  ForgetIndex(ShardIndexes& indexes, const std::string& key) : indexes_(indexes), key_(key) {}
  ~ForgetIndex() { indexes_.forget(key_); }
  ForgetIndex(const ForgetIndex&) = delete;
  ForgetIndex& operator=(const ForgetIndex&) = delete;

 private:
  ShardIndexes& indexes_;
  const std::string& key_;
};

}  // namespace weir
