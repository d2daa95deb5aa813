#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "framework/graph.hpp"
#include "tests/slower.hpp"
#include "tests/text_support.hpp"

namespace weir::testing {

constexpr std::uint64_t page = 4096;

/// A test that hangs ends the program with a message instead of waiting for ever.
class Watchdog {
 public:
  explicit Watchdog(std::string test, std::chrono::seconds limit = std::chrono::seconds(30))
      : thread_([name = std::move(test), limit](const std::stop_token& stop) {
          std::mutex mutex;
          std::condition_variable_any woken;
          std::unique_lock lock(mutex);
          woken.wait_for(lock, stop, slower * limit, [] { return false; });
          if (stop.stop_requested()) return;
          std::fprintf(stderr, "hangs: %s\n", name.c_str());
          std::abort();
        }) {}

 private:
  std::jthread thread_;
};

struct Setup {
  Engine engine;
  unsigned threads;
  GraphOptions options(std::uint64_t memory = 64 << 20, unsigned tokens = 0) const {
    return {.memory = memory, .tokens = tokens, .threads = threads, .engine = engine};
  }
};

/// Both engines, and oneTBB with fewer, as many and more threads than most machines have cores.
inline const std::vector<Setup>& setups() {
  static const std::vector<Setup> all{
      {Engine::serial, 1}, {Engine::onetbb, 1}, {Engine::onetbb, 2}, {Engine::onetbb, 8}};
  return all;
}

/// Counts the payloads that are alive, wherever they are.
class Alive {
 public:
  static std::int64_t count() { return count_.load(); }
  Alive() { ++count_; }
  Alive(const Alive&) { ++count_; }
  Alive(Alive&&) noexcept { ++count_; }
  Alive& operator=(const Alive&) = default;
  Alive& operator=(Alive&&) noexcept = default;
  ~Alive() { --count_; }

 private:
  inline static std::atomic<std::int64_t> count_{0};
};

struct Number {
  std::uint64_t value = 0;
  Buffer payload = {};
  Alive alive = {};
};
inline std::uint64_t payload_bytes(const Number& number) {
  return number.payload.size();
}

/// 0, 1, 2 ... : `items` a unit, each with a page.
struct Count {
  std::uint64_t items = 1;
  void operator()(std::uint64_t unit, Emit<Number>& emit, const Context& context) const {
    for (std::uint64_t i = 0; i < items; ++i) emit(Number{unit * items + i, context.buffer(page)});
  }
  NodeOptions options(std::uint64_t units) const {
    return {.units = units, .items = items, .buffer_bytes = page};
  }
};

inline void sleep_at_random(unsigned most_microseconds = 200) {
  thread_local std::minstd_rand random{std::random_device{}()};
  std::this_thread::sleep_for(std::chrono::microseconds(random() % most_microseconds));
}

/// Gives back another value, after a random time, with a page of its own.
struct AddSlowly {
  std::uint64_t addend = 0;
  Number operator()(const Number& in, const Context& context) const {
    sleep_at_random();
    return {in.value + addend, context.buffer(page)};
  }
  static NodeOptions options() { return {.buffer_bytes = page}; }
};

inline std::vector<std::uint64_t> numbers_to(std::uint64_t count) {
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

/// Runs a graph that must fail, within a second, and leave no payload behind.
inline Error error_of(Graph& graph, const RunOptions& options = {}) {
  const auto started = std::chrono::steady_clock::now();
  std::optional<Error> found;
  try {
    graph.run(options);
  } catch (const Error& error) {
    found = error;
  }
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(1));
  CHECK(Alive::count() == 0);
  REQUIRE(found);
  return *found;
}

using test::contains;

}  // namespace weir::testing
