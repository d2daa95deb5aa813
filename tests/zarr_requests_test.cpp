// What a read asks a store for: how many requests, of how many bytes, how many at once.
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/http_store.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/stores/s3_store.hpp"
#include "tests/fake_s3.hpp"
#include "tests/zarr_update_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// 4 shards of 8 x 8 inner chunks of 4 x 4 uint16, raw, that are all stored.
ZarrArrayMetadata small_array(bool index_at_end) {
  return sharded({64, 64}, {32, 32}, {4, 4}, {ZarrCodecSpec{}}, index_at_end);
}

/// Noise, no element of which is fill.
batched::Elements noise(std::uint64_t count) {
  std::mt19937 random(7);
  batched::Elements elements(2 * count);
  for (std::byte& byte : elements) byte = static_cast<std::byte>(random() % 255 + 1);
  return elements;
}

/// With all its elements, which it returns.
batched::Elements create_full(const Store& store, const ZarrArrayMetadata& metadata,
                              ShardOrder order = ShardOrder::morton) {
  create_zarr(store, "a", metadata);
  const std::shared_ptr<const Store> alias(std::shared_ptr<void>(), &store);
  const auto array = open_zarr(alias, "a");
  const batched::Elements elements = noise(batched::product(metadata.shape));
  WriteZarrOptions options = copy_on_write();
  options.order = order;
  update(array, everything(*array), elements, options);
  return elements;
}

batched::Elements read_part(const std::shared_ptr<const ZarrArray>& array, const ZarrSelection& selection,
                            const GraphOptions& graph = {}, RunReport* report = nullptr) {
  batched::Elements elements(2 * count_of(selection), std::byte{0xEE});
  ReadZarrOptions options;
  options.graph = graph;
  const RunReport done =
      read_zarr(array, selection, {elements.data(), packed_strides(selection, 2)}, options);
  if (report != nullptr) *report = done;
  return elements;
}

/// What a read should give.
batched::Elements part_of_all(const batched::Elements& all, const std::vector<std::uint64_t>& shape,
                              const ZarrSelection& selection) {
  batched::Elements part;
  batched::Index extents;
  for (const ZarrAxis& axis : selection) extents.push_back(axis.count);
  batched::each_index(extents, [&](const batched::Index& number) {
    batched::Index at = number;
    for (std::size_t axis = 0; axis < at.size(); ++axis)
      at[axis] = selection[axis].begin + number[axis] * selection[axis].step;
    const auto from = all.begin() + static_cast<std::ptrdiff_t>(2 * batched::offset_of(at, shape));
    part.insert(part.end(), from, from + 2);
  });
  return part;
}

/// A store that is told what a gap is worth.
class Gapped : public CountingStore {
 public:
  Gapped(std::shared_ptr<const Store> store, std::uint64_t gap)
      : CountingStore(std::move(store)), gap_(gap) {}
  std::uint64_t gap_bytes() const override { return gap_; }

 private:
  std::uint64_t gap_;
};

/// Counts the requests that are under way together.
class Watched : public CountingStore {
 public:
  using CountingStore::CountingStore;
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop, ObjectVersion* version) const override {
    const Flight flight(*this, 1);
    return CountingStore::get(key, out, stop, version);
  }
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop, ObjectVersion* version) const override {
    const Flight flight(*this, 1);
    return CountingStore::get_end(key, out, stop, version);
  }
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop,
                  ObjectVersion* version) const override {
    const Flight flight(*this, static_cast<unsigned>(ranges.size()));
    return CountingStore::get_ranges(key, ranges, stop, version);
  }
  unsigned most() const { return most_; }

 private:
  struct Flight {
    Flight(const Watched& store, unsigned requests) : of(store), count(requests) {
      const unsigned now = of.now_ += count;
      for (unsigned most = of.most_; most < now && !of.most_.compare_exchange_weak(most, now);) {
      }
    }
    ~Flight() { of.now_ -= count; }
    const Watched& of;
    const unsigned count;
  };
  mutable std::atomic<unsigned> now_ = 0, most_ = 0;
};

}  // namespace

#ifdef WEIR_WITH_CURL

TEST_CASE("a window in a shard is three requests over http: metadata, index, data; then two, or one") {
  for (const bool index_at_end : {true, false}) {
    CAPTURE(index_at_end);
    const MemoryStore memory;
    const ZarrArrayMetadata metadata = small_array(index_at_end);
    const batched::Elements all = create_full(memory, metadata);
    HttpServer server;
    for (const auto& [key, bytes] : objects_of(memory)) server.serve("/" + key, {.bytes = bytes});
    const auto array = open_zarr(std::make_shared<const HttpStore>(server.url("/")), "a");
    // Of inner chunks that are no neighbours in the shard: what lies between them is read along.
    const auto reads = [&](const ZarrSelection& window, std::size_t requests) {
      const std::size_t before = server.count();
      RunReport report;
      CHECK(read_part(array, window, {}, &report) == part_of_all(all, {64, 64}, window));
      CHECK(server.count() - before == requests);
    };
    CHECK(server.count() == 1);
    reads({{5, 20, 1}, {3, 9, 1}}, 2);
    CHECK(server.seen()[1].suffix.has_value() == index_at_end);
    reads({{0, 5, 7}, {1, 10, 3}}, 1);
    reads({{31, 1, 1}, {31, 1, 1}}, 1);
    reads({{40, 1, 1}, {50, 1, 1}}, 2);   // another shard
    reads({{0, 32, 1}, {32, 32, 1}}, 1);  // all of one, which is its index, too
    reads({{3, 5, 1}, {40, 5, 1}}, 1);
  }
}

TEST_CASE("what a gap is worth is measured: the time that a request waits, at the rate that bytes come in") {
  HttpServer server;
  server.serve("/long", {.bytes = made_bytes(4 << 20)});
  server.serve("/short", {.bytes = made_bytes(1000)});
  const HttpStore store(server.url("/"));
  CHECK(store.gap_bytes() == 64 << 10);
  batched::Elements out(4 << 20);
  server.set_latency(std::chrono::milliseconds(30));
  store.get("short", std::span(out).first(1000));
  CHECK(store.gap_bytes() == 64 << 10);  // no rate is seen
  store.get("long", out);
  CHECK(store.gap_bytes() > 256 << 10);  // 30 ms, at more than 9 MB/s
  CHECK(store.gap_bytes() <= 8 << 20);
}

#if defined(WEIR_WITH_OPENSSL) && defined(WEIR_WITH_PUGIXML)

TEST_CASE("a window in a shard is three requests to a bucket, too") {
  FakeS3 s3;
  const ZarrArrayMetadata metadata = small_array(true);
  const batched::Elements all = create_full(S3Store("s3://box/x", s3.options()), metadata);
  s3.server.forget();
  const auto array = open_zarr(std::make_shared<const S3Store>("s3://box/x", s3.options()), "a");
  const ZarrSelection window{{5, 20, 1}, {3, 9, 1}};
  CHECK(read_part(array, window) == part_of_all(all, {64, 64}, window));
  CHECK(s3.server.count() == 3);
  CHECK(read_part(array, window) == part_of_all(all, {64, 64}, window));
  CHECK(s3.server.count() == 4);
}

#endif
#endif

TEST_CASE("inner chunks are one request as far as the gaps between them are worth less than one") {
  // 100 inner chunks of 32 bytes, in their order; every fifth is wanted: 19 gaps of 128 bytes.
  const auto memory = std::make_shared<MemoryStore>();
  const ZarrArrayMetadata metadata = sharded({1600}, {1600}, {16}, {ZarrCodecSpec{}}, true);
  const batched::Elements all = create_full(*memory, metadata, ShardOrder::row_major);
  const ZarrSelection every{{3, 20, 80}};
  for (const std::uint64_t gap : {0u, 127u, 128u, 4096u}) {
    CAPTURE(gap);
    const auto store = std::make_shared<Gapped>(memory, gap);
    const auto array = open_zarr(store, "a");
    store->take();
    CHECK(read_part(array, every) == part_of_all(all, {1600}, every));
    const StoreCount asked = store->take();
    CHECK(asked.get_end == 1);
    CHECK(asked.ranges == (gap < 128 ? 20 : 1));
    CHECK(asked.bytes_read ==
          array->layout()->index()->encoded_bytes() + 20 * 32 + (gap < 128 ? 0 : 19 * 128));
  }
}

TEST_CASE("gaps are read along as far as the budget has room for them, the smallest first") {
  // 400 inner chunks of 4 KiB. Wanted: the first of each 40, and the one behind the next.
  const auto memory = std::make_shared<MemoryStore>();
  const ZarrArrayMetadata metadata = sharded({400 * 2048}, {400 * 2048}, {2048}, {ZarrCodecSpec{}}, true);
  const batched::Elements all = create_full(*memory, metadata, ShardOrder::row_major);
  const auto store = std::make_shared<Gapped>(memory, 1 << 20);
  const auto array = open_zarr(store, "a");
  const auto pieces = std::make_shared<std::vector<StoredPiece>>(20);
  std::vector<ZarrIndex> chunks;
  for (std::uint64_t first = 0; first < 400; first += 40)
    for (const std::uint64_t more : {0u, 2u}) chunks.push_back({first + more});
  constexpr std::uint64_t chunk = 4096;
  struct Row {
    std::uint64_t room, ranges;
  };
  // Ten gaps of one chunk; then nine of 37.
  for (const Row& row : {Row{0, 20}, Row{chunk - 1, 20}, Row{chunk, 19}, Row{10 * chunk, 10},
                         Row{47 * chunk - 1, 10}, Row{47 * chunk, 9}, Row{1000 * chunk, 1}}) {
    CAPTURE(row.room);
    batched::Elements data;
    const auto room = [&](std::uint64_t bytes) {
      CHECK(bytes <= 20 * chunk + row.room);
      data.resize(bytes);
      return std::span(data);
    };
    store->take();
    const std::uint64_t used = fetch_chunks(*array, chunks, false, *pieces, 20 * chunk + row.room, room, {});
    CHECK(used == data.size());
    CHECK(store->take().ranges == row.ranges);
    for (std::size_t i = 0; i < chunks.size(); ++i)
      CHECK(std::equal(data.begin() + static_cast<std::ptrdiff_t>((*pieces)[i].offset),
                       data.begin() + static_cast<std::ptrdiff_t>((*pieces)[i].offset + chunk),
                       all.begin() + static_cast<std::ptrdiff_t>(chunks[i][0] * chunk)));
  }
  // The room is what the budget has left beside the chunks.
  const ZarrSelection every{{0, 10, 40 * 2048}};
  std::uint64_t before = 100, most = 0;
  for (const std::uint64_t memory_bytes : {4u << 20, 8u << 20, 64u << 20}) {
    GraphOptions graph;
    graph.memory = memory_bytes;
    graph.threads = 2;
    RunReport report;
    store->take();
    ZarrOpenOptions open;
    open.index_cache_bytes = 1;
    CHECK(read_part(open_zarr(store, "a", open), every, graph, &report) ==
          part_of_all(all, {400 * 2048}, every));
    const std::uint64_t ranges = store->take().ranges;
    CHECK(report.peak_leased <= memory_bytes);
    CHECK(ranges <= before);
    most = std::max(most, ranges);
    before = ranges;
  }
  CHECK(most > 1);
  CHECK(before == 1);
}

TEST_CASE("4,096 inner chunks behind a latency take few requests, as many at once as are worth it") {
  struct Row {
    std::string name;
    std::vector<std::uint64_t> shape, shards, inner;
    ZarrSelection selection;
    std::uint64_t requests;  // of data and indexes
    unsigned at_once;
  };
  const std::vector<std::uint64_t> inner{4, 4};
  // 64 x 64 inner chunks each. Whole shards are a request each, parts of shards two.
  const std::vector<Row> rows{
      {"one shard", {256, 256}, {256, 256}, inner, {{0, 256, 1}, {0, 256, 1}}, 1, 1},
      {"64 shards", {256, 256}, {32, 32}, inner, {{0, 256, 1}, {0, 256, 1}}, 64, 16},
      {"most of one shard", {288, 288}, {288, 288}, inner, {{8, 256, 1}, {8, 256, 1}}, 2, 1},
      {"the middle of 9 shards", {288, 288}, {96, 96}, inner, {{16, 256, 1}, {16, 256, 1}}, 17, 9},
      {"every second cell of 16 shards", {256, 256}, {64, 64}, inner, {{0, 128, 2}, {0, 128, 2}}, 16, 16},
      {"no shards", {256, 256}, {4, 4}, {}, {{0, 256, 1}, {0, 256, 1}}, 4096, 16},
  };
  const bool is_full = std::getenv("WEIR_TEST_FULL") != nullptr;
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const auto memory = std::make_shared<MemoryStore>();
    ZarrArrayMetadata metadata =
        zarr_array(row.shape, row.shards, row.inner, {ZarrType::Kind::unsigned_integer, 2});
    const batched::Elements all = create_full(*memory, metadata);
    // The short run waits less for those that must be many.
    const std::chrono::milliseconds latency(is_full || row.requests < 100 ? 30 : 1);
    const auto far = std::make_shared<const LatencyStore>(memory, LatencyOptions{.latency = latency});
    const auto store = std::make_shared<Watched>(far);
    const auto array = open_zarr(store, "a");
    store->take();
    GraphOptions graph;
    graph.threads = 2;
    const auto begin = std::chrono::steady_clock::now();
    CHECK((read_part(array, row.selection, graph) == part_of_all(all, row.shape, row.selection)));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    CHECK(store->take().read_requests() == row.requests);
    CHECK(store->most() == row.at_once);
    const double ideal = static_cast<double>((row.requests + 15) / 16) * 0.03;
    if (is_full) CHECK(taken.count() < 3 * ideal + 0.1);
  }
}
