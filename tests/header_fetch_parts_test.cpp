// What the node that fetches headers is made of, and readers that wait: no server is needed.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "nodes/headers/byte_arena.hpp"
#include "nodes/headers/key_filter.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "tests/file_support.hpp"
#include "tests/header_fetch_support.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using namespace std::chrono_literals;

TEST_CASE(
    "what is asked for first becomes what 95 % of the headers need, and little where they are far away") {
  PrefetchGuess guess(16 << 10, 32 << 10);
  for (int i = 0; i < 31; ++i) guess.note(2600);
  CHECK(guess.bytes() == 16 << 10);
  guess.note(2600);
  CHECK(guess.bytes() == 4 << 10);
  for (int i = 0; i < 32; ++i) guess.note(i % 16 == 0 ? 30'000 : 2600);
  CHECK(guess.bytes() == 4 << 10);  // 3 % are larger
  for (int i = 0; i < 320; ++i) guess.note(22'000);
  CHECK(guess.bytes() == 32 << 10);
  for (int i = 0; i < 3200; ++i) guess.note(50 << 20);
  CHECK(guess.bytes() == PrefetchGuess::least);
  for (int i = 0; i < 6400; ++i) guess.note(900);
  CHECK(guess.bytes() == PrefetchGuess::least);
  for (int i = 0; i < 6400; ++i) guess.note(4096);
  CHECK(guess.bytes() == 4096);
}

TEST_CASE("an arena gives what it has, once, and has it whole again at the end") {
  Bytes memory(10'000);
  ByteArena arena(memory);
  std::vector<std::span<std::byte>> taken;
  std::mt19937 random(3);
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t bytes = 1 + random() % 900;
    if (random() % 2 == 0) {
      const std::span<std::byte> part = arena.take(bytes);
      if (part.empty()) continue;
      REQUIRE(part.size() == bytes);
      for (const std::byte byte : part) REQUIRE(byte == std::byte{0});
      std::ranges::fill(part, std::byte{1});
      taken.push_back(part);
    } else if (!taken.empty()) {
      std::swap(taken[random() % taken.size()], taken.back());
      std::ranges::fill(taken.back(), std::byte{0});
      arena.give_back(taken.back());
      taken.pop_back();
    }
  }
  for (const std::span<std::byte> part : taken) arena.give_back(part);
  CHECK(arena.is_whole());
  CHECK(arena.take(10'000).size() == 10'000);
  CHECK(arena.take(1).empty());
}

TEST_CASE("a row that is too large loses its longest texts, with a warning each") {
  HeaderRow row;
  row.object.path = "a.tif";
  row.image_description = std::string(30'000, 'd');
  row.other_tags[700] = std::string(50'000, 'x');
  row.other_tags[34'675] = std::string(20'000, 'i');
  row.software = "weir";
  fit_row(row);
  CHECK(row.bytes() <= largest_row);
  CHECK_FALSE(row.other_tags.contains(700));
  CHECK(row.other_tags.contains(34'675));
  CHECK(row.image_description);
  CHECK(row.software == "weir");
  REQUIRE(row.warnings.size() == 1);
  CHECK(row.warnings[0].starts_with("tag 700 is left out: it has 50000 of the row's "));

  HeaderRow bands;
  bands.bits_per_sample.emplace(5000, 8);
  bands.sample_format.emplace(5000, 1);
  const std::uint64_t bytes = bands.bytes();
  fit_row(bands);
  // 40000 alone would fit.
  CHECK(bands.warnings ==
        std::vector{fmt::format("bits_per_sample is left out: it has 40000 of the row's {} bytes, "
                                "and a row has at most 65536",
                                bytes)});
}

TEST_CASE("a batch of a reader that waits is stopped at its next request, from any thread") {
  const auto memory = std::make_shared<const MemoryStore>();
  std::vector<std::string> keys;
  for (int i = 0; i < 32; ++i) {
    keys.push_back(std::to_string(i) + ".tif");
    memory->put(keys.back(), picture());
  }
  const LatencyStore store(memory, {.latency = 20ms});
  const FetchHeaders fetch(store, {.in_flight = 2}, std::make_shared<FetchCounts>());
  std::stop_source stop;
  std::jthread later([&] {
    std::this_thread::sleep_for(50ms);
    stop.request_stop();
  });
  const Context context(nullptr, nullptr, 0, 0, stop.get_token());
  CHECK(error_of([&] { fetch(batch_of(keys), context); }).kind() == ErrorKind::cancelled);
  CHECK(store.traffic()->total().requests < 16);  // three or four
}

}  // namespace
