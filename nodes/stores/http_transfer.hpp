#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "nodes/stores/http_client.hpp"

struct curl_slist;

namespace weir {

/// A request from its start to its end, in one attempt or several: what is asked of libcurl, where the bytes of an answer go, and what an
/// answer means. When it is tried, and how often, is the loop's affair (http_loop.hpp), on whose thread all this happens.
class HttpTransfer {
 public:
  using Clock = std::chrono::steady_clock;

  /// `options` outlive it.
  HttpTransfer(HttpRequest what, HttpClient::Done then, const HttpOptions& options);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  /// Forgets the attempt before; its traffic stays counted.
  void begin_attempt();
  /// Tells `easy` what to ask for. False where libcurl does not take it; throws what HttpRequest::sign does.
  bool set_up();
  /// What `easy` knows after an attempt: the reply's status, lengths and times; not_before as the server asks.
  void read_answer();
  /// Whether `easy` had a connection, to reply.was_sent; part of read_answer().
  void note_sent();
  /// What came of an attempt that libcurl ended with `result`, after read_answer(). `has_answered`: any server, ever: a name that was
  /// never found is a wrong name; or HttpOptions::awaits_server.
  struct Outcome {
    bool may_repeat = false;   ///< asking again may help
    std::string failure = {};  ///< empty: there is an answer that can be used
  };
  Outcome outcome(int result, bool has_answered);

  std::uint64_t number = 0;
  HttpRequest request;
  HttpClient::Done done;
  HttpReply reply;
  unsigned attempts = 0;
  Clock::time_point first_begun, begun, not_before;
  /// Of this attempt: the last sign of life, see HttpOptions::timeout, and the bytes since then, too few for one.
  Clock::time_point last_heard;
  std::uint64_t dripped = 0;
  /// When this attempt has to end: too long without a sign of life, or as a whole.
  Clock::time_point deadline() const { return std::min(last_heard + options_.timeout, whole_deadline()); }
  Clock::time_point whole_deadline() const;
  void* easy = nullptr;  ///< CURL: of this attempt, while it runs

 private:
  struct Callbacks;
  void note_heard(std::uint64_t bytes, bool is_sign);

  const HttpOptions& options_;
  curl_slist* headers_ = nullptr;

  // Of one attempt.
  std::array<char, 256> error_{};  ///< CURL_ERROR_SIZE
  bool has_body_ = false, is_encoded_ = false;
  bool is_wanted_ = false, is_text_ = false;  ///< the body
  std::span<std::byte> room_;
  std::uint64_t skip_ = 0;   ///< bytes of a whole object in front of the wanted ones
  bool takes_part_ = false;  ///< of a whole object
  bool has_enough_ = false;  ///< of it; we ended the transfer
  std::uint64_t unwanted_ = 0;
  std::int64_t sent_ = 0;
  std::string content_range_;
  std::string refusal_;  ///< why we ended it, for good
};

}  // namespace weir
