#include "nodes/stores/http_objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

namespace weir {
namespace {

constexpr int tries_for_one_version = 3;
// Shorter bodies come at once, in what the network holds, and tell nothing of its rate.
constexpr std::uint64_t telling_bytes = 256 << 10;
// Whatever is measured: a packet or two more are never worth a request, and longer ranges become several ones.
constexpr double least_gap = 16 << 10, longest_gap = HttpObjects::request_bytes;
// Of an error page: enough for what S3 says.
constexpr std::size_t error_text_bytes = 4096;

/// Of a part of it.
ObjectVersion version_of(const HttpReply& reply) {
  return HttpObjects::version(reply.etag, reply.last_modified,
                              reply.range && reply.range->size ? *reply.range->size : 0);
}

}  // namespace

HttpObjects::HttpObjects(const HttpOptions& options, Ways ways)
    : client_(HttpClient::shared(options)), ways_(std::move(ways)), traffic_(options.requests) {}

std::uint64_t HttpObjects::standing_bytes() const {
  return sizeof *this + client_->standing_bytes() + (ignores_ranges_ ? client_->options().whole_bytes : 0);
}

ObjectVersion HttpObjects::version(const std::string& etag, const std::string& last_modified,
                                   std::uint64_t size) {
  const std::hash<std::string> hash;
  return {
      {etag.empty() ? 0 : hash(etag), etag.empty() && !last_modified.empty() ? hash(last_modified) : 0, size},
      etag.starts_with("W/") ? "" : etag};
}

void HttpObjects::fail(std::string_view key, std::string_view reason) const {
  ways_.fail(key, reason);
  std::terminate();
}

// Who learns at the same time may undo what the other has learned: no harm in that.
void HttpObjects::learn(const HttpReply& reply) {
  if (!reply.failure.empty() || (reply.status != 200 && reply.status != 206)) return;
  const auto add = [](std::atomic<double>& average, double now) {
    const double before = average.load(std::memory_order_relaxed);
    average.store(before == 0 ? now : before + (now - before) / 8, std::memory_order_relaxed);
  };
  add(waiting_seconds_, std::chrono::duration<double>(reply.waiting).count());
  if (reply.bytes >= telling_bytes)
    add(bytes_per_second_, static_cast<double>(reply.bytes) /
                               std::max(std::chrono::duration<double>(reply.receiving).count(), 1e-6));
}

std::uint64_t HttpObjects::gap_bytes(std::uint64_t usual) const {
  const double rate = bytes_per_second_.load(std::memory_order_relaxed);
  if (rate == 0) return usual;
  const double bytes = rate * waiting_seconds_.load(std::memory_order_relaxed);
  return static_cast<std::uint64_t>(std::clamp(bytes, least_gap, longest_gap));
}

HttpReply HttpObjects::send(HttpRequest request, const std::stop_token& stop) {
  std::vector<HttpRequest> requests;
  requests.push_back(std::move(request));
  HttpReply reply = std::move(client_->get(std::move(requests), stop).front());
  traffic_.add(reply.traffic);
  learn(reply);
  if (reply.was_cancelled) throw Error::cancelled();
  return reply;
}

/// Throws what is neither an object nor its absence.
bool HttpObjects::is_there(std::string_view key, const HttpReply& reply) {
  if (!reply.failure.empty()) fail(key, reply.failure);
  if (reply.status == 200 || reply.status == 206) return true;
  std::string reason = fmt::format("the server answers with status {}", reply.status);
  if (ways_.is_absent(reply, reason)) return false;
  fail(key, reason);
}

std::optional<std::uint64_t> HttpObjects::get_whole(
    std::string_view key, const std::stop_token& stop,
    const std::function<void(std::span<const std::byte>)>& take, ObjectVersion* version) {
  const std::lock_guard guard(whole_mutex_);
  std::vector<std::byte> whole;
  HttpRequest request = ways_.request(key);
  request.text_bytes = error_text_bytes;
  request.room = [&](std::uint64_t bytes) -> std::span<std::byte> {
    if (bytes > client_->options().whole_bytes) return {};
    whole.resize(bytes);
    return whole;
  };
  const HttpReply reply = send(std::move(request), stop);
  if (!is_there(key, reply)) return std::nullopt;
  if (reply.bytes != whole.size()) fail(key, "the answer is not whole");
  take(whole);
  if (version != nullptr) *version = HttpObjects::version(reply.etag, reply.last_modified, whole.size());
  return whole.size();
}

std::optional<std::uint64_t> HttpObjects::get(std::string_view key, std::span<std::byte> out, bool is_end,
                                              const std::stop_token& stop, ObjectVersion* version) {
  if (!ignores_ranges_) {
    std::byte one{};
    HttpRequest request = ways_.request(key);
    request.out = out.empty() ? std::span(&one, 1) : out;  // for the size alone, too
    request.is_suffix = is_end;
    request.text_bytes = error_text_bytes;
    bool is_whole = false;
    request.room = [&](std::uint64_t bytes) -> std::span<std::byte> {
      is_whole = true;
      if (bytes > out.size()) return {};
      return is_end ? out.last(bytes) : out.first(bytes);
    };
    const HttpReply reply = send(std::move(request), stop);
    if (is_whole) ignores_ranges_ = true;  // an empty object may be answered so by any server
    if (reply.status == 416) return 0;     // no byte at all, where the first or the last ones were wanted
    if (!is_whole || reply.failure.empty()) {
      if (!is_there(key, reply)) return std::nullopt;
      if (reply.status == 200) {
        if (version != nullptr) *version = HttpObjects::version(reply.etag, reply.last_modified, reply.bytes);
        return reply.bytes;
      }
      if (!reply.range->size) fail(key, "the server does not say how long it is");
      const std::uint64_t size = *reply.range->size;
      if (reply.bytes < std::min<std::uint64_t>(out.size(), size))
        fail(key, fmt::format("the server gives only {} bytes of it", reply.bytes));
      if (version != nullptr) *version = version_of(reply);
      return size;
    }
  }
  const auto copy = [&](std::span<const std::byte> whole) {
    const std::size_t some = std::min(out.size(), whole.size());
    if (some == 0) return;
    if (is_end)
      std::memcpy(out.last(some).data(), whole.last(some).data(), some);
    else
      std::memcpy(out.data(), whole.data(), some);
  };
  return get_whole(key, stop, copy, version);
}

bool HttpObjects::get_ranges(std::string_view key, std::span<const ObjectRange> ranges,
                             const std::stop_token& stop, ObjectVersion* version) {
  std::uint64_t needed = 0;  // the object's size, at least
  std::vector<ObjectRange> parts;
  for (ObjectRange range : ranges) {
    if (range.offset >> 62 != 0 || range.out.size() >> 62 != 0) fail(key, "no object is that long");
    needed = std::max(needed, range.offset + range.out.size());
    while (!range.out.empty()) {
      const std::size_t some = std::min<std::uint64_t>(range.out.size(), request_bytes);
      parts.push_back({range.offset, range.out.first(some)});
      range = {range.offset + some, range.out.subspan(some)};
    }
  }
  if (parts.empty()) {
    const std::optional<std::uint64_t> size = get(key, {}, false, stop, version);
    if (size && *size < needed) fail(key, fmt::format("it ends at byte {}", *size));
    return size.has_value();
  }
  for (int tries = 0; tries < tries_for_one_version && !ignores_ranges_; ++tries)
    if (const std::optional<bool> done = try_ranges(key, parts, stop, version)) return *done;
  if (!ignores_ranges_) fail(key, "it is changed all the time while it is read");
  const auto copy = [&](std::span<const std::byte> whole) {
    if (whole.size() < needed) fail(key, fmt::format("it ends at byte {}", whole.size()));
    for (const ObjectRange& part : parts)
      std::memcpy(part.out.data(), whole.data() + part.offset, part.out.size());
  };
  return get_whole(key, stop, copy, version).has_value();
}

/// Nothing where the answers are of several versions, or the server knows no ranges.
std::optional<bool> HttpObjects::try_ranges(std::string_view key, std::span<const ObjectRange> parts,
                                            const std::stop_token& stop, ObjectVersion* version) {
  std::atomic<bool> is_whole = false;
  std::vector<HttpRequest> requests;
  for (const ObjectRange& part : parts) {
    HttpRequest request = ways_.request(key);
    request.first = part.offset;
    request.out = part.out;
    request.text_bytes = error_text_bytes;
    request.room = [&](std::uint64_t) -> std::span<std::byte> {
      is_whole = true;
      return {};
    };
    requests.push_back(std::move(request));
  }
  const std::vector<HttpReply> replies = client_->get(std::move(requests), stop);
  for (const HttpReply& reply : replies) {
    traffic_.add(reply.traffic);
    learn(reply);
  }
  for (const HttpReply& reply : replies)
    if (reply.was_cancelled) throw Error::cancelled();
  if (is_whole) {
    ignores_ranges_ = true;
    return std::nullopt;
  }
  // One object, the whole time? One that has vanished, or is shorter than some answers say, is another one.
  std::size_t there = 0, beyond = 0;
  bool is_one = true;
  const HttpReply* first = nullptr;
  for (const HttpReply& reply : replies) {
    if (reply.failure.empty() && reply.status == 416) {
      ++beyond;
      continue;
    }
    if (!is_there(key, reply)) continue;
    ++there;
    if (first == nullptr) first = &reply;
    is_one = is_one && version_of(reply) == version_of(*first);
  }
  const std::size_t absent = replies.size() - there - beyond;
  if (!is_one || (absent > 0 && absent < replies.size())) return std::nullopt;
  if (absent > 0) return false;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const HttpReply& reply = replies[i];
    if (reply.status == 206 && reply.bytes == parts[i].out.size()) continue;
    const std::optional<std::uint64_t> size = reply.range ? reply.range->size : std::nullopt;
    fail(key, size ? fmt::format("it ends at byte {}", *size)
                   : fmt::format("it has less than the {} bytes that it should",
                                 parts[i].offset + parts[i].out.size()));
  }
  if (version != nullptr) *version = version_of(replies.front());
  return true;
}

std::string encode_url(std::string_view text, bool keeps_slashes) {
  std::string encoded;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                          c == '-' || c == '.' || c == '_' || c == '~' || (c == '/' && keeps_slashes);
    if (is_plain)
      encoded += c;
    else
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return encoded;
}

std::string decode_url(std::string_view text, bool plus_is_space) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ptr == text.data() + i + 3) {
      plain += static_cast<char>(byte);
      i += 2;
    } else {
      plain += text[i] == '+' && plus_is_space ? ' ' : text[i];
    }
  }
  return plain;
}

}  // namespace weir
