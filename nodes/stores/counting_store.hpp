#pragma once

#include <atomic>
#include <memory>

#include "nodes/stores/store.hpp"

namespace weir {

/// Calls of a store, by kind, and bytes of objects that went through them.
struct StoreCount {
  std::uint64_t size = 0, get = 0, get_end = 0, get_ranges = 0, ranges = 0;
  std::uint64_t put = 0, writer = 0, put_range = 0, sync = 0, erase = 0, lock = 0, list = 0;
  std::uint64_t bytes_read = 0, bytes_written = 0;
  /// What a server would be asked for to read: each range is a request.
  std::uint64_t read_requests() const { return size + get + get_end + ranges; }
  bool operator==(const StoreCount&) const = default;
};

/// Counts what is asked of a store; all else is the other store's.
class CountingStore : public Store {
 public:
  explicit CountingStore(std::shared_ptr<const Store> store) : store_(std::move(store)) {}

  /// What was asked since the last call.
  StoreCount take() const;

  const std::string& name() const override { return store_->name(); }
  StoreAbilities abilities() const override { return store_->abilities(); }
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
  void replace(std::string_view key, const ObjectVersion& old,
               std::span<const std::byte> bytes) const override;
  void put_range(std::string_view key, std::uint64_t offset, std::span<const std::byte> bytes) const override;
  ObjectVersion sync(std::string_view key) const override;
  void erase(std::string_view key) const override;
  std::unique_ptr<ObjectLock> lock(std::string_view key, const std::stop_token& stop = {}) const override;
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override;
  unsigned requests_at_once() const override { return store_->requests_at_once(); }
  bool is_in_memory() const override { return store_->is_in_memory(); }
  std::uint64_t gap_bytes() const override { return store_->gap_bytes(); }
  Traffic* traffic() const override { return store_->traffic(); }
  std::uint64_t standing_bytes() const override { return sizeof *this + store_->standing_bytes(); }
  std::uint64_t writer_bytes() const override { return store_->writer_bytes(); }

 private:
  class Writer;
  void add(std::uint64_t StoreCount::*kind, std::uint64_t more = 1) const {
    std::atomic_ref(count_.*kind).fetch_add(more, std::memory_order_relaxed);
  }

  const std::shared_ptr<const Store> store_;
  mutable StoreCount count_;
};

}  // namespace weir
