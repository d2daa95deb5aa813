#include "nodes/stores/http_store.hpp"

#include <doctest/doctest.h>

#include "tests/store_support.hpp"

using namespace weir;
using namespace weir::test;

#ifdef WEIR_WITH_CURL

namespace {

void serve_some(HttpServer& server) {
  for (const auto& [key, bytes] : some_objects())
    server.serve("/x.zarr/" + encode_url(key, true), {.bytes = bytes});
}

HttpStoreOptions quick_store() {
  HttpStoreOptions options;
  options.http.retry_pause = std::chrono::milliseconds(1);
  options.http.timeout = std::chrono::milliseconds(2000);
  return options;
}

}  // namespace

TEST_CASE("objects behind http keep what the interface of stores promises of reading") {
  for (const bool ignores_range : {false, true}) {
    CAPTURE(ignores_range);
    HttpServer server;
    serve_some(server);
    server.set_fault([&](const SeenRequest&) {
      Fault fault;
      fault.ignores_range = ignores_range;
      return fault;
    });
    check_reading(HttpStore(server.url("/x.zarr/"), quick_store()));
  }
}

TEST_CASE("each read of an object behind http is one request, and each range is one") {
  HttpServer server;
  serve_some(server);
  const HttpStore store(server.url("/x.zarr"), quick_store());
  Bytes out(100);
  store.get("a/b/c/0/0", out);
  CHECK(server.count() == 1);
  store.get_end("a/b/c/0/0", out);
  CHECK(server.count() == 2);
  static_cast<void>(store.size("a/b/c/0/0"));
  CHECK(server.count() == 3);
  std::vector<Bytes> outs(5, Bytes(10));
  std::vector<ObjectRange> ranges;
  for (std::size_t i = 0; i < outs.size(); ++i) ranges.push_back({i * 1000, outs[i]});
  store.get_ranges("a/b/c/0/0", ranges);
  CHECK(server.count() == 8);
  get_small(store, "zarr.json", 1 << 20);
  CHECK(server.count() == 9);
  CHECK(store.traffic()->total().requests == 9);
  CHECK(store.requests_at_once() == quick_store().http.requests);
}

TEST_CASE("a token in the URL's query goes to the server and not into messages") {
  HttpServer server;
  server.serve("/x/a%20b?token=secret", {.bytes = made_bytes(5)});
  const HttpStore store(server.url("/x?token=secret#part"), quick_store());
  CHECK(store.size("a b") == 5u);
  CHECK(store.name().find("secret") == std::string::npos);
}

TEST_CASE("an object that is replaced between the ranges of one call is read again, from one version") {
  HttpServer server;
  const Bytes one = made_bytes(1000, 1), two = made_bytes(1000, 2);
  server.serve("/x/a", {.bytes = one, .etag = "\"one\""});
  const HttpStore store(server.url("/x"), quick_store());
  Bytes front(500), back(500);
  const std::vector<ObjectRange> ranges{{0, front}, {500, back}};
  // The first answer claims an older version: as if it had been replaced after it.
  server.set_fault([](const SeenRequest& seen) {
    Fault fault;
    if (seen.number == 0) fault.etag = "\"older\"";
    return fault;
  });
  CHECK(store.get_ranges("a", ranges));
  CHECK(server.count() == 4);
  CHECK(std::equal(front.begin(), front.end(), one.begin()));
  CHECK(std::equal(back.begin(), back.end(), one.begin() + 500));
  // Never the same.
  server.set_fault([](const SeenRequest& seen) {
    Fault fault;
    fault.etag = fmt::format("\"{}\"", seen.number);
    return fault;
  });
  check_names_both(store, "a", [&] { store.get_ranges("a", ranges); });
  // Gone in between.
  server.set_fault([](const SeenRequest& seen) {
    Fault fault;
    if (seen.range && seen.range->first == 0) fault.status = 404;
    return fault;
  });
  check_names_both(store, "a", [&] { store.get_ranges("a", ranges); });
}

TEST_CASE("a server that is busy or breaks off is asked again, and one that refuses is an error") {
  HttpServer server;
  serve_some(server);
  const HttpStore store(server.url("/x.zarr"), quick_store());
  const Bytes& wanted = some_objects().at("a/b/c/0/0");
  for (int kind = 0; kind < 3; ++kind) {
    CAPTURE(kind);
    server.forget();
    server.set_fault([kind](const SeenRequest& seen) {
      Fault fault;
      if (seen.number % 2 != 0) return fault;
      if (kind == 0) fault.status = 503;
      if (kind == 1) fault.body_bytes = 7;
      if (kind == 2) fault.resets = true;
      return fault;
    });
    CHECK((whole(store, "a/b/c/0/0") == wanted));
  }
  Bytes out(10);
  for (const int status : {401, 403, 400, 418}) {
    CAPTURE(status);
    server.set_fault([status](const SeenRequest&) {
      Fault fault;
      fault.status = status;
      return fault;
    });
    check_names_both(store, "zarr.json", [&] { store.get("zarr.json", out); });
    check_names_both(store, "zarr.json", [&] { store.get_end("zarr.json", out); });
    HttpStoreOptions options = quick_store();
    options.denied_is_absent = true;
    const HttpStore lenient(server.url("/x.zarr"), options);
    if (status == 403)
      CHECK_FALSE(lenient.get("zarr.json", out));
    else
      CHECK_THROWS_AS(lenient.get("zarr.json", out), Error);
  }
}

TEST_CASE("wrong answers to a range are refused: other bytes, other sizes, a suffix that is none") {
  HttpServer server;
  serve_some(server);
  const HttpStore store(server.url("/x.zarr"), quick_store());
  Bytes out(100);
  for (const std::string text : {"bytes 1-100/100000", "bytes 0-99/*", "bytes 0-98/100000", "nonsense"}) {
    CAPTURE(text);
    server.set_fault([text](const SeenRequest&) {
      Fault fault;
      fault.content_range = text;
      return fault;
    });
    CHECK_THROWS_AS(store.get("a/b/c/0/0", out), Error);
    CHECK_THROWS_AS(store.get_end("a/b/c/0/0", out), Error);
  }
}

TEST_CASE("a stop ends the waiting for a server that says nothing") {
  HttpServer server;
  serve_some(server);
  server.set_latency(std::chrono::milliseconds(1500));
  const HttpStore store(server.url("/x.zarr"), quick_store());
  std::stop_source stop;
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    stop.request_stop();
  });
  Bytes out(10);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(error_of([&] { store.get("zarr.json", out, stop.get_token()); }).kind() == ErrorKind::cancelled);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(1000));
  later.join();
}

#endif
