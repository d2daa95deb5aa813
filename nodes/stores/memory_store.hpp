#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "nodes/stores/store.hpp"

namespace weir {

/// Objects in this process's memory, for tests and for arrays that are made to be read at once. Readers have the object as it was
/// when they asked. Locks are between threads: there is no other process that sees it.
class MemoryStore : public Store {
 public:
  explicit MemoryStore(std::string name = "memory") : name_(std::move(name)) {}

  const std::string& name() const override { return name_; }
  StoreAbilities abilities() const override;
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const override;
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop = {},
                                   ObjectVersion* version = nullptr) const override;
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop = {},
                                       ObjectVersion* version = nullptr) const override;
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop = {},
                  ObjectVersion* version = nullptr) const override;
  void put(std::string_view key, std::span<const std::byte> bytes) const override;
  std::unique_ptr<ObjectWriter> writer(std::string_view key) const override;
  std::unique_ptr<ObjectWriter> replacer(std::string_view key, const ObjectVersion& old) const override;
  void put_range(std::string_view key, std::uint64_t offset, std::span<const std::byte> bytes) const override;
  ObjectVersion sync(std::string_view key) const override;
  void erase(std::string_view key) const override;
  std::unique_ptr<ObjectLock> lock(std::string_view key, const std::stop_token& stop = {}) const override;
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override;
  bool is_in_memory() const override { return true; }
  std::uint64_t gap_bytes() const override { return 0; }
  std::uint64_t standing_bytes() const override;  ///< of all objects, as they are now

 private:
  class Writer;
  class Lock;
  using Bytes = std::vector<std::byte>;
  struct Object {
    std::shared_ptr<Bytes> bytes;  ///< nullptr: there is none
    std::uint64_t version = 0;
  };

  static ObjectVersion version_of(const Object& object);
  Object find(std::string_view key) const;
  /// Where `old` is given, only that version of it, or none where it is not known.
  ObjectVersion replace(std::string_view key, Bytes bytes,
                        const std::optional<ObjectVersion>& old = {}) const;

  const std::string name_;
  mutable std::shared_mutex mutex_;
  mutable std::uint64_t versions_ = 0;  ///< so far, of all objects
  mutable std::uint64_t bytes_ = 0;     ///< that all objects take: every plan of a graph asks
  mutable std::map<std::string, Object, std::less<>> objects_;
  mutable std::mutex lock_mutex_;
  mutable std::condition_variable_any unlocked_;
  mutable std::set<std::string, std::less<>> locked_;
};

}  // namespace weir
