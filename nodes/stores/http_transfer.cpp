#include "nodes/stores/http_transfer.hpp"

#include <utility>

#ifdef WEIR_WITH_CURL

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace weir {
namespace {

/// What is read of an answer that nobody wants (an error page), so that its connection can be used again.
constexpr std::uint64_t unwanted_bytes = 64 << 10;

/// Fewer in HttpOptions::timeout are as good as none.
constexpr std::uint64_t audible_bytes = 1 << 10;

/// Of an attempt as a whole, in HttpOptions::timeout: for anything, and how many bytes have one more.
constexpr int fewest_timeouts = 4;
constexpr std::uint64_t timeout_bytes = 64 << 10;

/// Of an answer, and not of "100 Continue" and its like, of which there may be any number.
bool is_status_line(std::string_view line) {
  if (!line.starts_with("HTTP/")) return false;
  const std::size_t code = line.find(' ') + 1;
  return code < line.size() && line[code] != '1';
}

bool is_good(long status) {
  return status >= 200 && status < 300;
}

/// What asking again does not change.
bool is_final(CURLcode result) {
  switch (result) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_LOGIN_DENIED:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

bool is_no_connection(CURLcode result) {
  return result == CURLE_COULDNT_RESOLVE_HOST || result == CURLE_COULDNT_RESOLVE_PROXY ||
         result == CURLE_COULDNT_CONNECT;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_named(std::string_view name, std::string_view wanted) {
  return name.size() == wanted.size() && ::strncasecmp(name.data(), wanted.data(), name.size()) == 0;
}

}  // namespace

/// Called by curl, on the loop's thread; nothing may be thrown through it.
struct HttpTransfer::Callbacks {
  static std::size_t header(char* data, std::size_t, std::size_t bytes, void* of) noexcept {
    auto& transfer = *static_cast<HttpTransfer*>(of);
    transfer.note_heard(bytes, is_status_line({data, bytes}));
    try {
      return take_header(transfer, {data, bytes}) ? bytes : 0;
    } catch (...) {  // of our own strings: there is no memory
      transfer.error_[0] = '\0';
      return 0;
    }
  }

  static std::size_t body(char* data, std::size_t, std::size_t bytes, void* of) noexcept {
    auto& transfer = *static_cast<HttpTransfer*>(of);
    transfer.note_heard(bytes, !transfer.has_body_);
    transfer.reply.traffic.bytes += bytes;
    try {
      return take_body(transfer, {reinterpret_cast<const std::byte*>(data), bytes}) ? bytes : 0;
    } catch (...) {
      transfer.error_[0] = '\0';
      return 0;
    }
  }

  /// While a body is sent nothing is heard, and yet it goes on.
  static int progress(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) noexcept {
    auto& transfer = *static_cast<HttpTransfer*>(of);
    if (sent != transfer.sent_) transfer.last_heard = HttpTransfer::Clock::now();
    transfer.sent_ = sent;
    return 0;
  }

 private:
  static bool take_header(HttpTransfer& transfer, std::string_view line) {
    if (line.starts_with("HTTP/")) {  // of the next answer, after a redirection or "100 Continue"
      transfer.reply.etag.clear();
      transfer.reply.last_modified.clear();
      transfer.content_range_.clear();
      transfer.is_encoded_ = false;
      return true;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return true;
    const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
    if (is_named(name, "etag"))
      transfer.reply.etag = value;
    else if (is_named(name, "last-modified"))
      transfer.reply.last_modified = value;
    else if (is_named(name, "content-range"))
      transfer.content_range_ = value;
    else if (is_named(name, "content-encoding"))
      transfer.is_encoded_ = !value.empty() && !is_named(value, "identity");
    return true;
  }

  static bool take_body(HttpTransfer& transfer, std::span<const std::byte> data) {
    HttpReply& reply = transfer.reply;
    if (!transfer.has_body_) {
      transfer.has_body_ = true;
      curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &reply.status);
      choose_room(transfer);
      if (!transfer.refusal_.empty()) return false;
    }
    if (transfer.is_text_) {
      const std::size_t some = std::min(data.size(), transfer.request.text_bytes - reply.text.size());
      reply.text.append(reinterpret_cast<const char*>(data.data()), some);
      if (some == data.size()) return true;
      if (is_good(reply.status)) {
        reply.is_too_long = true;
        transfer.refusal_ = fmt::format("the answer has more than {} bytes", transfer.request.text_bytes);
        return false;
      }
    }
    if (transfer.is_text_ || !transfer.is_wanted_) {
      transfer.unwanted_ += data.size();
      return transfer.unwanted_ <= unwanted_bytes;
    }
    if (transfer.takes_part_) {
      const std::size_t skipped = std::min<std::uint64_t>(data.size(), transfer.skip_);
      transfer.skip_ -= skipped;
      data = data.subspan(skipped);
      transfer.has_enough_ = data.size() > transfer.room_.size() - reply.bytes;
      data = data.first(std::min(data.size(), transfer.room_.size() - reply.bytes));
    }
    if (data.size() > transfer.room_.size() - reply.bytes) {
      transfer.refusal_ =
          fmt::format("the server sends more than the {} bytes that it should", transfer.room_.size());
      return false;
    }
    if (!data.empty()) std::memcpy(transfer.room_.data() + reply.bytes, data.data(), data.size());
    reply.bytes += data.size();
    return !transfer.has_enough_;
  }

  /// Looks at the headers, before the first byte of the body is kept.
  static void choose_room(HttpTransfer& transfer) {
    HttpReply& reply = transfer.reply;
    const HttpRequest& request = transfer.request;
    transfer.is_wanted_ = request.method == HttpMethod::get && (reply.status == 200 || reply.status == 206);
    transfer.is_text_ =
        request.text_bytes > 0 && !(transfer.is_wanted_ && (!request.out.empty() || request.room));
    if (transfer.is_text_ || !transfer.is_wanted_) return;
    if (transfer.is_encoded_) {
      transfer.refusal_ = "the server sends it encoded (Content-Encoding), although it was asked not to";
    } else if (reply.status == 206) {
      reply.range = parse_content_range(transfer.content_range_);
      const std::optional<ContentRange>& range = reply.range;
      const std::uint64_t count = range && range->first ? *range->last - *range->first + 1 : 0;
      const bool is_right = count > 0 && count <= request.out.size() &&
                            (request.is_suffix ? range->size == *range->last + 1 &&
                                                     (count == request.out.size() || range->first == 0u)
                                               : range->first == request.first);
      if (is_right)
        transfer.room_ = request.is_suffix ? request.out.last(count) : request.out.first(count);
      else
        transfer.refusal_ =
            fmt::format("the server answers with other bytes (Content-Range '{}')", transfer.content_range_);
    } else {
      curl_off_t length = -1;
      curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
      if (length >= 0) reply.length = static_cast<std::uint64_t>(length);
      if (request.accepts_whole) {
        transfer.takes_part_ = true;
        transfer.skip_ = request.first;
        transfer.room_ = request.out;
        if (request.first + request.out.size() > transfer.options_.whole_bytes)
          transfer.refusal_ =
              fmt::format("the server gives no ranges, and byte {} is behind what is read whole",
                          request.first + request.out.size());
      } else if (!request.room)
        transfer.refusal_ = "the server answers with the whole file instead of the part that was asked for";
      else if (!reply.length)
        transfer.refusal_ = "the server gives no ranges, and does not say how long the file is";
      else if (transfer.room_ = request.room(*reply.length); transfer.room_.size() < *reply.length)
        transfer.refusal_ = fmt::format(
            "the server gives no ranges, and its {} bytes are more than is read whole", *reply.length);
    }
  }
};

HttpTransfer::HttpTransfer(HttpRequest what, HttpClient::Done then, const HttpOptions& options)
    : request(std::move(what)), done(std::move(then)), options_(options) {}

HttpTransfer::~HttpTransfer() {
  curl_slist_free_all(headers_);
}

void HttpTransfer::note_heard(std::uint64_t bytes, bool is_sign) {
  dripped += bytes;
  // S3 answers a request to put parts together, or to copy, with a space now and then until that is done.
  is_sign = is_sign || request.method != HttpMethod::get;
  if (!is_sign && dripped < audible_bytes) return;
  last_heard = Clock::now();
  dripped = 0;
}

void HttpTransfer::begin_attempt() {
  const Clock::time_point now = Clock::now();
  if (attempts++ == 0) first_begun = now;
  begun = last_heard = now;
  dripped = 0;
  takes_part_ = has_enough_ = false;
  skip_ = 0;
  has_body_ = is_encoded_ = is_wanted_ = is_text_ = false;
  sent_ = 0;
  room_ = {};
  unwanted_ = 0;
  error_[0] = '\0';
  content_range_.clear();
  HttpReply fresh;
  fresh.traffic = reply.traffic;
  fresh.was_sent = reply.was_sent;
  reply = std::move(fresh);
}

HttpTransfer::Clock::time_point HttpTransfer::whole_deadline() const {
  // S3 puts the parts of an upload together for minutes, and sends a space now and then: given up, all of it would be lost.
  if (request.method == HttpMethod::post && has_body_) return Clock::time_point::max();
  // An answer in text is a page of a listing, or what the server says of an error. The room is known once an answer has begun.
  const std::uint64_t wanted =
      std::max<std::uint64_t>(request.out.size(), room_.size()) + (takes_part_ ? request.first : 0);
  const std::uint64_t bytes = wanted + request.body.size() + request.text_bytes;
  return begun + options_.timeout * fewest_timeouts +
         options_.timeout * static_cast<std::int64_t>(bytes / timeout_bytes);
}

bool HttpTransfer::set_up() {
  bool is_set = true;
  const auto set = [&](CURLoption option, auto value) {
    is_set = is_set && curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  const auto add_header = [&](const char* line) {
    curl_slist* longer = curl_slist_append(headers_, line);
    is_set = is_set && longer != nullptr;
    if (longer != nullptr) headers_ = longer;
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PRIVATE, static_cast<void*>(this));
  static_assert(sizeof error_ >= CURL_ERROR_SIZE);
  set(CURLOPT_ERRORBUFFER, error_.data());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_BUFFERSIZE, static_cast<long>(options_.receive_bytes));
  set(CURLOPT_USERAGENT, "weir");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, static_cast<long>(options_.redirects));
  // What was asked for over TLS is not sent over a plain connection.
  const bool is_tls = request.url.starts_with("https:") || request.url.starts_with("HTTPS:");
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, is_tls ? "https" : "http,https");
  const std::int64_t connect =
      (options_.connect_timeout.count() > 0 ? options_.connect_timeout : options_.timeout).count();
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<std::int64_t>(connect, 1)));
  set(CURLOPT_HEADERFUNCTION, &Callbacks::header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, &Callbacks::body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(this));
  if (request.is_suffix)
    set(CURLOPT_RANGE, fmt::format("-{}", request.out.size()).c_str());
  else if (!request.out.empty())
    set(CURLOPT_RANGE, fmt::format("{}-{}", request.first, request.first + (request.out.size() - 1)).c_str());
  if (request.method == HttpMethod::erase) set(CURLOPT_CUSTOMREQUEST, "DELETE");
  if (request.method == HttpMethod::put || request.method == HttpMethod::post) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(CURLOPT_POSTFIELDS, request.body.empty() ? "" : reinterpret_cast<const char*>(request.body.data()));
    set(CURLOPT_CUSTOMREQUEST, request.method == HttpMethod::put ? "PUT" : "POST");
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Callbacks::progress);
    set(CURLOPT_XFERINFODATA, static_cast<void*>(this));
  }
  curl_slist_free_all(std::exchange(headers_, nullptr));  // of the try before
  if (request.method == HttpMethod::put || request.method == HttpMethod::post) {
    add_header("Content-Type:");  // curl would say that it is a form
    add_header("Expect:");        // and wait for the server's leave, a round trip
  }
  add_header("Accept-Encoding: identity");
  for (const std::string& line : request.headers) add_header(line.c_str());
  if (request.sign)
    for (const std::string& line : request.sign()) add_header(line.c_str());
  set(CURLOPT_HTTPHEADER, headers_);
  return is_set;
}

void HttpTransfer::note_sent() {
  curl_off_t connected = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
  reply.was_sent = reply.was_sent || connected > 0;
}

void HttpTransfer::read_answer() {
  note_sent();
  long redirections = 0;
  curl_off_t length = -1, retry_after = 0, sent = 0, answered = 0, ended = 0;
  const char* url = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &reply.status);
  curl_easy_getinfo(easy, CURLINFO_REDIRECT_COUNT, &redirections);
  curl_easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
  curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
  curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &answered);
  curl_easy_getinfo(easy, CURLINFO_TOTAL_TIME_T, &ended);
  reply.waiting = std::chrono::microseconds(std::max<curl_off_t>(answered - sent, 0));
  reply.receiving = std::chrono::microseconds(std::max<curl_off_t>(ended - answered, 0));
  if (length >= 0) reply.length = static_cast<std::uint64_t>(length);
  if (url != nullptr) reply.url = url;
  reply.traffic.requests += 1 + static_cast<std::uint64_t>(redirections);
  not_before = Clock::now() + std::chrono::seconds(std::clamp<curl_off_t>(retry_after, 0, 86'400));
}

HttpTransfer::Outcome HttpTransfer::outcome(int result, bool has_answered) {
  const auto code = static_cast<CURLcode>(result);
  const auto again = [](std::string reason) { return Outcome{true, std::move(reason)}; };
  const auto failed = [](std::string reason) { return Outcome{false, std::move(reason)}; };
  if (!refusal_.empty()) return failed(refusal_);
  if (has_enough_) return {};
  if (is_busy(reply.status)) return again(fmt::format("the server answers with status {}", reply.status));
  const bool is_unwanted = code == CURLE_WRITE_ERROR && unwanted_ > unwanted_bytes;
  if (code == CURLE_WRITE_ERROR && !is_unwanted) return failed("out of memory");
  if (code != CURLE_OK && !is_unwanted) {
    std::string reason = error_[0] != '\0' ? error_.data() : curl_easy_strerror(code);
    const bool is_lost = is_final(code) || (is_no_connection(code) && !has_answered);
    return is_lost ? failed(std::move(reason)) : again(std::move(reason));
  }
  if (reply.status == 416) reply.range = parse_content_range(content_range_);  // says how long it is
  if (reply.status == 206 && request.method == HttpMethod::get) {
    if (!has_body_) return again("the answer has no bytes");
    const std::uint64_t wanted = room_.size();
    if (reply.bytes < wanted) return again(fmt::format("the answer has {} of {} bytes", reply.bytes, wanted));
  }
  return {};
}

}  // namespace weir

#else

namespace weir {

HttpTransfer::~HttpTransfer() = default;

}  // namespace weir

#endif
