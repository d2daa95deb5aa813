#include "nodes/stores/http_loop.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"

#ifdef WEIR_WITH_CURL

#include <curl/curl.h>
#include <signal.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

/// Of requests that HttpOptions::rate spaces: those of so long may begin together, as a wait has milliseconds.
constexpr std::chrono::milliseconds rate_grain{10};

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
  auto transfer = std::make_unique<HttpTransfer>(std::move(request), std::move(done), options_);
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
  const auto end = [this](std::unique_ptr<HttpTransfer> transfer) {
    release_easy(*transfer);
    transfer->reply.was_cancelled = true;
    finish(std::move(transfer), "it was cancelled");
  };
  if (cancelled.empty() && !is_closing) return true;  // before a walk over what may be a million requests
  for (Transfers* transfers : {&running_, &repeats_, &waiting_}) {
    Transfers kept, ended;
    for (std::unique_ptr<HttpTransfer>& transfer : *transfers)
      (is_closing || std::ranges::find(cancelled, transfer->number) != cancelled.end() ? ended : kept)
          .push_back(std::move(transfer));
    transfers->swap(kept);
    for (std::unique_ptr<HttpTransfer>& transfer : ended) end(std::move(transfer));
  }
  return !is_closing;
}

void HttpClient::Loop::start_waiting() {
  const Clock::time_point now = Clock::now();
  for (Transfers* transfers : {&repeats_, &waiting_})
    for (auto next = transfers->begin(); next != transfers->end() && running_.size() < places();) {
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
      std::unique_ptr<HttpTransfer> transfer = std::move(*next);
      next = transfers->erase(next);
      begin(std::move(transfer));
    }
}

void HttpClient::Loop::begin(std::unique_ptr<HttpTransfer> transfer) {
  HttpTransfer& of = *transfer;
  of.begin_attempt();
  if (idle_.empty()) {
    of.easy = curl_easy_init();
  } else {
    of.easy = idle_.back();
    idle_.pop_back();
  }
  if (of.easy == nullptr) return finish(std::move(transfer), "out of memory");
  std::string reason = "libcurl does not take the request";
  bool is_taken = false;
  try {
    is_taken = of.set_up() && curl_multi_add_handle(multi_, of.easy) == CURLM_OK;
  } catch (const Error& error) {
    reason = error.reason();
  }
  if (!is_taken) {
    curl_easy_cleanup(std::exchange(of.easy, nullptr));
    return finish(std::move(transfer), std::move(reason));
  }
  running_.push_back(std::move(transfer));
}

std::unique_ptr<HttpTransfer> HttpClient::Loop::take_running(const HttpTransfer* transfer) {
  const auto place = std::ranges::find(running_, transfer, &std::unique_ptr<HttpTransfer>::get);
  std::unique_ptr<HttpTransfer> taken = std::move(*place);
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
    end_attempt(take_running(static_cast<HttpTransfer*>(of)), result);
  }
}

void HttpClient::Loop::end_stalled() {
  const Clock::time_point now = Clock::now();
  std::vector<const HttpTransfer*> stalled;
  for (const std::unique_ptr<HttpTransfer>& transfer : running_)
    if (now >= transfer->deadline()) stalled.push_back(transfer.get());
  for (const HttpTransfer* of : stalled) {
    std::unique_ptr<HttpTransfer> transfer = take_running(of);
    transfer->reply.traffic.requests += 1;
    transfer->note_sent();
    release_easy(*transfer);
    const bool is_late = now >= transfer->whole_deadline();
    if (is_late && transfer->reply.bytes > 0)
      bear_fewer(*transfer);  // bytes came, but too slowly: the link bears fewer
    const std::string what = is_late ? "the answer was not whole after"
                             : transfer->dripped == 0
                                 ? "no byte came for"
                                 : fmt::format("only {} bytes came in", transfer->dripped);
    const std::chrono::duration<double> time =
        is_late ? now - transfer->begun : HttpTransfer::Clock::duration(options_.timeout);
    repeat_or_fail(std::move(transfer), fmt::format("{} {:.3g} s", what, time.count()));
  }
}

int HttpClient::Loop::milliseconds_to_wait() const {
  Clock::time_point next = Clock::time_point::max();
  for (const std::unique_ptr<HttpTransfer>& transfer : running_) next = std::min(next, transfer->deadline());
  if (running_.size() < places())
    for (const Transfers* transfers : {&repeats_, &waiting_})
      for (const std::unique_ptr<HttpTransfer>& transfer : *transfers)
        next = std::min(
            next, std::max(transfer->not_before, options_.rate > 0 ? next_begin_ : Clock::time_point()));
  constexpr std::int64_t hour = 3'600'000;
  if (next == Clock::time_point::max()) return hour;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, hour));
}

/// Takes the handle out of curl's hands: the caller's memory is not touched after this.
void HttpClient::Loop::release_easy(HttpTransfer& transfer) {
  if (transfer.easy == nullptr) return;
  curl_multi_remove_handle(multi_, transfer.easy);
  curl_easy_reset(transfer.easy);
  idle_.push_back(std::exchange(transfer.easy, nullptr));
}

void HttpClient::Loop::end_attempt(std::unique_ptr<HttpTransfer> transfer, int result) {
  transfer->read_answer();
  has_answered_ = has_answered_ || transfer->reply.status != 0;
  release_easy(*transfer);
  note_answer(*transfer);
  HttpTransfer::Outcome outcome = transfer->outcome(result, has_answered_ || options_.awaits_server);
  if (outcome.may_repeat)
    repeat_or_fail(std::move(transfer), std::move(outcome.failure));
  else
    finish(std::move(transfer), std::move(outcome.failure));
}

std::size_t HttpClient::Loop::places() const {
  return std::max<std::size_t>(1, static_cast<std::size_t>(bearable_));
}

/// Half as many at once, once for all that were under way together.
void HttpClient::Loop::bear_fewer(const HttpTransfer& transfer) {
  if (transfer.begun < halved_at_) return;
  halved_at_ = Clock::now();
  bearable_ = std::max(1.0, std::min<double>(bearable_, static_cast<double>(running_.size()) + 1) / 2);
}

void HttpClient::Loop::note_answer(const HttpTransfer& transfer) {
  if (transfer.reply.status == 429 || transfer.reply.status == 503) {
    bear_fewer(transfer);
  } else if (transfer.reply.status != 0) {
    bearable_ = std::min<double>(options_.requests, bearable_ + 1 / bearable_ + 0.05);
  }
}

HttpClient::Loop::Clock::duration HttpClient::Loop::pause_before_repeat(const HttpTransfer& transfer) {
  const unsigned doublings = std::min(transfer.attempts - 1, 20u);
  const double most = std::chrono::duration<double>(options_.longest_pause).count();
  const double pause = std::min(most, std::chrono::duration<double>(options_.retry_pause).count() *
                                          static_cast<double>(1u << doublings));
  const double scattered = pause * std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(scattered));
}

/// transfer->not_before is what the server asked for.
void HttpClient::Loop::repeat_or_fail(std::unique_ptr<HttpTransfer> transfer, std::string reason) {
  const Clock::time_point now = Clock::now();
  transfer->not_before = std::max(transfer->not_before, now + pause_before_repeat(*transfer));
  const bool may_repeat = transfer->attempts <= options_.retries &&
                          transfer->not_before - transfer->first_begun <= options_.retry_time;
  if (may_repeat) {
    repeats_.push_back(std::move(transfer));
    return;
  }
  if (transfer->attempts > 1)
    reason += fmt::format("; gave up after {} requests in {:.1f} s", transfer->attempts,
                          std::chrono::duration<double>(now - transfer->first_begun).count());
  finish(std::move(transfer), std::move(reason));
}

void HttpClient::Loop::finish(std::unique_ptr<HttpTransfer> transfer, std::string failure) {
  transfer->reply.failure = std::move(failure);
  transfer->done(std::move(transfer->reply));
}

}  // namespace weir

#else

namespace weir {

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
