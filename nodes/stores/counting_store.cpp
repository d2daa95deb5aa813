#include "nodes/stores/counting_store.hpp"

#include <algorithm>
#include <utility>

namespace weir {
namespace {

std::uint64_t bytes_got(const std::optional<std::uint64_t>& size, std::span<const std::byte> out) {
  return size ? std::min<std::uint64_t>(*size, out.size()) : 0;
}

}  // namespace

class CountingStore::Writer : public ObjectWriter {
 public:
  Writer(const CountingStore& store, std::unique_ptr<ObjectWriter> writer)
      : store_(store), writer_(std::move(writer)) {}
  void append(std::span<const std::byte> bytes) override {
    store_.add(&StoreCount::bytes_written, bytes.size());
    writer_->append(bytes);
  }
  void copy(std::uint64_t offset, std::uint64_t bytes) override { writer_->copy(offset, bytes); }
  std::uint64_t size() const override { return writer_->size(); }
  void patch(std::uint64_t offset, std::span<const std::byte> bytes) override {
    store_.add(&StoreCount::bytes_written, bytes.size());
    writer_->patch(offset, bytes);
  }
  ObjectVersion commit() override { return writer_->commit(); }

 private:
  const CountingStore& store_;
  const std::unique_ptr<ObjectWriter> writer_;
};

StoreCount CountingStore::take() const {
  StoreCount taken;
  for (const auto kind : {&StoreCount::size, &StoreCount::get, &StoreCount::get_end, &StoreCount::get_ranges,
                          &StoreCount::ranges, &StoreCount::put, &StoreCount::writer, &StoreCount::put_range,
                          &StoreCount::sync, &StoreCount::erase, &StoreCount::lock, &StoreCount::list,
                          &StoreCount::bytes_read, &StoreCount::bytes_written})
    taken.*kind = std::atomic_ref(count_.*kind).exchange(0, std::memory_order_relaxed);
  return taken;
}

std::optional<std::uint64_t> CountingStore::size(std::string_view key, const std::stop_token& stop) const {
  add(&StoreCount::size);
  return store_->size(key, stop);
}
std::optional<std::uint64_t> CountingStore::get(std::string_view key, std::span<std::byte> out,
                                                const std::stop_token& stop, ObjectVersion* version) const {
  add(&StoreCount::get);
  const std::optional<std::uint64_t> size = store_->get(key, out, stop, version);
  add(&StoreCount::bytes_read, bytes_got(size, out));
  return size;
}
std::optional<std::uint64_t> CountingStore::get_end(std::string_view key, std::span<std::byte> out,
                                                    const std::stop_token& stop,
                                                    ObjectVersion* version) const {
  add(&StoreCount::get_end);
  const std::optional<std::uint64_t> size = store_->get_end(key, out, stop, version);
  add(&StoreCount::bytes_read, bytes_got(size, out));
  return size;
}
bool CountingStore::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                               const std::stop_token& stop, ObjectVersion* version) const {
  add(&StoreCount::get_ranges);
  add(&StoreCount::ranges, ranges.size());
  if (!store_->get_ranges(key, ranges, stop, version)) return false;
  for (const ObjectRange& range : ranges) add(&StoreCount::bytes_read, range.out.size());
  return true;
}
void CountingStore::put(std::string_view key, std::span<const std::byte> bytes) const {
  add(&StoreCount::put);
  add(&StoreCount::bytes_written, bytes.size());
  store_->put(key, bytes);
}
std::unique_ptr<ObjectWriter> CountingStore::writer(std::string_view key) const {
  add(&StoreCount::writer);
  return std::make_unique<Writer>(*this, store_->writer(key));
}
std::unique_ptr<ObjectWriter> CountingStore::replacer(std::string_view key, const ObjectVersion& old) const {
  add(&StoreCount::writer);
  return std::make_unique<Writer>(*this, store_->replacer(key, old));
}
void CountingStore::replace(std::string_view key, const ObjectVersion& old,
                            std::span<const std::byte> bytes) const {
  add(&StoreCount::put);
  add(&StoreCount::bytes_written, bytes.size());
  store_->replace(key, old, bytes);
}
void CountingStore::put_range(std::string_view key, std::uint64_t offset,
                              std::span<const std::byte> bytes) const {
  add(&StoreCount::put_range);
  add(&StoreCount::bytes_written, bytes.size());
  store_->put_range(key, offset, bytes);
}
ObjectVersion CountingStore::sync(std::string_view key) const {
  add(&StoreCount::sync);
  return store_->sync(key);
}
void CountingStore::erase(std::string_view key) const {
  add(&StoreCount::erase);
  store_->erase(key);
}
std::unique_ptr<ObjectLock> CountingStore::lock(std::string_view key, const std::stop_token& stop) const {
  add(&StoreCount::lock);
  return store_->lock(key, stop);
}
void CountingStore::list_objects(const ListRequest& request,
                                 const std::function<bool(const StoredObject&)>& each,
                                 const std::stop_token& stop) const {
  add(&StoreCount::list);
  store_->list_objects(request, each, stop);
}

}  // namespace weir
