#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "framework/traffic.hpp"
#include "nodes/stores/http_client.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

/// The reading of objects that each have a URL: what HttpStore and S3Store share. Errors are thrown as the reason alone is
/// known: by `fail`, which throws.
class HttpObjects {
 public:
  /// Bytes of one request, at most; longer ranges become several at once.
  static constexpr std::uint64_t request_bytes = 8 << 20;
  /// How a store asks, and what it makes of an answer.
  struct Ways {
    /// URL and headers of a GET, with what signs its tries.
    std::function<HttpRequest(std::string_view key)> request;
    /// Of a status other than 200, 206, 412 and 416: true where it means that there is no such object; else the reason.
    std::function<bool(const HttpReply& reply, std::string& reason)> is_absent;
    /// Throws the store's Error.
    std::function<void(std::string_view key, std::string_view reason)> fail;
  };

  HttpObjects(const HttpOptions& options, Ways ways);

  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out, bool is_end,
                                   const std::stop_token& stop, ObjectVersion* version = nullptr);
  /// All bytes come from one version of the object: answers whose validators (ETag, else Last-Modified, and size) differ are
  /// asked for again, three times.
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop,
                  ObjectVersion* version = nullptr);
  /// Of an object with these validators, as a server sends them.
  static ObjectVersion version(const std::string& etag, const std::string& last_modified, std::uint64_t size);

  HttpClient& client() { return *client_; }
  Traffic& traffic() { return traffic_; }
  /// What a connection carries while a request waits for its answer, as measured so far; `usual` before.
  std::uint64_t gap_bytes(std::uint64_t usual) const;
  std::uint64_t standing_bytes() const;

 private:
  void learn(const HttpReply& reply);
  HttpReply send(HttpRequest request, const std::stop_token& stop);
  std::optional<std::uint64_t> get_whole(std::string_view key, const std::stop_token& stop,
                                         const std::function<void(std::span<const std::byte>)>& take,
                                         ObjectVersion* version);
  bool is_there(std::string_view key, const HttpReply& reply);
  std::optional<bool> try_ranges(std::string_view key, std::span<const ObjectRange> parts,
                                 const std::stop_token& stop, ObjectVersion* version);
  [[noreturn]] void fail(std::string_view key, std::string_view reason) const;

  const std::shared_ptr<HttpClient> client_;
  const Ways ways_;
  Traffic traffic_;
  /// Moving averages, each of the last 8 or so answers; 0: not known yet.
  std::atomic<double> waiting_seconds_ = 0, bytes_per_second_ = 0;
  /// Found out from its answers: the server sends whole objects only.
  std::atomic<bool> ignores_ranges_ = false;
  std::mutex whole_mutex_;  ///< one object is held whole at a time
};

/// Percent-encodes all but letters, digits and "-._~" (RFC 3986, 2.3), and slashes where they are to stay.
std::string encode_url(std::string_view text, bool keeps_slashes);
/// Back; what is no %XX stays. In queries and listings '+' is a space.
std::string decode_url(std::string_view text, bool plus_is_space);

}  // namespace weir
