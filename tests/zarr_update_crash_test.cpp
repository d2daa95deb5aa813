// kill -9 at every file call of an update of shards, and a failure at each: before or after, and the next update works.
#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdlib>

#include "tests/engine_support.hpp"
#include "tests/faulty_store.hpp"
#include "tests/file_support.hpp"
#include "tests/zarr_crash_support.hpp"
#include "tests/zarr_shard_checks.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// The array before and after.
struct CrashStates {
  explicit CrashStates(const CrashCase& it) : metadata(sharded_arrays()[it.array].metadata) {
    const auto store = std::make_shared<MemoryStore>();
    crash_create(store, it);
    before = batched::read(*store, "a/", metadata);
    crash_update(open_zarr(store, "a"), it);
    after = batched::read(*store, "a/", metadata);
    REQUIRE(before != after);
  }
  /// How many shards are as before, and how many as after; fails where one is neither.
  std::pair<int, int> count(const batched::Elements& now) const {
    std::pair<int, int> found;
    const batched::Chunks chunks(metadata, false);
    const Index shards{2, 3};
    batched::each_index(shards, [&](const Index& shard) {
      const auto part = [&](const batched::Elements& all) {
        return chunks.cut(all, metadata.shape, shard, metadata.chunk_shape);
      };
      const batched::Elements is = part(now), old = part(before), updated = part(after);
      if (old == updated) {
        CHECK(is == old);
        return;
      }
      CHECK((is == old || is == updated));
      found.first += is == old ? 1 : 0;
      found.second += is == updated ? 1 : 0;
    });
    return found;
  }

  ZarrArrayMetadata metadata;
  batched::Elements before, after;
};

/// Whether it was killed; any other end than success fails the test.
bool dies(const std::string& folder, std::size_t number, std::size_t kill_at) {
  const std::string program = std::string(WEIR_TEST_CHILDREN) + "/zarr_update_child";
  std::vector<std::string> words{
      program, "update", folder, "0", std::to_string(number), std::to_string(kill_at)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t process = 0;
  REQUIRE(::posix_spawn(&process, program.c_str(), nullptr, nullptr, arguments.data(), environ) == 0);
  int status = 0;
  const weir::testing::Watchdog watchdog("zarr_update_child");
  REQUIRE(::waitpid(process, &status, 0) == process);
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!killed) REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  return killed;
}

/// Every file call; of updates of many shards, whose calls repeat, some.
std::size_t step_of(const CrashCase& it) {
  return it.one_shard || std::getenv("WEIR_TEST_FULL") != nullptr ? 1 : 11;
}

/// Names that are no objects and no journals.
std::size_t rests(const std::string& path) {
  std::size_t found = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    found += entry.is_regular_file() && entry.path().filename().string().find(".weir-") != std::string::npos
                 ? 1U
                 : 0U;
  return found;
}

}  // namespace

TEST_CASE("a kill at any file call of an update leaves every shard before or after, and the next one works") {
  const std::vector<CrashCase> cases = crash_cases();
  for (std::size_t number = 0; number < cases.size(); ++number) {
    const CrashCase& it = cases[number];
    CAPTURE(it.name);
    const CrashStates states(it);
    const Folder made;
    const FolderStoreOptions quick{.durable = false};
    crash_create(std::make_shared<FolderStore>(made.path, quick), it);
    int old_shards = 0, new_shards = 0, journals = 0;
    bool killed = true;
    for (std::size_t k = 1; killed; k += step_of(it)) {
      CAPTURE(k);
      const Folder folder;
      fs::copy(made.path, folder.path, fs::copy_options::recursive);
      killed = dies(folder.path, number, k);
      const auto store = std::make_shared<FolderStore>(folder.path, quick);
      bool has_journal = false;
      store->list("a/.weir-journal", [&](std::string_view, std::uint64_t) { return !(has_journal = true); });
      journals += has_journal ? 1 : 0;
      if (k / step_of(it) % 3 == 2) {
        // Nobody opens it: the next update finds the journal itself.
        crash_update(std::make_shared<const ZarrArray>(store, "a", states.metadata), it);
        CHECK(batched::read(*store, "a/", states.metadata) == states.after);
      } else {
        const auto array = open_zarr(store, "a");
        CHECK(batched::read(*store, "a/", states.metadata) == read_all(array));
        const auto [before, after] = states.count(read_all(array));
        if (it.one_shard) CHECK(before + after == 1);
        if (!killed) CHECK(before == 0);
        old_shards += before;
        new_shards += after;
        check_shards(*array);
        crash_update(array, it);
        CHECK(read_all(array) == states.after);
      }
      check_shards(*open_zarr(store, "a"));
      CHECK(rests(folder.path) == 0);
    }
    CHECK(old_shards >= 5);
    CHECK(new_shards >= 2);
    CHECK((journals > 0) == (it.update == ZarrUpdate::in_place));
    MESSAGE(it.name << ": " << old_shards << " before, " << new_shards << " after, " << journals
                    << " journals");
  }
}

TEST_CASE(
    "a failure of any call of the store, or of a file, leaves every shard before or after, and is told") {
  for (const CrashCase& it : crash_cases()) {
    CAPTURE(it.name);
    const CrashStates states(it);
    const auto check = [&](const std::shared_ptr<const Store>& store) {
      const auto array = open_zarr(store, "a");
      states.count(read_all(array));
      check_shards(*array);
      crash_update(array, it);
      CHECK(read_all(array) == states.after);
    };
    bool failed = true;
    std::size_t calls = 0;
    for (std::size_t k = 1; failed; ++k) {
      CAPTURE(k);
      const auto memory = std::make_shared<MemoryStore>();
      crash_create(memory, it);
      const auto faulty = std::make_shared<FaultyStore>(memory);
      faulty->fail_at = k;
      const auto array = std::make_shared<const ZarrArray>(faulty, "a", states.metadata);
      failed = false;
      try {
        crash_update(array, it);
      } catch (const Error& error) {
        failed = true;
        CAPTURE(error.what());
        CHECK_FALSE(error.node().empty());
        const std::string call = faulty->log().at(k - 1), key = call.substr(call.find(' ') + 1);
        CHECK(std::string(error.what()).find(key + " in memory") != std::string::npos);
      }
      calls = k;
      check(memory);
    }
    CHECK(calls > 8);

    failed = true;
    for (std::size_t k = 1; failed; k += step_of(it)) {
      CAPTURE(k);
      const Folder folder;
      const FolderStoreOptions quick{.durable = false};
      crash_create(std::make_shared<FolderStore>(folder.path, quick), it);
      FaultyFileSystem files;
      files.skip_sync = true;
      files.fail_at = k;
      failed = false;
      try {
        const auto store = std::make_shared<FolderStore>(folder.path, FolderStoreOptions{}, files);
        crash_update(std::make_shared<const ZarrArray>(store, "a", states.metadata), it);
      } catch (const Error&) {
        failed = true;
      }
      // Some failures are of no consequence: of a close, of a first try.
      failed = failed || files.calls() >= k;
      check(std::make_shared<FolderStore>(folder.path, quick));
    }
  }
}
