#include "nodes/stores/http_client.hpp"

#include <condition_variable>
#include <mutex>

#include "framework/error.hpp"
#include "nodes/stores/http_loop.hpp"

namespace weir {

HttpClient::HttpClient(const HttpOptions& options) : loop_(std::make_unique<Loop>(options)) {}
HttpClient::~HttpClient() = default;

std::shared_ptr<HttpClient> HttpClient::shared(const HttpOptions& options) {
  static std::mutex mutex;
  static std::vector<std::weak_ptr<HttpClient>> clients;
  std::lock_guard lock(mutex);
  std::erase_if(clients, [](const std::weak_ptr<HttpClient>& client) { return client.expired(); });
  for (const std::weak_ptr<HttpClient>& known : clients)
    if (std::shared_ptr<HttpClient> client = known.lock(); client && client->options() == options)
      return client;
  auto client = std::make_shared<HttpClient>(options);
  clients.push_back(client);
  return client;
}

const HttpOptions& HttpClient::options() const {
  return loop_->options();
}

std::uint64_t HttpClient::start(HttpRequest request, Done done) {
  return loop_->start(std::move(request), std::move(done));
}

void HttpClient::cancel(std::uint64_t number) {
  loop_->cancel(number);
}

std::uint64_t HttpClient::standing_bytes() const {
  return loop_->standing_bytes();
}

std::vector<HttpReply> HttpClient::get(std::vector<HttpRequest> requests, const std::stop_token& stop) {
  std::vector<HttpReply> replies(requests.size());
  std::vector<std::uint64_t> numbers;
  numbers.reserve(requests.size());
  std::mutex mutex;
  std::condition_variable done;
  std::size_t running = 0;
  const auto wait = [&] {
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return running == 0; });
  };
  const auto cancel_all = [&] {
    for (const std::uint64_t number : numbers) cancel(number);
  };
  try {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      {
        std::lock_guard lock(mutex);
        ++running;
      }
      try {
        numbers.push_back(start(std::move(requests[i]), [&, i](HttpReply&& reply) {
          std::lock_guard lock(mutex);  // held while notifying: the waiter's stack must stand that long
          replies[i] = std::move(reply);
          --running;
          done.notify_all();
        }));
      } catch (...) {
        std::lock_guard lock(mutex);
        --running;
        throw;
      }
    }
  } catch (...) {
    cancel_all();
    wait();
    throw;
  }
  const std::stop_callback on_stop(stop, cancel_all);
  wait();
  return replies;
}

}  // namespace weir
