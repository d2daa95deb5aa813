#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "nodes/stores/http_transfer.hpp"

namespace weir {

/// The thread inside an HttpClient. Callers post requests and cancellations under the mutex and wake it; all else, and
/// every call into libcurl but the wake, is its own:
///
///   posted ──► waiting (for a free place) ────────────────► running (in curl's multi) ──► done
///                                                             ▲     │ busy server, broken connection, timeout
///              repeats (first; for the pause to be over, too) ┘ ◄───┘
class HttpClient::Loop {
 public:
  explicit Loop(const HttpOptions& options);
  ~Loop();

  const HttpOptions& options() const { return options_; }
  std::uint64_t start(HttpRequest request, Done done);
  void cancel(std::uint64_t number);
  std::uint64_t standing_bytes() const;

 private:
  using Clock = std::chrono::steady_clock;
  using Transfers = std::deque<std::unique_ptr<HttpTransfer>>;

  void run();
  bool take_posted();
  void start_waiting();
  void bear_fewer(const HttpTransfer& transfer);
  void note_answer(const HttpTransfer& transfer);
  void begin(std::unique_ptr<HttpTransfer> transfer);
  void collect_ended();
  void end_stalled();
  int milliseconds_to_wait() const;
  std::unique_ptr<HttpTransfer> take_running(const HttpTransfer* transfer);
  void end_attempt(std::unique_ptr<HttpTransfer> transfer, int result);
  void repeat_or_fail(std::unique_ptr<HttpTransfer> transfer, std::string reason);
  void finish(std::unique_ptr<HttpTransfer> transfer, std::string failure);
  void release_easy(HttpTransfer& transfer);
  Clock::duration pause_before_repeat(const HttpTransfer& transfer);
  std::size_t places() const;

  const HttpOptions options_;
  void* multi_ = nullptr;  ///< CURLM

  std::mutex mutex_;
  Transfers posted_;
  std::vector<std::uint64_t> cancelled_;
  std::uint64_t last_number_ = 0;
  bool is_closing_ = false;

  // The thread's own.
  /// What was begun goes before what was not: else, of a server that is silent, the second try of the first request would come after
  /// the first one of all.
  Transfers repeats_, waiting_, running_;
  std::vector<void*> idle_;    ///< easy handles, for reuse
  bool has_answered_ = false;  ///< any server, ever: a name that was never found is a wrong name
  /// Requests at once that the server bears: halved when it says that it is busy, once for all that were under way then; a window of
  /// other answers is one more, and 5 %: from 1 to 256 in some 60 round trips.
  double bearable_ = 1;
  Clock::time_point halved_at_, next_begin_;  ///< next_begin_: see HttpOptions::rate
  std::minstd_rand random_{std::random_device{}()};

  std::thread thread_;
};

}  // namespace weir
