// Many producers, in one process and in several, that write cells of the same inner chunks: no update is lost.
#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <condition_variable>
#include <mutex>

#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/engine_support.hpp"
#include "tests/file_support.hpp"
#include "tests/zarr_shard_checks.hpp"
#include "tests/zarr_writers_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

pid_t started(const std::string& folder, unsigned first, unsigned count, unsigned all) {
  const std::string program = std::string(WEIR_TEST_CHILDREN) + "/zarr_update_child";
  std::vector<std::string> words{
      program, "write", folder, std::to_string(first), std::to_string(count), std::to_string(all)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t process = 0;
  REQUIRE(::posix_spawn(&process, program.c_str(), nullptr, nullptr, arguments.data(), environ) == 0);
  return process;
}

}  // namespace

TEST_CASE("threads that write into the same chunks through one array, copied and in place, lose no update") {
  const Folder folder;
  const std::vector<std::shared_ptr<const Store>> stores{
      std::make_shared<MemoryStore>(),
      std::make_shared<FolderStore>(folder.path, FolderStoreOptions{.durable = false})};
  for (const auto& store : stores) {
    create_zarr(*store, "a", writers_array());
    const auto array = open_zarr(store, "a");
    const weir::testing::Watchdog watchdog("producers");
    run_producers(array, 0, 4, 4);
    CHECK(lost_updates(array, 4) == 0);
    CHECK(lost_updates(open_zarr(store, "a"), 4) == 0);
    check_shards(*array);
  }
}

TEST_CASE(
    "processes that write into the same chunks lose no update, and no selection makes them wait for ever") {
  const int rounds = std::getenv("WEIR_TEST_FULL") != nullptr ? 10 : 1;
  for (int round = 0; round < rounds; ++round) {
    const Folder folder;
    const auto store = std::make_shared<FolderStore>(folder.path, FolderStoreOptions{.durable = false});
    create_zarr(*store, "a", writers_array());
    const weir::testing::Watchdog watchdog("producing processes");
    const pid_t children[] = {started(folder.path, 0, 4, 8), started(folder.path, 4, 4, 8)};
    for (const pid_t child : children) {
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    }
    const auto array = open_zarr(store, "a");
    CHECK(lost_updates(array, 8) == 0);
    check_shards(*array);
  }
}

TEST_CASE(
    "a reader that was slow with an index, or with a whole shard, does not leave the old index behind") {
  // Holds the answer to the next read back until it is told to go on.
  struct Slow : MemoryStore {
    mutable std::mutex mutex;
    mutable std::condition_variable changed;
    mutable bool holds = false, is_held = false;
    void wait() const {
      std::unique_lock lock(mutex);
      if (!holds) return;
      holds = false;
      is_held = true;
      changed.notify_all();
      changed.wait(lock, [&] { return !is_held; });
    }
    std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                     const std::stop_token& stop, ObjectVersion* version) const override {
      const auto size = MemoryStore::get(key, out, stop, version);
      wait();
      return size;
    }
    std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                         const std::stop_token& stop, ObjectVersion* version) const override {
      const auto size = MemoryStore::get_end(key, out, stop, version);
      wait();
      return size;
    }
  };
  for (const bool reads_whole : {false, true})
    for (const bool is_in_place : {false, true}) {
      CAPTURE(reads_whole);
      CAPTURE(is_in_place);
      const auto store = std::make_shared<Slow>();
      const auto array = std::make_shared<const ZarrArray>(store, "a", writers_array());
      const ZarrSelection shard{{0, 256, 1}};
      std::mt19937 random(5);
      batched::Elements flat(512, std::byte{3}), elements = flat;
      update(array, shard, flat, copy_on_write());
      array->indexes().forget("a/c/0");
      store->holds = true;
      std::jthread reader([&] {
        // What it reads itself is of no interest here: parts of the old shard are not promised to it.
        try {
          const ZarrSelection wanted{{0, reads_whole ? 256u : 32u, 1}};
          std::vector<std::byte> out(512);
          ReadZarrOptions options;
          options.graph.threads = 1;
          read_zarr(array, wanted, {out.data(), {2}}, options);
        } catch (const Error&) {
        }
      });
      {
        std::unique_lock lock(store->mutex);
        store->changed.wait(lock, [&] { return store->is_held; });
      }
      for (std::byte& byte : elements) byte = static_cast<std::byte>(random());
      elements[0] = flat[0];
      elements[1] = flat[1];
      const batched::Elements changed(elements.begin() + 2, elements.end());
      update(array, {{1, 255, 1}}, changed, is_in_place ? in_place() : copy_on_write());
      {
        const std::lock_guard lock(store->mutex);
        store->is_held = false;
      }
      store->changed.notify_all();
      reader.join();
      batched::Elements now(512);
      ReadZarrOptions options;
      options.graph.threads = 1;
      for (std::uint64_t first = 0; first < 256; first += 32)  // by the index
        read_zarr(array, {{first, 32, 1}}, {now.data() + 2 * first, {2}}, options);
      CHECK(now == elements);
    }
}
