#include "nodes/stores/http_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "framework/error.hpp"
#include "nodes/stores/web_time.hpp"

namespace weir {
namespace {

constexpr unsigned loop_requests = 256;

std::string_view code_of(const HttpReply& reply) {
  if (reply.was_cancelled) return "cancelled";
  const long status = reply.status;
  if (status == 404 || status == 410) return "not_found";
  if (status == 401 || status == 403) return "denied";
  if (is_busy(status)) return "busy";
  if (status == 0) return "no_answer";
  if (status != 200 && status != 206) return "status";
  // A good answer that broke off, or one that is not what was asked for.
  return reply.traffic.requests > 1 ? "no_answer" : "bad_answer";
}

RangeAnswer answer_of(const HttpReply& reply, std::uint64_t wanted) {
  RangeAnswer answer;
  if (reply.status != 0) answer.status = reply.status;
  answer.was_sent = reply.was_sent;
  answer.tries = static_cast<std::int64_t>(std::max<std::uint64_t>(1, reply.traffic.requests));
  const bool is_behind_end = reply.status == 416 && reply.range && reply.range->size;
  const bool is_good = reply.status == 206 || reply.status == 200 || is_behind_end;
  if (!reply.failure.empty() || !is_good) {
    answer.code = code_of(reply);
    answer.reason = reply.failure.empty() ? fmt::format("the server answers with status {}", reply.status)
                                          : reply.failure;
    return answer;
  }
  answer.bytes = is_behind_end ? 0 : reply.bytes;
  if (reply.status != 200)
    answer.size = reply.range->size;
  else if (reply.length)
    answer.size = reply.length;
  std::string_view etag = reply.etag;
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() > 1 && etag.front() == '"' && etag.back() == '"') etag = etag.substr(1, etag.size() - 2);
  answer.etag = etag;
  answer.last_modified = parse_http_time(reply.last_modified);
  const std::uint64_t first = reply.status == 206 && reply.range->first ? *reply.range->first : 0;
  if (reply.status == 206 && reply.bytes < wanted && answer.size && first + reply.bytes < *answer.size) {
    answer.code = "bad_answer";
    answer.reason = fmt::format("the server gives only {} of {} bytes", reply.bytes, wanted);
  }
  return answer;
}

}  // namespace

HttpRanges::HttpRanges(const HttpOptions& options, Request request, Traffic& traffic)
    : request_(std::move(request)), traffic_(traffic) {
  const unsigned loops = (std::max(options.requests, 1U) + loop_requests - 1) / loop_requests;
  for (unsigned i = 0; i < loops; ++i) {
    HttpOptions part = options;
    part.requests = (options.requests + i) / loops;
    part.rate = options.rate / loops;
    part.receive_bytes = 16 << 10;  // bodies are small, and requests many
    clients_.push_back(std::make_unique<HttpClient>(part));
  }
}

std::uint64_t HttpRanges::standing_bytes() const {
  std::uint64_t bytes = sizeof *this;
  for (const auto& client : clients_) bytes += client->standing_bytes();
  return bytes;
}

std::uint64_t HttpRanges::start(std::string_view key, std::uint64_t offset, std::span<std::byte> out,
                                Done done) {
  const std::uint64_t loop = next_.fetch_add(1, std::memory_order_relaxed) % clients_.size();
  HttpRequest request;
  try {
    request = request_(key);
  } catch (const Error& error) {
    RangeAnswer answer;
    answer.code = "unreadable";
    answer.was_sent = false;
    answer.reason = error.reason();
    done(std::move(answer));
    return 0;
  }
  request.first = offset;
  request.out = out;
  request.accepts_whole = true;
  request.text_bytes = 4096;  // of an error page
  const auto on_reply = [this, wanted = out.size(), done = std::move(done)](HttpReply&& reply) {
    traffic_.add(reply.traffic);
    done(answer_of(reply, wanted));
  };
  return clients_[loop]->start(std::move(request), on_reply) * clients_.size() + loop;
}

void HttpRanges::cancel(std::uint64_t number) {
  clients_[number % clients_.size()]->cancel(number / clients_.size());
}

}  // namespace weir
