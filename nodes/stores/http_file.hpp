#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "nodes/stores/http_client.hpp"
#include "nodes/stores/read_ahead.hpp"

namespace weir {

/// A file behind http:// or https://, read with range requests. The first one brings its beginning, its size and its
/// validators (ETag, else Last-Modified), which every later answer must repeat: a file that is changed while it is read
/// is an Error, its bytes never mix. A server that knows no ranges is taken for files of up to HttpOptions::whole_bytes,
/// which are kept whole. Where a redirection led, later requests go at once, and from the start again where that ends
/// (a signed URL that expires).
class HttpFile : public ReadableFile {
 public:
  /// Bytes of one request, at most; longer ranges become several at once.
  static constexpr std::uint64_t request_bytes = 8 << 20;

  /// Sends the first request. Throws Error, as all reads do: with the URL as shown_path() gives it, range and cause.
  explicit HttpFile(std::string url, const HttpOptions& options = {});
  ~HttpFile() override;

  const std::string& path() const override { return shown_; }
  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override;
  void read_ranges(std::span<const FileRange> ranges, const std::stop_token& stop = {}) const override;
  bool is_remote() const override { return true; }
  Traffic* traffic() const override { return &traffic_; }
  std::uint64_t requests_for(std::uint64_t offset, std::uint64_t bytes) const override;
  std::uint64_t standing_bytes() const override;

 private:
  void open();
  Error failure(const FileRange& range, std::string_view reason) const;
  std::vector<FileRange> without_prefix(std::span<const FileRange> ranges) const;
  std::vector<HttpReply> get(const std::vector<FileRange>& ranges, const std::string& url,
                             const std::stop_token& stop) const;
  void check(const FileRange& range, const HttpReply& reply) const;
  std::string target() const;
  void move_target(const std::string& from, const std::string& to) const;

  const std::string url_, shown_;
  std::shared_ptr<HttpClient> client_;
  mutable Traffic traffic_;
  std::uint64_t size_ = 0;
  std::string etag_, last_modified_;
  std::vector<std::byte> prefix_;  ///< the file's first bytes, or all of it
  mutable std::mutex target_mutex_;
  mutable std::string target_;  ///< where the file is found: url_, or where that leads
  mutable std::optional<ReadAhead> ahead_;
};

}  // namespace weir
