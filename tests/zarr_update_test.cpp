// Updates in place: what they change, where it goes, what they cost; random ones of both kinds against the plain pipeline.
#include <doctest/doctest.h>

#include <cstdlib>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "pipelines/compact_zarr.hpp"
#include "tests/file_support.hpp"
#include "tests/zarr_shard_checks.hpp"
#include "tests/zarr_update_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<const ZarrArray> open(std::shared_ptr<const Store> store, const ZarrArrayMetadata& metadata) {
  return std::make_shared<const ZarrArray>(std::move(store), "a", metadata);
}

std::vector<ShardEntry> entries_of(const ZarrArray& array, const std::string& key) {
  return array.indexes().parse(batched::whole_object(array.store(), key), key)->entries;
}

/// An array of 8 inner chunks of 8 bytes in one shard, all written: chunk i has elements i * 16, ...
ZarrArrayMetadata eight_chunks(bool index_at_end) {
  return sharded({32}, {32}, {4}, {ZarrCodecSpec{}}, index_at_end);
}
batched::Elements values(std::vector<std::uint16_t> values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {bytes.begin(), bytes.end()};
}
batched::Elements counted(std::uint64_t count, std::uint16_t first = 0x1000) {
  std::vector<std::uint16_t> all(count);
  for (std::uint16_t& value : all) value = first++;
  return values(all);
}
const batched::Elements four_fill = values({0x0107, 0x0107, 0x0107, 0x0107});

/// An update in place of element 3 to 7, whose journal is there, and which has not changed the shard.
void leave_journal(const std::shared_ptr<const Store>& store, const std::string& path,
                   const ZarrArrayMetadata& metadata) {
  struct Refusing : CountingStore {
    using CountingStore::CountingStore;
    void put_range(std::string_view key, std::uint64_t, std::span<const std::byte>) const override {
      throw Error("change", key, "refused");
    }
  };
  const auto array = std::make_shared<const ZarrArray>(std::make_shared<Refusing>(store), path, metadata);
  CHECK_THROWS_AS(update(array, {{3, 1, 1}}, values({7}), in_place()), Error);
}

}  // namespace

TEST_CASE("after random updates of both kinds and compactions, arrays are those of the plain pipeline") {
  const int steps = std::getenv("WEIR_TEST_FULL") != nullptr ? 400 : 40;
  std::mt19937 random(6);
  for (const ShardedArray& it : sharded_arrays()) {
    CAPTURE(it.name);
    const auto ours = std::make_shared<MemoryStore>(), plain = std::make_shared<MemoryStore>();
    auto array = open(ours, it.metadata);
    for (int step = 0; step < steps; ++step) {
      CAPTURE(step);
      if (random() % 4 == 0) array = open(ours, it.metadata);
      if (random() % 8 == 0) {
        const auto before = objects_of(*ours);
        const CompactZarrReport report = compact_zarr(array);
        std::uint64_t old_bytes = 0, bytes = 0;
        for (const auto& [key, object] : before) old_bytes += object.size();
        for (const auto& [key, object] : objects_of(*ours)) bytes += object.size();
        CHECK(report.done.bytes == old_bytes);
        CHECK(report.done.saved == old_bytes - bytes);
        CHECK(compact_zarr(array).done.rewritten == 0);
      } else {
        const ZarrSelection selection = random_selection(it.metadata.shape, random);
        const batched::Elements elements = random_elements(count_of(selection), random);
        WriteZarrOptions options = random() % 3 != 0 ? in_place() : copy_on_write();
        options.stores_empty_chunks = random() % 8 == 0;
        if (random() % 8 == 0) {
          options.graph.engine = Engine::onetbb;
          options.graph.threads = 3;
        }
        update(array, selection, elements, options);
        batched::write(*plain, "a/", it.metadata, selection, elements, false);
      }
      const batched::Elements wanted = batched::read(*plain, "a/", it.metadata);
      REQUIRE(batched::read(*ours, "a/", it.metadata) == wanted);
      REQUIRE(read_all(array) == wanted);
      check_shards(*array);
    }
  }
}

TEST_CASE("in place, the layout depends on the updates and their order, not on threads and memory") {
  for (const ShardedArray& it : sharded_arrays()) {
    CAPTURE(it.name);
    std::map<std::string, batched::Elements> first;
    for (const unsigned threads : {1u, 4u})
      for (const std::uint64_t memory : {std::uint64_t{4} << 20, std::uint64_t{64} << 20}) {
        std::mt19937 random(7);
        const auto store = std::make_shared<MemoryStore>();
        for (int step = 0; step < 12; ++step) {
          const ZarrSelection selection = random_selection(it.metadata.shape, random);
          WriteZarrOptions options = in_place(threads == 1 ? Engine::serial : Engine::onetbb, threads);
          options.graph.memory = memory;
          update(open(store, it.metadata), selection, random_elements(count_of(selection), random), options);
        }
        if (first.empty()) first = objects_of(*store);
        CHECK(objects_of(*store) == first);
      }
  }
}

TEST_CASE("one cell in place is three requests of its shard, the index stays, and no other byte changes") {
  for (const ShardedArray& it : sharded_arrays()) {
    if (it.name.starts_with("zstd") || it.name.starts_with("gzip")) continue;
    CAPTURE(it.name);
    const auto memory = std::make_shared<MemoryStore>();
    const auto store = std::make_shared<CountingStore>(memory);
    const auto array = open(store, it.metadata);
    const ZarrSelection all = everything(*array);
    update(array, all, counted(count_of(all)), copy_on_write());
    const auto before = objects_of(*memory);
    store->take();
    ZarrSelection cell = all;
    for (ZarrAxis& axis : cell) axis = {5, 1, 1};
    update(array, cell, values({0xABCD}), in_place());
    const StoreCount count = store->take();
    CHECK(count.get + count.get_end == 1);  // the index
    CHECK(count.ranges == 1);               // the chunk as it was
    CHECK(count.put_range == 1);            // as it is
    // And its journal: whether there is one, this one, the shard made durable, the journal erased.
    CHECK(count.size == 1);
    CHECK(count.put == 1);
    CHECK(count.sync == 1);
    CHECK(count.erase == 1);
    CHECK(count.lock == 1);
    CHECK(count.writer + count.list == 0);
    const auto after = objects_of(*memory);
    std::size_t changed = 0;
    for (const auto& [key, bytes] : after) {
      REQUIRE(bytes.size() == before.at(key).size());
      for (std::size_t i = 0; i < bytes.size(); ++i) changed += bytes[i] != before.at(key)[i] ? 1U : 0U;
    }
    CHECK(changed >= 1);
    CHECK(changed <= 2 + 4);  // and the checksum of the chunk
  }
}

TEST_CASE(
    "in place, a chunk that was empty gets its slot of the dense layout, or the end where that is taken") {
  for (const bool index_at_end : {true, false}) {
    CAPTURE(index_at_end);
    const auto store = std::make_shared<MemoryStore>();
    const auto array = open(store, eight_chunks(index_at_end));
    const std::uint64_t begin = index_at_end ? 0 : 8 * 16 + 4;
    update(array, {{0, 32, 1}}, counted(32), copy_on_write());
    const std::uint64_t whole = *store->size("a/c/0");

    update(array, {{12, 4, 1}}, four_fill, in_place());
    CHECK(entries_of(*array, "a/c/0")[3].is_empty());
    CHECK(*store->size("a/c/0") == whole);
    update(array, {{13, 1, 1}}, values({9}), in_place());
    CHECK(entries_of(*array, "a/c/0")[3] == ShardEntry{begin + 3 * 8, 8});
    CHECK(*store->size("a/c/0") == whole);

    // Chunks 5 and 2 alone, in this order: the slot of 5 lies behind the end, that of 2 is free once more room is there.
    update(array, {{0, 32, 1}}, batched::Chunks(array->metadata(), false).all_fill({32}), in_place());
    CHECK_FALSE(store->size("a/c/0"));
    update(array, {{20, 1, 1}}, values({5}), in_place());
    CHECK(entries_of(*array, "a/c/0")[5] == ShardEntry{begin, 8});
    update(array, {{0, 1, 1}}, values({1}), in_place());  // its slot has chunk 5
    CHECK(entries_of(*array, "a/c/0")[0] == ShardEntry{begin + 8, 8});
    update(array, {{28, 1, 1}}, values({7}), in_place());
    CHECK(entries_of(*array, "a/c/0")[7] == ShardEntry{begin + 16, 8});
    update(array, {{28, 4, 1}}, four_fill, in_place());
    update(array, {{8, 1, 1}}, values({2}), in_place());  // chunk 7 was there
    CHECK(entries_of(*array, "a/c/0")[2] == ShardEntry{begin + 16, 8});
    CHECK(*store->size("a/c/0") == 3 * 8 + 8 * 16 + 4);
    check_shards(*array);
  }
}

TEST_CASE("in place, a chunk that has become shorter stays where it is, and a longer one goes to the end") {
  ZarrCodecSpec gzip = codec_of(ZarrCodecSpec::Id::gzip);
  std::mt19937 random(1);
  batched::Elements noise(2 * 256);
  for (std::byte& byte : noise) byte = static_cast<std::byte>(random());
  const batched::Elements flat(2 * 256, std::byte{9});
  for (const bool index_at_end : {true, false}) {
    const auto store = std::make_shared<MemoryStore>();
    const auto array = open(store, sharded({1024}, {1024}, {256}, {ZarrCodecSpec{}, gzip}, index_at_end));
    update(array, {{0, 1024, 1}}, counted(1024), copy_on_write());
    const std::vector<ShardEntry> before = entries_of(*array, "a/c/0");
    const std::uint64_t size = *store->size("a/c/0"), index = array->layout()->index()->encoded_bytes();

    update(array, {{256, 256, 1}}, flat, in_place());
    std::vector<ShardEntry> after = entries_of(*array, "a/c/0");
    CHECK(after[1].offset == before[1].offset);
    CHECK(after[1].bytes < before[1].bytes);
    CHECK(*store->size("a/c/0") == size);

    update(array, {{256, 256, 1}}, noise, in_place());
    after = entries_of(*array, "a/c/0");
    CHECK(after[1].offset == size - (index_at_end ? index : 0));
    CHECK(*store->size("a/c/0") == size + after[1].bytes);
    for (const std::size_t other : {0u, 2u, 3u}) CHECK(after[other] == before[other]);

    const CompactZarrReport report = compact_zarr(array);
    CHECK(report.done.saved == before[1].bytes);
    CHECK(report.done.rewritten == 1);
    CHECK(*store->size("a/c/0") == size - before[1].bytes + after[1].bytes);
  }
}

TEST_CASE(
    "one cell of a compressed shard of 32,768 chunks is few requests: of an index that stays, what differs") {
  ZarrCodecSpec zstd = codec_of(ZarrCodecSpec::Id::zstd);
  zstd.level = 1;
  for (const bool index_at_end : {true, false}) {
    CAPTURE(index_at_end);
    const auto memory = std::make_shared<MemoryStore>();
    const auto store = std::make_shared<CountingStore>(memory);
    const ZarrArrayMetadata metadata =
        sharded({1 << 19}, {1 << 19}, {16}, {ZarrCodecSpec{}, zstd}, index_at_end);
    const auto array = open(store, metadata);
    const ZarrSelection all = everything(*array);
    std::vector<std::uint16_t> flat(1 << 19);  // in each chunk
    for (std::size_t i = 0; i < flat.size(); ++i) flat[i] = static_cast<std::uint16_t>(i / 16 + 1);
    batched::Elements wanted = values(flat);
    update(array, all, wanted, copy_on_write());
    const std::uint64_t index = array->layout()->index()->encoded_bytes();
    std::mt19937 random(3);
    std::size_t moved = 0, stayed = 0;
    for (int i = 0; i < 40; ++i) {
      CAPTURE(i);
      // Noise, which makes a chunk longer, or flat ones, which make it shorter; every other a single cell.
      const std::uint64_t count = i % 2 == 0 ? 1 : 16;
      const std::uint64_t first = random() % 4 * 16 * 7777 + (count == 1 ? random() % 16 : 0);
      batched::Elements some(2 * count, std::byte{3});
      if (i % 4 < 2)
        for (std::byte& byte : some) byte = static_cast<std::byte>(random());
      std::ranges::copy(some, wanted.begin() + static_cast<std::ptrdiff_t>(2 * first));
      const std::uint64_t size = *memory->size("a/c/0");
      store->take();
      update(array, {{first, count, 1}}, some, in_place());
      const StoreCount done = store->take();
      CHECK(done.get + done.get_end == 1);  // the index
      CHECK(done.put == 1);                 // the journal
      CHECK(done.writer == 0);
      if (count == 1) CHECK(done.ranges == 1);  // the chunk as it was
      if (index_at_end && *memory->size("a/c/0") > size) {
        ++moved;
        if (count == 1) CHECK(done.put_range == 1);  // the chunk and behind it the index
        CHECK(done.bytes_written < 2 * (index + 2 * 100 + 100));
      } else {
        ++stayed;
        CHECK(done.put_range <= 3);  // the chunk, its entry of the index, the index's checksum
        CHECK(done.bytes_written < 500);
      }
    }
    if (index_at_end) CHECK(moved > 5);
    CHECK(stayed > 5);
    CHECK(read_all(array) == wanted);
    CHECK(read_all(open(memory, metadata)) == wanted);
    check_shards(*array);
  }
}

TEST_CASE(
    "changes that follow each other in a shard are one, also where the journal is larger than what is held") {
  std::mt19937 random(4);
  for (int i = 0; i < 200; ++i) {
    CAPTURE(i);
    const auto store = std::make_shared<CountingStore>(std::make_shared<MemoryStore>());
    batched::Elements shard(5000, std::byte{1}), wanted = shard;
    store->put("c/0", shard);
    store->take();
    const std::uint64_t room = 100 + random() % 3000;
    ShardJournal journal(*store, ".weir-journal/c.0", "c/0", shard.size(), room);
    std::uint64_t at = random() % 5000, runs = 0;
    for (int change = 0; change < 12; ++change) {
      const bool goes_on = change > 0 && random() % 2 == 0;
      if (!goes_on) at = random() % wanted.size();
      batched::Elements bytes(1 + random() % 400);
      for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
      journal.change(at, bytes);
      wanted.resize(std::max<std::size_t>(wanted.size(), at + bytes.size()));
      std::ranges::copy(bytes, wanted.begin() + static_cast<std::ptrdiff_t>(at));
      at += bytes.size();
      runs += goes_on ? 0 : 1;
    }
    journal.commit();
    const StoreCount done = store->take();
    CHECK(done.put + done.writer == 1);
    if (done.put == 1) CHECK(done.put_range <= runs);
    CHECK(batched::whole_object(*store, "c/0") == wanted);
    CHECK_FALSE(store->size(".weir-journal/c.0"));
  }
}

TEST_CASE("a journal larger than what is held of it goes through the store, and all changes are done") {
  const auto folder = Folder();
  const auto store = std::make_shared<CountingStore>(std::make_shared<FolderStore>(folder.path));
  const ZarrArrayMetadata metadata = sharded({1 << 20}, {1 << 19}, {1 << 12}, {ZarrCodecSpec{}}, true);
  const auto array = open(store, metadata);
  const ZarrSelection all = everything(*array), most{{1, (1 << 20) - 1, 1}};
  update(array, all, counted(1 << 20), copy_on_write());
  store->take();
  batched::Elements wanted = counted(1 << 20), changed = counted((1 << 20) - 1, 77);
  std::copy(changed.begin(), changed.end(), wanted.begin() + 2);
  update(array, most, changed, in_place());  // the second shard is overwritten whole: no journal
  CHECK(store->take().writer == 2);
  CHECK(read_all(array) == wanted);
  check_shards(*array);
}

TEST_CASE("a journal that is broken is an Error that names it, at each byte, and when it is cut anywhere") {
  const auto store = std::make_shared<MemoryStore>();
  const ZarrArrayMetadata metadata = eight_chunks(true);
  create_zarr(*store, "a", metadata);
  const auto array = open(store, metadata);
  update(array, {{0, 32, 1}}, counted(32), copy_on_write());
  const std::string key = "a/.weir-journal/c.0";
  leave_journal(store, "a", metadata);
  const batched::Elements journal = batched::whole_object(*store, key);
  const batched::Elements shard = batched::whole_object(*store, "a/c/0");
  REQUIRE(journal.size() > 40);
  const auto check_refused = [&](const batched::Elements& broken) {
    store->put(key, broken);
    const Error error = error_of([&] { open_zarr(store, "a"); });
    CHECK(std::string(error.what()).find(key) != std::string::npos);
    CHECK(batched::whole_object(*store, "a/c/0") == shard);
    CHECK(error_of([&] { update(array, {{3, 1, 1}}, values({8}), copy_on_write()); }).node() == "claim");
  };
  for (std::size_t i = 0; i < journal.size(); ++i) {
    CAPTURE(i);
    batched::Elements broken = journal;
    broken[i] ^= std::byte{0x40};
    check_refused(broken);
    broken = journal;
    broken.resize(i);
    check_refused(broken);
  }
  batched::Elements longer = journal;
  longer.push_back({});
  check_refused(longer);

  store->put(key, journal);
  {
    const auto lock = store->lock("a/c/0");  // its writer lives
    open_zarr(store, "a");
    CHECK(store->size(key));
    CHECK(batched::whole_object(*store, "a/c/0") == shard);
  }
  const auto opened = open_zarr(store, "a");
  CHECK_FALSE(store->size(key));
  batched::Elements wanted = counted(32);
  wanted[6] = std::byte{7};
  wanted[7] = {};
  CHECK(read_all(opened) == wanted);

  // The shard has been replaced since, by a program that knows nothing of journals.
  store->put(key, journal);
  store->put("a/c/0", batched::Elements(shard.size() - 1));
  CHECK(std::string(error_of([&] { open_zarr(store, "a"); }).what()).find(key) != std::string::npos);
  store->erase("a/c/0");
  CHECK(std::string(error_of([&] { open_zarr(store, "a"); }).what()).find(key) != std::string::npos);
}

TEST_CASE("in a folder, too, a journal whose writer lives is left alone, and nobody waits for it to end") {
  const Folder folder;
  const auto store = std::make_shared<FolderStore>(folder.path, FolderStoreOptions{.durable = false});
  create_zarr(*store, "", eight_chunks(false));  // the array is the store itself
  update(open_zarr(store, ""), {{0, 32, 1}}, counted(32), copy_on_write());
  leave_journal(store, "", eight_chunks(false));
  REQUIRE(store->size(".weir-journal/c.0"));
  const batched::Elements shard = batched::whole_object(*store, "c/0");
  {
    const auto lock = store->lock("c/0");
    open_zarr(std::make_shared<FolderStore>(folder.path), "");
    CHECK(store->size(".weir-journal/c.0"));
    CHECK(batched::whole_object(*store, "c/0") == shard);
  }
  open_zarr(std::make_shared<FolderStore>(folder.path), "");
  CHECK_FALSE(store->size(".weir-journal/c.0"));
  CHECK(batched::whole_object(*store, "c/0") != shard);
}

TEST_CASE(
    "updates in place are refused where there are no shards, no locks are wanted, or the store cannot") {
  const auto store = std::make_shared<MemoryStore>();
  const auto refusal = [&](const std::shared_ptr<const ZarrArray>& array, const WriteZarrOptions& options) {
    const Error error = error_of([&] { update(array, {{0, 1, 1}}, values({1}), options); });
    CHECK(error.kind() == ErrorKind::usage);
    return error.reason();
  };
  const auto plain = open(store, zarr_array({32}, {4}, {}, {ZarrType::Kind::unsigned_integer, 2}));
  CHECK(refusal(plain, in_place()) == "it has no shards with an index");
  WriteZarrOptions options = in_place();
  options.with_locks = false;
  CHECK(refusal(open(store, eight_chunks(true)), options) == "that takes a lock of each shard");
  struct Rigid : CountingStore {
    using CountingStore::CountingStore;
    StoreAbilities abilities() const override {
      return {.write = true, .patch = true, .list = true, .lock = true};
    }
  };
  CHECK(refusal(open(std::make_shared<Rigid>(store), eight_chunks(true)), in_place()) ==
        "its objects cannot be changed in place");
  CHECK(error_of([&] { compact_zarr(plain); }).kind() == ErrorKind::usage);
}
