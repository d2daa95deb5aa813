#include "nodes/zarr/shard_indexes.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

std::string shown(const Store& store, const std::string& key) {
  return fmt::format("{}: {}", store.name(), key);
}

}  // namespace

ShardIndexes::ShardIndexes(const ZarrLayout& layout, std::uint64_t bytes, bool check_sums)
    : layout_(layout), check_sums_(check_sums) {
  if (!layout.index()) return;
  std::uint64_t shards = 1;  // there are no more than these
  for (std::size_t axis = 0; axis < layout.rank() && shards < bytes; ++axis)
    shards *= (layout.shape()[axis] + layout.object_shape()[axis] - 1) / layout.object_shape()[axis];
  const std::uint64_t fit = bytes / (layout.index()->inner_chunks() * sizeof(ShardEntry));
  capacity_ = std::max<std::uint64_t>(std::min(fit, shards), 2);
}

std::uint64_t ShardIndexes::standing_bytes() const {
  if (!layout_.index()) return 0;
  return capacity_ * layout_.index()->inner_chunks() * sizeof(ShardEntry) +
         2 * layout_.index()->scratch_bytes();
}

std::shared_ptr<const ShardIndex> ShardIndexes::parse(std::span<const std::byte> object,
                                                      const std::string& name,
                                                      const ObjectVersion& version) const {
  const ShardIndexCodec& codec = *layout_.index();
  if (object.size() < codec.encoded_bytes())
    throw Error(
        "read the index of", name,
        fmt::format("the object has {} bytes, and the index alone {}", object.size(), codec.encoded_bytes()));
  auto index = std::make_shared<ShardIndex>();
  index->object_bytes = object.size();
  index->version = version;
  index->entries.resize(codec.inner_chunks());
  codec.decode(object.subspan(codec.offset(object.size()), codec.encoded_bytes()), object.size(),
               layout_.codec().max_encoded_bytes(), name, index->entries, check_sums_);
  return index;
}

std::shared_ptr<const ShardIndex> ShardIndexes::read(const Store& store, const std::string& key,
                                                     const std::stop_token& stop,
                                                     const std::shared_ptr<const ShardIndex>& known) const {
  const ShardIndexCodec& codec = *layout_.index();
  std::vector<std::byte> encoded(codec.encoded_bytes());
  auto index = std::make_shared<ShardIndex>();
  const std::optional<std::uint64_t> bytes = codec.is_at_end()
                                                 ? store.get_end(key, encoded, stop, &index->version)
                                                 : store.get(key, encoded, stop, &index->version);
  if (!bytes) return index;
  if (*bytes < codec.encoded_bytes())
    throw Error(
        "read the index of", shown(store, key),
        fmt::format("the object has {} bytes, and the index alone {}", *bytes, codec.encoded_bytes()));
  index->object_bytes = *bytes;
  if (known && known->object_bytes == *bytes && codec.is_known(encoded, known->entries)) {
    if (known->version == index->version) return known;
    index->entries = known->entries;
    return index;
  }
  index->entries.resize(codec.inner_chunks());
  codec.decode(encoded, *bytes, layout_.codec().max_encoded_bytes(), shown(store, key), index->entries,
               check_sums_);
  return index;
}

ShardIndexes::Entries::iterator ShardIndexes::find(const std::string& key) {
  const auto place = places_.find(key);
  return place == places_.end() ? entries_.end() : place->second;
}

// Those being read stay: there are as many as threads that read.
void ShardIndexes::drop_old() {
  for (auto it = entries_.begin(); entries_.size() > capacity_ && it != entries_.end();) {
    if ((*it)->index == nullptr) {
      ++it;
      continue;
    }
    places_.erase((*it)->key);
    it = entries_.erase(it);
  }
}

std::shared_ptr<const ShardIndex> ShardIndexes::get(const Store& store, const std::string& key,
                                                    const std::stop_token& stop) {
  std::shared_ptr<Entry> entry;
  {
    std::unique_lock lock(mutex_);
    if (const auto found = find(key); found != entries_.end()) {
      entry = *found;
      entries_.splice(entries_.end(), entries_, found);
      changed_.wait(lock, [&] { return entry->index != nullptr || entry->error; });
      if (entry->error) throw Error(*entry->error);
      return entry->index;
    }
    entry = std::make_shared<Entry>(Entry{key, nullptr, std::nullopt});
    places_[key] = entries_.insert(entries_.end(), entry);
    drop_old();
  }
  std::shared_ptr<const ShardIndex> index;
  std::optional<Error> error;
  try {
    index = read(store, key, stop);
  } catch (const Error& caught) {
    error = caught;
  } catch (const std::bad_alloc&) {
    error = Error("read the index of", shown(store, key), "out of memory");
  }
  {
    const std::lock_guard lock(mutex_);
    entry->index = index;
    entry->error = error;
    // An Error is for those that wait already; the next one tries again.
    if (const auto found = find(key); error && found != entries_.end() && *found == entry) drop(found);
  }
  changed_.notify_all();
  if (error) throw Error(*error);
  return index;
}

std::shared_ptr<const ShardIndex> ShardIndexes::renew(const Store& store, const std::string& key,
                                                      const std::stop_token& stop) {
  std::shared_ptr<const ShardIndex> known;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = find(key); found != entries_.end()) known = (*found)->index;
  }
  std::shared_ptr<const ShardIndex> index = read(store, key, stop, known);
  replace(key, index);
  return index;
}

std::uint64_t ShardIndexes::age() const {
  const std::lock_guard lock(mutex_);
  return age_;
}

void ShardIndexes::put(const std::string& key, std::shared_ptr<const ShardIndex> index, std::uint64_t age) {
  const std::lock_guard lock(mutex_);
  if (age != age_) return;
  if (const auto found = find(key); found != entries_.end()) {
    if ((*found)->index == nullptr) return;  // being read
    (*found)->index = std::move(index);
    entries_.splice(entries_.end(), entries_, found);
    return;
  }
  places_[key] = entries_.insert(entries_.end(), std::make_shared<Entry>(Entry{key, std::move(index), {}}));
  drop_old();
}

void ShardIndexes::replace(const std::string& key, std::shared_ptr<const ShardIndex> index) {
  const std::lock_guard lock(mutex_);
  ++age_;
  if (const auto found = find(key); found != entries_.end()) drop(found);
  if (!index->version.is_known()) return;
  places_[key] = entries_.insert(entries_.end(), std::make_shared<Entry>(Entry{key, std::move(index), {}}));
  drop_old();
}

void ShardIndexes::outdate(const std::string& key, const std::shared_ptr<const ShardIndex>& index) {
  const std::lock_guard lock(mutex_);
  ++age_;
  if (const auto found = find(key); found != entries_.end() && (*found)->index == index) drop(found);
}

void ShardIndexes::drop(Entries::iterator entry) {
  places_.erase((*entry)->key);
  entries_.erase(entry);
}

void ShardIndexes::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  ++age_;
  if (const auto found = find(key); found != entries_.end()) drop(found);
}

}  // namespace weir
