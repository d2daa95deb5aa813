#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "nodes/headers/catalog_reader.hpp"
#include "nodes/stores/http_store.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "pipelines/write_catalog.hpp"
#include "tests/header_catalog_support.hpp"
#include "tests/http_server.hpp"
#include "tests/made_catalog.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using namespace std::chrono_literals;

WriteCatalogOptions in_small_parts(std::shared_ptr<const Store> store, std::uint64_t rows = 500) {
  WriteCatalogOptions options;
  options.store = std::move(store);
  options.config.store = "made";
  options.config.n_consumers = 16;
  options.config.list_chunk_size = 800;
  options.config.write_chunk_size = rows;
  return options;
}

std::shared_ptr<const Store> far(std::shared_ptr<const Store> store,
                                 std::chrono::microseconds latency = 0us) {
  return std::make_shared<const LatencyStore>(std::move(store),
                                              LatencyOptions{.latency = latency, .requests_at_once = 64});
}

TEST_CASE(
    "a catalog has every file once, in the listing's order, and the same bytes for all threads, tokens and "
    "budgets") {
  if (!has_parquet()) return;
  const auto store = far(std::make_shared<const MadeBucket>(3000));
  const Folder folder;
  std::map<std::string, std::string> first;
  struct Way {
    unsigned threads, tokens;
    std::uint64_t memory;
    Engine engine = Engine::automatic;
  };
  for (const Way& way : {Way{2, 0, 0}, Way{1, 1, 0}, Way{3, 4, 256 << 20}, Way{2, 0, 128 << 20},
                         Way{1, 2, 0, Engine::serial}}) {
    const std::string out = folder / fmt::format("{}-{}", way.threads, way.tokens);
    WriteCatalogOptions options = in_small_parts(store);
    options.graph.threads = way.threads;
    options.graph.tokens = way.tokens;
    options.graph.memory = way.memory;
    options.graph.engine = way.engine;
    CatalogWrite catalog(out, options);
    const RunReport report = catalog.run();
    CHECK(report.peak_payload <= report.memory_limit);
    if (way.tokens > 0) CHECK(report.most_units_in_flight <= way.tokens);
    CHECK(catalog.counts().rows == 3000);
    CHECK(catalog.counts().errors == 0);
    CHECK(catalog.counts().fetched == 3000);
    CHECK(report.counts.at("listed") == 3000);
    const auto files = files_of(out);
    CHECK(files.size() == 6 + 2);  // parts of 512 rows; errors, manifest
    if (first.empty()) {
      first = files;
      std::vector<std::string> paths = paths_of(out);
      CHECK(paths.size() == 3000);
      CHECK(paths[99] == "0/0000099.tif");
      CHECK(paths[100] == "1/0000375.tif");
      std::ranges::sort(paths);
      CHECK(std::ranges::adjacent_find(paths) == paths.end());
    } else {
      CHECK(files == first);
    }
    fs::remove_all(out);
  }
}

TEST_CASE("stopped at any moment and run again, a catalog has the files of a run that was not stopped") {
  if (!has_parquet()) return;
  const auto store = far(std::make_shared<const MadeBucket>(4000), 200us);
  const Folder folder;
  write_catalog(folder / "whole", in_small_parts(store));
  const auto whole = files_of(folder / "whole");
  std::mt19937 random(5);
  for (int round = 0; round < 3; ++round) {
    const std::string out = folder / fmt::format("{}", round);
    int stops = 0;
    for (bool is_done = false; !is_done && stops < 200;) {
      std::stop_source stop;
      const auto pause = std::chrono::microseconds(2000 + random() % 4000 * static_cast<unsigned>(1 + stops));
      std::jthread later([&] {
        std::this_thread::sleep_for(pause);
        stop.request_stop();
      });
      try {
        RunOptions run;
        run.stop = stop.get_token();
        write_catalog(out, in_small_parts(store), run);
        is_done = true;
      } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::cancelled);
        ++stops;
      }
    }
    CAPTURE(stops);
    CHECK(stops > 0);  // a whole run takes longer than the first pause
    CHECK(files_of(out) == whole);
    // A finished one is not begun again, and another one is not mixed with it.
    CHECK(error_of([&] { write_catalog(out, in_small_parts(store)); }).kind() == ErrorKind::usage);
    CHECK(error_of([&] { write_catalog(out, in_small_parts(store, 700)); }).kind() == ErrorKind::usage);
  }
}

TEST_CASE("a catalog is never written over the earlier one that it is made from, by whatever name") {
  if (!has_parquet()) return;
  const auto store = far(std::make_shared<const MadeBucket>(600));
  const Folder folder;
  const std::string out = folder / "out";
  write_catalog(out, in_small_parts(store));
  const auto before = files_of(out);
  fs::create_directory_symlink(out, folder / "link");
  for (const std::string& name :
       {out, out + "/", folder / "./out", folder / "link", std::string(fs::relative(out))})
    for (const bool is_update : {true, false}) {
      CAPTURE(name);
      WriteCatalogOptions options = in_small_parts(store);
      (is_update ? options.update : options.config.catalog) = name;
      options.overwrite = true;
      for (const bool is_old : {true, false}) {  // as OUT, or the other
        if (!is_old) (is_update ? options.update : options.config.catalog) = out;
        const Error error = error_of([&] { write_catalog(is_old ? out : name, options); });
        CHECK(error.kind() == ErrorKind::usage);
        CHECK(std::string(error.what()).find("a folder of its own") != std::string::npos);
        CHECK(files_of(out) == before);
      }
    }
}

TEST_CASE(
    "a key that is no UTF-8 is an error, and never the row of the file that its bytes are the Latin-1 name "
    "of") {
  if (!has_parquet()) return;
  const Folder folder;
  HeaderMaker maker;
  maker.add(maker.picture());
  fs::create_directory(folder / "in");
  const std::string good = "caf\xc3\xa9.tif";
  for (const std::string& name : {good, std::string("caf\xe9.tif")}) {
    std::ofstream(folder / "in/" + name, std::ios::binary)
        .write(reinterpret_cast<const char*>(maker.bytes().data()),
               static_cast<std::streamsize>(maker.bytes().size()));
    fs::last_write_time(folder / "in/" + name, fs::file_time_type());
  }
  WriteCatalogOptions options = in_small_parts(nullptr);
  options.config.store = folder / "in";
  for (const std::string out : {"out", "updated"}) {
    write_catalog(folder / out, options);
    CatalogReader reader(folder / out);
    std::vector<std::string> rows, errors;
    for (const ListedObject& object : reader.next(10)) rows.push_back(object.path);
    each_error_path(folder / out, FileSystem::real(),
                    [&](const std::string& path) { errors.push_back(path); });
    CHECK(rows == std::vector{good});
    CHECK(errors == std::vector<std::string>{"caf%E9.tif"});
    options.update = folder / "out";
  }
}

#ifdef WEIR_WITH_CURL
TEST_CASE("a catalog of a server that is not there is not finished, and goes on once it is") {
  if (!has_parquet()) return;
  const Folder folder;
  HeaderMaker maker;
  maker.add(maker.picture());
  std::string keys;
  for (int i = 0; i < 200; ++i) keys += fmt::format("{}.tif\n", i);
  std::ofstream(folder / "keys.txt") << keys;
  const unsigned port = HttpServer().port();
  const auto run = [&](const std::string& out, unsigned retries, std::chrono::milliseconds timeout = 30s) {
    HttpStoreOptions opening;
    opening.http = catalog_http();
    opening.http.timeout = timeout;
    opening.http.retries = retries;
    opening.http.retry_pause = 20ms;
    opening.http.longest_pause = 100ms;
    WriteCatalogOptions options =
        in_small_parts(std::make_shared<HttpStore>(fmt::format("http://127.0.0.1:{}/d", port), opening));
    options.config.keys = folder / "keys.txt";
    CatalogWrite catalog(out, options);
    catalog.run();
    return catalog.counts();
  };
  const auto serve = [&](HttpServer& server) {
    for (int i = 0; i < 200; ++i) server.serve(fmt::format("/d/{}.tif", i), {maker.bytes()});
  };
  const std::string out = folder / "out";
  for (int round = 0; round < 2; ++round) {
    const Error error = error_of([&] { run(out, 2); });
    CHECK(error.kind() == ErrorKind::failed);
    CHECK_MESSAGE(std::string(error.what()).find("gave up after 3 requests") != std::string::npos,
                  error.what());
  }
  {
    HttpServer server(port);
    serve(server);
    const CatalogCounts counts = run(out, 2);
    CHECK(counts.rows == 200);
    CHECK(counts.errors == 0);
  }
  {  // One that falls silent in the middle.
    const std::string half = folder / "half";
    {
      HttpServer server(port);
      serve(server);
      std::atomic<bool> is_over = false;
      server.set_handler([&](const SeenRequest& request) -> std::optional<MadeAnswer> {
        for (int i = 0; i < 500 && request.number >= 100 && !is_over; ++i) std::this_thread::sleep_for(10ms);
        return std::nullopt;
      });
      CHECK(error_of([&] { run(half, 1, 100ms); }).kind() == ErrorKind::failed);
      is_over = true;
    }
    HttpServer server(port);
    serve(server);
    const CatalogCounts counts = run(half, 2);
    CHECK(counts.rows == 200);
    CHECK(counts.errors == 0);
  }
  // One that comes while it is awaited costs nothing.
  std::optional<HttpServer> late;
  std::jthread starter([&] {
    std::this_thread::sleep_for(300ms);
    late.emplace(port, serve);
  });
  const CatalogCounts counts = run(folder / "late", 200);
  starter.join();
  CHECK(counts.rows == 200);
  CHECK(counts.errors == 0);
}
#endif

/// Files of every hostile kind among good ones: each good one is a row, each hostile one an error.
TEST_CASE("one hostile file in a hundred costs no other row, and each has its reason") {
  if (!has_parquet()) return;
  HeaderMaker maker;
  maker.add(maker.picture());
  const Bytes good = maker.bytes();
  std::vector<Bytes> hostile;
  hostile.emplace_back();                                 // nothing
  hostile.emplace_back(good.begin(), good.begin() + 5);   // cut in the front
  hostile.emplace_back(good.begin(), good.begin() + 20);  // cut in the directory
  hostile.emplace_back(100, std::byte{'<'});              // a page
  HeaderMaker beyond;
  beyond.set_word(4, 0x7fffffff);
  hostile.push_back(beyond.bytes());  // a directory beyond the end
  HeaderMaker cycle;
  const std::uint64_t at = cycle.add(cycle.picture());
  cycle.set_word(cycle.link(), at);
  hostile.push_back(cycle.bytes());  // a directory that follows itself
  const auto store = std::make_shared<MemoryStore>("made");
  std::size_t bad = 0;
  for (int i = 0; i < 1200; ++i) {
    const bool is_bad = i % 100 == 7;
    store->put(fmt::format("{:04}{}.tif", i, is_bad ? "bad" : ""),
               is_bad ? hostile[bad++ % hostile.size()] : good);
  }
  const Folder folder;
  CatalogWrite catalog(folder / "out", in_small_parts(store));
  catalog.run();
  const CatalogCounts counts = catalog.counts();
  CHECK(counts.errors == 12);
  CHECK(counts.rows == 1188 + 2);  // what follows itself was read until then
  std::size_t bad_rows = 0;
  for (const std::string& path : paths_of(folder / "out")) bad_rows += path.find("bad") != std::string::npos;
  CHECK(bad_rows == 2);
}

TEST_CASE("an update fetches what changed, takes over what did not, and has all that is listed") {
  if (!has_parquet()) return;
  const auto store = std::make_shared<MemoryStore>("made");
  const auto put = [&](int i, std::uint16_t width) {
    HeaderMaker maker;
    maker.fill(width);  // the size says that it is another one
    maker.add(maker.picture({maker.shorts(256, {width})}));
    store->put(fmt::format("{}/{:04}.tif", i % 4, i), maker.bytes());
  };
  for (int i = 0; i < 1000; ++i) put(i, 10);
  class Tagged : public LatencyStore {  // as a bucket says what an object is
   public:
    explicit Tagged(std::shared_ptr<const Store> of)
        : LatencyStore(std::move(of), {.requests_at_once = 16}) {}
    void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                      const std::stop_token& stop) const override {
      const auto tagged = [&](StoredObject object) {
        const std::string tag = fmt::format("{}", object.size);
        object.etag = tag;
        return each(object);
      };
      LatencyStore::list_objects(request, tagged, stop);
    }
  };
  const auto tagged = std::make_shared<const Tagged>(store);
  const Folder folder;
  write_catalog(folder / "old", in_small_parts(tagged));
  for (int i = 0; i < 1000; i += 100) put(i, 12);
  for (int i = 50; i < 1000; i += 100) store->erase(fmt::format("{}/{:04}.tif", i % 4, i));
  for (int i = 1000; i < 1005; ++i) put(i, 14);
  WriteCatalogOptions options = in_small_parts(tagged);
  options.update = folder / "old";
  CatalogWrite catalog(folder / "new", options);
  catalog.run();
  CHECK(catalog.counts().fetched == 15);
  CHECK(catalog.counts().unchanged == 980);
  CHECK(catalog.counts().rows == 995);
  std::vector<std::string> paths = paths_of(folder / "new");
  std::ranges::sort(paths);
  CHECK(paths.size() == 995);
  CHECK(std::ranges::adjacent_find(paths) == paths.end());
  CHECK(fs::exists(folder / "new/vanished.parquet"));
}

TEST_CASE("keys of an earlier catalog are fetched again without a listing") {
  if (!has_parquet()) return;
  const auto store = std::make_shared<const MadeBucket>(1000);
  const Folder folder;
  write_catalog(folder / "old", in_small_parts(store));
  WriteCatalogOptions options = in_small_parts(store);
  options.config.catalog = folder / "old";
  write_catalog(folder / "new", options);
  CHECK(paths_of(folder / "new") == paths_of(folder / "old"));
}

/// Counts where a run is when it comes to rest because one stage does not go on.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [&] { return is_open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
};

/// What a run has done when nothing moves any more, with one node held at its first item.
CatalogCounts counts_with(const std::string& held, std::uint64_t max_buffer) {
  const Folder folder;
  WriteCatalogOptions options = in_small_parts(far(std::make_shared<const MadeBucket>(5000)));
  options.config.max_buffer_size = max_buffer;
  options.graph.threads = 2;
  CatalogWrite catalog(folder / "out", options);
  Gate gate;
  RunOptions run;
  run.before_body = [&](const std::string& node, std::uint64_t ticket) {
    if (node == held && ticket >= 3) gate.wait();
  };
  CatalogCounts rest;
  std::jthread watcher([&] {
    CatalogCounts before = catalog.counts();
    for (;;) {
      std::this_thread::sleep_for(150ms);
      const CatalogCounts now = catalog.counts();
      if (now.parsed == before.parsed && now.fetched == before.fetched && now.listed == before.listed &&
          now.listed > 0)
        break;
      before = now;
    }
    rest = catalog.counts();
    gate.open();
  });
  catalog.run(run);
  watcher.join();
  CHECK(catalog.counts().rows == 5000);
  return rest;
}

TEST_CASE("a slow writer, server or lister does not stop the others until the bound is reached") {
  if (!has_parquet()) return;
  // The writer: fetching goes on until max_buffer_size keys are between listing and writing.
  const CatalogCounts writer = counts_with("catalog", 1600);
  CHECK(writer.parsed == 3 * 32);
  CHECK(writer.fetched >= 1600 - 64);
  CHECK(writer.fetched <= 1600 + 3 * 32);
  // The server: listing goes on as far as its room, writing with all that was fetched.
  const CatalogCounts server = counts_with("fetch", 1600);
  CHECK(server.parsed == server.fetched);
  CHECK(server.listed > 1600);
  // The lister: what was listed is written.
  const CatalogCounts lister = counts_with("list", 1600);
  CHECK(lister.fetched == 3 * 32);
  CHECK(lister.parsed == 3 * 32);
}

TEST_CASE("a budget that is too small is refused with the smallest that works, and that one works") {
  if (!has_parquet()) return;
  const auto store = far(std::make_shared<const MadeBucket>(200));
  const Folder folder;
  WriteCatalogOptions options = in_small_parts(store);
  options.graph.memory = 1 << 20;
  const Error error = error_of([&] { write_catalog(folder / "out", options); });
  CHECK(error.kind() == ErrorKind::usage);
  CHECK(std::string(error.what()).find("smallest") != std::string::npos);
  options.graph.memory = CatalogWrite(folder / "out", options).graph().plan().smallest_memory;
  MESSAGE("the smallest budget is ", options.graph.memory >> 20, " MiB");
  const RunReport report = write_catalog(folder / "out", options);
  CHECK(report.counts.at("rows") == 200);
  CHECK(report.peak_payload <= options.graph.memory);
}

TEST_CASE("a million keys are listed, fetched and written under 128 MiB") {
  if (!has_parquet() || std::getenv("WEIR_TEST_FULL") == nullptr) return;
  const auto store = far(std::make_shared<const MadeBucket>(1'000'000));
  const Folder folder;
  WriteCatalogOptions options;
  options.store = store;
  options.config.store = "made";
  options.config.n_consumers = 16;  // threads, of a store that waits
  options.graph.memory = 128 << 20;
  const RunReport report = write_catalog(folder / "out", options);
  MESSAGE(report.wall_seconds, " s, peak ", report.peak_payload >> 20, " MiB, process ",
          report.peak_resident >> 20, " MiB");
  CHECK(report.counts.at("rows") == 1'000'000);
  CHECK(report.peak_payload <= 128 << 20);
}

}  // namespace
