#pragma once

#include <memory>
#include <string>

#include "nodes/stores/http_objects.hpp"
#include "nodes/stores/http_options.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

struct HttpStoreOptions {
  HttpOptions http = {};
  /// Buckets that do not let their keys be listed answer 403, and not 404, for what is not there. Taken for absence here, at the
  /// price that a missing permission is, too: chunks would be read as fill.
  bool denied_is_absent = false;
};

/// Objects behind http:// or https://, for reading: the key is the rest of the URL's path, before its query (a token). 404 and 410
/// are absence; 403 and 401 are Errors, see HttpStoreOptions. A server that knows no ranges is served with whole objects up to
/// HttpOptions::whole_bytes, of which one is held at a time. It cannot be listed.
class HttpStore : public Store {
 public:
  /// Sends nothing. A usage Error where this build has no libcurl.
  explicit HttpStore(std::string url, const HttpStoreOptions& options = {});

  const std::string& name() const override { return name_; }
  StoreAbilities abilities() const override { return {}; }
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const override;
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop = {},
                                   ObjectVersion* version = nullptr) const override;
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop = {},
                                       ObjectVersion* version = nullptr) const override;
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop = {},
                  ObjectVersion* version = nullptr) const override;
  std::unique_ptr<RangeReader> range_reader(unsigned at_once) const override;
  unsigned requests_at_once() const override { return objects_->traffic().at_once(); }
  /// As measured; before, 64 KiB: 5 ms at 100 Mbit/s, less than another round trip.
  std::uint64_t gap_bytes() const override { return objects_->gap_bytes(64 << 10); }
  Traffic* traffic() const override { return &objects_->traffic(); }
  std::uint64_t standing_bytes() const override { return sizeof *this + objects_->standing_bytes(); }

 private:
  HttpRequest request(std::string_view key) const;

  std::string base_, query_;  ///< the URL around the key
  const std::string name_;
  const HttpOptions http_;
  std::unique_ptr<HttpObjects> objects_;
};

}  // namespace weir
