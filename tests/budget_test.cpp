#include "framework/budget.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <random>
#include <thread>
#include <vector>

#include "framework/context.hpp"
#include "tests/engine_support.hpp"

namespace {

using namespace weir;
using weir::testing::Watchdog;

}  // namespace

TEST_CASE("a lease splits, merges, shrinks and gives back without losing a byte") {
  const auto budget = std::make_shared<Budget>(100);
  Lease whole = *budget->try_take(90);
  CHECK(budget->in_use() == 90);
  Lease part = whole.split(30);
  CHECK(whole.bytes() == 60);
  CHECK(part.bytes() == 30);
  CHECK(budget->in_use() == 90);
  part.shrink_to(10);
  part.shrink_to(50);  // never grows
  CHECK(part.bytes() == 10);
  CHECK(budget->in_use() == 70);
  whole.merge(std::move(part));
  CHECK(whole.bytes() == 70);
  Lease empty;
  empty.merge(std::move(whole));
  CHECK(empty.bytes() == 70);
  CHECK(budget->in_use() == 70);
  empty = Lease();
  CHECK(budget->in_use() == 0);
  CHECK(budget->peak() == 90);
}

TEST_CASE("a lease assigned to itself or moved from gives nothing back twice") {
  const auto budget = std::make_shared<Budget>(100);
  Lease lease = *budget->try_take(40);
  Lease& same = lease;
  lease = std::move(same);
  CHECK(lease.bytes() == 40);
  Lease other(std::move(lease));
  CHECK(budget->in_use() == 40);
  other.give_back();
  other.give_back();
  CHECK(budget->in_use() == 0);
}

TEST_CASE("what does not fit is refused whole, and the limit itself fits") {
  const auto budget = std::make_shared<Budget>(100);
  CHECK_FALSE(budget->try_take(101));
  CHECK_FALSE(budget->try_take(~std::uint64_t{0}));
  const auto all = budget->try_take(100);
  CHECK(all);
  CHECK_FALSE(budget->try_take(1));
  CHECK(budget->try_take(0));
  CHECK(budget->in_use() == 100);
}

TEST_CASE("a lease outlives the handle of its budget") {
  auto budget = std::make_shared<Budget>(100);
  Lease lease = *budget->try_take(40);
  const std::weak_ptr<Budget> watched = budget;
  budget.reset();
  CHECK_FALSE(watched.expired());
  lease.give_back();
  CHECK(watched.expired());
}

TEST_CASE("the wake hook is called when a starving taker can be served, once, and not before") {
  const auto budget = std::make_shared<Budget>(100);
  unsigned wakes = 0;
  budget->set_wake([&wakes] { ++wakes; });
  Lease a = *budget->try_take(50), b = *budget->try_take(50);
  a.shrink_to(40);
  CHECK(wakes == 0);  // nobody starves
  CHECK_FALSE(budget->try_take(30));
  a.shrink_to(25);
  CHECK(wakes == 0);  // 25 are free, 30 are wanted
  a.shrink_to(20);
  CHECK(wakes == 1);
  a.shrink_to(10);
  CHECK(wakes == 1);  // it was told
  CHECK_FALSE(budget->try_take(60));
  b.give_back();
  CHECK(wakes == 2);
}

TEST_CASE("a taker that was served meanwhile is not woken") {
  const auto budget = std::make_shared<Budget>(100);
  unsigned wakes = 0;
  budget->set_wake([&wakes] { ++wakes; });
  Lease a = *budget->try_take(50);
  CHECK_FALSE(budget->try_take(60));
  const auto smaller = budget->try_take(10);
  CHECK(smaller);
  a.give_back();
  CHECK(wakes == 0);
}

TEST_CASE("set_wake waits for a wake under way, and none comes after it") {
  const Watchdog watchdog("set_wake");
  const auto budget = std::make_shared<Budget>(100);
  std::atomic<bool> is_inside = false, may_return = false, has_returned = false, was_replaced = false;
  budget->set_wake([&] {
    is_inside = true;
    while (!may_return) std::this_thread::yield();
    has_returned = true;
  });
  Lease lease = *budget->try_take(100);
  CHECK_FALSE(budget->try_take(1));
  std::jthread giver([&lease] { lease.give_back(); });
  while (!is_inside) std::this_thread::yield();
  std::jthread replacer([&] {
    budget->set_wake({});
    was_replaced = true;
    CHECK(has_returned);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK_FALSE(was_replaced);
  may_return = true;
  replacer.join();
  giver.join();
  Lease again = *budget->try_take(100);
  has_returned = false;
  CHECK_FALSE(budget->try_take(1));
  again.give_back();
  CHECK_FALSE(has_returned);
}

TEST_CASE(
    "eight threads giving back never push a budget over its limit, and a starving taker is always woken") {
  const Watchdog watchdog("budget stress");
  constexpr std::uint64_t limit = 1000;
  constexpr unsigned rounds = 4000;
  const auto budget = std::make_shared<Budget>(limit);
  std::mutex mutex;
  std::condition_variable posted, woken;
  std::vector<Lease> leases;
  bool is_done = false, is_awake = false;
  std::atomic<std::uint64_t> held = 0, most = 0;
  budget->set_wake([&] {
    std::lock_guard lock(mutex);
    is_awake = true;
    woken.notify_one();
  });
  std::vector<std::jthread> givers;
  for (unsigned i = 0; i < 8; ++i)
    givers.emplace_back([&, i] {
      std::minstd_rand random{i + 1};
      for (;;) {
        Lease lease;
        {
          std::unique_lock lock(mutex);
          posted.wait(lock, [&] { return is_done || !leases.empty(); });
          if (leases.empty()) return;
          lease = std::move(leases.back());
          leases.pop_back();
        }
        // What is held is counted by hand, and subtracted before it is given back: an upper bound of the
        // truth.
        while (lease.bytes() > 0) {
          Lease part = lease.split(1 + random() % lease.bytes());
          held -= part.bytes();
        }
      }
    });
  std::minstd_rand random{99};
  bool is_lost = false;
  for (unsigned round = 0; round < rounds && !is_lost; ++round) {
    const std::uint64_t bytes = 1 + random() % limit;
    std::optional<Lease> lease = budget->try_take(bytes);
    while (!lease) {
      std::unique_lock lock(mutex);
      if (!woken.wait_for(lock, std::chrono::seconds(10), [&] { return is_awake; })) {
        is_lost = true;
        break;
      }
      is_awake = false;
      lock.unlock();
      lease = budget->try_take(bytes);
    }
    if (!lease) break;
    held += bytes;
    if (held > most) most = held.load();
    std::lock_guard lock(mutex);
    leases.push_back(std::move(*lease));
    posted.notify_one();
  }
  {
    std::lock_guard lock(mutex);
    is_done = true;
  }
  posted.notify_all();
  givers.clear();
  CHECK_FALSE(is_lost);
  CHECK(most <= limit);
  CHECK(budget->peak() <= limit);
  CHECK(budget->peak() > limit / 2);
  CHECK(budget->in_use() == 0);
}

TEST_CASE("a shared lease gives what it has and no more, to many threads at once") {
  const auto budget = std::make_shared<Budget>(10000);
  SharedLease shared(*budget->try_take(10000));
  std::atomic<std::uint64_t> drawn = 0;
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      for (;;) {
        const Lease lease = shared.draw(7);
        if (lease.bytes() == 0) return;
        drawn += lease.bytes();
      }
    });
  threads.clear();
  CHECK(drawn == 10000 / 7 * 7);
  CHECK(shared.bytes() == 10000 % 7);
  CHECK(budget->in_use() == 10000 % 7);
  CHECK(shared.take().bytes() == 10000 % 7);
  CHECK(shared.bytes() == 0);
  CHECK(budget->in_use() == 0);
}
