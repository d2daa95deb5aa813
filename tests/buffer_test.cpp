#include "framework/buffer.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "framework/context.hpp"
#include "framework/error.hpp"

namespace {

using namespace weir;

Buffer take(Budget& budget, BufferPool& pool, std::size_t bytes) {
  return pool.allocate(bytes, *budget.try_take(BufferPool::charge(bytes)));
}

}  // namespace

TEST_CASE("a charge is whole pages, grows with the bytes, is its own charge, and adds less than a page") {
  std::uint64_t before = 0;
  for (std::uint64_t bytes = 0; bytes < 3'000'000; bytes += 1 + bytes / 4096) {
    const std::uint64_t charge = BufferPool::charge(bytes);
    CHECK_MESSAGE(
        (charge >= bytes && charge >= before && charge % 4096 == 0 && BufferPool::charge(charge) == charge),
        bytes);
    CHECK_MESSAGE((charge - bytes < 4096 || bytes == 0), bytes);
    before = charge;
  }
  for (unsigned bit = 12; bit < 62; ++bit)
    for (const std::uint64_t bytes :
         {(std::uint64_t{1} << bit) - 1, std::uint64_t{1} << bit, (std::uint64_t{1} << bit) + 1}) {
      const std::uint64_t charge = BufferPool::charge(bytes);
      CHECK(charge >= bytes);
      CHECK(BufferPool::charge(charge) == charge);
      CHECK(BufferPool::charge(bytes + 1) >= charge);
    }
  CHECK(BufferPool::charge(0) == 4096);
  CHECK(BufferPool::charge(~std::uint64_t{0}) == ~std::uint64_t{0});
}

TEST_CASE("a buffer gives its block to the pool and its bytes to the budget") {
  const auto budget = std::make_shared<Budget>(1 << 20);
  const auto pool = std::make_shared<BufferPool>(1 << 20);
  Buffer buffer = take(*budget, *pool, 5000);
  CHECK(buffer.size() == 5000);
  CHECK(buffer.capacity() == 8192);
  CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % 4096 == 0);
  std::memset(buffer.data(), 1, buffer.capacity());
  CHECK(pool->live_bytes() == 8192);
  CHECK(budget->in_use() == 8192);
  buffer.resize(10);
  CHECK(buffer.span().size() == 10);
  CHECK(budget->in_use() == 8192);
  Buffer moved = std::move(buffer);
  buffer.reset();
  CHECK(budget->in_use() == 8192);
  moved = Buffer();
  CHECK(pool->live_bytes() == 0);
  CHECK(budget->in_use() == 0);
}

TEST_CASE("a block is reused for bytes of nearly the same number") {
  const auto budget = std::make_shared<Budget>(1 << 20);
  const auto pool = std::make_shared<BufferPool>(1 << 20);
  Buffer first = take(*budget, *pool, 100'000);
  const std::byte* address = first.data();
  first.reset();
  Buffer second = take(*budget, *pool, 99'000);
  CHECK(second.data() == address);
  Buffer third = take(*budget, *pool, 99'000);
  CHECK(third.data() != address);
  CHECK(pool->peak_bytes() == second.capacity() + third.capacity());
}

TEST_CASE("a small block of a pool that has ended is the next one's, a large one the system's") {
  for (const std::size_t bytes : {std::size_t{64} << 10, std::size_t{1} << 20}) {
    for (const bool is_first : {true, false}) {
      const auto budget = std::make_shared<Budget>(bytes);
      const auto pool = std::make_shared<BufferPool>(bytes);
      Buffer buffer = take(*budget, *pool, bytes);
      const bool is_used = buffer.span()[bytes / 2] == std::byte{77};  // the system's are zeros
      if (!is_first) CHECK(is_used == (bytes < std::size_t{1} << 20));
      std::memset(buffer.data(), 77, bytes);
      CHECK(pool->live_bytes() == bytes);
      CHECK(pool->peak_bytes() == bytes);
    }
  }
}

TEST_CASE("blocks of pools that have ended are freed before they take a pool beyond its limit") {
  constexpr std::uint64_t page = 4096;
  const auto leave_some = [] {
    const auto budget = std::make_shared<Budget>(64 * page);
    const auto pool = std::make_shared<BufferPool>(64 * page);
    std::vector<Buffer> buffers;
    for (int i = 0; i < 4; ++i) buffers.push_back(take(*budget, *pool, 16 * page));
  };
  const auto most_with_idle = [](std::uint64_t limit, bool is_scratch) {
    const auto budget = std::make_shared<Budget>(limit);
    const auto pool = std::make_shared<BufferPool>(limit);
    if (is_scratch)
      pool->scratch_free(pool->scratch_malloc(2 * page));
    else
      take(*budget, *pool, 2 * page);
    return pool->peak_bytes() + BufferPool::idle_bytes();
  };
  for (const bool is_scratch : {false, true}) {
    most_with_idle(2 * page, is_scratch);  // what other tests left goes
    leave_some();
    REQUIRE(BufferPool::idle_bytes() == 64 * page);
    CHECK(most_with_idle(1 << 20, is_scratch) >= 66 * page);  // there is room for both
    leave_some();
    CHECK(most_with_idle(65 * page, is_scratch) <= 65 * page);
  }
}

TEST_CASE("live and kept blocks together never exceed the limit, whatever sizes come") {
  constexpr std::uint64_t limit = 600'000;
  const auto budget = std::make_shared<Budget>(limit);
  const auto pool = std::make_shared<BufferPool>(limit);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      std::minstd_rand random{i + 1};
      std::vector<Buffer> held;
      for (unsigned round = 0; round < 1000; ++round) {
        const std::size_t bytes = 1 + random() % 90'000;
        if (auto lease = budget->try_take(BufferPool::charge(bytes))) {
          held.push_back(pool->allocate(bytes, std::move(*lease)));
          held.back().data()[bytes - 1] = std::byte{1};
        }
        if (held.size() > 4 || round % 3 == 0) held.clear();
      }
    });
  threads.clear();
  CHECK(pool->peak_bytes() <= limit);
  CHECK(pool->peak_bytes() > limit / 2);
  CHECK(pool->live_bytes() == 0);
  CHECK(budget->in_use() == 0);
}

TEST_CASE("kept blocks make room for live ones and for scratch") {
  constexpr std::uint64_t limit = 100 * 4096;
  const auto budget = std::make_shared<Budget>(limit);
  const auto pool = std::make_shared<BufferPool>(limit);
  take(*budget, *pool, limit / 2).reset();
  CHECK(pool->live_bytes() == 0);
  const Buffer small = take(*budget, *pool, limit / 4 * 3);
  CHECK(pool->peak_bytes() <= limit);
  void* scratch = pool->scratch_malloc(10 * 4096);
  CHECK(scratch != nullptr);
  CHECK(pool->peak_bytes() <= limit);
  pool->scratch_free(scratch);
}

TEST_CASE("scratch is counted, aligned, and refused beyond the limit") {
  const auto pool = std::make_shared<BufferPool>(10'000);
  void* block = pool->scratch_malloc(1000);
  REQUIRE(block != nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
  std::memset(block, 1, 1000);
  CHECK(pool->live_bytes() >= 1000);
  CHECK(pool->live_bytes() <= 1128);
  CHECK(pool->scratch_malloc(20'000) == nullptr);
  CHECK(pool->scratch_malloc(~std::size_t{0}) == nullptr);
  CHECK(pool->scratch_malloc(~std::size_t{0} - 64) == nullptr);
  CHECK(pool->peak_bytes() <= 10'000);
  pool->scratch_free(block);
  pool->scratch_free(nullptr);
  CHECK(pool->live_bytes() == 0);
}

TEST_CASE("scratch outside a run is plain memory") {
  const Scratch scratch;
  void* block = scratch.allocate(0);
  CHECK(block != nullptr);
  CHECK(reinterpret_cast<std::uintptr_t>(block) % 64 == 0);
  scratch.release(block);
  CHECK(scratch.allocate(~std::size_t{0}) == nullptr);
}

TEST_CASE("an allocation that fails leaves pool and budget as they were") {
  const auto budget = std::make_shared<Budget>(std::uint64_t{1} << 62);
  const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 62);
  CHECK_THROWS_AS(take(*budget, *pool, std::size_t{1} << 60), Error);  // more than an address space
  CHECK(pool->live_bytes() == 0);
  CHECK(budget->in_use() == 0);
  pool->before_allocation = [] { return false; };
  CHECK_THROWS_AS(take(*budget, *pool, 4096), Error);
  CHECK(pool->scratch_malloc(100) == nullptr);
  pool->before_allocation = []() -> bool { throw std::bad_alloc(); };
  CHECK_THROWS_AS(take(*budget, *pool, 4096), std::bad_alloc);
  CHECK(pool->scratch_malloc(100) == nullptr);
  CHECK(pool->live_bytes() == 0);
  CHECK(budget->in_use() == 0);
}

TEST_CASE("a buffer outlives the handles of its pool and budget") {
  Buffer buffer;
  {
    const auto budget = std::make_shared<Budget>(1 << 20);
    const auto pool = std::make_shared<BufferPool>(1 << 20);
    buffer = take(*budget, *pool, 4096);
  }
  buffer.data()[4095] = std::byte{7};
  CHECK(buffer.data()[4095] == std::byte{7});
}

TEST_CASE("what a context has taken back it gives again, and no more than that") {
  constexpr std::uint64_t page = 4096;
  const auto budget = std::make_shared<Budget>(3 * page);
  const auto pool = std::make_shared<BufferPool>(3 * page);
  SharedLease lease(std::move(*budget->try_take(3 * page)));
  const Context context(pool, &lease, 0, 0, {});
  context.give_back(Buffer());
  Buffer buffer = context.buffer(2 * page);
  CHECK_THROWS_AS(context.buffer(2 * page), Error);
  context.give_back(std::move(buffer));
  CHECK(pool->live_bytes() == 0);
  CHECK(budget->in_use() == 3 * page);
  buffer = context.buffer(3 * page);
  CHECK_THROWS_AS(context.buffer(1), Error);
  buffer.reset();  // to the budget, not to the unit
  CHECK(budget->in_use() == 0);
  CHECK_THROWS_AS(context.buffer(1), Error);
  Context().give_back(Context().buffer(5));
}

TEST_CASE("a context outside any run gives buffers without limit") {
  const Context context;
  Buffer buffer = context.buffer(1 << 20);
  CHECK(buffer.size() == 1 << 20);
  buffer.data()[(1 << 20) - 1] = std::byte{1};
}
