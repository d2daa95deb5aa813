#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "nodes/stores/http_store.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/engine_support.hpp"
#include "tests/file_support.hpp"
#include "tests/header_fetch_support.hpp"
#include "tests/http_server.hpp"

#ifdef WEIR_WITH_CURL

namespace {

using namespace weir;
using namespace weir::test;
using namespace std::chrono_literals;

/// A server of files, and a node that fetches from it.
struct Served {
  explicit Served(FetchHeadersOptions options = {}, HttpOptions http = quick())
      : store(server.url("/d"), {.http = http}), counts(std::make_shared<FetchCounts>()) {
    if (options.in_flight == 1000) options.in_flight = 16;
    fetch.emplace(store, options, counts);
  }
  void serve(const std::string& key, Bytes bytes, const std::string& etag = "\"one\"") {
    server.serve("/d/" + key,
                 {.bytes = std::move(bytes), .etag = etag, .last_modified = "Mon, 12 Oct 2009 17:50:00 GMT"});
  }
  const FetchHeaders* node() const { return &*fetch; }
  RowBatch rows(const std::vector<std::string>& keys) { return rows_of_batch(*fetch, batch_of(keys)); }
  /// The error of one key.
  HeaderError error(const std::string& key) {
    const RowBatch made = rows({key});
    CHECK(made.rows.empty());
    REQUIRE(made.errors.size() == 1);
    CHECK(made.errors.front().path == key);
    return made.errors.front();
  }

  HttpServer server;
  HttpStore store;
  std::shared_ptr<FetchCounts> counts;
  std::optional<FetchHeaders> fetch;
};

TEST_CASE("a header is the same whatever is asked for first, from a folder and over HTTP") {
  std::vector<std::string> keys;
  const MemoryStore memory;
  std::vector<Bytes> files;
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_TEST_DATA)) {
    const std::string ending = entry.path().extension();
    if (ending != ".tif" && ending != ".tiff") continue;
    const std::string text = content(entry.path());
    files.emplace_back(bytes_of(text).begin(), bytes_of(text).end());
    keys.push_back(entry.path().filename());
    memory.put(keys.back(), files.back());
  }
  REQUIRE(keys.size() > 30);
  for (const std::uint64_t prefetch : {512u, 4096u, 16'384u, 65'536u}) {
    CAPTURE(prefetch);
    Served served({.prefetch = prefetch});
    for (std::size_t i = 0; i < keys.size(); ++i) served.serve(keys[i], files[i]);
    const FetchHeaders local(memory, {.in_flight = 2, .prefetch = prefetch}, std::make_shared<FetchCounts>());
    for (const FetchHeaders* fetch : {&local, std::as_const(served).node()})
      for (std::size_t begin = 0; begin < keys.size(); begin += keys_of_unit) {
        const std::size_t end = std::min(keys.size(), begin + keys_of_unit);
        const FetchedBatch made = (*fetch)(batch_of({keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                                     keys.begin() + static_cast<std::ptrdiff_t>(end)}),
                                           Context());
        REQUIRE(made.headers.size() == end - begin);
        for (std::size_t i = begin; i < end; ++i) {
          CAPTURE(keys[i]);
          if (const auto* rows = std::get_if<HeaderRows>(&made.headers[i - begin])) {
            FAIL_CHECK(rows->row.has_value(), " ", rows->errors.size() > 0 ? rows->errors[0].reason : "");
            continue;
          }
          const auto& header = std::get<FetchedBatch::Header>(made.headers[i - begin]);
          CHECK(header.object.path == keys[i]);
          CHECK(header.object.size == files[i].size());
          CHECK(in_words(header.header) == in_words(read_header(files[i]).header));
        }
      }
  }
}

TEST_CASE("what the server says of a file is in its row where the listing does not say it") {
  Served served;
  served.serve("a.tif", picture(), "W/\"tag\"");
  const RowBatch made = served.rows({"a.tif"});
  REQUIRE(made.rows.size() == 1);
  CHECK(made.rows[0].object.etag == "tag");
  CHECK(made.rows[0].object.last_modified == 1'255'369'800'000);
  CHECK(made.rows[0].object.size == picture().size());
  // What a listing says stays, so that a later update finds the same; unless it is another version.
  for (const std::uint64_t size : {std::uint64_t{picture().size()}, std::uint64_t{7}}) {
    KeyBatch listed;
    listed.keys.push_back({{"a.tif", size, "tag", 1'255'369'800'250}, 0});
    const RowBatch again = rows_of_batch(*served.fetch, std::move(listed));
    for (const HeaderError& error : again.errors) FAIL_CHECK(error.code, " ", error.reason);
    REQUIRE(again.rows.size() == 1);
    CHECK(again.rows[0].object.size == picture().size());
    CHECK(again.rows[0].object.last_modified == (size == 7 ? 1'255'369'800'000 : 1'255'369'800'250));
  }
}

TEST_CASE("a directory at the end of a file costs two requests, and little more than itself") {
  Served served({.prefetch = 4096}, patient());
  served.serve("a.tif", picture(5 << 20));
  const RowBatch made = served.rows({"a.tif"});
  REQUIRE(made.rows.size() == 1);
  CHECK(served.server.count() == 2);
  CHECK(served.store.traffic()->total().bytes < 4096 + 4608);
}

TEST_CASE("what is asked for first adapts to the headers that came") {
  Served served;
  std::vector<std::string> keys;
  for (int i = 0; i < 96; ++i) {
    keys.push_back(fmt::format("{}.tif", i));
    served.serve(keys.back(), picture(6000));
  }
  for (std::size_t i = 0; i < 96; i += 32) {
    served.server.forget();
    const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(i);
    CHECK(served.rows({begin, begin + 32}).rows.size() == 32);
    CHECK(served.server.count() == 32);
    for (const SeenRequest& request : served.server.seen()) {
      REQUIRE(request.range);
      CHECK(request.range->second + 1 == (i == 0 ? 16 << 10 : 8 << 10));
    }
  }
}

TEST_CASE(
    "each thing that goes wrong with one file is an error row of it, with stage, code, status and tries") {
  Served served;
  served.serve("good.tif", picture());
  served.serve("empty.tif", {});
  const std::string page = "<!DOCTYPE html><html><body>Please log in</body></html>";
  served.serve("page.tif", {bytes_of(page).begin(), bytes_of(page).end()});
  served.serve("denied.tif", picture());
  served.serve("busy.tif", picture());
  served.serve("silent.tif", picture());
  served.serve("half.tif", picture());
  served.serve("other.tif", picture());
  served.server.set_fault([](const SeenRequest& request) {
    Fault fault;
    if (request.path == "/d/denied.tif") fault.status = 403;
    if (request.path == "/d/busy.tif") fault.status = 503;
    if (request.path == "/d/lost.tif") fault.status = 520;
    if (request.path == "/d/unknown.tif") fault.status = 501;
    if (request.path == "/d/silent.tif") fault.stalls = true;
    if (request.path == "/d/half.tif") fault.body_bytes = 10;
    if (request.path == "/d/other.tif") fault.content_range = "bytes 5-9/100";
    return fault;
  });
  struct Wanted {
    std::string key, stage, code;
    std::int64_t status, tries;
  };
  const std::vector<Wanted> all{
      {"gone.tif", "fetch", "not_found", 404, 1},  {"empty.tif", "fetch", "empty", 416, 1},
      {"page.tif", "parse", "not_a_tiff", 206, 1}, {"denied.tif", "fetch", "denied", 403, 1},
      {"lost.tif", "fetch", "busy", 520, 10},      {"unknown.tif", "fetch", "status", 501, 1},
      {"busy.tif", "fetch", "busy", 503, 10},      {"silent.tif", "fetch", "no_answer", 206, 10},
      {"half.tif", "fetch", "no_answer", 206, 10}, {"other.tif", "fetch", "bad_answer", 206, 1},
      {"a//b.tif", "list", "bad_key", 0, 1},       {"../b.tif", "list", "bad_key", 0, 1}};
  std::vector<std::string> keys{"good.tif"};
  for (const Wanted& wanted : all) keys.push_back(wanted.key);
  const auto begun = std::chrono::steady_clock::now();
  const RowBatch made = served.rows(keys);
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
  CHECK(made.keys == keys.size());
  REQUIRE(made.rows.size() == 1);
  CHECK(made.rows[0].object.path == "good.tif");
  REQUIRE(made.errors.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const HeaderError& error = made.errors[i];
    CAPTURE(error.path);
    CAPTURE(error.reason);
    CHECK(error.path == all[i].key);
    CHECK(error.stage == all[i].stage);
    CHECK(error.code == all[i].code);
    CHECK(error.http_status.value_or(0) == all[i].status);
    CHECK(error.tries == all[i].tries);
    CHECK_FALSE(error.reason.empty());
  }
}

TEST_CASE("a server that lets bytes drip holds no file for long, and a slow one is waited for") {
  HttpOptions http = quick();
  http.retries = 1;
  Served served({}, http);
  served.serve("a.tif", picture(2000));
  served.server.set_fault([](const SeenRequest&) { return Fault{.piece = 1, .pause = 50ms}; });
  const auto begun = std::chrono::steady_clock::now();
  const HeaderError error = served.error("a.tif");  // 2 KB, which would take 100 s
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
  CHECK(error.code == "no_answer");
  CHECK(error.tries == 2);
  CHECK_MESSAGE(error.reason.find(" bytes came in 0.3 s") != std::string::npos, error.reason);

  // Sixteen KiB in more than a second, never silent for the time that is allowed.
  http.timeout = 1s;
  Served slow({}, http);
  slow.serve("a.tif", picture(60'000));
  slow.server.set_fault([](const SeenRequest&) { return Fault{.piece = 1024, .pause = 100ms}; });
  CHECK(slow.rows({"a.tif"}).rows.size() == 1);
  CHECK(slow.server.count() == 2);
}

TEST_CASE(
    "a server that sends just enough not to be silent holds no header for long, and a long file is given "
    "more time") {
  HttpOptions http = quick();
  http.timeout = 100ms;
  http.retries = 1;
  Served served({}, http);
  served.serve("a.tif", picture(60'000));
  served.server.set_fault([](const SeenRequest&) { return Fault{.piece = 1024, .pause = 50ms}; });
  const auto begun = std::chrono::steady_clock::now();
  const HeaderError error = served.error("a.tif");  // 16 KiB, which would come in 0.8 s
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
  CHECK(error.code == "no_answer");
  CHECK(error.tries == 2);

  http.retries = 9;
  Served slow({}, http);
  slow.serve("long", made_bytes(400 << 10));
  slow.server.set_fault([](const SeenRequest&) { return Fault{.piece = 20 << 10, .pause = 35ms}; });
  Bytes all(400 << 10);
  CHECK(slow.store.get("long", all) == all.size());
}

TEST_CASE("a host that drops connections is given up within the time of one key, however many there are") {
  // Once one connection waits to be taken, Linux drops what would be others.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), bytes) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &bytes) == 0);
  const int first = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(first, reinterpret_cast<const sockaddr*>(&address), bytes) == 0);

  HttpOptions http = quick();
  http.timeout = 150ms;
  http.retry_time = 300ms;
  http.awaits_server = true;
  const HttpStore store(fmt::format("http://127.0.0.1:{}/d", ntohs(address.sin_port)), {.http = http});
  const FetchHeaders fetch(store, {.in_flight = 1}, std::make_shared<FetchCounts>());
  std::vector<std::string> keys;
  for (int i = 0; i < 32; ++i) keys.push_back(fmt::format("{}.tif", i));
  const auto begun = std::chrono::steady_clock::now();
  const Error error = error_of([&] { rows_of_batch(fetch, batch_of(keys)); });
  CHECK(std::chrono::steady_clock::now() - begun < 3s);  // a first try of each takes 5 s
  CHECK(error.kind() == ErrorKind::failed);
  CHECK_MESSAGE(std::string(error.what()).find("cannot reach " + store.name()) != std::string::npos,
                error.what());
  ::close(first);
  ::close(listener);
}

TEST_CASE("a server that falls silent ends the run, and one that is silent about some files alone does not") {
  HttpOptions http = quick();
  http.timeout = 100ms;
  http.retries = 2;
  Served served({.in_flight = 4}, http);
  std::vector<std::string> keys;
  for (int i = 0; i < 32; ++i) {
    keys.push_back(fmt::format("{}.tif", i));
    served.serve(keys.back(), picture());
  }
  std::atomic<bool> is_over = false;
  const auto be_silent = [&] {
    for (int i = 0; i < 500 && !is_over; ++i) std::this_thread::sleep_for(10ms);
    return MadeAnswer{500, ""};
  };
  served.server.set_handler([&](const SeenRequest& request) -> std::optional<MadeAnswer> {
    if (request.path.ends_with("7.tif")) return be_silent();
    return std::nullopt;
  });
  for (const std::vector<std::string>& wanted : {keys, {"7.tif", "17.tif"}}) {
    const RowBatch made = served.rows(wanted);
    CHECK(made.rows.size() == (wanted.size() == 32 ? 29 : 0));
    REQUIRE(made.errors.size() == (wanted.size() == 32 ? 3 : 2));
    for (const HeaderError& error : made.errors) {
      CHECK(error.path.ends_with("7.tif"));
      CHECK(error.code == "no_answer");
      CHECK(error.tries == 3);
    }
  }
  served.server.forget();
  served.server.set_handler([&](const SeenRequest& request) -> std::optional<MadeAnswer> {
    if (request.number >= 10) return be_silent();
    return std::nullopt;
  });
  const Error error = error_of([&] { served.rows(keys); });
  CHECK_MESSAGE(std::string(error.what()).find("it is silent, whatever is asked for: ") != std::string::npos,
                error.what());
  is_over = true;
}

TEST_CASE("an HTML page with status 200 instead of a file is an error of that file") {
  Served served;
  served.server.set_handler([](const SeenRequest&) {
    return MadeAnswer{200, "<html>" + std::string(50'000, 'x') + "</html>", {"Content-Type: text/html"}};
  });
  const HeaderError error = served.error("a.tif");
  CHECK(error.code == "not_a_tiff");
  CHECK(error.http_status == 200);
}

TEST_CASE(
    "what passes costs no row: resets, half answers, busy and silent servers, ranges that are ignored") {
  const std::vector<std::pair<std::string, std::function<Fault(const SeenRequest&)>>> servers{
      {"resets every third",
       [](const SeenRequest& request) { return Fault{.resets = request.number % 3 == 0}; }},
      {"sends half of every third",
       [](const SeenRequest& request) {
         Fault fault;
         if (request.number % 3 == 1) fault.body_bytes = 5;
         return fault;
       }},
      {"is busy in bursts",
       [](const SeenRequest& request) { return Fault{.status = request.number / 8 % 2 == 0 ? 503 : 0}; }},
      {"asks to wait",
       [](const SeenRequest& request) {
         Fault fault;
         if (request.number < 4) fault = {.status = 429, .headers = {"Retry-After: 1"}};
         return fault;
       }},
      {"is silent at times",
       [](const SeenRequest& request) { return Fault{.stalls = request.number % 16 == 0}; }},
      {"ignores ranges", [](const SeenRequest&) { return Fault{.ignores_range = true}; }},
      {"ignores ranges, and says no length",
       [](const SeenRequest&) { return Fault{.ignores_range = true, .says_no_length = true}; }},
  };
  for (const auto& server : servers) {
    CAPTURE(server.first);
    Served served;
    served.server.set_fault(server.second);
    std::vector<std::string> keys;
    KeyBatch batch;
    for (int i = 0; i < 32; ++i) {
      keys.push_back(fmt::format("{}.tif", i));
      const Bytes file = picture(i % 4 == 0 ? 300'000 : 100, static_cast<std::uint16_t>(40 + i));
      batch.keys.push_back({{keys.back(), server.first.ends_with("length") ? file.size() : unknown_size}, 0});
      served.serve(keys.back(), file);
    }
    const auto begun = std::chrono::steady_clock::now();
    const RowBatch made = rows_of_batch(*served.fetch, std::move(batch));
    CHECK(std::chrono::steady_clock::now() - begun < 10s);
    for (const HeaderError& error : made.errors) FAIL_CHECK(error.path, " ", error.code, " ", error.reason);
    REQUIRE(made.rows.size() == 32);
    for (std::size_t i = 0; i < 32; ++i) {
      CHECK(made.rows[i].object.path == keys[i]);
      CHECK(made.rows[i].image_width == 40 + static_cast<int>(i));
    }
  }
}

TEST_CASE("a file that is replaced while it is read is read again, and one that always is an error") {
  Served served({.prefetch = 1024});
  served.serve("a.tif", picture(100'000));
  std::atomic<int> requests = 0;
  served.server.set_fault([&](const SeenRequest&) {
    Fault fault;
    fault.etag = ++requests < 3 ? fmt::format("\"{}\"", requests.load()) : "\"last\"";
    return fault;
  });
  CHECK(served.rows({"a.tif"}).rows.size() == 1);
  CHECK(requests == 4);
  served.server.set_fault([&](const SeenRequest&) {
    Fault fault;
    fault.etag = fmt::format("\"{}\"", ++requests);
    return fault;
  });
  CHECK(served.error("a.tif").code == "changed");
}

TEST_CASE("headers that need more than the room of a key are read alone, to the same rows") {
  FetchHeadersOptions options;
  options.header_room = 4096;
  options.alone = 1;
  Served served(options);
  std::vector<std::string> keys;
  std::vector<Bytes> files;
  for (int i = 0; i < 32; ++i) {
    HeaderMaker maker;
    maker.fill(i % 2 == 0 ? 0 : 50'000);
    std::vector<MadeEntry> more{HeaderMaker::text(270, std::string(i % 3 == 0 ? 20'000 : 10, 'x'))};
    const std::vector<MadeEntry> entries = maker.picture(std::move(more));
    maker.add(entries);
    if (i % 5 == 0)
      for (int directory = 0; directory < 100; ++directory) {
        maker.fill(9000);
        maker.add(entries);
      }
    keys.push_back(fmt::format("{}.tif", i));
    files.push_back(maker.bytes());
    served.serve(keys.back(), maker.bytes());
  }
  const RowBatch made = served.rows(keys);
  CHECK(served.counts->alone == 15);  // each with a long text, many directories, or both
  // Given up as soon as they are found too large: their 101 directories are not read twice.
  const std::vector<SeenRequest> seen = served.server.seen();
  CHECK(std::ranges::count(seen, "/d/5.tif", &SeenRequest::path) < 150);
  CHECK(served.counts->fetched == 32);
  for (const HeaderError& error : made.errors) FAIL_CHECK(error.path, " ", error.code, " ", error.reason);
  REQUIRE(made.rows.size() == 32);
  for (std::size_t i = 0; i < 32; ++i) {
    CHECK(made.rows[i].object.path == keys[i]);
    CHECK(made.rows[i].directories == (i % 5 == 0 ? 101 : 1));
    CHECK(made.rows[i].image_description->size() == (i % 3 == 0 ? 20'000 : 10));
  }
}

TEST_CASE("a value whose end came along with a directory behind it costs one request more, and not two") {
  Served served({.prefetch = 1024}, patient());
  HeaderMaker maker;
  maker.fill(2000);
  maker.add(maker.picture({HeaderMaker::text(270, std::string(6000, 'x'))}), true);
  served.serve("a.tif", maker.bytes());
  const RowBatch made = served.rows({"a.tif"});
  REQUIRE(made.rows.size() == 1);
  CHECK(made.rows[0].image_description == std::string(6000, 'x'));
  CHECK(served.server.count() == 3);
}

TEST_CASE(
    "a header that asks for more than a batch has room for is an error of its file, and holds up nothing") {
  const testing::Watchdog watchdog("a header that asks for more than a batch has room for");
  FetchHeadersOptions options;
  options.limits.value_bytes = options.limits.header_bytes = 8 << 20;
  Served served(options);
  served.serve("a.tif", picture(0, 40, {HeaderMaker::text(270, std::string(2 << 20, 'x'))}));
  CHECK(served.error("a.tif").code == "too_large");
}

TEST_CASE(
    "a file that became shorter, behind a server without ranges and tags, is an error after two requests") {
  Served served({.prefetch = 1024});
  const Bytes file = picture(100'000);
  std::atomic<int> requests = 0;
  served.server.set_handler([&](const SeenRequest&) {
    const std::size_t bytes = ++requests == 1 ? file.size() : 50'000;
    return MadeAnswer{200, std::string(reinterpret_cast<const char*>(file.data()), bytes)};
  });
  const HeaderError error = served.error("a.tif");
  CHECK(error.code == "bad_answer");
  CHECK(error.reason.ends_with("on are missing"));
  CHECK(requests == 2);
}

TEST_CASE("a header beyond what is read whole of a server without ranges is an error of its file") {
  HttpOptions http = patient();
  http.whole_bytes = 50'000;
  Served served({.prefetch = 1024}, http);
  served.serve("near.tif", picture(40'000));
  served.serve("far.tif", picture(100'000));
  served.server.set_fault([](const SeenRequest&) { return Fault{.ignores_range = true}; });
  CHECK(served.rows({"near.tif"}).rows.size() == 1);
  CHECK(served.error("far.tif").code == "bad_answer");
}

TEST_CASE("a batch that is stopped returns soon, whatever its servers do") {
  HttpOptions slow = quick();
  slow.timeout = 60s;
  Served served({}, slow);
  served.serve("a.tif", picture());
  served.server.set_fault([](const SeenRequest&) { return Fault{.stalls = true}; });
  std::vector<std::string> keys(32, "a.tif");
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  const Context context(nullptr, nullptr, 0, 0, stop.get_token());
  const auto begun = std::chrono::steady_clock::now();
  CHECK(error_of([&] { (*served.fetch)(batch_of(keys), context); }).kind() == ErrorKind::cancelled);
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("requests are spaced where a rate is wanted") {
  HttpOptions http = quick();
  http.rate = 100;
  Served served({}, http);
  std::vector<std::string> keys;
  for (int i = 0; i < 32; ++i) {
    keys.push_back(fmt::format("{}.tif", i));
    served.serve(keys.back(), picture());
  }
  const auto begun = std::chrono::steady_clock::now();
  CHECK(served.rows(keys).rows.size() == 32);
  CHECK(std::chrono::steady_clock::now() - begun > 290ms);
}

TEST_CASE("a server that bears few requests at once gets few, and more again when it bears them") {
  // Without that, each of 32 keys would be refused again and again.
  Served served({.in_flight = 32});
  std::vector<std::string> keys;
  for (int i = 0; i < 32; ++i) {
    keys.push_back(fmt::format("{}.tif", i));
    served.serve(keys.back(), picture());
  }
  std::atomic<int> now = 0, refused = 0, bears = 3;
  served.server.set_handler([&](const SeenRequest&) -> std::optional<MadeAnswer> {
    const int inside = ++now;
    std::this_thread::sleep_for(5ms);
    --now;
    if (inside <= bears) return std::nullopt;
    ++refused;
    return MadeAnswer{503, ""};
  });
  int rows = 0;
  for (int round = 0; round < 4; ++round) rows += static_cast<int>(served.rows(keys).rows.size());
  CHECK(rows == 128);
  CHECK(refused < 128);
  bears = 1000;
  for (int round = 0; round < 6; ++round) served.rows(keys);
  served.server.forget();
  served.rows(keys);
  CHECK(served.server.most_in_flight() > 12);
}

TEST_CASE("a burst of refusals halves what is asked for at once, and not for each of them") {
  Served served({.in_flight = 32}, patient());
  std::vector<std::string> keys;
  for (int i = 0; i < 32; ++i) {
    keys.push_back(fmt::format("{}.tif", i));
    served.serve(keys.back(), picture());
  }
  std::atomic<int> arrived = 0, now = 0, most = 0;
  served.server.set_handler([&](const SeenRequest&) -> std::optional<MadeAnswer> {
    if (++arrived <= 32) {  // all of them are there before one is refused
      while (arrived < 32) std::this_thread::sleep_for(1ms);
      return MadeAnswer{503, ""};
    }
    const int inside = ++now;
    for (int before = most; before < inside && !most.compare_exchange_weak(before, inside);) {
    }
    std::this_thread::sleep_for(50ms);
    --now;
    return std::nullopt;
  });
  CHECK(served.rows(keys).rows.size() == 32);
  CHECK(most >= 10);
  CHECK(most <= 20);
}
}  // namespace

#endif
