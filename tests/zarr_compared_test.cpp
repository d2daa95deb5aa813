// Updates in stores that have no locks: of two writers that began with the same version of an object, one makes it again.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "framework/build_info.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/stores/s3_store.hpp"
#include "pipelines/compact_zarr.hpp"
#include "tests/engine_support.hpp"
#include "tests/fake_s3.hpp"
#include "tests/file_support.hpp"
#include "tests/zarr_shard_checks.hpp"
#include "tests/zarr_writers_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// As a bucket: no locks, nothing in place. `before_commit` is what another writer does when one is about to be done, `before_ranges`
/// when one is about to read chunks of a shard whose index it has: once.
struct Bucket : MemoryStore {
  mutable std::function<void()> before_commit, before_ranges;
  mutable std::atomic<int> replaced = 0;

  StoreAbilities abilities() const override {
    return {.write = true, .patch = true, .list = true, .copy = true, .compare = true};
  }
  std::unique_ptr<ObjectWriter> replacer(std::string_view key, const ObjectVersion& old) const override {
    ++replaced;
    return std::make_unique<Writer>(*this, MemoryStore::replacer(key, old));
  }
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop,
                  ObjectVersion* version) const override {
    meddle(before_ranges);
    return MemoryStore::get_ranges(key, ranges, stop, version);
  }

 private:
  struct Writer : ObjectWriter {
    Writer(const Bucket& its_bucket, std::unique_ptr<ObjectWriter> its_writer)
        : bucket(its_bucket), writer(std::move(its_writer)) {}
    void append(std::span<const std::byte> bytes) override { writer->append(bytes); }
    void copy(std::uint64_t offset, std::uint64_t bytes) override { writer->copy(offset, bytes); }
    std::uint64_t size() const override { return writer->size(); }
    void patch(std::uint64_t offset, std::span<const std::byte> bytes) override {
      writer->patch(offset, bytes);
    }
    ObjectVersion commit() override {
      bucket.meddle(bucket.before_commit);
      return writer->commit();
    }
    const Bucket& bucket;
    std::unique_ptr<ObjectWriter> writer;
  };
  void meddle(std::function<void()>& with) const {
    std::function<void()> work;
    {
      const std::lock_guard guard(mutex);
      work = std::exchange(with, nullptr);
    }
    if (work) work();
  }
  mutable std::mutex mutex;
};

const batched::Elements seven{std::byte{7}, std::byte{7}}, nine{std::byte{9}, std::byte{9}};

std::vector<ShardedArray> arrays() {
  std::vector<ShardedArray> found = sharded_arrays();
  ZarrArrayMetadata chunks =
      zarr_array({23, 17}, {4, 2}, {}, {ZarrType::Kind::unsigned_integer, 2}, {ZarrCodecSpec{}});
  chunks.fill = {std::byte{7}, std::byte{1}};
  found.push_back({"chunks", chunks});
  return found;
}

ZarrSelection cell(const ZarrArray& array, std::uint64_t at) {
  ZarrSelection selection;
  for (std::size_t axis = 0; axis < array.layout()->rank(); ++axis)
    selection.push_back({axis + 1 == array.layout()->rank() ? at : 0, 1, 1});
  return selection;
}

}  // namespace

TEST_CASE(
    "an object that another writer replaced while it was updated is updated again, from what is there then") {
  for (const ShardedArray& it : arrays())
    for (const bool exists : {false, true}) {
      CAPTURE(it.name);
      CAPTURE(exists);
      const auto store = std::make_shared<Bucket>();
      create_zarr(*store, "a", it.metadata);
      const auto mine = open_zarr(store, "a"), others = open_zarr(store, "a");
      batched::Chunks oracle(it.metadata, false);
      const ZarrSelection all = everything(*mine);
      std::mt19937 random(3);
      batched::Elements wanted = oracle.all_fill(it.metadata.shape);
      if (exists) {
        for (std::byte& byte : wanted) byte = static_cast<std::byte>(random());
        update(mine, all, wanted, copy_on_write());
      }
      CHECK(store->replaced == 0);  // whole objects replace whatever there is
      store->before_commit = [&] { update(others, cell(*others, 1), nine, copy_on_write()); };
      const RunReport report = update(mine, cell(*mine, 0), seven, copy_on_write());
      CHECK(report.counts.at("objects written again") == 1);
      CHECK(store->replaced == 3);
      std::copy(seven.begin(), seven.end(), wanted.begin());
      std::copy(nine.begin(), nine.end(), wanted.begin() + 2);
      CHECK(read_all(open_zarr(store, "a")) == wanted);
      CHECK(read_all(mine) == wanted);
      CHECK(read_all(others) == wanted);
      if (mine->layout()->index()) check_shards(*mine);
    }
}

TEST_CASE("an object that becomes all fill, or was, loses no other update") {
  for (const ShardedArray& it : arrays()) {
    CAPTURE(it.name);
    const auto store = std::make_shared<Bucket>();
    create_zarr(*store, "a", it.metadata);
    const auto mine = open_zarr(store, "a"), others = open_zarr(store, "a");
    const batched::Elements fill(it.metadata.fill.begin(), it.metadata.fill.end());
    batched::Elements wanted = batched::Chunks(it.metadata, false).all_fill(it.metadata.shape);
    // Nothing is there, and nothing is made of it.
    update(mine, cell(*mine, 0), fill, copy_on_write());
    CHECK(store->replaced == (mine->layout()->index() ? 1 : 0));
    CHECK(objects_of(*store).size() == 1);
    update(mine, cell(*mine, 0), seven, copy_on_write());
    store->before_commit = [&] { update(others, cell(*others, 1), nine, copy_on_write()); };
    update(mine, cell(*mine, 0), fill, copy_on_write());
    std::copy(nine.begin(), nine.end(), wanted.begin() + 2);
    CHECK(read_all(mine) == wanted);
    update(mine, cell(*mine, 1), fill, copy_on_write());
    CHECK(read_all(open_zarr(store, "a")) == batched::Chunks(it.metadata, false).all_fill(it.metadata.shape));
  }
}

TEST_CASE("a shard that was replaced between its index and its chunks is read again, index first") {
  for (const ShardedArray& it : sharded_arrays()) {
    CAPTURE(it.name);
    const auto store = std::make_shared<Bucket>();
    create_zarr(*store, "a", it.metadata);
    const auto mine = open_zarr(store, "a"), others = open_zarr(store, "a");
    std::mt19937 random(3);
    batched::Elements wanted = batched::Chunks(it.metadata, false).all_fill(it.metadata.shape);
    for (std::byte& byte : wanted) byte = static_cast<std::byte>(random());
    update(mine, everything(*mine), wanted, copy_on_write());
    store->before_ranges = [&] {
      // Shorter than it was: ranges of the old index lie beyond its end.
      ZarrSelection shard;
      for (std::size_t axis = 0; axis < mine->layout()->rank(); ++axis)
        shard.push_back({0, mine->layout()->object_shape()[axis], 1});
      batched::Elements fill(2 * count_of(shard));
      for (std::size_t i = 0; i < fill.size(); ++i) fill[i] = it.metadata.fill[i % 2];
      update(others, shard, fill, copy_on_write());
      update(others, cell(*others, 1), nine, copy_on_write());
    };
    const RunReport report = update(mine, cell(*mine, 0), seven, copy_on_write());
    CHECK(report.counts.at("objects written again") == 1);
    const batched::Elements now = read_all(mine);
    CHECK((std::equal(seven.begin(), seven.end(), now.begin())));
    CHECK((std::equal(nine.begin(), nine.end(), now.begin() + 2)));
    CHECK(read_all(open_zarr(store, "a")) == now);
  }
}

TEST_CASE("compacting leaves what another writer has replaced meanwhile, and shards without chunks") {
  const auto store = std::make_shared<Bucket>();
  ZarrArrayMetadata metadata = writers_array();
  create_zarr(*store, "a", metadata);
  const auto array = open_zarr(store, "a"), others = open_zarr(store, "a");
  const batched::Elements some(2 * 2048, std::byte{5});
  update(array, everything(*array), some, copy_on_write());
  // Unused room, as only updates in place leave it.
  const std::vector<std::byte> room(100);
  for (const std::string key : {"a/c/0", "a/c/1"}) {
    std::vector<std::byte> object(*store->size(key));
    store->get(key, object);
    const std::uint64_t index = array->layout()->index()->encoded_bytes();
    std::vector<std::byte> loose(object.begin(), object.end() - static_cast<std::ptrdiff_t>(index));
    loose.insert(loose.end(), room.begin(), room.end());
    loose.insert(loose.end(), object.end() - static_cast<std::ptrdiff_t>(index), object.end());
    store->put(key, loose);
  }
  // One that has no chunks any more: its index is stored all the same.
  const batched::Elements fill = batched::Chunks(metadata, false).all_fill({256});
  update(array, {{256 * 5, 1, 1}}, seven, copy_on_write());
  update(array, {{256 * 5, 255, 1}}, batched::Elements(fill.begin(), fill.end() - 2), copy_on_write());
  update(array, {{256 * 6 - 1, 1, 1}}, {fill.begin(), fill.begin() + 2}, copy_on_write());
  store->before_commit = [&] { update(others, cell(*others, 0), nine, copy_on_write()); };
  const CompactZarrReport first = compact_zarr(array);
  CHECK(first.done.shards == 8);
  CHECK(first.done.rewritten == 1);
  batched::Elements now = read_all(open_zarr(store, "a"));
  CHECK((std::equal(nine.begin(), nine.end(), now.begin())));
  CHECK(compact_zarr(array).done.rewritten == 0);
  CHECK(read_all(open_zarr(store, "a")) == now);
}

TEST_CASE("a store that refuses to replace what nobody has replaced is given up") {
  // As one whose tags are not those that it compares.
  struct Stubborn : Bucket {
    mutable int tries = 0;
    void replace(std::string_view key, const ObjectVersion&, std::span<const std::byte>) const override {
      ++tries;
      throw outdated(key);
    }
  };
  const auto store = std::make_shared<Stubborn>();
  const ZarrArrayMetadata metadata =
      zarr_array({23, 17}, {4, 2}, {}, {ZarrType::Kind::unsigned_integer, 2}, {ZarrCodecSpec{}});
  create_zarr(*store, "a", metadata);
  const auto array = open_zarr(store, "a");
  const std::string reason = error_of([&] { update(array, cell(*array, 0), seven, copy_on_write()); }).what();
  CAPTURE(reason);
  CHECK(reason.find("a/c/0/0: the store has refused to replace it 8 times, and nobody else") !=
        std::string::npos);
  CHECK(store->tries == 8);
}

TEST_CASE("only the objects of a selection that were replaced are written again") {
  const auto store = std::make_shared<Bucket>();
  create_zarr(*store, "a", writers_array());
  const auto mine = open_zarr(store, "a"), others = open_zarr(store, "a");
  std::mt19937 random(4);
  batched::Elements wanted = batched::Chunks(mine->metadata(), false).all_fill({2048});
  const ZarrSelection steps{{3, 500, 4}};  // of all eight shards
  batched::Elements elements(1000);
  for (std::byte& byte : elements) byte = static_cast<std::byte>(random());
  for (std::size_t i = 0; i < 500; ++i)
    std::copy_n(elements.begin() + static_cast<std::ptrdiff_t>(2 * i), 2,
                wanted.begin() + static_cast<std::ptrdiff_t>(2 * (3 + 4 * i)));
  store->before_commit = [&] {
    const ZarrSelection some{{256, 128, 4}};  // of two shards, and none of ours
    update(others, some, batched::Elements(256, std::byte{1}), copy_on_write());
  };
  for (std::size_t cell = 256; cell < 768; cell += 4) wanted[2 * cell] = wanted[2 * cell + 1] = std::byte{1};
  WriteZarrOptions options = copy_on_write();
  options.graph.engine = Engine::onetbb;
  options.graph.threads = 2;
  const RunReport report = update(mine, steps, elements, options);
  CAPTURE(store->replaced);
  CHECK(report.counts.at("objects written again") <= 2);
  CHECK(read_all(mine) == wanted);
  check_shards(*mine);
}

TEST_CASE("a write that others are always faster than ends with an error, and one that is stopped stops") {
  const auto store = std::make_shared<Bucket>();
  create_zarr(*store, "a", writers_array());
  const auto mine = open_zarr(store, "a"), others = open_zarr(store, "a");
  std::stop_source stop;
  std::uint64_t times = 0;
  const std::function<void()> meddle = [&] {
    update(others, cell(*others, 1 + ++times % 200), nine, copy_on_write());
    store->before_commit = meddle;
    if (times == 4) stop.request_stop();
  };
  store->before_commit = meddle;
  const ZarrSelection one = cell(*mine, 0);
  const Error error = error_of([&] {
    write_zarr(mine, one, {seven.data(), packed_strides(one, 2)}, copy_on_write(),
               {.stop = stop.get_token()});
  });
  CHECK(error.kind() == ErrorKind::cancelled);
  CHECK(times == 4);

  times = 10;
  WriteZarrOptions options = copy_on_write();
  options.tries = 3;
  std::string told;
  const RunOptions run{.on_failure = [&](const RunReport& report) { told = report.error; }};
  const std::string reason = error_of([&] {
                               write_zarr(mine, one, {seven.data(), packed_strides(one, 2)}, options, run);
                             }).what();
  CHECK(told == reason);
  CAPTURE(reason);
  CHECK(reason.find("a/c/0: other writers have replaced it 4 times meanwhile") != std::string::npos);
  CHECK(times == 14);
}

TEST_CASE("threads that write into the same objects of a store without locks lose no update") {
  const auto store = std::make_shared<Bucket>();
  create_zarr(*store, "a", writers_array());
  const auto array = open_zarr(store, "a");
  const weir::testing::Watchdog watchdog("producers");
  run_producers(array, 0, 4, 4);
  CHECK(lost_updates(array, 4) == 0);
  check_shards(*array);
}

#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

TEST_CASE(
    "writers of a bucket that know nothing of each other lose no update, neither of shards nor of chunks") {
  for (const bool has_shards : {true, false}) {
    CAPTURE(has_shards);
    FakeS3 s3;
    ZarrArrayMetadata metadata = writers_array();
    if (!has_shards)
      metadata = zarr_array({2048}, {256}, {}, {ZarrType::Kind::unsigned_integer, 2}, {ZarrCodecSpec{}});
    create_zarr(S3Store("s3://box", s3.options()), "a", metadata);
    const auto opened = [&] { return open_zarr(std::make_shared<S3Store>("s3://box", s3.options()), "a"); };
    const weir::testing::Watchdog watchdog("producers");
    {
      std::vector<std::jthread> writers;
      for (unsigned i = 0; i < 3; ++i) writers.emplace_back([&, i] { run_producers(opened(), i, 1, 3); });
    }
    CHECK(lost_updates(opened(), 3) == 0);
    if (has_shards) check_shards(*opened());
  }
}

#endif
