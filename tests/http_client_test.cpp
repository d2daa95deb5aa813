// The client below stores and files: many requests at once, and links that bear fewer.
#ifdef WEIR_WITH_CURL

#include "nodes/stores/http_client.hpp"

#include <doctest/doctest.h>

#include <mutex>

#include "tests/http_server.hpp"

namespace weir {
namespace {

using namespace std::chrono_literals;
using test::Fault;
using test::HttpServer;
using test::made_bytes;
using test::part_of;
using test::SeenRequest;
using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;

HttpOptions quick_client() {
  HttpOptions options;
  options.timeout = 2s;
  options.retries = 3;
  options.retry_pause = 2ms;
  return options;
}

TEST_CASE("a whole object is read into memory made to its size") {
  HttpServer server;
  server.serve("/a", {made_bytes(5000)});
  HttpClient client(quick_client());
  Bytes whole;
  HttpRequest request{.url = server.url("/a")};
  request.room = [&](std::uint64_t bytes) {
    whole.resize(bytes);
    return std::span(whole);
  };
  std::vector<HttpRequest> requests;
  requests.push_back(std::move(request));
  CHECK(client.get(std::move(requests)).front().status == 200);
  CHECK(whole == made_bytes(5000));
  CHECK(server.seen().front().headers.count("range") == 0);
}

TEST_CASE("a thousand requests at a client's door are all answered, few at a time") {
  HttpServer server;
  const Bytes bytes = made_bytes(50'000);
  server.serve("/a", {bytes});
  HttpOptions options = quick_client();
  options.requests = 8;
  HttpClient client(options);
  std::vector<Bytes> parts(1000, Bytes(40));
  std::vector<HttpRequest> requests;
  for (std::size_t i = 0; i < parts.size(); ++i)
    requests.push_back({.url = server.url("/a"), .first = i * 40, .out = parts[i]});
  for (const HttpReply& reply : client.get(std::move(requests))) CHECK(reply.status == 206);
  for (std::size_t i = 0; i < parts.size(); ++i) CHECK(parts[i] == part_of(bytes, i * 40, 40));
  CHECK(server.most_in_flight() <= 8);
  CHECK(server.connections() <= 8);
}

TEST_CASE("tries that end late while bytes come are repeated fewer at once: the link bears no more") {
  HttpServer server;
  const Bytes bytes = made_bytes(16 << 10);
  server.serve("/a", {bytes});
  server.set_latency(80ms);
  std::mutex mutex;
  std::vector<Clock::time_point> begun;
  server.set_fault([&](const SeenRequest&) {
    const std::lock_guard lock(mutex);
    begun.push_back(Clock::now());
    return begun.size() <= 16 ? Fault{.piece = 1024, .pause = 150ms} : Fault{};
  });
  HttpOptions options = quick_client();
  options.timeout = 250ms;  // 1 s for each try, of which all would take 2.4 s
  options.requests = 16;
  HttpClient client(options);
  std::vector<Bytes> parts(16, Bytes(bytes.size()));
  std::vector<HttpRequest> requests;
  for (Bytes& part : parts) requests.push_back({.url = server.url("/a"), .out = part});
  for (const HttpReply& reply : client.get(std::move(requests))) CHECK(reply.status == 206);
  for (const Bytes& part : parts) CHECK(part == bytes);
  REQUIRE(begun.size() >= 32);
  CHECK(begun[31] - begun[16] > 60ms);  // not before the first eight have been answered
}

}  // namespace
}  // namespace weir

#endif
