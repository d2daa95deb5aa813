#include "nodes/stores/latency_store.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace weir {
namespace {

constexpr std::uint64_t part_bytes = 8 << 20;
constexpr std::uint64_t keys_of_page = 1000;

}  // namespace

class LatencyStore::Writer : public ObjectWriter {
 public:
  Writer(const LatencyStore& store, std::unique_ptr<ObjectWriter> writer)
      : store_(store), writer_(std::move(writer)) {}
  void append(std::span<const std::byte> bytes) override {
    writer_->append(bytes);
    for (collected_ += bytes.size(); collected_ >= part_bytes; collected_ -= part_bytes)
      store_.wait(part_bytes);
  }
  void copy(std::uint64_t offset, std::uint64_t bytes) override {
    store_.wait(std::uint64_t{0});
    writer_->copy(offset, bytes);
  }
  std::uint64_t size() const override { return writer_->size(); }
  void patch(std::uint64_t offset, std::span<const std::byte> bytes) override {
    writer_->patch(offset, bytes);
  }
  ObjectVersion commit() override {
    store_.wait(collected_);
    return writer_->commit();
  }

 private:
  const LatencyStore& store_;
  const std::unique_ptr<ObjectWriter> writer_;
  std::uint64_t collected_ = 0;
};

LatencyStore::LatencyStore(std::shared_ptr<const Store> store, const LatencyOptions& options)
    : store_(std::move(store)), options_(options), traffic_(options.requests_at_once) {
  if (options_.requests_at_once == 0)
    throw Error::usage("use", store_->name(), "at least 1 request must be allowed at once");
  free_at_.resize(options_.requests_at_once);
}

std::uint64_t LatencyStore::gap_bytes() const {
  constexpr double without_limit = 1e9;
  const double rate =
      options_.bytes_per_second > 0 ? static_cast<double>(options_.bytes_per_second) : without_limit;
  return std::max(store_->gap_bytes(),
                  static_cast<std::uint64_t>(rate * std::chrono::duration<double>(options_.latency).count()));
}

/// Until requests of as many bytes, sent at once, are answered: each takes the place that is free first, waits there, and
/// then sends its bytes behind those of all before it.
void LatencyStore::wait(std::span<const std::uint64_t> bytes, const std::stop_token& stop) const {
  if (bytes.empty()) return;
  const Clock::time_point now = Clock::now();
  Clock::time_point answered = now;
  {
    const std::lock_guard guard(mutex_);
    for (const std::uint64_t count : bytes) {
      const auto place = std::ranges::min_element(free_at_);
      Clock::time_point end = std::max(now, *place) + options_.latency;
      if (options_.bytes_per_second > 0) {
        const std::chrono::duration<double> going(static_cast<double>(count) /
                                                  static_cast<double>(options_.bytes_per_second));
        end = std::max(end, line_free_at_) + std::chrono::duration_cast<Clock::duration>(going);
        line_free_at_ = end;
      }
      *place = end;
      answered = std::max(answered, end);
      traffic_.add({1, count});
    }
  }
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_until(lock, stop, answered, [] { return false; });
  if (stop.stop_requested()) throw Error::cancelled();
}

std::optional<std::uint64_t> LatencyStore::size(std::string_view key, const std::stop_token& stop) const {
  wait(std::uint64_t{0}, stop);
  return store_->size(key, stop);
}
std::optional<std::uint64_t> LatencyStore::get(std::string_view key, std::span<std::byte> out,
                                               const std::stop_token& stop, ObjectVersion* version) const {
  const std::optional<std::uint64_t> size = store_->get(key, out, stop, version);
  wait(std::min<std::uint64_t>(size.value_or(0), out.size()), stop);
  return size;
}
std::optional<std::uint64_t> LatencyStore::get_end(std::string_view key, std::span<std::byte> out,
                                                   const std::stop_token& stop,
                                                   ObjectVersion* version) const {
  const std::optional<std::uint64_t> size = store_->get_end(key, out, stop, version);
  wait(std::min<std::uint64_t>(size.value_or(0), out.size()), stop);
  return size;
}
bool LatencyStore::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                              const std::stop_token& stop, ObjectVersion* version) const {
  const bool is_there = store_->get_ranges(key, ranges, stop, version);
  std::vector<std::uint64_t> bytes;
  for (const ObjectRange& range : ranges) bytes.push_back(is_there ? range.out.size() : 0);
  wait(bytes, stop);
  return is_there;
}
void LatencyStore::put(std::string_view key, std::span<const std::byte> bytes) const {
  wait(bytes.size());
  store_->put(key, bytes);
}
std::unique_ptr<ObjectWriter> LatencyStore::writer(std::string_view key) const {
  return std::make_unique<Writer>(*this, store_->writer(key));
}
std::unique_ptr<ObjectWriter> LatencyStore::replacer(std::string_view key, const ObjectVersion& old) const {
  return std::make_unique<Writer>(*this, store_->replacer(key, old));
}
void LatencyStore::replace(std::string_view key, const ObjectVersion& old,
                           std::span<const std::byte> bytes) const {
  wait(bytes.size());
  store_->replace(key, old, bytes);
}
void LatencyStore::put_range(std::string_view key, std::uint64_t offset,
                             std::span<const std::byte> bytes) const {
  wait(bytes.size());
  store_->put_range(key, offset, bytes);
}
ObjectVersion LatencyStore::sync(std::string_view key) const {
  wait(std::uint64_t{0});
  return store_->sync(key);
}
void LatencyStore::erase(std::string_view key) const {
  wait(std::uint64_t{0});
  store_->erase(key);
}
std::unique_ptr<ObjectLock> LatencyStore::lock(std::string_view key, const std::stop_token& stop) const {
  return store_->lock(key, stop);
}
void LatencyStore::list_objects(const ListRequest& request,
                                const std::function<bool(const StoredObject&)>& each,
                                const std::stop_token& stop) const {
  std::uint64_t left = keys_of_page;
  wait(std::uint64_t{0}, stop);
  const auto on_page = [&](const StoredObject& object) {
    if (left == 0) {
      wait(std::uint64_t{0}, stop);
      left = keys_of_page;
    }
    --left;
    return each(object);
  };
  store_->list_objects(request, on_page, stop);
}

}  // namespace weir
