// Shards that another writer replaces while they are read: what is read is of one version of them.
#include <doctest/doctest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <chrono>
#include <map>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/http_store.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/stores/s3_store.hpp"
#include "tests/engine_support.hpp"
#include "tests/fake_s3.hpp"
#include "tests/faulty_store.hpp"
#include "tests/file_support.hpp"
#include "tests/zarr_replaced_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr std::uint64_t window_begin = 100,
                        window_cells = 500;  // a window in one shard, and in some of its inner chunks

/// The object of the shard in some version.
const batched::Elements& object_of(std::uint16_t version) {
  static std::map<std::uint16_t, batched::Elements> objects;
  batched::Elements& object = objects[version];
  if (object.empty()) {
    const auto store = std::make_shared<MemoryStore>();
    create_zarr(*store, "a", versioned_array(1));
    write_version(open_zarr(store, "a"), 0, version);
    object = batched::whole_object(*store, "a/c/0");
  }
  return object;
}

/// Puts the next version of the shard, or takes it away, behind the back of who reads its index: as many times as are left.
class Replacing : public CountingStore {
 public:
  Replacing(std::shared_ptr<const Store> store, std::function<void()> replace)
      : CountingStore(std::move(store)), replace_(std::move(replace)) {}
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop, ObjectVersion* version) const override {
    const auto size = CountingStore::get_end(key, out, stop, version);
    if (left > 0) {
      --left;
      replace_();
    }
    return size;
  }
  mutable int left = 0;

 private:
  std::function<void()> replace_;
};

struct Kind {
  std::string name;
  std::shared_ptr<const Store> writes, reads;
};

/// Each kind of store, as its writer and its reader have it, wrapped or not.
std::vector<Kind> kinds(const Folder& folder, FakeS3& s3) {
  const auto memory = std::make_shared<const MemoryStore>();
  const auto files = std::make_shared<const FolderStore>(folder.path, FolderStoreOptions{.durable = false});
  const auto far = std::make_shared<const LatencyStore>(memory, LatencyOptions{});
  std::vector<Kind> all{
      {"memory", memory, memory},
      {"folder", files, std::make_shared<const FolderStore>(folder.path)},
      {"wrapped", memory, std::make_shared<const FaultyStore>(std::make_shared<const CountingStore>(far))}};
#if defined(WEIR_WITH_CURL) && defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)
  const auto bucket = std::make_shared<const S3Store>("s3://box/x", s3.options());
  all.push_back({"s3", bucket, std::make_shared<const S3Store>("s3://box/x", s3.options())});
#endif
  return all;
}

}  // namespace

TEST_CASE("a shard that is replaced between its index and its chunks is read again, from one version") {
  const Folder folder;
  FakeS3 s3;
  for (const Kind& kind : kinds(folder, s3)) {
    CAPTURE(kind.name);
    create_zarr(*kind.writes, "a", versioned_array(1));
    std::uint16_t version = 1;
    kind.writes->put("a/c/0", object_of(version));
    const auto store =
        std::make_shared<Replacing>(kind.reads, [&] { kind.writes->put("a/c/0", object_of(++version)); });
    const auto array = open_zarr(store, "a");
    for (const int times : {0, 1, 2, 6}) {
      CAPTURE(times);
      kind.writes->put("a/c/0", object_of(++version));  // what the index that is kept is not of
      store->left = times;
      store->take();
      CHECK(version_of(read_cells(array, window_begin, window_cells), window_begin) == version);
      const StoreCount asked = store->take();
      // The first index is a kept one, but for the first time: that read ends without its chunks.
      CHECK(asked.get_end == static_cast<unsigned>(times) + 1);
      CHECK(asked.get == 0);
    }
    // With the index of what is there.
    store->take();
    CHECK(version_of(read_cells(array, window_begin, window_cells), window_begin) == version);
    CHECK(store->take().get_end == 0);
  }
}

TEST_CASE("a shard that is replaced all the time while it is read is an error that names it") {
  const auto memory = std::make_shared<const MemoryStore>();
  create_zarr(*memory, "a", versioned_array(1));
  std::uint16_t version = 1;
  memory->put("a/c/0", object_of(version));
  const auto store = std::make_shared<Replacing>(memory, [&] { memory->put("a/c/0", object_of(++version)); });
  const auto array = open_zarr(store, "a");
  store->left = 1000;
  const Error error = error_of([&] { read_cells(array, window_begin, window_cells); });
  CHECK(std::string(error.what()).find("memory: a/c/0: it is replaced all the time while it is read") !=
        std::string::npos);
  CHECK(1000 - store->left == 8);
  // It can be read once there is peace.
  store->left = 0;
  CHECK(version_of(read_cells(array, window_begin, window_cells), window_begin) == version);
}

TEST_CASE("a shard that becomes shorter, vanishes and comes back while its index is kept is read as it is") {
  const Folder folder;
  FakeS3 s3;
  for (const Kind& kind : kinds(folder, s3)) {
    CAPTURE(kind.name);
    create_zarr(*kind.writes, "a", versioned_array(1));
    // The longest of some versions, so that ranges of it lie behind the end of the other one.
    std::uint16_t longest = 1, shortest = 1;
    for (std::uint16_t version = 1; version < 40; ++version) {
      if (object_of(version).size() > object_of(longest).size()) longest = version;
      if (object_of(version).size() < object_of(shortest).size()) shortest = version;
    }
    REQUIRE(object_of(longest).size() > 2 * object_of(shortest).size());
    const auto array = open_zarr(kind.reads, "a");
    for (const std::uint16_t version : {longest, shortest, longest}) {
      kind.writes->put("a/c/0", object_of(version));
      CHECK(version_of(read_cells(array, window_begin, window_cells), window_begin) == version);
    }
    kind.writes->erase("a/c/0");
    CHECK(read_cells(array, window_begin, window_cells) == std::vector<std::uint32_t>(window_cells, 0));
  }
}

TEST_CASE(
    "an index that points behind the end of its shard's object is an error, and no reason to go on asking") {
  const auto memory = std::make_shared<const MemoryStore>();
  create_zarr(*memory, "a", versioned_array(1));
  memory->put("a/c/0", object_of(1));
  const auto store = std::make_shared<FaultyStore>(memory);
  const auto array = open_zarr(store, "a");
  store->fail_at = store->log().size() + 2;  // the chunks; the index is the first
  const Error error = error_of([&] { read_cells(array, window_begin, window_cells); });
  CHECK(std::string(error.what()).find("a planted fault") != std::string::npos);
  // Whether it is another object by now is asked once.
  const std::vector<std::string> log = store->log();
  CHECK(std::ranges::count(log, "get_end a/c/0") == 2);
  CHECK(std::ranges::count(log, "get_ranges a/c/0") == 1);
}

TEST_CASE(
    "an update of a part of a shard by an index that is not of it any more is an error, not a mixture") {
  const auto memory = std::make_shared<const MemoryStore>();
  create_zarr(*memory, "a", versioned_array(1));
  std::uint16_t version = 1;
  memory->put("a/c/0", object_of(version));
  const auto store = std::make_shared<Replacing>(memory, [&] { memory->put("a/c/0", object_of(++version)); });
  const auto array = open_zarr(store, "a");
  store->left = 1;
  const std::uint32_t one = 1;
  const Error error = error_of([&] {
    write_zarr(array, {{window_begin, 1, 1}}, {std::as_bytes(std::span(&one, 1)).data(), {4}},
               copy_on_write());
  });
  CHECK(std::string(error.what()).find("a/c/0: it was replaced since its index was read") !=
        std::string::npos);
  CHECK(version_of(read_cells(open_zarr(memory, "a"), window_begin, window_cells), window_begin) == version);
}

TEST_CASE("what a writer has written is read by its array without asking for the index again") {
  const Folder folder;
  FakeS3 s3;
  for (const Kind& kind : kinds(folder, s3)) {
    CAPTURE(kind.name);
    create_zarr(*kind.writes, "a", versioned_array(1));
    const auto store = std::make_shared<CountingStore>(kind.writes);
    const auto array = open_zarr(store, "a");
    for (const bool is_in_place : {false, true}) {
      if (is_in_place && !kind.writes->abilities().put_range) continue;
      CAPTURE(is_in_place);
      write_version(array, 0, 5);
      const std::uint32_t one = 1;
      write_zarr(array, {{window_begin, 1, 1}}, {std::as_bytes(std::span(&one, 1)).data(), {4}},
                 is_in_place ? in_place() : copy_on_write());
      store->take();
      std::vector<std::uint32_t> wanted = version_cells(5);
      wanted[window_begin] = 1;
      CHECK(std::ranges::equal(read_cells(array, window_begin, window_cells),
                               std::span(wanted).subspan(window_begin, window_cells)));
      const StoreCount asked = store->take();
      CHECK(asked.get_end == 0);
      CHECK(asked.get_ranges == 1);
    }
    kind.writes->erase("a/c/0");
  }
}

TEST_CASE("windows that are read while another process replaces their shards are each of one version") {
  constexpr std::uint64_t shards = 3;
  const Folder folder;
  const auto store = std::make_shared<FolderStore>(folder.path, FolderStoreOptions{.durable = false});
  create_zarr(*store, "a", versioned_array(shards));
  const auto array = open_zarr(store, "a");
  for (std::uint64_t shard = 0; shard < shards; ++shard) write_version(array, shard, 1);
  const std::string program = std::string(WEIR_TEST_CHILDREN) + "/zarr_update_child";
  std::vector<std::string> words{program, "replace", folder.path, std::to_string(shards), "0", "0"};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t writer = 0;
  REQUIRE(::posix_spawn(&writer, program.c_str(), nullptr, nullptr, arguments.data(), environ) == 0);
  std::mt19937 random(3);
  std::uint64_t windows = 0, seen = 0, mixed = 0, failed = 0;
  std::map<std::uint64_t, std::uint16_t> last;
  const auto enough = std::chrono::seconds(std::getenv("WEIR_TEST_FULL") != nullptr ? 60 : 2);
  const weir::testing::Watchdog watchdog("a reader beside a writer", enough + std::chrono::seconds(30));
  for (const auto end = std::chrono::steady_clock::now() + enough; std::chrono::steady_clock::now() < end;
       ++windows) {
    const std::uint64_t shard = random() % shards, begin = random() % cells_of_shard;
    const std::uint64_t cells =
        random() % 8 == 0 ? cells_of_shard - begin : 1 + random() % (cells_of_shard - begin);
    try {
      const auto version = version_of(read_cells(array, shard * cells_of_shard + begin, cells), begin);
      if (!version) ++mixed;
      if (version && std::exchange(last[shard], *version) != *version) ++seen;
    } catch (const Error& error) {
      MESSAGE(std::string(error.what()));
      ++failed;
    }
  }
  ::kill(writer, SIGKILL);
  int status = 0;
  ::waitpid(writer, &status, 0);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  MESSAGE(windows << " windows, " << seen << " new versions seen");
  CHECK(mixed == 0);
  CHECK(failed == 0);
  CHECK(seen > 20);
}

TEST_CASE("a whole shard in whose object updates in place have left much unused room is read by its index") {
  const auto store = std::make_shared<MemoryStore>();
  create_zarr(*store, "a", versioned_array(1));
  const auto array = open_zarr(store, "a");
  write_version(array, 0, 1);
  std::vector<std::uint32_t> wanted = version_cells(1);
  std::mt19937 random(1);
  const auto set = [&](std::uint32_t least, std::uint32_t most) {
    std::uniform_int_distribution<std::uint32_t> number(least, most);
    for (std::uint64_t i = 0; i < cells_of_chunk; ++i) wanted[i] = number(random);
    write_zarr(array, {{0, cells_of_chunk, 1}}, {std::as_bytes(std::span(wanted)).data(), {4}}, in_place());
  };
  while (store->size("a/c/0") <= array->layout()->max_object_bytes()) {
    set(1, 1);    // shorter: the rest of its place is not used any more
    set(1, ~0u);  // longer: at the end
  }
  CHECK(read_cells(array, 0, cells_of_shard) == wanted);
  CHECK(read_cells(open_zarr(store, "a"), 0, cells_of_shard) == wanted);
}

#ifdef WEIR_WITH_CURL

TEST_CASE("a shard behind http that is replaced between its index and its chunks is read again") {
  const auto memory = std::make_shared<MemoryStore>();
  create_zarr(*memory, "a", versioned_array(1));
  HttpServer server;
  server.serve("/a/zarr.json", {.bytes = batched::whole_object(*memory, "a/zarr.json")});
  // Told apart by what there is: an entity tag, a date, the size.
  for (const int kind : {0, 1, 2}) {
    CAPTURE(kind);
    const auto serve = [&](std::uint16_t version) {
      const std::string text = std::to_string(version);
      server.serve("/a/c/0", {.bytes = object_of(version),
                              .etag = kind == 0 ? "\"" + text + "\"" : "",
                              .last_modified = kind == 1 ? "Sat, 28 Nov 2026 16:00:0" + text + " GMT" : ""});
    };
    serve(1);
    server.set_handler([&](const SeenRequest& request) {
      // While it answers with the index for the first time: what comes next is not what it is of.
      if (request.suffix && request.number == 1) serve(2);
      return std::optional<MadeAnswer>();
    });
    server.forget();
    const auto array = open_zarr(std::make_shared<const HttpStore>(server.url("/")), "a");
    CHECK(version_of(read_cells(array, window_begin, window_cells), window_begin) == std::uint16_t{2});
    CHECK(server.count() == 5);  // metadata; index, chunks; index, chunks
  }
}

#endif
