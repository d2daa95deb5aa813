#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "nodes/stores/http_objects.hpp"
#include "nodes/stores/s3_options.hpp"
#include "nodes/stores/s3_signing.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

/// Objects of a bucket, at Amazon or any server that speaks its protocol, Google's included. 404 is absence, unless it is the bucket that is missing.
/// A writer collects parts of S3Options::part_bytes and sends each when it is full (multipart upload); what fits in one part is a
/// single put. What a writer copies passes through this process, and is of the version that was there at its first copy: an Error
/// where that has been replaced. There are no locks; a replacer's last request is conditional (If-Match, If-None-Match). Whether the server
/// heeds that is found out once, with an object "KEY.condition-NUMBER" that is gone afterwards: one that does not would let two writers overwrite
/// each other. A conditional request whose answer was lost and that is sent again finds its own object, and is outdated.
class S3Store : public Store {
 public:
  /// "s3://bucket", "s3://bucket/prefix"; with gs:// Google's, anonymous where no keys are given. Sends nothing. A usage Error for what is no such URL, where keys are missing, or where this
  /// build has not libcurl, OpenSSL and pugixml.
  explicit S3Store(const std::string& url, const S3Options& options = {});
  ~S3Store() override;

  const std::string& name() const override { return name_; }
  StoreAbilities abilities() const override {
    return {.write = true, .list = true, .copy = true, .compare = true};
  }
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const override;
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop = {},
                                   ObjectVersion* version = nullptr) const override;
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop = {},
                                       ObjectVersion* version = nullptr) const override;
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop = {},
                  ObjectVersion* version = nullptr) const override;
  void put(std::string_view key, std::span<const std::byte> bytes) const override;
  std::unique_ptr<ObjectWriter> writer(std::string_view key) const override;
  std::unique_ptr<ObjectWriter> replacer(std::string_view key, const ObjectVersion& old) const override;
  void replace(std::string_view key, const ObjectVersion& old,
               std::span<const std::byte> bytes) const override;
  void erase(std::string_view key) const override;
  /// Holds a page of at most 1000 keys at a time.
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override;
  std::unique_ptr<RangeReader> range_reader(unsigned at_once) const override;
  unsigned requests_at_once() const override { return objects_->traffic().at_once(); }
  /// As measured; before, 256 KiB: S3 answers after some 20 ms, in which a connection of it carries 1 to 2 MB.
  std::uint64_t gap_bytes() const override { return objects_->gap_bytes(256 << 10); }
  Traffic* traffic() const override { return &objects_->traffic(); }
  std::uint64_t standing_bytes() const override;
  std::uint64_t writer_bytes() const override;
  std::uint64_t listing_bytes() const override;

 private:
  class Writer;

  ObjectVersion put_object(std::string_view key, std::span<const std::byte> bytes,
                           const std::string& condition = "") const;
  HttpReply send_last(std::string_view key, HttpRequest request, const std::string& condition) const;
  void find_conditions(std::string_view key) const;
  void find_conditions_of_parts(std::string_view key) const;
  std::string condition_of(std::string_view key, const ObjectVersion& old) const;
  Error heeds_no_condition(std::string_view key, std::string_view which) const;
  std::string object_name(std::string_view key) const;
  HttpRequest request(HttpMethod method, std::string_view object, const S3Query& query,
                      std::span<const std::byte> body = {}) const;
  HttpReply ask(HttpRequest request, const std::stop_token& stop = {}) const;
  HttpReply send(std::string_view action, std::string_view key, HttpRequest request,
                 const std::stop_token& stop = {}) const;
  HttpReply send_listing(std::string_view prefix, HttpRequest request, const std::stop_token& stop) const;
  void find_keys();

  std::string name_, bucket_, prefix_;  ///< the prefix ends in a slash, or is empty
  std::string origin_, host_,
      base_;  ///< "https://host:port", "host:port", what stands before an object's name
  S3Options options_;
  S3Keys keys_;
  std::unique_ptr<HttpObjects> objects_;
  mutable std::mutex conditions_mutex_;
  mutable bool heeds_conditions_ = false, heeds_those_of_parts_ = false;  ///< found out
  mutable std::mutex listing_mutex_;  ///< one answer's XML is held as a tree at a time
};

}  // namespace weir
