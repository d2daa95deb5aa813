#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "framework/traffic.hpp"
#include "nodes/stores/http_options.hpp"
#include "nodes/stores/url.hpp"

namespace weir {

enum class HttpMethod { get, put, post, erase };

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers = {};  ///< beside our own: "If-Match: \"1a\""
  /// More of them, made for each try when it is handed to libcurl, as a signature is good for minutes, and a request may wait longer
  /// for its place or its next try. Called on the loop's thread: it must be quick; an Error is the request's failure.
  std::function<std::vector<std::string>()> sign = {};
  /// The bytes that are wanted: as many as `out` has, from `first` on. The body lands there, while the request runs; the
  /// memory outlives it. Empty: the whole object.
  std::uint64_t first = 0;
  std::span<std::byte> out = {};
  /// Where the server answers with the whole object (200): called with its size, on the loop's thread; gives the memory
  /// for it, or nothing to refuse it. Without it such an answer is refused.
  std::function<std::span<std::byte>(std::uint64_t bytes)> room = {};
  /// Where the server answers with the whole object (200), what is wanted is taken out of it, and the rest is not waited for. For bytes
  /// up to HttpOptions::whole_bytes; those behind are refused.
  bool accepts_whole = false;
  /// The last bytes are wanted, as many as `out` has, instead of those from `first` on; fewer, right-aligned in `out`, where
  /// the object is smaller.
  bool is_suffix = false;
  HttpMethod method = HttpMethod::get;
  std::span<const std::byte> body = {};  ///< of put and post; the memory outlives the request
  /// Where bodies that go neither to `out` nor to `room` (error pages, answers in XML) are kept, in HttpReply::text, up to so
  /// many bytes. More of a good answer is refused, more of an error is cut off. 0: they are not kept.
  std::size_t text_bytes = 0;
};

/// What came of a request, after all repetitions.
struct HttpReply {
  /// Why there is no answer that can be used, as the reason of an Error; empty where there is one. A status other than
  /// 200 and 206 is an answer, unless repeating was of no avail.
  std::string failure;
  bool was_cancelled = false;
  bool was_sent = false;                ///< in any attempt there was a connection to a server
  bool is_too_long = false;             ///< more text than HttpRequest::text_bytes
  long status = 0;                      ///< of the last answer; 0: none came
  std::uint64_t bytes = 0;              ///< of the body, in the caller's memory
  std::optional<ContentRange> range;    ///< of a 206, consistent with what was asked for and what came
  std::optional<std::uint64_t> length;  ///< Content-Length
  std::string etag, last_modified;      ///< as sent; empty: not sent
  std::string text;                     ///< see HttpRequest::text_bytes
  std::string url;                      ///< where it came from, redirections followed
  TrafficCount traffic;                 ///< of all attempts
  /// Of the last attempt: until the first byte of the answer, connecting aside, and from there to its end.
  std::chrono::microseconds waiting{0}, receiving{0};
};

/// A busy server, or a gateway that lost its own: 5xx whatever the number, as 507, 509 and 520 to 529 are in use, but for what a
/// server will not know the next time either: a method (501), a version of HTTP (505).
inline bool is_busy(long status) {
  return status == 408 || status == 429 || (status >= 500 && status < 600 && status != 501 && status != 505);
}

/// Requests over HTTP, many at once: one thread drives them all (libcurl's multi interface), connections are kept
/// alive, waiting for a busy server holds up no thread. A server that says it is busy (429, 503) has fewer at once for a while. Requests start in the order they were given, at most
/// HttpOptions::requests at once. Proxies as the environment says (http_proxy, no_proxy ...), certificates checked. Thread-safe.
class HttpClient {
 public:
  /// Starts the thread. A usage Error where this build has no libcurl.
  explicit HttpClient(const HttpOptions& options);
  /// Cancels what still runs, calls its `done`, joins the thread. Not from a `done`.
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// The client that all users of equal options share; it ends with the last of them.
  static std::shared_ptr<HttpClient> shared(const HttpOptions& options);

  const HttpOptions& options() const;

  /// Called once per request, on the loop's thread: it must be quick, and must not throw. It may start others.
  using Done = std::function<void(HttpReply&& reply)>;
  /// Returns at once, with the request's number.
  std::uint64_t start(HttpRequest request, Done done);
  /// Ends a request: its `done` is called soon, and its memory is not touched after that. Nothing happens where it is
  /// over.
  void cancel(std::uint64_t number);
  /// Starts all and waits for all. A stop cancels them.
  std::vector<HttpReply> get(std::vector<HttpRequest> requests, const std::stop_token& stop = {});

  /// Bytes that its connections keep in buffers, at most.
  std::uint64_t standing_bytes() const;

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace weir
