#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

// A web server on the loopback device, which serves bytes from memory, writes down what it was asked for, and behaves
// badly on request.

namespace weir::test {

struct ServedFile {
  std::vector<std::byte> bytes = {};
  std::string etag = "\"one\"", last_modified = {};  ///< empty: not sent
};

/// What the server was asked for.
struct SeenRequest {
  std::string method = {};  ///< "GET"
  std::string path = {};    ///< with its query
  std::string body = {};
  std::map<std::string, std::string> headers;                    ///< by lower-case name
  std::optional<std::pair<std::uint64_t, std::uint64_t>> range;  ///< first and last byte
  std::optional<std::uint64_t> suffix = {};                      ///< as many of the last bytes
  std::size_t number = 0;                                        ///< from 0
};

/// How an answer differs from a good one.
struct Fault {
  int status = 0;                         ///< this one, with a short body, instead of the file
  std::vector<std::string> headers = {};  ///< more lines: "Retry-After: 1"
  bool ignores_range = false, says_no_length = false;
  std::optional<std::string> content_range = {}, etag = {};  ///< instead of the true ones
  std::optional<std::size_t> body_bytes = {};  ///< as many are sent; then the connection is closed
  std::optional<std::size_t> length = {};      ///< Content-Length, and what is sent
  bool resets = false;                         ///< the connection, without an answer
  bool stalls = false;                         ///< after half of the body, until the client gives up
  std::size_t piece = 0;                       ///< so many bytes of the body at a time; 0: all
  std::chrono::milliseconds pause{0};          ///< after each piece
};

/// What a handler of requests gives back, instead of a file.
struct MadeAnswer {
  int status = 200;
  std::string body = {};
  std::vector<std::string> headers = {};  ///< "ETag: ..."
  unsigned spaces = 0;                    ///< in front of the body, 40 ms each: what S3 says while it works
};

class HttpServer {
 public:
  /// `port`: of an earlier server; 0: any that is free.
  /// `fill`: called before the first request is taken.
  explicit HttpServer(unsigned port = 0, const std::function<void(HttpServer&)>& fill = {}) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    socklen_t bytes = sizeof address;
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes) != 0 ||
        ::listen(listener_, 128) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes) != 0)
      throw std::runtime_error("cannot serve on the loopback device");
    port_ = ntohs(address.sin_port);
    if (fill) fill(*this);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~HttpServer() {
    {
      std::lock_guard lock(mutex_);
      is_closing_ = true;
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& thread : threads_) thread.join();
    ::close(listener_);
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::string url(std::string_view path, std::string_view user = "") const {
    return fmt::format("http://{}127.0.0.1:{}{}", user, port_, path);
  }
  unsigned port() const { return port_; }
  void serve(const std::string& path, ServedFile file) {
    std::lock_guard lock(mutex_);
    files_[path] = std::move(file);
  }
  /// Asked for each request, on the connection's thread.
  void set_fault(std::function<Fault(const SeenRequest&)> fault) {
    std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }
  void stop_serving(const std::string& path) {
    std::lock_guard lock(mutex_);
    files_.erase(path);
  }
  /// Asked first, on the connection's thread; nothing: files and faults answer.
  void set_handler(std::function<std::optional<MadeAnswer>(const SeenRequest&)> handler) {
    std::lock_guard lock(mutex_);
    handler_ = std::move(handler);
  }
  void set_latency(std::chrono::milliseconds latency) { latency_ = latency; }

  std::vector<SeenRequest> seen() const {
    std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t count() const { return seen().size(); }
  void forget() {
    std::lock_guard lock(mutex_);
    seen_.clear();
    most_in_flight_ = 0;
  }
  std::size_t connections() const { return connections_; }
  unsigned most_in_flight() const { return most_in_flight_; }

 private:
  void accept_all() {
    for (;;) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      std::lock_guard lock(mutex_);
      if (is_closing_) {
        ::close(fd);
        return;
      }
      ++connections_;
      open_.push_back(fd);
      threads_.emplace_back([this, fd] {
        std::string buffered;
        while (answer_one(fd, buffered)) {
        }
        std::lock_guard lock_to_close(mutex_);
        std::erase(open_, fd);
        ::close(fd);
      });
    }
  }

  static bool send_all(int fd, const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t sent = ::send(fd, at, bytes, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      at += sent;
      bytes -= static_cast<std::size_t>(sent);
    }
    return true;
  }

  static std::optional<SeenRequest> parse(const std::string& head) {
    SeenRequest request;
    const std::size_t space = head.find(' '), end = head.find(' ', space + 1);
    if (end == std::string::npos) return std::nullopt;
    request.method = head.substr(0, space);
    request.path = head.substr(space + 1, end - space - 1);
    for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
      const std::size_t line_end = std::min(head.find("\r\n", at), head.size());
      const std::string line = head.substr(at, line_end - at);
      at = line_end + 2;
      const std::size_t colon = line.find(": ");
      if (colon == std::string::npos) continue;
      std::string name = line.substr(0, colon);
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      request.headers[name] = line.substr(colon + 2);
    }
    unsigned long long first = 0, last = 0;
    if (const auto range = request.headers.find("range");
        range != request.headers.end() && range->second.starts_with("bytes=-"))
      request.suffix = std::stoull(range->second.substr(7));
    else if (range != request.headers.end() &&
             std::sscanf(range->second.c_str(), "bytes=%llu-%llu", &first, &last) == 2)
      request.range = {first, last};
    return request;
  }

  bool answer_one(int fd, std::string& buffered) {
    std::size_t end = 0;
    while ((end = buffered.find("\r\n\r\n")) == std::string::npos) {
      char some[4096];
      const ssize_t got = ::recv(fd, some, sizeof some, 0);
      if (got <= 0) return false;
      buffered.append(some, static_cast<std::size_t>(got));
    }
    std::optional<SeenRequest> request = parse(buffered.substr(0, end + 2));
    buffered.erase(0, end + 4);
    if (!request) return false;
    if (const auto length = request->headers.find("content-length"); length != request->headers.end()) {
      const std::size_t bytes = std::stoull(length->second);
      while (buffered.size() < bytes) {
        char some[65536];
        const ssize_t got = ::recv(fd, some, sizeof some, 0);
        if (got <= 0) return false;
        buffered.append(some, static_cast<std::size_t>(got));
      }
      request->body = buffered.substr(0, bytes);
      buffered.erase(0, bytes);
    }
    std::function<std::optional<MadeAnswer>(const SeenRequest&)> handler;
    std::function<Fault(const SeenRequest&)> make_fault;
    std::optional<ServedFile> file;
    {
      std::lock_guard lock(mutex_);
      request->number = seen_.size();
      seen_.push_back(*request);
      make_fault = fault_;
      handler = handler_;
      if (const auto found = files_.find(request->path); found != files_.end()) file = found->second;
    }
    const unsigned in_flight = ++in_flight_;
    for (unsigned most = most_in_flight_; most < in_flight;)
      if (most_in_flight_.compare_exchange_weak(most, in_flight)) break;
    const std::chrono::milliseconds latency = latency_;
    if (latency.count() > 0) std::this_thread::sleep_for(latency);
    const std::optional<MadeAnswer> made = handler ? handler(*request) : std::nullopt;
    const bool goes_on =
        made ? send_made(fd, *made) : answer(fd, *request, make_fault ? make_fault(*request) : Fault{}, file);
    --in_flight_;
    return goes_on;
  }

  static bool send_made(int fd, const MadeAnswer& made) {
    std::string text = fmt::format("HTTP/1.1 {} Status\r\n", made.status);
    for (const std::string& line : made.headers) text += line + "\r\n";
    if (made.status != 204) text += fmt::format("Content-Length: {}\r\n", made.body.size() + made.spaces);
    text += "\r\n";
    for (unsigned i = 0; i < made.spaces; ++i) {
      text += ' ';
      if (!send_all(fd, text.data(), text.size())) return false;
      text.clear();
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }
    text += made.body;
    return send_all(fd, text.data(), text.size());
  }

  bool answer(int fd, const SeenRequest& request, const Fault& fault, const std::optional<ServedFile>& file) {
    if (fault.resets) {
      const linger at_once{1, 0};
      ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      return false;
    }
    int status = fault.status != 0 ? fault.status : file ? 200 : 404;
    std::span<const std::byte> body;
    const std::string short_body = "no file here\n";
    std::string head;
    if (status != 200) {
      body = std::as_bytes(std::span(short_body));
    } else {
      body = file->bytes;
      const std::string etag = fault.etag.value_or(file->etag);
      if (!etag.empty()) head += "ETag: " + etag + "\r\n";
      if (!file->last_modified.empty()) head += "Last-Modified: " + file->last_modified + "\r\n";
      const auto wanted = request.headers.find("if-match");
      if (wanted != request.headers.end() && wanted->second != file->etag && !fault.ignores_range) {
        status = 412;
        body = {};
      } else if ((request.range || request.suffix) && !fault.ignores_range) {
        std::pair<std::uint64_t, std::uint64_t> range;
        if (request.range)
          range = *request.range;
        else if (!body.empty() && *request.suffix > 0)
          range = {body.size() - std::min<std::uint64_t>(*request.suffix, body.size()), body.size() - 1};
        if (range.first >= body.size()) {
          status = 416;
          head += fmt::format("Content-Range: bytes */{}\r\n", body.size());
          body = {};
        } else {
          status = 206;
          const std::uint64_t last = std::min<std::uint64_t>(range.second, body.size() - 1);
          head +=
              "Content-Range: " +
              fault.content_range.value_or(fmt::format("bytes {}-{}/{}", range.first, last, body.size())) +
              "\r\n";
          body = body.subspan(range.first, last - range.first + 1);
        }
      }
    }
    for (const std::string& line : fault.headers) head += line + "\r\n";
    if (fault.length) body = body.first(std::min(*fault.length, body.size()));
    if (!fault.says_no_length) head += fmt::format("Content-Length: {}\r\n", body.size());
    if (fault.says_no_length) head += "Connection: close\r\n";
    head = fmt::format("HTTP/1.1 {} Status\r\n{}\r\n", status, head);
    const std::size_t sent =
        fault.stalls ? body.size() / 2 : std::min(fault.body_bytes.value_or(body.size()), body.size());
    if (!send_all(fd, head.data(), head.size())) return false;
    for (std::size_t at = 0; at < sent;) {
      const std::size_t piece = fault.piece == 0 ? sent : std::min(fault.piece, sent - at);
      if (!send_all(fd, body.data() + at, piece)) return false;
      at += piece;
      if (fault.piece > 0) std::this_thread::sleep_for(fault.pause);
    }
    if (fault.stalls) {
      char one = 0;
      static_cast<void>(::recv(fd, &one, 1, 0));  // until the client closes
      return false;
    }
    return sent == body.size() && !fault.says_no_length;
  }

  int listener_ = -1;
  unsigned port_ = 0;
  mutable std::mutex mutex_;
  bool is_closing_ = false;
  std::map<std::string, ServedFile> files_;
  std::function<Fault(const SeenRequest&)> fault_;
  std::function<std::optional<MadeAnswer>(const SeenRequest&)> handler_;
  std::vector<SeenRequest> seen_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::atomic<std::size_t> connections_ = 0;
  std::atomic<unsigned> in_flight_ = 0, most_in_flight_ = 0;
  std::atomic<std::chrono::milliseconds> latency_{std::chrono::milliseconds(0)};
  std::thread acceptor_;
};

inline std::vector<std::byte> part_of(const std::vector<std::byte>& bytes, std::size_t offset,
                                      std::size_t count) {
  const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(offset);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

/// As many bytes, reproducibly; no two neighbourhoods alike.
inline std::vector<std::byte> made_bytes(std::size_t count, std::uint32_t seed = 1) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) {
    seed = seed * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(seed >> 24);
  }
  return bytes;
}

}  // namespace weir::test
