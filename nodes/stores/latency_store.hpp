#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "nodes/stores/store.hpp"

namespace weir {

struct LatencyOptions {
  std::chrono::microseconds latency{0};  ///< each request waits this long before it is served
  unsigned requests_at_once = 16;        ///< more wait for a free place
  std::uint64_t bytes_per_second = 0;    ///< of all requests together; 0: no limit
};

/// A store as if it were far away: for benchmarks and tests. Each range is a request of its own, and those of one call are under
/// way together; each part of 8 MiB that a writer has collected is one, and so are copy and commit, and the thousand keys of a
/// listing's page. Locks and all that is given back are the other store's, and so are its abilities.
class LatencyStore : public Store {
 public:
  LatencyStore(std::shared_ptr<const Store> store, const LatencyOptions& options);

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
  unsigned requests_at_once() const override { return options_.requests_at_once; }
  /// What the bandwidth carries during one latency; without a limit of it, at 1 GB/s.
  std::uint64_t gap_bytes() const override;
  Traffic* traffic() const override { return &traffic_; }
  std::uint64_t standing_bytes() const override { return sizeof *this + store_->standing_bytes(); }
  std::uint64_t writer_bytes() const override { return store_->writer_bytes(); }

 private:
  class Writer;
  using Clock = std::chrono::steady_clock;

  void wait(std::span<const std::uint64_t> bytes, const std::stop_token& stop) const;
  void wait(std::uint64_t bytes, const std::stop_token& stop = {}) const { wait({&bytes, 1}, stop); }

  const std::shared_ptr<const Store> store_;
  const LatencyOptions options_;
  mutable Traffic traffic_;
  mutable std::mutex mutex_;
  mutable std::vector<Clock::time_point> free_at_;  ///< each place for a request: when it has its next one
  mutable Clock::time_point line_free_at_;  ///< when the bytes of all requests so far have gone through
};

}  // namespace weir
