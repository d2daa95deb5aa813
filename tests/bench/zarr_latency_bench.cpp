// Reads of 4,096 inner chunks (4,096 chunks where there are no shards) through a store that answers each request late, beside the plain
// pipeline of one batch after the other: everything is fetched, object by object as many at once as the store takes, then everything
// decoded, then everything scattered.
//
//   build/bench/zarr_latency_bench [THREADS [REPEATS]]      default: 2 threads, medians of 3
//
// Rows: milliseconds of Weir, of the plain pipeline, both with the array open, and what the requests that Weir needs take at best (16 at
// once; that the index of a shard comes before its chunks is not counted).
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/latency_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "pipelines/read_zarr.hpp"
#include "pipelines/write_zarr.hpp"
#include "tests/zarr_batched.hpp"
#include "tests/zarr_support.hpp"

namespace {

using namespace weir;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t side = 2048, chunk = 32, shard = 512;  // 64 x 64 chunks of 2 KiB, 16 of them shards
constexpr unsigned at_once = 16;

double milliseconds(const std::function<void()>& work) {
  const auto begin = Clock::now();
  work();
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// Of what `work` says.
double median(int repeats, const std::function<double()>& work) {
  std::vector<double> times;
  for (int i = 0; i < repeats; ++i) times.push_back(work());
  std::ranges::sort(times);
  return times[times.size() / 2];
}

ZarrArrayMetadata metadata(bool is_sharded) {
  ZarrCodecSpec zstd = codec_of(ZarrCodecSpec::Id::zstd);
  zstd.level = 1;
  const std::uint64_t object = is_sharded ? shard : chunk;
  return zarr_array({side, side}, {object, object},
                    is_sharded ? std::vector<std::uint64_t>{chunk, chunk} : std::vector<std::uint64_t>(),
                    {ZarrType::Kind::unsigned_integer, 2}, {ZarrCodecSpec{}, zstd});
}

batched::Elements surface() {
  std::mt19937 random(1);
  batched::Elements bytes(side * side * 2);
  std::uint32_t height = 2000;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    height += static_cast<std::uint32_t>(random() % 7) - 3;
    bytes[i] = static_cast<std::byte>(height);
    bytes[i + 1] = static_cast<std::byte>(height >> 8);
  }
  return bytes;
}

/// The objects that a selection touches, whole, then decoded, then scattered: one step after the other, `threads` in each but the first.
void read_batched(const Store& store, const ZarrArray& array, const ZarrSelection& selection,
                  unsigned threads, batched::Elements& out) {
  const ZarrLayout& layout = *array.layout();
  std::vector<ZarrIndex> objects;
  const AxisWalk rows(selection[0], layout.object_shape()[0]), cols(selection[1], layout.object_shape()[1]);
  for (std::uint64_t i = 0; i < rows.count(); ++i)
    for (std::uint64_t k = 0; k < cols.count(); ++k) objects.push_back({rows.piece(i), cols.piece(k)});
  std::vector<batched::Elements> stored(objects.size()), decoded(objects.size());
  const auto side_by_side = [&](unsigned many, const std::function<void(std::size_t)>& work) {
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < many; ++i)
      workers.emplace_back([&] {
        for (std::size_t object = next++; object < objects.size(); object = next++) work(object);
      });
  };
  side_by_side(at_once, [&](std::size_t i) {
    stored[i].resize(layout.max_object_bytes());
    stored[i].resize(store.get(array.key(objects[i]), stored[i]).value_or(0));
  });
  const batched::Chunks chunks(array.metadata(), false);
  side_by_side(threads, [&](std::size_t i) {
    decoded[i] = chunks.decode(array.metadata().codecs, layout.object_shape(), stored[i]);
  });
  side_by_side(threads, [&](std::size_t i) {
    const std::uint64_t extent = layout.object_shape()[0];
    for (std::uint64_t row = 0; row < extent; ++row) {
      const std::uint64_t at_row = objects[i][0] * extent + row, first = objects[i][1] * extent;
      if (at_row < selection[0].begin || at_row >= selection[0].begin + selection[0].count) continue;
      const std::uint64_t begin = std::max(first, selection[1].begin);
      const std::uint64_t end = std::min(first + extent, selection[1].begin + selection[1].count);
      std::copy_n(
          decoded[i].data() + 2 * (row * extent + begin - first), 2 * (end - begin),
          out.data() + 2 * ((at_row - selection[0].begin) * selection[1].count + begin - selection[1].begin));
    }
  });
}

}  // namespace

int main(int count, char** arguments) {
  const auto threads = static_cast<unsigned>(count > 1 ? std::atoi(arguments[1]) : 2);
  const int repeats = count > 2 ? std::atoi(arguments[2]) : 3;
  const batched::Elements elements = surface();
  struct Work {
    std::string name;
    ZarrSelection selection;
  };
  const std::vector<Work> works{{"whole", {{0, side, 1}, {0, side, 1}}},
                                {"window of 600 x 600", {{100, 600, 1}, {300, 600, 1}}},
                                {"every inner chunk", {{0, side, 1}, {0, side, 1}}}};
  fmt::print("{:<10} {:<22} {:>10} {:>9} {:>9} {:>9} {:>9} {:>7}\n", "layout", "work", "latency ms",
             "requests", "Weir ms", "plain ms", "ideal ms", "x ideal");
  for (const bool is_sharded : {false, true}) {
    const auto memory = std::make_shared<MemoryStore>();
    create_zarr(*memory, "a", metadata(is_sharded));
    {
      const auto array = open_zarr(memory, "a");
      write_zarr(array, everything(*array), {elements.data(), packed_strides(everything(*array), 2)});
    }
    for (const int latency : {0, 1, 50, 200})
      for (const Work& work : works) {
        LatencyOptions late;
        late.latency = std::chrono::milliseconds(latency);
        late.requests_at_once = at_once;
        const auto store =
            std::make_shared<CountingStore>(std::make_shared<const LatencyStore>(memory, late));
        ReadZarrOptions options;
        options.graph.threads = threads;
        batched::Elements out(2 * work.selection[0].count * work.selection[1].count), plain(out.size());
        const bool is_each = work.name == "every inner chunk";
        // One array, opened once, read chunk by chunk, each in a call of its own and `at_once` of them side by side.
        const auto read_each = [&](const std::shared_ptr<const ZarrArray>& array) {
          std::atomic<std::uint64_t> next = 0;
          std::vector<std::jthread> readers;
          for (unsigned i = 0; i < at_once; ++i)
            readers.emplace_back([&] {
              constexpr std::uint64_t chunks = side / chunk;
              for (std::uint64_t it = next++; it < chunks * chunks; it = next++) {
                const std::uint64_t row = it / chunks * chunk, col = it % chunks * chunk;
                ReadZarrOptions alone;
                alone.graph.threads = 1;
                read_zarr(array, {{row, chunk, 1}, {col, chunk, 1}},
                          {out.data() + 2 * (row * side + col), {2 * side, 2}}, alone);
              }
            });
        };
        std::uint64_t requests = 0;
        // What waits for 13 s and more (4,096 requests at 50 ms, 16 at once) is seen once.
        const bool is_long = latency >= 50 && (is_each || (!is_sharded && work.name == "whole"));
        const int rounds = is_long ? 1 : repeats;
        const double weir = median(rounds, [&] {
          const auto array = open_zarr(store, "a");
          store->take();
          const double taken = milliseconds([&] {
            if (is_each)
              read_each(array);
            else
              read_zarr(array, work.selection, {out.data(), packed_strides(work.selection, 2)}, options);
          });
          requests = store->take().read_requests();
          return taken;
        });
        std::optional<double> batch;
        if (!is_each) {
          const auto array = open_zarr(memory, "a");
          batch = median(rounds, [&] {
            return milliseconds([&] { read_batched(*store, *array, work.selection, threads, plain); });
          });
          if (plain != out) fmt::print("the two differ\n");
        }
        const double ideal = static_cast<double>((requests + at_once - 1) / at_once) * latency;
        fmt::print("{:<10} {:<22} {:>10} {:>9} {:>9.1f} {:>9} {:>9.0f} {:>7}\n",
                   is_sharded ? "shards" : "chunks", work.name, latency, requests, weir,
                   batch ? fmt::format("{:.1f}", *batch) : "-", ideal,
                   ideal > 0 ? fmt::format("{:.2f}", weir / ideal) : "-");
        std::fflush(stdout);
      }
  }
}
