#include "nodes/stores/http_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nodes/stores/http_ranges.hpp"
#include "nodes/stores/url.hpp"

namespace weir {

HttpStore::HttpStore(std::string url, const HttpStoreOptions& options)
    : name_(shown_path(url)), http_(options.http) {
  url.resize(std::min(url.find('#'), url.size()));
  const std::size_t query = std::min(url.find('?'), url.size());
  query_ = url.substr(query);
  base_ = url.substr(0, query);
  while (base_.ends_with('/')) base_.pop_back();
  HttpObjects::Ways ways;
  ways.request = [this](std::string_view key) { return request(key); };
  ways.is_absent = [denied_is_absent = options.denied_is_absent](const HttpReply& reply,
                                                                 std::string& reason) {
    if (reply.status == 404 || reply.status == 410) return true;
    if (reply.status != 401 && reply.status != 403) return false;
    reason = fmt::format("access is denied (status {})", reply.status);
    if (reply.status == 401) return false;
    reason += ", which buckets without listing say also of what is not there";
    return denied_is_absent;
  };
  ways.fail = [this](std::string_view key, std::string_view reason) { throw failure("read", key, reason); };
  objects_ = std::make_unique<HttpObjects>(options.http, std::move(ways));
}

HttpRequest HttpStore::request(std::string_view key) const {
  return {.url = fmt::format("{}/{}{}", base_, encode_url(key, true), query_)};
}

std::unique_ptr<RangeReader> HttpStore::range_reader(unsigned at_once) const {
  HttpOptions http = http_;
  http.requests = at_once;
  return std::make_unique<HttpRanges>(
      http, [this](std::string_view key) { return request(key); }, objects_->traffic());
}

std::optional<std::uint64_t> HttpStore::size(std::string_view key, const std::stop_token& stop) const {
  check_key(key);
  return objects_->get(key, {}, false, stop);
}
std::optional<std::uint64_t> HttpStore::get(std::string_view key, std::span<std::byte> out,
                                            const std::stop_token& stop, ObjectVersion* version) const {
  check_key(key);
  return objects_->get(key, out, false, stop, version);
}
std::optional<std::uint64_t> HttpStore::get_end(std::string_view key, std::span<std::byte> out,
                                                const std::stop_token& stop, ObjectVersion* version) const {
  check_key(key);
  return objects_->get(key, out, true, stop, version);
}
bool HttpStore::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                           const std::stop_token& stop, ObjectVersion* version) const {
  check_key(key);
  return objects_->get_ranges(key, ranges, stop, version);
}

}  // namespace weir
