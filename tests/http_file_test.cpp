#include "nodes/stores/http_file.hpp"

#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "framework/error.hpp"
#include "nodes/stores/open_file.hpp"
#include "tests/http_server.hpp"
#include "tests/text_support.hpp"

#ifdef WEIR_WITH_CURL

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::contains;
using test::Fault;
using test::HttpServer;
using test::made_bytes;
using test::part_of;
using test::SeenRequest;
using Bytes = std::vector<std::byte>;

/// Quick to give up. Its own loop for each test, where `name` differs.
HttpOptions quick(unsigned retries = 3) {
  HttpOptions options;
  options.timeout = 2s;
  options.retries = retries;
  options.retry_pause = 2ms;
  options.prefix_bytes = 1000;
  return options;
}

Bytes read(const ReadableFile& file, std::uint64_t offset, std::size_t count,
           const std::stop_token& stop = {}) {
  Bytes bytes(count);
  const FileRange range{offset, bytes};
  file.read_ranges({&range, 1}, stop);
  return bytes;
}

std::string message_of(const auto& function) {
  try {
    function();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::failed);
    return error.what();
  }
  FAIL("nothing was thrown");
  return "";
}

TEST_CASE("opening a file behind HTTP is one request, and ranges are read exactly") {
  HttpServer server;
  const Bytes bytes = made_bytes(200'000);
  server.serve("/a.tif", {bytes});
  const HttpFile file(server.url("/a.tif"), quick());
  CHECK(file.size() == bytes.size());
  CHECK(file.is_remote());
  CHECK(file.path() == server.url("/a.tif"));
  REQUIRE(server.count() == 1);
  const SeenRequest first = server.seen().front();
  CHECK(first.range == std::pair<std::uint64_t, std::uint64_t>{0, 999});
  CHECK(first.headers.at("accept-encoding") == "identity");

  SUBCASE("its beginning is there already") {
    CHECK(read(file, 0, 1000) == part_of(bytes, 0, 1000));
    CHECK(server.count() == 1);
  }
  SUBCASE("a range costs one request, of just its bytes, pinned to what was opened") {
    CHECK(read(file, 5000, 7000) == part_of(bytes, 5000, 7000));
    REQUIRE(server.count() == 2);
    CHECK(server.seen()[1].range == std::pair<std::uint64_t, std::uint64_t>{5000, 11'999});
    CHECK(server.seen()[1].headers.at("if-match") == "\"one\"");
  }
  SUBCASE("of a range that begins in the prefix just the rest is asked for") {
    CHECK(read(file, 900, 1100) == part_of(bytes, 900, 1100));
    REQUIRE(server.count() == 2);
    CHECK(server.seen()[1].range == std::pair<std::uint64_t, std::uint64_t>{1000, 1999});
  }
  SUBCASE("small reads are served from what was read around them") {
    Bytes some(10);
    for (std::uint64_t at = 50'000; at < 50'900; at += 10) {
      CHECK(file.read_at(at, some) == 10);
      CHECK(some == part_of(bytes, at, 10));
    }
    CHECK(server.count() == 2);
  }
  SUBCASE("at the end of the file read_at gives what there is, and read_ranges throws") {
    Bytes some(100);
    CHECK(file.read_at(bytes.size() - 30, some) == 30);
    CHECK(part_of(some, 0, 30) == part_of(bytes, bytes.size() - 30, 30));
    CHECK(file.read_at(bytes.size(), some) == 0);
    CHECK(file.read_at(bytes.size() + 10, some) == 0);
    CHECK(contains(message_of([&] { read(file, bytes.size() - 30, 31); }), "it ends at byte 200000"));
  }
  SUBCASE("what is counted is what the server saw") {
    read(file, 5000, 7000);
    read(file, 100'000, 50);
    CHECK(file.traffic()->total().requests == server.count());
    CHECK(file.traffic()->total().bytes == 1000 + 7000 + 50);
    CHECK(file.traffic()->take().requests == 3);
    read(file, 5000, 1);
    CHECK(file.traffic()->take().requests == 1);
    CHECK(file.traffic()->take().bytes == 0);
  }
}

TEST_CASE("several ranges are asked for at once, over connections that are kept") {
  HttpServer server;
  const Bytes bytes = made_bytes(400'000);
  server.serve("/a", {bytes});
  HttpOptions options = quick();
  options.requests = 5;
  const HttpFile file(server.url("/a"), options);
  server.set_latency(20ms);
  std::vector<Bytes> parts(20, Bytes(3000));
  std::vector<FileRange> ranges;
  for (std::size_t i = 0; i < parts.size(); ++i) ranges.push_back({10'000 + i * 15'000, parts[i]});
  file.read_ranges(ranges);
  for (std::size_t i = 0; i < parts.size(); ++i) CHECK(parts[i] == part_of(bytes, 10'000 + i * 15'000, 3000));
  CHECK(server.count() == 21);
  CHECK(server.most_in_flight() == 5);
  CHECK(server.connections() <= 5);
}

TEST_CASE("a long range is asked for in parts of at most 8 MiB") {
  HttpServer server;
  const Bytes bytes = made_bytes(20 << 20);
  server.serve("/a", {bytes});
  const HttpFile file(server.url("/a"), quick());
  CHECK(read(file, 1000, bytes.size() - 1000) == part_of(bytes, 1000, bytes.size() - 1000));
  CHECK(server.count() == 4);
}

TEST_CASE("many threads read one file, and files with equal options share a loop") {
  HttpServer server;
  const Bytes bytes = made_bytes(300'000);
  server.serve("/a", {bytes});
  server.serve("/b", {bytes});
  const HttpFile one(server.url("/a"), quick()), other(server.url("/b"), quick());
  CHECK(HttpClient::shared(quick()) == HttpClient::shared(quick()));
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (unsigned t = 0; t < 12; ++t)
    threads.emplace_back([&, t] {
      const HttpFile& file = t % 2 == 0 ? one : other;
      for (std::size_t i = 0; i < 20; ++i) {
        const std::size_t at = (t * 7919 + i * 13'577) % 280'000;
        Bytes small(64);
        if (read(file, at, 5000) == part_of(bytes, at, 5000) && file.read_at(at, small) == 64 &&
            small == part_of(bytes, at, 64))
          ++right;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 240);
}

TEST_CASE("an empty file, and one shorter than the prefix, are whole after one request") {
  HttpServer server;
  server.serve("/empty", {{}});
  server.serve("/short", {made_bytes(17)});
  const HttpFile empty(server.url("/empty"), quick());
  CHECK(empty.size() == 0);
  Bytes some(20);
  CHECK(empty.read_at(0, some) == 0);
  const HttpFile short_one(server.url("/short"), quick());
  CHECK(short_one.read_at(0, some) == 17);
  CHECK(part_of(some, 0, 17) == made_bytes(17));
  CHECK(server.count() == 2);
}

TEST_CASE("a server without ranges is taken for files that are small enough to keep") {
  HttpServer server;
  const Bytes bytes = made_bytes(50'000);
  server.serve("/a", {bytes});
  server.set_fault([](const SeenRequest&) { return Fault{.ignores_range = true}; });
  HttpOptions options = quick();
  options.whole_bytes = 50'000;
  {
    const HttpFile file(server.url("/a"), options);
    CHECK(file.size() == bytes.size());
    CHECK(read(file, 30'000, 20'000) == part_of(bytes, 30'000, 20'000));
    CHECK(server.count() == 1);
    CHECK(file.standing_bytes() >= bytes.size());
  }
  options.whole_bytes = 49'999;
  CHECK(contains(message_of([&] { HttpFile(server.url("/a"), options); }),
                 "gives no ranges, and its 50000 bytes are more than is read whole"));
  server.set_fault([](const SeenRequest&) { return Fault{.ignores_range = true, .says_no_length = true}; });
  CHECK(contains(message_of([&] { HttpFile(server.url("/a"), options); }),
                 "does not say how long the file is"));
}

TEST_CASE("a server that forgets about ranges later is refused: no byte lands in a wrong place") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000)});
  const HttpFile file(server.url("/a"), quick());
  server.set_fault([](const SeenRequest&) { return Fault{.ignores_range = true}; });
  CHECK(contains(message_of([&] { read(file, 20'000, 100); }), "the whole file instead of the part"));
}

TEST_CASE("a file that is changed while it is read is an error, however the server tells") {
  HttpServer server;
  const Bytes bytes = made_bytes(50'000), others = made_bytes(50'000, 2);
  server.serve("/a", {bytes, "\"one\"", "Sat, 28 Nov 2026 09:00:00 GMT"});
  const HttpFile file(server.url("/a"), quick());
  const auto fails = [&](const std::string& words) {
    const std::string message = message_of([&] { read(file, 20'000, 100); });
    CHECK_MESSAGE(contains(message, words), message);
    CHECK(contains(message, "bytes 20000 to 20099 of " + file.path()));
  };
  SUBCASE("by the status of If-Match") {
    server.serve("/a", {others, "\"two\""});
    fails("changed while it was read (status 412)");
  }
  SUBCASE("by another ETag alone") {
    server.set_fault([](const SeenRequest&) { return Fault{.etag = "\"two\""}; });
    fails("changed while it was read");
  }
  SUBCASE("by an ETag that is gone") {
    server.set_fault([](const SeenRequest&) { return Fault{.etag = ""}; });
    fails("changed while it was read");
  }
  SUBCASE("by another size") {
    server.serve("/a", {made_bytes(50'001)});
    fails("changed while it was read");
  }
  SUBCASE("by its end") {
    server.serve("/a", {made_bytes(10'000)});
    fails("it has become shorter (status 416)");
  }
  SUBCASE("by being gone") {
    server.set_fault([](const SeenRequest&) { return Fault{.status = 404}; });
    fails("there is no such file (status 404)");
  }
}

TEST_CASE("without an ETag the time of the last change is what pins a file") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000), "", "Sat, 28 Nov 2026 09:00:00 GMT"});
  const HttpFile file(server.url("/a"), quick());
  read(file, 20'000, 100);
  CHECK(server.seen()[1].headers.at("if-unmodified-since") == "Sat, 28 Nov 2026 09:00:00 GMT");
  server.serve("/a", {made_bytes(50'000, 2), "", "Sat, 28 Nov 2026 09:00:01 GMT"});
  CHECK(contains(message_of([&] { read(file, 20'000, 100); }), "changed while it was read"));
}

TEST_CASE("a weak ETag is compared, and not sent as If-Match, which it would never be") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000), "W/\"one\""});
  const HttpFile file(server.url("/a"), quick());
  read(file, 20'000, 100);
  CHECK(server.seen()[1].headers.count("if-match") == 0);
  server.serve("/a", {made_bytes(50'000, 2), "W/\"two\""});
  CHECK(contains(message_of([&] { read(file, 20'000, 100); }), "changed while it was read"));
}

TEST_CASE("what passes is repeated: busy servers, broken connections, half answers, silence") {
  Fault fault;
  SUBCASE("503") {
    fault.status = 503;
  }
  SUBCASE("429") {
    fault.status = 429;
  }
  SUBCASE("500") {
    fault.status = 500;
  }
  SUBCASE("a reset connection") {
    fault.resets = true;
  }
  SUBCASE("a body cut short") {
    fault.body_bytes = 2000;
  }
  SUBCASE("a body shorter than its range says") {
    fault.length = 2000;
  }
  SUBCASE("no body") {
    fault.body_bytes = 0;
  }
  SUBCASE("a stall") {
    fault.stalls = true;
  }
  HttpServer server;
  const Bytes bytes = made_bytes(50'000);
  server.serve("/a", {bytes});
  HttpOptions options = quick(4);
  // Where silence is not what is waited for, nothing is repeated because the machine is busy.
  options.timeout = fault.stalls ? 200ms : 30s;
  const HttpFile file(server.url("/a"), options);
  server.forget();
  server.set_fault([&](const SeenRequest& request) { return request.number < 3 ? fault : Fault{}; });
  CHECK(read(file, 20'000, 10'000) == part_of(bytes, 20'000, 10'000));
  // libcurl itself asks again, once, where a connection that was kept had been closed meanwhile.
  const std::size_t asked_again = fault.resets ? 1 : 0;
  if (!fault.stalls) {  // on a busy machine a good answer may come too late for that one
    CHECK(server.count() == 4);
    CHECK(file.traffic()->total().requests == 5 - asked_again);
  }

  server.forget();
  server.set_fault([&](const SeenRequest&) { return fault; });
  const std::string message = message_of([&] { read(file, 20'000, 10'000); });
  if (!fault.stalls) CHECK(server.count() == 5 + asked_again);
  CHECK_MESSAGE(contains(message, "cannot read bytes 20000 to 29999 of " + file.path() + ": "), message);
  CHECK_MESSAGE(contains(message, "gave up after 5 requests"), message);
}

TEST_CASE(
    "a server's own failure is asked again whatever its number, but for a method or version that it does not "
    "know") {
  for (const int status : {500, 501, 502, 504, 505, 507, 509, 520, 529, 599}) {
    CAPTURE(status);
    HttpServer server;
    const Bytes bytes = made_bytes(50'000);
    server.serve("/a", {bytes});
    const HttpFile file(server.url("/a"), quick());
    server.forget();
    server.set_fault(
        [&](const SeenRequest& request) { return Fault{.status = request.number < 2 ? status : 0}; });
    if (status == 501 || status == 505)
      CHECK(contains(message_of([&] { read(file, 20'000, 100); }), fmt::format("status {}", status)));
    else
      CHECK(read(file, 20'000, 100) == part_of(bytes, 20'000, 100));
    CHECK(server.count() == (status == 501 || status == 505 ? 1 : 3));
  }
}

TEST_CASE(
    "an address where nobody has ever answered is refused at once, or awaited where that is asked for") {
  const std::string url = HttpServer().url("/a");
  HttpOptions options = quick();
  CHECK_FALSE(contains(message_of([&] { HttpFile(url, options); }), "gave up"));
  options.awaits_server = true;
  CHECK(contains(message_of([&] { HttpFile(url, options); }),
                 fmt::format("gave up after {} requests", options.retries + 1)));
}

TEST_CASE("a server that asks for patience gets it, up to the time that was allowed") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000)});
  HttpOptions options = quick();
  options.retry_time = 1500ms;
  const HttpFile file(server.url("/a"), options);
  server.set_fault([](const SeenRequest& request) {
    return request.number == 1 ? Fault{.status = 503, .headers = {"Retry-After: 1"}} : Fault{};
  });
  const auto begun = std::chrono::steady_clock::now();
  read(file, 20'000, 100);
  CHECK(std::chrono::steady_clock::now() - begun >= 990ms);
  CHECK(server.count() == 3);

  server.set_fault([](const SeenRequest&) { return Fault{.status = 429, .headers = {"Retry-After: 2"}}; });
  CHECK(contains(message_of([&] { read(file, 20'000, 100); }), "status 429"));
  CHECK(server.count() == 4);  // two seconds would have been too late
}

TEST_CASE("what repeating cannot change is refused at once") {
  HttpServer server;
  const Bytes bytes = made_bytes(50'000);
  server.serve("/a", {bytes});
  const auto open = [&](const std::string& path) { HttpFile(server.url(path), quick()); };
  CHECK(contains(message_of([&] { open("/none"); }), "there is no such file (status 404)"));
  const auto refused = [&](const Fault& fault, const std::string& words) {
    server.forget();
    server.set_fault([&](const SeenRequest&) { return fault; });
    const std::string message = message_of([&] { open("/a"); });
    CHECK_MESSAGE(contains(message, words), message);
    CHECK(contains(message, "cannot open " + server.url("/a")));
    CHECK(server.count() == 1);
  };
  refused({.status = 403}, "access is denied (status 403)");
  refused({.status = 401}, "access is denied (status 401)");
  refused({.status = 418}, "the server answers with status 418");
  refused({.content_range = "bytes 1-1000/50000"},
          "answers with other bytes (Content-Range 'bytes 1-1000/50000')");
  refused({.content_range = "bytes 0-1000/50000"}, "answers with other bytes");
  refused({.content_range = "bytes 0-999"}, "answers with other bytes");
  refused({.content_range = ""}, "answers with other bytes");
  refused({.content_range = "bytes 0-999/*"}, "does not say how long it is");
  refused({.content_range = "bytes 0-499/50000"}, "sends more than the 500 bytes");
  refused({.headers = {"Content-Encoding: gzip"}}, "sends it encoded");
}

TEST_CASE("a range that the server answers shorter than it was asked for is an error") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000)});
  const HttpFile file(server.url("/a"), quick());
  server.set_fault(
      [](const SeenRequest&) { return Fault{.content_range = "bytes 20000-20049/50000", .length = 50}; });
  CHECK(contains(message_of([&] { read(file, 20'000, 100); }), "gives only 50 bytes"));
}

TEST_CASE("where nobody listens, opening fails at once") {
  std::string url;
  {
    const HttpServer server;
    url = server.url("/a");
  }
  HttpOptions options = quick();
  options.retry_pause = 10s;
  const auto begun = std::chrono::steady_clock::now();
  CHECK(contains(message_of([&] { HttpFile(url, options); }), "cannot open " + url));
  CHECK(std::chrono::steady_clock::now() - begun < 5s);
}

TEST_CASE("redirections are followed once, up to a limit, and again where they end") {
  HttpServer server;
  const Bytes bytes = made_bytes(50'000);
  server.serve("/there?signature=1", {bytes});
  server.serve("/there?signature=2", {bytes});
  std::atomic<int> signature = 1;
  server.set_fault([&](const SeenRequest& request) {
    if (request.path == "/here")
      return Fault{.status = 302,
                   .headers = {fmt::format("Location: /there?signature={}", signature.load())}};
    if (request.path == "/loop") return Fault{.status = 302, .headers = {"Location: /loop"}};
    return request.path == fmt::format("/there?signature={}", signature.load()) ? Fault{}
                                                                                : Fault{.status = 403};
  });
  const HttpFile file(server.url("/here"), quick());
  CHECK(server.count() == 2);
  CHECK(read(file, 20'000, 100) == part_of(bytes, 20'000, 100));
  CHECK(server.count() == 3);
  CHECK(file.path() == server.url("/here"));
  signature = 2;
  CHECK(read(file, 20'000, 100) == part_of(bytes, 20'000, 100));
  CHECK(server.count() == 6);  // refused, then from the start
  CHECK(read(file, 30'000, 100) == part_of(bytes, 30'000, 100));
  CHECK(server.count() == 7);
  CHECK(file.traffic()->total().requests == 7);

  server.forget();
  HttpOptions few = quick();
  few.redirects = 3;
  CHECK(contains(message_of([&] { HttpFile(server.url("/loop"), few); }), "redirects"));
  CHECK(server.count() == 4);
}

TEST_CASE("no error shows a password or a signature") {
  HttpServer server;
  server.serve("/a?X-Signature=geheim", {made_bytes(50'000)});
  const HttpFile file(server.url("/a?X-Signature=geheim", "me:geheim@"), quick());
  CHECK(server.seen().front().headers.at("authorization") == "Basic bWU6Z2VoZWlt");
  CHECK(file.path() == server.url("/a?X-Signature=..."));
  for (const Fault& fault :
       {Fault{.status = 403}, Fault{.status = 503}, Fault{.resets = true},
        Fault{.content_range = "bytes 1-2/3"}, Fault{.status = 302, .headers = {"Location: ftp://a"}}}) {
    server.set_fault([&](const SeenRequest&) { return fault; });
    for (const std::string& message : {message_of([&] { read(file, 20'000, 100); }), message_of([&] {
                                         HttpFile(server.url("/a?X-Signature=geheim", "me:geheim@"), quick());
                                       })})
      CHECK_MESSAGE(!contains(message, "geheim"), message);
  }
}

TEST_CASE("a stop ends the waiting for an answer") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000)});
  HttpOptions options = quick();
  options.timeout = 60s;
  const HttpFile file(server.url("/a"), options);
  server.set_fault([](const SeenRequest&) { return Fault{.stalls = true}; });
  std::stop_source stop;
  auto reading = std::async(std::launch::async, [&] {
    try {
      read(file, 20'000, 100, stop.get_token());
    } catch (const Error& error) {
      return error.kind() == ErrorKind::cancelled;
    }
    return false;
  });
  while (server.count() < 2) std::this_thread::yield();
  const auto begun = std::chrono::steady_clock::now();
  stop.request_stop();
  CHECK(reading.get());
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
}

TEST_CASE("requests can be started without waiting, and those that still run end with the client") {
  HttpServer server;
  server.serve("/a", {made_bytes(50'000)});
  server.serve("/slow", {made_bytes(50'000)});
  server.set_fault([](const SeenRequest& request) { return Fault{.stalls = request.path == "/slow"}; });
  Bytes some(100), never(100);
  std::promise<HttpReply> good, cancelled;
  {
    HttpClient client(quick());
    client.start({.url = server.url("/slow"), .out = never},
                 [&](HttpReply&& reply) { cancelled.set_value(reply); });
    client.start({.url = server.url("/a"), .first = 7, .out = some},
                 [&](HttpReply&& reply) { good.set_value(reply); });
    const HttpReply reply = good.get_future().get();
    CHECK(reply.failure == "");
    CHECK(reply.status == 206);
    CHECK(reply.bytes == 100);
    CHECK(reply.range == ContentRange{7, 106, 50'000});
    CHECK(some == part_of(made_bytes(50'000), 7, 100));
  }
  CHECK(cancelled.get_future().get().was_cancelled);
}

}  // namespace
}  // namespace weir

#else

TEST_CASE("a URL without libcurl is refused in words") {
  try {
    weir::open_readable("http://127.0.0.1/a.tif");
    FAIL("nothing was thrown");
  } catch (const weir::Error& error) {
    CHECK(error.kind() == weir::ErrorKind::usage);
    CHECK(std::string(error.what()).find("built without libcurl") != std::string::npos);
  }
}

#endif
