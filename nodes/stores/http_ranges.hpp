#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "framework/traffic.hpp"
#include "nodes/stores/http_client.hpp"
#include "nodes/stores/range_reader.hpp"

namespace weir {

/// Over HTTP, on event loops of its own: one for every 256 requests in flight, as curl walks all of a handle's connections on each
/// turn.
class HttpRanges : public RangeReader {
 public:
  /// URL and headers of a GET. Thread-safe; may throw, which is the answer then.
  using Request = std::function<HttpRequest(std::string_view key)>;

  /// `options.requests` in flight, `options.rate` of all loops together. What `traffic` counts outlives this.
  HttpRanges(const HttpOptions& options, Request request, Traffic& traffic);

  std::uint64_t start(std::string_view key, std::uint64_t offset, std::span<std::byte> out,
                      Done done) override;
  void cancel(std::uint64_t number) override;
  bool waits() const override { return false; }
  unsigned threads() const override { return static_cast<unsigned>(clients_.size()); }
  std::uint64_t standing_bytes() const override;

 private:
  const Request request_;
  Traffic& traffic_;
  std::vector<std::unique_ptr<HttpClient>> clients_;
  std::atomic<std::uint64_t> next_ = 0;
};

}  // namespace weir
