#include "framework/io_lane.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "framework/error.hpp"

namespace weir {
namespace {

thread_local unsigned number_in_lane = 0;

}  // namespace

IoLane::IoLane(unsigned threads) {
  threads_.reserve(threads);
  try {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& error) {
    close();  // those that started must end, or joining them waits for ever
    throw Error("start", fmt::format("{} threads for reading and writing", threads),
                system_reason(error.code().value()));
  } catch (...) {  // no memory
    close();
    throw;
  }
}

IoLane::~IoLane() {
  close();
}

void IoLane::close() {
  {
    std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  posted_.notify_all();
}

void IoLane::post(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  posted_.notify_one();
}

unsigned IoLane::this_thread() {
  return number_in_lane;
}

void IoLane::work(unsigned thread) {
  number_in_lane = thread;
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      posted_.wait(lock, [this] { return is_closing_ || !jobs_.empty(); });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace weir
