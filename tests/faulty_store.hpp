#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "nodes/stores/store.hpp"

namespace weir::test {

/// A store whose calls are written down in order; the one with a number fails, or kills the process before it is done. Set the
/// faults up before the calls. Those of its writers count, too.
class FaultyStore : public Store {
 public:
  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

  explicit FaultyStore(std::shared_ptr<const Store> store) : store_(std::move(store)) {}

  std::size_t fail_at = never;  ///< number of the call that fails; the first one is 1
  std::size_t kill_at = never;  ///< ... at which SIGKILL comes

  /// "put a/b", one per call.
  std::vector<std::string> log() const {
    const std::lock_guard guard(mutex_);
    return log_;
  }

  const std::string& name() const override { return store_->name(); }
  StoreAbilities abilities() const override { return store_->abilities(); }
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const override {
    call("size", key);
    return store_->size(key, stop);
  }
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop = {},
                                   ObjectVersion* version = nullptr) const override {
    call("get", key);
    return store_->get(key, out, stop, version);
  }
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop = {},
                                       ObjectVersion* version = nullptr) const override {
    call("get_end", key);
    return store_->get_end(key, out, stop, version);
  }
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop = {},
                  ObjectVersion* version = nullptr) const override {
    call("get_ranges", key);
    return store_->get_ranges(key, ranges, stop, version);
  }
  void put(std::string_view key, std::span<const std::byte> bytes) const override {
    call("put", key);
    store_->put(key, bytes);
  }
  std::unique_ptr<ObjectWriter> writer(std::string_view key) const override {
    call("writer", key);
    return std::make_unique<Writer>(*this, std::string(key), store_->writer(key));
  }
  std::unique_ptr<ObjectWriter> replacer(std::string_view key, const ObjectVersion& old) const override {
    call("replacer", key);
    return std::make_unique<Writer>(*this, std::string(key), store_->replacer(key, old));
  }
  void replace(std::string_view key, const ObjectVersion& old,
               std::span<const std::byte> bytes) const override {
    call("replace", key);
    store_->replace(key, old, bytes);
  }
  void put_range(std::string_view key, std::uint64_t offset,
                 std::span<const std::byte> bytes) const override {
    call("put_range", key);
    store_->put_range(key, offset, bytes);
  }
  ObjectVersion sync(std::string_view key) const override {
    call("sync", key);
    return store_->sync(key);
  }
  void erase(std::string_view key) const override {
    call("erase", key);
    store_->erase(key);
  }
  std::unique_ptr<ObjectLock> lock(std::string_view key, const std::stop_token& stop = {}) const override {
    call("lock", key);
    return store_->lock(key, stop);
  }
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override {
    call("list", request.prefix);
    store_->list_objects(request, each, stop);
  }
  unsigned requests_at_once() const override { return store_->requests_at_once(); }
  std::uint64_t gap_bytes() const override { return store_->gap_bytes(); }
  Traffic* traffic() const override { return store_->traffic(); }
  std::uint64_t standing_bytes() const override { return store_->standing_bytes(); }
  std::uint64_t writer_bytes() const override { return store_->writer_bytes(); }

 private:
  class Writer : public ObjectWriter {
   public:
    Writer(const FaultyStore& store, std::string key, std::unique_ptr<ObjectWriter> writer)
        : store_(store), key_(std::move(key)), writer_(std::move(writer)) {}
    void append(std::span<const std::byte> bytes) override {
      store_.call("append", key_);
      writer_->append(bytes);
    }
    void copy(std::uint64_t offset, std::uint64_t bytes) override {
      store_.call("copy", key_);
      writer_->copy(offset, bytes);
    }
    std::uint64_t size() const override { return writer_->size(); }
    void patch(std::uint64_t offset, std::span<const std::byte> bytes) override {
      store_.call("patch", key_);
      writer_->patch(offset, bytes);
    }
    ObjectVersion commit() override {
      store_.call("commit", key_);
      return writer_->commit();
    }

   private:
    const FaultyStore& store_;
    const std::string key_;
    const std::unique_ptr<ObjectWriter> writer_;
  };

  void call(std::string_view what, std::string_view key) const {
    const std::lock_guard guard(mutex_);
    log_.push_back(fmt::format("{} {}", what, key));
    if (log_.size() == kill_at) {
      ::kill(::getpid(), SIGKILL);
      for (;;) ::pause();
    }
    if (log_.size() == fail_at) throw failure(what, key, "a planted fault");
  }

  const std::shared_ptr<const Store> store_;
  mutable std::mutex mutex_;
  mutable std::vector<std::string> log_;
};

}  // namespace weir::test
