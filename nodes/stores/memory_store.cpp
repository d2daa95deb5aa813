#include "nodes/stores/memory_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "nodes/stores/listed_keys.hpp"

namespace weir {
namespace {

void copy_bytes(std::span<const std::byte> from, std::span<std::byte> to) {
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
}

/// Of an object. 160: a node of the map, the object with its counts, and what malloc adds, with libstdc++.
std::uint64_t taken_by(const std::string& key, const std::vector<std::byte>& bytes) {
  return 160 + key.capacity() + bytes.capacity();
}

}  // namespace

class MemoryStore::Writer : public ObjectWriter {
 public:
  Writer(const MemoryStore& store, std::string key, const std::optional<ObjectVersion>& replaced)
      : store_(store), key_(std::move(key)), replaced_(replaced) {
    const Object old = store.find(key_);
    if (replaced_ && version_of(old) != *replaced_) throw store_.outdated(key_);
    old_ = old.bytes;
  }

  void append(std::span<const std::byte> bytes) override {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void copy(std::uint64_t offset, std::uint64_t bytes) override {
    if (!old_) throw store_.failure("copy from", key_, "there is no such object");
    if (offset > old_->size() || bytes > old_->size() - offset)
      throw store_.failure("copy from", key_, fmt::format("it ends at byte {}", old_->size()));
    append(std::span(*old_).subspan(offset, bytes));
  }
  std::uint64_t size() const override { return bytes_.size(); }
  void patch(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (offset > bytes_.size() || bytes.size() > bytes_.size() - offset)
      throw store_.failure("change", key_, fmt::format("only {} bytes were appended", bytes_.size()));
    copy_bytes(bytes, std::span(bytes_).subspan(offset));
  }
  ObjectVersion commit() override { return store_.replace(key_, std::move(bytes_), replaced_); }

 private:
  const MemoryStore& store_;
  const std::string key_;
  const std::optional<ObjectVersion> replaced_;
  std::shared_ptr<const Bytes> old_;
  Bytes bytes_;
};

class MemoryStore::Lock : public ObjectLock {
 public:
  Lock(const MemoryStore& store, std::string_view key, const std::stop_token& stop)
      : store_(store), key_(key) {
    std::unique_lock guard(store_.lock_mutex_);
    if (!store_.unlocked_.wait(guard, stop, [&] { return !store_.locked_.contains(key_); }))
      throw Error::cancelled();
    store_.locked_.insert(key_);
  }
  ~Lock() override {
    const std::lock_guard guard(store_.lock_mutex_);
    store_.locked_.erase(key_);
    store_.unlocked_.notify_all();
  }

 private:
  const MemoryStore& store_;
  const std::string key_;
};

StoreAbilities MemoryStore::abilities() const {
  return {.write = true,
          .patch = true,
          .put_range = true,
          .list = true,
          .copy = true,
          .lock = true,
          .compare = true};
}

MemoryStore::Object MemoryStore::find(std::string_view key) const {
  check_key(key);
  const std::shared_lock guard(mutex_);
  const auto found = objects_.find(key);
  return found == objects_.end() ? Object{} : found->second;
}

std::optional<std::uint64_t> MemoryStore::size(std::string_view key, const std::stop_token&) const {
  const Object object = find(key);
  return object.bytes ? std::optional<std::uint64_t>(object.bytes->size()) : std::nullopt;
}

std::optional<std::uint64_t> MemoryStore::get(std::string_view key, std::span<std::byte> out,
                                              const std::stop_token&, ObjectVersion* version) const {
  const Object object = find(key);
  if (!object.bytes) return std::nullopt;
  const Bytes& bytes = *object.bytes;
  copy_bytes(std::span(bytes).first(std::min(bytes.size(), out.size())), out);
  if (version != nullptr) *version = {{object.version}};
  return bytes.size();
}

std::optional<std::uint64_t> MemoryStore::get_end(std::string_view key, std::span<std::byte> out,
                                                  const std::stop_token&, ObjectVersion* version) const {
  const Object object = find(key);
  if (!object.bytes) return std::nullopt;
  const Bytes& bytes = *object.bytes;
  const std::size_t some = std::min(bytes.size(), out.size());
  copy_bytes(std::span(bytes).last(some), out.last(some));
  if (version != nullptr) *version = {{object.version}};
  return bytes.size();
}

bool MemoryStore::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                             const std::stop_token&, ObjectVersion* version) const {
  const Object object = find(key);
  if (!object.bytes) return false;
  const Bytes& bytes = *object.bytes;
  for (const ObjectRange& range : ranges) {
    if (range.offset > bytes.size() || range.out.size() > bytes.size() - range.offset)
      throw failure("read", key, fmt::format("it ends at byte {}", bytes.size()));
    copy_bytes(std::span(bytes).subspan(range.offset, range.out.size()), range.out);
  }
  if (version != nullptr) *version = {{object.version}};
  return true;
}

ObjectVersion MemoryStore::version_of(const Object& object) {
  return object.bytes ? ObjectVersion{{object.version}} : ObjectVersion{};
}

ObjectVersion MemoryStore::replace(std::string_view key, Bytes bytes,
                                   const std::optional<ObjectVersion>& old) const {
  auto object = std::make_shared<Bytes>(std::move(bytes));
  const std::unique_lock guard(mutex_);
  if (old) {
    const auto found = objects_.find(key);
    if (version_of(found == objects_.end() ? Object{} : found->second) != *old) throw outdated(key);
  }
  const auto place = objects_.try_emplace(std::string(key)).first;
  if (place->second.bytes) bytes_ -= taken_by(place->first, *place->second.bytes);
  bytes_ += taken_by(place->first, *object);
  place->second = {std::move(object), ++versions_};
  return {{versions_}};
}

void MemoryStore::put(std::string_view key, std::span<const std::byte> bytes) const {
  check_key(key);
  replace(key, Bytes(bytes.begin(), bytes.end()));
}

std::unique_ptr<ObjectWriter> MemoryStore::writer(std::string_view key) const {
  return std::make_unique<Writer>(*this, std::string(key), std::nullopt);
}

std::unique_ptr<ObjectWriter> MemoryStore::replacer(std::string_view key, const ObjectVersion& old) const {
  return std::make_unique<Writer>(*this, std::string(key), old);
}

void MemoryStore::put_range(std::string_view key, std::uint64_t offset,
                            std::span<const std::byte> bytes) const {
  check_key(key);
  const std::unique_lock guard(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) throw failure("change", key, "there is no such object");
  std::shared_ptr<Bytes>& object = found->second.bytes;
  const std::uint64_t before = taken_by(found->first, *object);
  if (offset > object->max_size() || bytes.size() > object->max_size() - offset)
    throw failure("change", key, "no memory holds that many bytes");
  // Whoever reads it just now, or has a writer, keeps what was. Nobody gets another hold of it while the mutex is ours.
  if (object.use_count() > 1) object = std::make_shared<Bytes>(*object);
  // use_count is no synchronisation. Letting go of a hold is: with those that let go before us.
  std::shared_ptr<Bytes>(object).reset();
  if (offset + bytes.size() > object->size()) object->resize(offset + bytes.size());
  copy_bytes(bytes, std::span(*object).subspan(offset));
  found->second.version = ++versions_;
  bytes_ = bytes_ - before + taken_by(found->first, *object);
}

ObjectVersion MemoryStore::sync(std::string_view key) const {
  const Object object = find(key);
  if (!object.bytes) throw failure("sync", key, "there is no such object");
  return {{object.version}};
}

void MemoryStore::erase(std::string_view key) const {
  check_key(key);
  const std::unique_lock guard(mutex_);
  const auto found = objects_.find(key);
  if (found == objects_.end()) return;
  bytes_ -= taken_by(found->first, *found->second.bytes);
  objects_.erase(found);
}

std::unique_ptr<ObjectLock> MemoryStore::lock(std::string_view key, const std::stop_token& stop) const {
  check_key(key);
  return std::make_unique<Lock>(*this, key, stop);
}

void MemoryStore::list_objects(const ListRequest& request,
                               const std::function<bool(const StoredObject&)>& each,
                               const std::stop_token& stop) const {
  ListedKeys keys(request);
  std::string last;  // the call is made without the mutex: it may use the store
  for (bool is_first = true;; is_first = false) {
    if (stop.stop_requested()) throw Error::cancelled();
    std::uint64_t bytes = 0;
    {
      const std::shared_lock guard(mutex_);
      const auto next = is_first ? objects_.lower_bound(keys.start()) : objects_.upper_bound(last);
      if (next == objects_.end() || !next->first.starts_with(keys.below())) return;
      last = next->first;
      bytes = next->second.bytes->size();
    }
    if (keys.is_wanted(last) && !each(keys.object(last, bytes))) return;
  }
}

std::uint64_t MemoryStore::standing_bytes() const {
  const std::shared_lock guard(mutex_);
  return sizeof *this + bytes_;
}

}  // namespace weir
