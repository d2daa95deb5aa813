#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace weir {

/// Threads that may block on I/O, beside the compute threads, which must not. Jobs start in the order they
/// were posted; with one thread they also end in it. Jobs must not throw. The destructor runs what was
/// posted, then joins.
class IoLane {
 public:
  explicit IoLane(unsigned threads);
  ~IoLane();
  IoLane(const IoLane&) = delete;
  IoLane& operator=(const IoLane&) = delete;

  void post(std::function<void()> job);
  /// The number of the calling thread in its lane, from 0; 0 on other threads.
  static unsigned this_thread();

 private:
  void work(unsigned thread);
  void close();

  std::mutex mutex_;
  std::condition_variable posted_;
  std::deque<std::function<void()>> jobs_;
  bool is_closing_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace weir
