#include "nodes/stores/latency_store.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/stores/open_store.hpp"
#include "tests/faulty_store.hpp"
#include "tests/store_support.hpp"

using namespace weir;
using namespace weir::test;
using Clock = std::chrono::steady_clock;

namespace {

/// Says of itself what no other store says, and takes down what is asked of it.
class ToldStore : public MemoryStore {
 public:
  explicit ToldStore(StoreAbilities abilities) : abilities_(abilities) {}
  StoreAbilities abilities() const override { return abilities_; }
  unsigned requests_at_once() const override { return 77; }
  std::uint64_t gap_bytes() const override { return 12'345'678'901; }
  std::uint64_t writer_bytes() const override { return 4321; }

 private:
  StoreAbilities abilities_;
};

double seconds_of_work(const std::function<void()>& work) {
  const auto begun = Clock::now();
  work();
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

}  // namespace

TEST_CASE("every wrapper keeps every ability of what it wraps, each of them, and what it costs") {
  for (unsigned bits = 0; bits < 64; ++bits) {
    const StoreAbilities abilities{(bits & 1) != 0, (bits & 2) != 0,  (bits & 4) != 0,
                                   (bits & 8) != 0, (bits & 16) != 0, (bits & 32) != 0};
    const auto told = std::make_shared<const ToldStore>(abilities);
    const std::vector<std::shared_ptr<const Store>> wrappers{
        std::make_shared<const CountingStore>(told),
        std::make_shared<const LatencyStore>(told, LatencyOptions{.requests_at_once = 77}),
        std::make_shared<const FaultyStore>(told)};
    for (const auto& store : wrappers) {
      const StoreAbilities kept = store->abilities();
      CHECK(kept.write == abilities.write);
      CHECK(kept.patch == abilities.patch);
      CHECK(kept.put_range == abilities.put_range);
      CHECK(kept.list == abilities.list);
      CHECK(kept.copy == abilities.copy);
      CHECK(kept.lock == abilities.lock);
      CHECK(store->name() == told->name());
      CHECK(store->requests_at_once() == 77);
      CHECK(store->gap_bytes() == told->gap_bytes());
      CHECK(store->writer_bytes() == 4321);
      CHECK(store->standing_bytes() >= told->standing_bytes());
    }
  }
}

TEST_CASE("every wrapper keeps what the interface of stores promises") {
  const Folder folder;
  int number = 0;
  const auto next = [&] {
    return open_store(folder / std::to_string(++number), {.folder = {.create = true}});
  };
  const std::vector<std::shared_ptr<const Store>> wrappers{
      std::make_shared<const CountingStore>(next()),
      std::make_shared<const LatencyStore>(next(), LatencyOptions{.latency = std::chrono::microseconds(10)}),
      std::make_shared<const FaultyStore>(next()),
      std::make_shared<const CountingStore>(std::make_shared<const LatencyStore>(next(), LatencyOptions{}))};
  for (const auto& store : wrappers) {
    check_writing(*store);
    check_reading(*store);
  }
}

TEST_CASE("requests are waited for: together up to as many as may be at once, and by their bytes") {
  const auto memory = std::make_shared<const MemoryStore>();
  memory->put("x", made_bytes(100'000));
  std::vector<Bytes> outs(40, Bytes(1000));
  std::vector<ObjectRange> ranges;
  for (std::size_t i = 0; i < outs.size(); ++i) ranges.push_back({i * 1000, outs[i]});
  using std::chrono::milliseconds;
  {
    const LatencyStore store(memory, {.latency = milliseconds(20), .requests_at_once = 10});
    const double four_rounds = seconds_of_work([&] { store.get_ranges("x", ranges); });
    CHECK(four_rounds >= 0.08);
    CHECK(store.traffic()->total().requests == 40);
    CHECK(store.traffic()->total().bytes == 40'000);
    double best = four_rounds;  // forty one after another would take 0.8 s, on any machine
    for (int again = 0; again < 3 && best >= 0.4; ++again)
      best = std::min(best, seconds_of_work([&] { store.get_ranges("x", ranges); }));
    CHECK(best < 0.4);
    // From many threads as from one.
    const double shared = seconds_of_work([&] {
      std::vector<std::thread> threads;
      for (int i = 0; i < 20; ++i)
        threads.emplace_back([&] {
          Bytes out(10);
          store.get("x", out);
        });
      for (std::thread& thread : threads) thread.join();
    });
    CHECK(shared >= 0.04);
    CHECK(store.gap_bytes() == 20'000'000);
  }
  {
    const LatencyStore store(memory, {.bytes_per_second = 400'000});
    CHECK(seconds_of_work([&] { store.get_ranges("x", ranges); }) >= 0.1);
    CHECK(seconds_of_work([&] { store.put("y", made_bytes(40'000)); }) >= 0.1);
    const auto writer = store.writer("z");
    writer->append(made_bytes(40'000));
    CHECK(seconds_of_work([&] { writer->commit(); }) >= 0.1);
  }
  {
    const LatencyStore store(memory, {.latency = std::chrono::seconds(20)});
    std::stop_source stop;
    std::thread later([&] {
      std::this_thread::sleep_for(milliseconds(20));
      stop.request_stop();
    });
    CHECK(error_of([&] { store.get_ranges("x", ranges, stop.get_token()); }).kind() == ErrorKind::cancelled);
    later.join();
  }
  CHECK_THROWS_AS(LatencyStore(memory, {.requests_at_once = 0}), Error);
}

TEST_CASE("calls and bytes are counted by kind") {
  const CountingStore store(std::make_shared<const MemoryStore>());
  Bytes out(30);
  const std::vector<ObjectRange> ranges{{0, std::span(out).first(10)}, {10, std::span(out).first(5)}};
  store.put("a", made_bytes(20));
  static_cast<void>(store.size("a"));
  store.get("a", out);
  store.get("none", out);
  store.get_end("a", std::span(out).first(3));
  store.get_ranges("a", ranges);
  store.put_range("a", 1, made_bytes(2));
  store.sync("a");
  static_cast<void>(store.lock("a"));
  {
    const auto writer = store.writer("a");
    writer->append(made_bytes(7));
    writer->copy(0, 5);
    writer->patch(0, made_bytes(1));
    writer->commit();
  }
  CHECK(listed(store, "").size() == 1);
  store.erase("a");
  const StoreCount count = store.take();
  CHECK(count == StoreCount{.size = 1,
                            .get = 2,
                            .get_end = 1,
                            .get_ranges = 1,
                            .ranges = 2,
                            .put = 1,
                            .writer = 1,
                            .put_range = 1,
                            .sync = 1,
                            .erase = 1,
                            .lock = 1,
                            .list = 1,
                            .bytes_read = 20 + 3 + 15,
                            .bytes_written = 20 + 2 + 7 + 1});
  CHECK(count.read_requests() == 6);
  CHECK(store.take() == StoreCount{});
}

TEST_CASE("paths and URLs name the store that is opened") {
  const Folder folder;
  CHECK(open_store(folder.path)->name() == folder.path);
  CHECK(open_store("memory:here")->name() == "memory:here");
  CHECK_THROWS_AS(open_store(folder / "none"), Error);
  CHECK(open_store(folder / "made/deep", {.folder = {.create = true}})->abilities().write);
#ifdef WEIR_WITH_CURL
  CHECK(open_store("https://example.com/a.zarr?x=y")->name() == "https://example.com/a.zarr?x=...");
#endif
}
