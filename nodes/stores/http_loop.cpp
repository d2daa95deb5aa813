#include "nodes/stores/http_loop.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"

#ifdef WEIR_WITH_CURL

#include <curl/curl.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace weir {
namespace {

/// What is read of an answer that nobody wants (an error page), so that its connection can be used again.
constexpr std::uint64_t unwanted_bytes = 64 << 10;
/// Of requests that HttpOptions::rate spaces: those of so long may begin together, as a wait has milliseconds.
constexpr std::chrono::milliseconds rate_grain{10};

/// A busy server, or a gateway that lost its own.
bool is_passing(long status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
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

void initialise_curl() {
  static const CURLcode result =
      curl_global_init(CURL_GLOBAL_DEFAULT);  // once in the process, never undone: others
                                              // may use libcurl, too
  if (result != CURLE_OK) throw Error("start", "libcurl", curl_easy_strerror(result));
}

/// Signals are other threads' affair. SIGPIPE is raised on the thread that writes: OpenSSL cannot do without.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

struct HttpClient::Loop::Transfer {
  std::uint64_t number = 0;
  HttpRequest request;
  Done done;
  HttpReply reply;

  std::uint64_t most_whole_bytes = 0;
  unsigned attempts = 0;
  Clock::time_point first_begun, begun, not_before;

  // Of one attempt.
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  char error[CURL_ERROR_SIZE] = "";
  Clock::time_point last_heard;
  bool has_body = false, is_encoded = false;
  bool is_wanted = false, is_text = false;  ///< the body
  std::span<std::byte> room;
  std::uint64_t skip = 0;   ///< bytes of a whole object in front of the wanted ones
  bool takes_part = false;  ///< of a whole object
  bool has_enough = false;  ///< of it; we ended the transfer
  std::uint64_t unwanted = 0;
  curl_off_t sent = 0;
  std::string content_range;
  std::string refusal;  ///< why we ended it, for good

  ~Transfer() { curl_slist_free_all(headers); }
};

/// Called by curl, on the loop's thread; nothing may be thrown through it.
struct HttpClient::Loop::Callbacks {
  static std::size_t header(char* data, std::size_t, std::size_t bytes, void* of) noexcept {
    auto& transfer = *static_cast<Transfer*>(of);
    transfer.last_heard = Clock::now();
    try {
      return take_header(transfer, {data, bytes}) ? bytes : 0;
    } catch (...) {  // of our own strings: there is no memory
      transfer.error[0] = '\0';
      return 0;
    }
  }

  static std::size_t body(char* data, std::size_t, std::size_t bytes, void* of) noexcept {
    auto& transfer = *static_cast<Transfer*>(of);
    transfer.last_heard = Clock::now();
    transfer.reply.traffic.bytes += bytes;
    try {
      return take_body(transfer, {reinterpret_cast<const std::byte*>(data), bytes}) ? bytes : 0;
    } catch (...) {
      transfer.error[0] = '\0';
      return 0;
    }
  }

  /// While a body is sent nothing is heard, and yet it goes on.
  static int progress(void* of, curl_off_t, curl_off_t, curl_off_t, curl_off_t sent) noexcept {
    auto& transfer = *static_cast<Transfer*>(of);
    if (sent != transfer.sent) transfer.last_heard = Clock::now();
    transfer.sent = sent;
    return 0;
  }

 private:
  static bool take_header(Transfer& transfer, std::string_view line) {
    if (line.starts_with("HTTP/")) {  // of the next answer, after a redirection or "100 Continue"
      transfer.reply.etag.clear();
      transfer.reply.last_modified.clear();
      transfer.content_range.clear();
      transfer.is_encoded = false;
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
      transfer.content_range = value;
    else if (is_named(name, "content-encoding"))
      transfer.is_encoded = !value.empty() && !is_named(value, "identity");
    return true;
  }

  static bool take_body(Transfer& transfer, std::span<const std::byte> data) {
    HttpReply& reply = transfer.reply;
    if (!transfer.has_body) {
      transfer.has_body = true;
      curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &reply.status);
      choose_room(transfer);
      if (!transfer.refusal.empty()) return false;
    }
    if (transfer.is_text) {
      const std::size_t some = std::min(data.size(), transfer.request.text_bytes - reply.text.size());
      reply.text.append(reinterpret_cast<const char*>(data.data()), some);
      if (some == data.size()) return true;
      if (is_good(reply.status)) {
        reply.is_too_long = true;
        transfer.refusal = fmt::format("the answer has more than {} bytes", transfer.request.text_bytes);
        return false;
      }
    }
    if (transfer.is_text || !transfer.is_wanted) {
      transfer.unwanted += data.size();
      return transfer.unwanted <= unwanted_bytes;
    }
    if (transfer.takes_part) {
      const std::size_t skipped = std::min<std::uint64_t>(data.size(), transfer.skip);
      transfer.skip -= skipped;
      data = data.subspan(skipped);
      transfer.has_enough = data.size() > transfer.room.size() - reply.bytes;
      data = data.first(std::min(data.size(), transfer.room.size() - reply.bytes));
    }
    if (data.size() > transfer.room.size() - reply.bytes) {
      transfer.refusal =
          fmt::format("the server sends more than the {} bytes that it should", transfer.room.size());
      return false;
    }
    if (!data.empty()) std::memcpy(transfer.room.data() + reply.bytes, data.data(), data.size());
    reply.bytes += data.size();
    return !transfer.has_enough;
  }

  /// Looks at the headers, before the first byte of the body is kept.
  static void choose_room(Transfer& transfer) {
    HttpReply& reply = transfer.reply;
    const HttpRequest& request = transfer.request;
    transfer.is_wanted = request.method == HttpMethod::get && (reply.status == 200 || reply.status == 206);
    transfer.is_text =
        request.text_bytes > 0 && !(transfer.is_wanted && (!request.out.empty() || request.room));
    if (transfer.is_text || !transfer.is_wanted) return;
    if (transfer.is_encoded) {
      transfer.refusal = "the server sends it encoded (Content-Encoding), although it was asked not to";
    } else if (reply.status == 206) {
      reply.range = parse_content_range(transfer.content_range);
      const std::optional<ContentRange>& range = reply.range;
      const std::uint64_t count = range && range->first ? *range->last - *range->first + 1 : 0;
      const bool is_right = count > 0 && count <= request.out.size() &&
                            (request.is_suffix ? range->size == *range->last + 1 &&
                                                     (count == request.out.size() || range->first == 0u)
                                               : range->first == request.first);
      if (is_right)
        transfer.room = request.is_suffix ? request.out.last(count) : request.out.first(count);
      else
        transfer.refusal =
            fmt::format("the server answers with other bytes (Content-Range '{}')", transfer.content_range);
    } else {
      curl_off_t length = -1;
      curl_easy_getinfo(transfer.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
      if (length >= 0) reply.length = static_cast<std::uint64_t>(length);
      if (request.accepts_whole) {
        transfer.takes_part = true;
        transfer.skip = request.first;
        transfer.room = request.out;
        if (request.first + request.out.size() > transfer.most_whole_bytes)
          transfer.refusal =
              fmt::format("the server gives no ranges, and byte {} is behind what is read whole",
                          request.first + request.out.size());
      } else if (!request.room)
        transfer.refusal = "the server answers with the whole file instead of the part that was asked for";
      else if (!reply.length)
        transfer.refusal = "the server gives no ranges, and does not say how long the file is";
      else if (transfer.room = request.room(*reply.length); transfer.room.size() < *reply.length)
        transfer.refusal = fmt::format(
            "the server gives no ranges, and its {} bytes are more than is read whole", *reply.length);
    }
  }
};

HttpClient::Loop::Loop(const HttpOptions& options) : options_(options), bearable_(options.requests) {
  if (options.requests == 0)
    throw Error::usage("use", "requests over HTTP", "at least 1 must be allowed at once");
  initialise_curl();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw Error("start", "libcurl", "out of memory");
  // Connections that are kept while nothing runs.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options.requests));
  try {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    curl_multi_cleanup(multi_);
    throw;
  }
}

HttpClient::Loop::~Loop() {
  {
    std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  curl_multi_wakeup(multi_);
  thread_.join();
  for (void* easy : idle_) curl_easy_cleanup(easy);
  curl_multi_cleanup(multi_);
}

std::uint64_t HttpClient::Loop::standing_bytes() const {
  return std::uint64_t{options_.requests} * options_.receive_bytes;
}

std::uint64_t HttpClient::Loop::start(HttpRequest request, Done done) {
  auto transfer = std::make_unique<Transfer>();
  transfer->request = std::move(request);
  transfer->done = std::move(done);
  transfer->most_whole_bytes = options_.whole_bytes;
  std::uint64_t number = 0;
  {
    std::lock_guard lock(mutex_);
    number = transfer->number = ++last_number_;
    posted_.push_back(std::move(transfer));
  }
  curl_multi_wakeup(multi_);
  return number;
}

void HttpClient::Loop::cancel(std::uint64_t number) {
  {
    std::lock_guard lock(mutex_);
    cancelled_.push_back(number);
  }
  curl_multi_wakeup(multi_);
}

void HttpClient::Loop::run() {
  while (take_posted()) {
    start_waiting();
    int running = 0;
    curl_multi_perform(multi_, &running);
    collect_ended();
    end_stalled();
    curl_multi_poll(multi_, nullptr, 0, milliseconds_to_wait(), nullptr);
  }
}

/// False where the client ends; then nothing runs any more.
bool HttpClient::Loop::take_posted() {
  std::vector<std::uint64_t> cancelled;
  bool is_closing = false;
  {
    std::lock_guard lock(mutex_);
    for (; !posted_.empty(); posted_.pop_front()) waiting_.push_back(std::move(posted_.front()));
    cancelled.swap(cancelled_);
    is_closing = is_closing_;
  }
  const auto end = [this](std::unique_ptr<Transfer> transfer) {
    release_easy(*transfer);
    transfer->reply.was_cancelled = true;
    finish(std::move(transfer), "it was cancelled");
  };
  if (cancelled.empty() && !is_closing) return true;  // before a walk over what may be a million requests
  for (Transfers* transfers : {&running_, &waiting_}) {
    Transfers kept, ended;
    for (std::unique_ptr<Transfer>& transfer : *transfers)
      (is_closing || std::ranges::find(cancelled, transfer->number) != cancelled.end() ? ended : kept)
          .push_back(std::move(transfer));
    transfers->swap(kept);
    for (std::unique_ptr<Transfer>& transfer : ended) end(std::move(transfer));
  }
  return !is_closing;
}

void HttpClient::Loop::start_waiting() {
  const Clock::time_point now = Clock::now();
  for (auto next = waiting_.begin(); next != waiting_.end() && running_.size() < places();) {
    if ((*next)->not_before > now) {
      ++next;
      continue;
    }
    if (options_.rate > 0) {
      if (now < next_begin_) return;
      next_begin_ =
          std::max(next_begin_, now - rate_grain) +
          std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1 / options_.rate));
    }
    std::unique_ptr<Transfer> transfer = std::move(*next);
    next = waiting_.erase(next);
    begin(std::move(transfer));
  }
}

void HttpClient::Loop::begin(std::unique_ptr<Transfer> transfer) {
  Transfer& of = *transfer;
  const HttpRequest& request = of.request;
  const Clock::time_point now = Clock::now();
  if (of.attempts++ == 0) of.first_begun = now;
  of.begun = of.last_heard = now;
  of.takes_part = of.has_enough = false;
  of.skip = 0;
  of.has_body = of.is_encoded = of.is_wanted = of.is_text = false;
  of.sent = 0;
  of.room = {};
  of.unwanted = 0;
  of.error[0] = '\0';
  of.content_range.clear();
  HttpReply fresh;
  fresh.traffic = of.reply.traffic;
  of.reply = std::move(fresh);

  if (idle_.empty()) {
    of.easy = curl_easy_init();
  } else {
    of.easy = static_cast<CURL*>(idle_.back());
    idle_.pop_back();
  }
  if (of.easy == nullptr) return finish(std::move(transfer), "out of memory");

  bool is_set = true;
  const auto set = [&](CURLoption option, auto value) {
    is_set = is_set && curl_easy_setopt(of.easy, option, value) == CURLE_OK;
  };
  const auto add_header = [&](const char* line) {
    curl_slist* longer = curl_slist_append(of.headers, line);
    is_set = is_set && longer != nullptr;
    if (longer != nullptr) of.headers = longer;
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_PRIVATE, static_cast<void*>(&of));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(of.error));
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
  set(CURLOPT_HEADERDATA, static_cast<void*>(&of));
  set(CURLOPT_WRITEFUNCTION, &Callbacks::body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&of));
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
    set(CURLOPT_XFERINFODATA, static_cast<void*>(&of));
  }
  if (of.headers == nullptr) {
    if (request.method == HttpMethod::put || request.method == HttpMethod::post) {
      add_header("Content-Type:");  // curl would say that it is a form
      add_header("Expect:");        // and wait for the server's leave, a round trip
    }
    add_header("Accept-Encoding: identity");
    for (const std::string& line : request.headers) add_header(line.c_str());
  }
  set(CURLOPT_HTTPHEADER, of.headers);
  if (!is_set || curl_multi_add_handle(multi_, of.easy) != CURLM_OK) {
    curl_easy_cleanup(std::exchange(of.easy, nullptr));
    return finish(std::move(transfer), "libcurl does not take the request");
  }
  running_.push_back(std::move(transfer));
}

std::unique_ptr<HttpClient::Loop::Transfer> HttpClient::Loop::take_running(const Transfer* transfer) {
  const auto place = std::ranges::find(running_, transfer, &std::unique_ptr<Transfer>::get);
  std::unique_ptr<Transfer> taken = std::move(*place);
  running_.erase(place);
  return taken;
}

void HttpClient::Loop::collect_ended() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* of = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of);
    const CURLcode result = message->data.result;  // the message goes with the handle
    end_attempt(take_running(static_cast<Transfer*>(of)), result);
  }
}

void HttpClient::Loop::end_stalled() {
  const Clock::time_point now = Clock::now();
  std::vector<const Transfer*> stalled;
  for (const std::unique_ptr<Transfer>& transfer : running_)
    if (now - transfer->last_heard >= options_.timeout) stalled.push_back(transfer.get());
  for (const Transfer* of : stalled) {
    std::unique_ptr<Transfer> transfer = take_running(of);
    transfer->reply.traffic.requests += 1;
    release_easy(*transfer);
    repeat_or_fail(std::move(transfer), fmt::format("no byte came for {:.3g} s",
                                                    static_cast<double>(options_.timeout.count()) / 1e3));
  }
}

int HttpClient::Loop::milliseconds_to_wait() const {
  Clock::time_point next = Clock::time_point::max();
  for (const std::unique_ptr<Transfer>& transfer : running_)
    next = std::min(next, transfer->last_heard + options_.timeout);
  if (running_.size() < places())
    for (const std::unique_ptr<Transfer>& transfer : waiting_)
      next = std::min(next,
                      std::max(transfer->not_before, options_.rate > 0 ? next_begin_ : Clock::time_point()));
  constexpr std::int64_t hour = 3'600'000;
  if (next == Clock::time_point::max()) return hour;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, hour));
}

/// Takes the handle out of curl's hands: the caller's memory is not touched after this.
void HttpClient::Loop::release_easy(Transfer& transfer) {
  if (transfer.easy == nullptr) return;
  curl_multi_remove_handle(multi_, transfer.easy);
  curl_easy_reset(transfer.easy);
  idle_.push_back(std::exchange(transfer.easy, nullptr));
}

void HttpClient::Loop::end_attempt(std::unique_ptr<Transfer> transfer, int result) {
  Transfer& of = *transfer;
  const auto code = static_cast<CURLcode>(result);
  long redirections = 0;
  curl_off_t length = -1, retry_after = 0, sent = 0, answered = 0, ended = 0;
  const char* url = nullptr;
  curl_easy_getinfo(of.easy, CURLINFO_RESPONSE_CODE, &of.reply.status);
  curl_easy_getinfo(of.easy, CURLINFO_REDIRECT_COUNT, &redirections);
  curl_easy_getinfo(of.easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  curl_easy_getinfo(of.easy, CURLINFO_EFFECTIVE_URL, &url);
  curl_easy_getinfo(of.easy, CURLINFO_RETRY_AFTER, &retry_after);
  curl_easy_getinfo(of.easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
  curl_easy_getinfo(of.easy, CURLINFO_STARTTRANSFER_TIME_T, &answered);
  curl_easy_getinfo(of.easy, CURLINFO_TOTAL_TIME_T, &ended);
  of.reply.waiting = std::chrono::microseconds(std::max<curl_off_t>(answered - sent, 0));
  of.reply.receiving = std::chrono::microseconds(std::max<curl_off_t>(ended - answered, 0));
  if (length >= 0) of.reply.length = static_cast<std::uint64_t>(length);
  if (url != nullptr) of.reply.url = url;
  of.reply.traffic.requests += 1 + static_cast<std::uint64_t>(redirections);
  const long status = of.reply.status;
  has_answered_ = has_answered_ || status != 0;
  release_easy(of);
  of.not_before = Clock::now() + std::chrono::seconds(std::clamp<curl_off_t>(retry_after, 0, 86'400));

  note_answer(of);
  if (!of.refusal.empty()) return finish(std::move(transfer), of.refusal);
  if (of.has_enough) return finish(std::move(transfer), "");
  if (is_passing(status))
    return repeat_or_fail(std::move(transfer), fmt::format("the server answers with status {}", status));
  const bool is_unwanted = code == CURLE_WRITE_ERROR && of.unwanted > unwanted_bytes;
  if (code == CURLE_WRITE_ERROR && !is_unwanted) return finish(std::move(transfer), "out of memory");
  if (code != CURLE_OK && !is_unwanted) {
    std::string reason = of.error[0] != '\0' ? of.error : curl_easy_strerror(code);
    if (is_final(code) || (is_no_connection(code) && !has_answered_))
      return finish(std::move(transfer), std::move(reason));
    return repeat_or_fail(std::move(transfer), std::move(reason));
  }
  if (status == 416) of.reply.range = parse_content_range(of.content_range);  // says how long it is
  if (status == 206 && of.request.method == HttpMethod::get) {
    if (!of.has_body) return repeat_or_fail(std::move(transfer), "the answer has no bytes");
    const std::uint64_t wanted = of.room.size();
    if (of.reply.bytes < wanted)
      return repeat_or_fail(std::move(transfer),
                            fmt::format("the answer has {} of {} bytes", of.reply.bytes, wanted));
  }
  finish(std::move(transfer), "");
}

std::size_t HttpClient::Loop::places() const {
  return std::max<std::size_t>(1, static_cast<std::size_t>(bearable_));
}

void HttpClient::Loop::note_answer(const Transfer& transfer) {
  if (transfer.reply.status == 429 || transfer.reply.status == 503) {
    if (transfer.begun < halved_at_) return;
    halved_at_ = Clock::now();
    bearable_ = std::max(1.0, std::min<double>(bearable_, static_cast<double>(running_.size()) + 1) / 2);
  } else if (transfer.reply.status != 0) {
    bearable_ = std::min<double>(options_.requests, bearable_ + 1 / bearable_ + 0.05);
  }
}

HttpClient::Loop::Clock::duration HttpClient::Loop::pause_before_repeat(const Transfer& transfer) {
  const unsigned doublings = std::min(transfer.attempts - 1, 20u);
  const double most = std::chrono::duration<double>(options_.longest_pause).count();
  const double pause = std::min(most, std::chrono::duration<double>(options_.retry_pause).count() *
                                          static_cast<double>(1u << doublings));
  const double scattered = pause * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(scattered));
}

/// transfer->not_before is what the server asked for.
void HttpClient::Loop::repeat_or_fail(std::unique_ptr<Transfer> transfer, std::string reason) {
  const Clock::time_point now = Clock::now();
  transfer->not_before = std::max(transfer->not_before, now + pause_before_repeat(*transfer));
  const bool may_repeat = transfer->attempts <= options_.retries &&
                          transfer->not_before - transfer->first_begun <= options_.retry_time;
  if (may_repeat) {
    waiting_.push_back(std::move(transfer));
    return;
  }
  if (transfer->attempts > 1)
    reason += fmt::format("; gave up after {} requests in {:.1f} s", transfer->attempts,
                          std::chrono::duration<double>(now - transfer->first_begun).count());
  finish(std::move(transfer), std::move(reason));
}

void HttpClient::Loop::finish(std::unique_ptr<Transfer> transfer, std::string failure) {
  transfer->reply.failure = std::move(failure);
  transfer->done(std::move(transfer->reply));
}

}  // namespace weir

#else

namespace weir {

struct HttpClient::Loop::Transfer {};

HttpClient::Loop::Loop(const HttpOptions& options) : options_(options) {
  throw Error::usage("open", "files behind http:// and https://", "this weir was built without libcurl");
}
HttpClient::Loop::~Loop() = default;
std::uint64_t HttpClient::Loop::start(HttpRequest, Done) {
  return 0;
}
void HttpClient::Loop::cancel(std::uint64_t) {}
std::uint64_t HttpClient::Loop::standing_bytes() const {
  return 0;
}

}  // namespace weir

#endif
