// An ordered stream of an array's windows.
#include <doctest/doctest.h>

#include <atomic>
#include <mutex>
#include <numeric>
#include <set>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "pipelines/stream_zarr.hpp"
#include "tests/file_support.hpp"
#include "tests/zarr_update_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<const ZarrArray> filled(const std::shared_ptr<const Store>& store,
                                        const ZarrArrayMetadata& metadata, std::mt19937& random) {
  create_zarr(*store, "a", metadata);
  const auto array = open_zarr(store, "a");
  // Some of it is left fill.
  for (int i = 0; i < 3; ++i) {
    const ZarrSelection some = random_selection(metadata.shape, random);
    update(array, some, random_elements(count_of(some), random), copy_on_write());
  }
  return array;
}

batched::Elements read_part(const std::shared_ptr<const ZarrArray>& array, const ZarrSelection& selection) {
  batched::Elements elements(2 * count_of(selection), std::byte{0xEE});
  ReadZarrOptions options;
  options.graph.threads = 1;
  read_zarr(array, selection, {elements.data(), packed_strides(selection, 2)}, options);
  return elements;
}

std::vector<std::uint64_t> random_window(const ZarrSelection& selection, std::mt19937& random) {
  std::vector<std::uint64_t> window;
  for (const ZarrAxis& axis : selection) window.push_back(random() % (axis.count + 1) + 1);
  return window;
}

/// Chunks that the units read, counted one by one.
std::uint64_t reads_one_by_one(const WindowPlan& plan) {
  std::uint64_t reads = 0;
  for (std::uint64_t unit = 0; unit < plan.units(); ++unit)
    reads += ChunkRuns(plan.shared_layout(), plan.unit_selection(unit), 1).chunks();
  return reads;
}

}  // namespace

TEST_CASE("units have every window once, in order, with just its elements; and their reads are as planned") {
  std::mt19937 random(11);
  for (int i = 0; i < 1500; ++i) {
    const ShardedArray drawn = sharded_arrays()[random() % sharded_arrays().size()];
    const auto layout = std::make_shared<const ZarrLayout>(drawn.metadata, "it");
    const ZarrSelection selection = random_selection(layout->shape(), random);
    const std::vector<std::uint64_t> window = random_window(selection, random);
    const WindowPlan plan(layout, selection, window, {100, 10},
                          random() % 3 == 0 ? ~0ull : random() % 100'000, "it");
    REQUIRE(plan.reads() == reads_one_by_one(plan));
    std::uint64_t next = 0, elements = 0;
    for (std::uint64_t unit = 0; unit < plan.units(); ++unit) {
      REQUIRE(plan.first_window(unit) == next);
      REQUIRE(plan.window_count(unit) > 0);
      const std::uint64_t end = next + plan.window_count(unit);
      // Which windows of the unit each of its chunks touches.
      const ChunkRuns chunks(layout, plan.unit_selection(unit), 1000);
      std::set<std::pair<std::uint64_t, ZarrIndex>> touched, wanted;
      for (std::uint64_t run = 0; run < chunks.count(); ++run)
        for (const ZarrIndex& chunk : chunks.chunks_of(run))
          for (const std::uint64_t of_unit : plan.windows_of(unit, chunk))
            touched.emplace(next + of_unit, chunk);
      for (; next < end; ++next) {
        const ZarrSelection part = plan.selection(plan.at(next));
        elements += count_of(part);
        const ChunkRuns own(layout, part, 1000);
        for (std::uint64_t run = 0; run < own.count(); ++run)
          for (const ZarrIndex& chunk : own.chunks_of(run)) wanted.emplace(next, chunk);
      }
      REQUIRE(touched == wanted);
    }
    REQUIRE(next == plan.count());
    REQUIRE(elements == count_of(selection));
  }
}

TEST_CASE(
    "windows of any shape come in order, each with what a read of it gives, on one thread and on many") {
  std::mt19937 random(12);
  for (const ShardedArray& of : sharded_arrays()) {
    CAPTURE(of.name);
    const auto array = filled(std::make_shared<MemoryStore>(), of.metadata, random);
    for (int i = 0; i < 12; ++i) {
      const ZarrSelection selection = random_selection(of.metadata.shape, random);
      StreamZarrOptions options;
      options.graph.threads = 1 + static_cast<unsigned>(random() % 3);
      options.graph.engine = i % 2 == 0 ? Engine::serial : Engine::onetbb;
      const std::vector<std::uint64_t> shape = random_window(selection, random);
      if (i % 3 == 0) {  // the least that works, and what is near it
        options.graph.memory = 1;
        options.graph.memory =
            ZarrWindowStream(array, selection, shape, options).graph().plan().smallest_memory;
        options.graph.memory += random() % 2 * (random() % 100'000);
      }
      ZarrWindowStream stream(array, selection, shape, options);
      std::uint64_t next = 0;
      const RunReport report = stream.run([&](const ZarrWindow& window) {
        REQUIRE(window.number == next++);
        REQUIRE(window.selection == stream.plan().selection(window.place));
        const auto bytes = window.data.span();
        REQUIRE(batched::Elements(bytes.begin(), bytes.end()) == read_part(array, window.selection));
      });
      CHECK(next == stream.plan().count());
      CHECK(report.source_reads == stream.plan().reads());
      CHECK(report.peak_leased <= report.memory_limit);
      CHECK(report.peak_payload <= report.memory_limit);
    }
  }
}

TEST_CASE(
    "windows that share chunks read each of them once where they fit, and as often as explain says where "
    "not") {
  const auto memory = std::make_shared<MemoryStore>();
  // 256 chunks of 8 KiB; windows of half a chunk, a quarter of one off.
  const ZarrArrayMetadata metadata =
      zarr_array({1024, 1024}, {64, 64}, {}, {ZarrType::Kind::unsigned_integer, 2});
  std::mt19937 random(13);
  create_zarr(*memory, "a", metadata);
  batched::Elements elements = random_elements(1024 * 1024, random);
  for (std::byte& byte : elements) byte = byte | std::byte{1};  // no chunk is fill
  const auto store = std::make_shared<CountingStore>(memory);
  const auto array = open_zarr(store, "a");
  update(array, everything(*array), elements, copy_on_write());
  const ZarrSelection selection{{16, 1000, 1}, {16, 1000, 1}};
  std::uint64_t before = ~0ull;
  for (const std::uint64_t budget : {4u << 20, 6u << 20, 10u << 20, 60u << 20}) {
    CAPTURE(budget);
    StreamZarrOptions options;
    options.graph.memory = budget;
    options.graph.threads = 2;
    ZarrWindowStream stream(array, selection, {32, 32}, options);
    store->take();
    const RunReport report = stream.run([](const ZarrWindow&) {});
    const std::uint64_t reads = store->take().get;
    CHECK(reads == stream.plan().reads());
    CHECK(report.source_reads == reads);
    CHECK(report.source_chunks == 256);
    CHECK(reads <= before);
    CHECK(report.peak_leased <= budget);
    const bool says_once = stream.explain().find("each read once") != std::string::npos;
    CHECK(says_once == (reads == 256));
    if (!says_once) CHECK(stream.explain().find("times each") != std::string::npos);
    before = reads;
  }
  CHECK(before == 256);
  // Windows that begin where chunks do are units of few chunks, whatever the budget.
  StreamZarrOptions options;
  ZarrWindowStream stream(array, everything(*array), {32, 64}, options);
  CHECK(stream.plan().reads() == 256);
  CHECK(stream.plan().units() >= 16);
}

TEST_CASE("a graph of one's own takes windows on many threads, and adds them up in order") {
  std::mt19937 random(14);
  const auto array = filled(std::make_shared<MemoryStore>(), sharded_arrays()[4].metadata, random);
  GraphOptions limits;
  limits.threads = 3;
  limits.engine = Engine::onetbb;
  Graph graph(limits);
  ZarrWindows source(graph, array, everything(*array), {5, 4});
  struct Sum {
    std::uint64_t window = 0, sum = 0;
  };
  const auto sum = [](std::span<const std::byte> bytes) {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 2)
      all += std::to_integer<std::uint64_t>(bytes[i]) + 256 * std::to_integer<std::uint64_t>(bytes[i + 1]);
    return all;
  };
  auto sums = graph.transform<Sum>("sum", source.windows(), [&](const ZarrWindow& window) {
    return Sum{window.number, sum(window.data.span())};
  });
  std::vector<std::uint64_t> got;
  graph.ordered_sink("list", sums, [&](const Sum& it) {
    CHECK(it.window == got.size());
    got.push_back(it.sum);
  });
  graph.run();
  std::vector<std::uint64_t> wanted;
  for (std::uint64_t window = 0; window < source.plan().count(); ++window)
    wanted.push_back(sum(read_part(array, source.plan().selection(source.plan().at(window)))));
  CHECK(got == wanted);
}

TEST_CASE("an array without axes is one window, and what is no window is refused") {
  const auto store = std::make_shared<MemoryStore>();
  create_zarr(*store, "a", zarr_array({}, {}, {}, {ZarrType::Kind::unsigned_integer, 2}));
  const auto scalar = open_zarr(store, "a");
  update(scalar, {}, {std::byte{3}, std::byte{4}}, copy_on_write());
  int seen = 0;
  stream_zarr(scalar, {}, {}, [&](const ZarrWindow& window) {
    ++seen;
    REQUIRE(window.data.size() == 2);
    CHECK(window.data.span()[1] == std::byte{4});
  });
  CHECK(seen == 1);

  create_zarr(*store, "b", zarr_array({10, 10}, {5, 5}, {}, {ZarrType::Kind::unsigned_integer, 2}));
  const auto array = open_zarr(store, "b");
  const auto reason = [&](const ZarrSelection& selection, const std::vector<std::uint64_t>& window) {
    const Error error = error_of([&] { ZarrWindowStream(array, selection, window); });
    CHECK(error.kind() == ErrorKind::usage);
    return std::string(error.what());
  };
  CHECK(reason(everything(*array), {5}).find("a window has 1 axes, and the array 2") != std::string::npos);
  CHECK(reason(everything(*array), {5, 0}).find("a window has nothing of axis 1") != std::string::npos);
  CHECK(reason({{0, 11, 1}, {0, 1, 1}}, {5, 5}).find("axis 0 has 10 elements") != std::string::npos);
  StreamZarrOptions small;
  small.graph.memory = 4096;
  const Error error = error_of([&] {
    stream_zarr(
        array, everything(*array), {5, 5}, [](const ZarrWindow&) {}, small);
  });
  CHECK(error.kind() == ErrorKind::usage);
}

TEST_CASE("what the caller throws ends the stream with the window's name, and no window comes after it") {
  std::mt19937 random(15);
  const auto array = filled(std::make_shared<MemoryStore>(), sharded_arrays()[0].metadata, random);
  for (const Engine engine : {Engine::serial, Engine::onetbb}) {
    StreamZarrOptions options;
    options.graph.engine = engine;
    options.graph.threads = 2;
    std::uint64_t calls = 0;
    const Error error = error_of([&] {
      stream_zarr(
          array, everything(*array), {4, 4},
          [&](const ZarrWindow& window) {
            ++calls;
            if (window.number == 7) throw Error("use", "it", "no");
          },
          options);
    });
    CHECK(std::string(error.what()).find("window 7") != std::string::npos);
    CHECK(calls == 8);
  }
}
