#include "nodes/stores/http_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "framework/bytes.hpp"
#include "framework/error.hpp"

namespace weir {
namespace {

std::string reason_of_status(long status) {
  switch (status) {
    case 401:
    case 403:
      return fmt::format("access is denied (status {})", status);
    case 404:
    case 410:
      return fmt::format("there is no such file (status {})", status);
    case 412:
      return "it was changed while it was read (status 412)";
    case 416:
      return "it was changed while it was read: it has become shorter (status 416)";
    default:
      return fmt::format("the server answers with status {}", status);
  }
}

/// Where a URL that a redirection gave has ended, and the first one may lead to another.
bool is_gone(const HttpReply& reply) {
  return reply.failure.empty() && reply.status >= 400 && reply.status < 500 && reply.status != 412 &&
         reply.status != 416;
}

}  // namespace

HttpFile::HttpFile(std::string url, const HttpOptions& options)
    : url_(std::move(url)),
      shown_(shown_path(url_)),
      client_(HttpClient::shared(options)),
      traffic_(options.requests),
      target_(url_) {
  open();
  ahead_.emplace(size_, options.prefix_bytes, [this](std::uint64_t offset, std::span<std::byte> out) {
    const FileRange range{offset, out};
    read_ranges({&range, 1});
  });
}

HttpFile::~HttpFile() = default;

void HttpFile::open() {
  const HttpOptions& options = client_->options();
  std::vector<std::byte> whole;
  prefix_.resize(std::max<std::uint64_t>(options.prefix_bytes, 16));
  HttpRequest request{.url = url_, .out = prefix_};
  request.room = [&](std::uint64_t bytes) -> std::span<std::byte> {
    if (bytes > options.whole_bytes) return {};
    whole.resize(bytes);
    return whole;
  };
  std::vector<HttpRequest> requests;
  requests.push_back(std::move(request));
  const HttpReply reply = std::move(client_->get(std::move(requests)).front());
  traffic_.add(reply.traffic);
  const auto fail = [this](std::string_view reason) { throw Error("open", shown_, reason); };
  if (!reply.failure.empty()) fail(reply.failure);
  if (reply.status == 206) {
    if (!reply.range->size) fail("the server does not say how long it is");
    size_ = *reply.range->size;
    prefix_.resize(reply.bytes);
  } else if (reply.status == 200) {
    size_ = reply.bytes;
    prefix_ = std::move(whole);
  } else if (reply.status == 416 && reply.range && reply.range->size == 0u) {
    prefix_.clear();
  } else {
    fail(reason_of_status(reply.status));
  }
  prefix_.shrink_to_fit();
  etag_ = reply.etag;
  last_modified_ = reply.last_modified;
  if (!reply.url.empty()) target_ = reply.url;
}

std::uint64_t HttpFile::standing_bytes() const {
  return sizeof *this + url_.capacity() + 2 * shown_.capacity() + prefix_.capacity() +
         (prefix_.size() < size_ ? ReadAhead::capacity : 0) + client_->standing_bytes();
}

std::uint64_t HttpFile::requests_for(std::uint64_t offset, std::uint64_t bytes) const {
  const std::uint64_t begin = std::max<std::uint64_t>(offset, prefix_.size()), end = offset + bytes;
  return begin < end ? (end - begin - 1) / request_bytes + 1 : 0;
}

std::size_t HttpFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
  if (offset >= size_) return 0;
  out = out.first(std::min<std::uint64_t>(out.size(), size_ - offset));
  const FileRange range{offset, out};
  if (offset + out.size() <= prefix_.size() || out.size() > ReadAhead::largest_piece)
    read_ranges({&range, 1});
  else
    ahead_->read(offset, out);
  return out.size();
}

/// Copies what the prefix has; the rest in parts of at most request_bytes.
std::vector<FileRange> HttpFile::without_prefix(std::span<const FileRange> ranges) const {
  std::vector<FileRange> left;
  for (FileRange range : ranges) {
    if (range.offset > size_ || range.out.size() > size_ - range.offset)
      throw failure(range, fmt::format("it ends at byte {}", size_));
    if (range.offset < prefix_.size()) {
      const std::size_t some = std::min<std::uint64_t>(range.out.size(), prefix_.size() - range.offset);
      if (some > 0) std::memcpy(range.out.data(), prefix_.data() + range.offset, some);
      range = {range.offset + some, range.out.subspan(some)};
    }
    while (!range.out.empty()) {
      const std::size_t some = std::min<std::uint64_t>(range.out.size(), request_bytes);
      left.push_back({range.offset, range.out.first(some)});
      range = {range.offset + some, range.out.subspan(some)};
    }
  }
  return left;
}

void HttpFile::read_ranges(std::span<const FileRange> ranges, const std::stop_token& stop) const {
  const std::vector<FileRange> wanted = without_prefix(ranges);
  if (wanted.empty()) return;
  const std::string url = target();
  std::vector<HttpReply> replies = get(wanted, url, stop);
  if (url != url_ && std::ranges::any_of(replies, is_gone)) {
    std::vector<FileRange> again;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (!is_gone(replies[i])) continue;
      again.push_back(wanted[i]);
      places.push_back(i);
    }
    std::vector<HttpReply> second = get(again, url_, stop);
    for (std::size_t i = 0; i < places.size(); ++i) replies[places[i]] = std::move(second[i]);
    move_target(url, replies[places.front()].url);
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) check(wanted[i], replies[i]);
}

std::vector<HttpReply> HttpFile::get(const std::vector<FileRange>& ranges, const std::string& url,
                                     const std::stop_token& stop) const {
  std::vector<HttpRequest> requests;
  for (const FileRange& range : ranges) {
    HttpRequest request{.url = url, .first = range.offset, .out = range.out};
    // A weak validator never matches (RFC 9110, 13.1.1). A server that knows neither is found out by its answer.
    if (etag_.starts_with('"'))
      request.headers.push_back("If-Match: " + etag_);
    else if (etag_.empty() && !last_modified_.empty())
      request.headers.push_back("If-Unmodified-Since: " + last_modified_);
    requests.push_back(std::move(request));
  }
  std::vector<HttpReply> replies = client_->get(std::move(requests), stop);
  for (const HttpReply& reply : replies) traffic_.add(reply.traffic);
  return replies;
}

void HttpFile::check(const FileRange& range, const HttpReply& reply) const {
  if (reply.was_cancelled) throw Error::cancelled();
  if (!reply.failure.empty()) throw failure(range, reply.failure);
  if (reply.status != 206) throw failure(range, reason_of_status(reply.status));
  const bool is_same = (!reply.range->size || *reply.range->size == size_) && reply.etag == etag_ &&
                       (!etag_.empty() || reply.last_modified == last_modified_);
  if (!is_same) throw failure(range, "it was changed while it was read");
  if (reply.bytes != range.out.size())
    throw failure(range, fmt::format("the server gives only {} bytes of it", reply.bytes));
}

Error HttpFile::failure(const FileRange& range, std::string_view reason) const {
  return Error("read",
               fmt::format("bytes {} to {} of {}", range.offset, range.offset + range.out.size() - 1, shown_),
               reason);
}

std::string HttpFile::target() const {
  std::lock_guard lock(target_mutex_);
  return target_;
}

/// The same place again (a server that wants the user's name, which the first URL alone has): then the first URL from
/// now on.
void HttpFile::move_target(const std::string& from, const std::string& to) const {
  std::lock_guard lock(target_mutex_);
  if (target_ == from) target_ = to.empty() || to == from ? url_ : to;
}

}  // namespace weir
