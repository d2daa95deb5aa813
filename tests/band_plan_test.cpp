#include "nodes/raster/band_plan.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "framework/buffer.hpp"
#include "framework/error.hpp"
#include "nodes/raster/band_axis.hpp"

using namespace weir;

namespace {

constexpr std::uint64_t kib = 1024, mib = 1024 * kib;

/// Random small requests; every second axis ragged.
class Requests {
 public:
  explicit Requests(unsigned seed) : random_(seed) {}

  std::uint64_t pick(std::uint64_t from, std::uint64_t to) {
    return std::uniform_int_distribution<std::uint64_t>(from, to)(random_);
  }
  BandPlanRequest next() {
    BandPlanRequest request;
    TileLayout& tiles = request.tiles;
    tiles.height = pick(0, 9) == 0 ? 1 : pick(1, 60);
    tiles.width = pick(0, 9) == 0 ? 1 : pick(1, 60);
    tiles.tile_height = pick(1, 12);
    tiles.tile_width = pick(0, 4) == 0 ? tiles.width : pick(1, 12);  // strips too
    tiles.planes = static_cast<std::uint32_t>(pick(1, 3));
    request.chunks = {axis(tiles.height), axis(tiles.width)};
    request.halo = pick(0, 5);
    // Chunks below, around and above the page and the eighth steps of charge().
    request.pixel_bytes = std::vector<std::uint64_t>{1, 40, 999, 3000}[pick(0, 3)];
    request.fetch_bytes = pick(0, 1) == 0 ? 0 : 4096 * pick(1, 9);
    request.tile_bytes = 4096 * pick(0, 9);
    request.units_wanted = pick(1, 6);
    request.run_tiles = pick(1, 4);
    return request;
  }

 private:
  Partition axis(std::uint64_t extent) {
    if (pick(0, 1) == 0) return Partition(extent, pick(1, 25));
    std::vector<std::uint64_t> ends;
    for (std::uint64_t end = 0; end < extent; ends.push_back(end)) end = std::min(extent, end + pick(1, 15));
    return Partition(ends);
  }
  std::mt19937 random_;
};

std::string text(const BandPlanRequest& r) {
  const auto axis = [](const Partition& p) {
    std::string ends = p.is_ragged() ? "ragged" : "even";
    for (std::uint64_t i = 0; i < p.count() && i < 20; ++i) ends += " " + std::to_string(p.end(i));
    return ends;
  };
  return std::to_string(r.tiles.height) + "x" + std::to_string(r.tiles.width) + " tiles " +
         std::to_string(r.tiles.tile_height) + "x" + std::to_string(r.tiles.tile_width) + " planes " +
         std::to_string(r.tiles.planes) + " halo " + std::to_string(r.halo) + " rows " + axis(r.chunks.rows) +
         " cols " + axis(r.chunks.cols);
}

std::string text(const BandPlan& plan) {
  return text(plan.request()) + " bands of " + std::to_string(plan.band_tiles()) + " segments of " +
         std::to_string(plan.segment_tiles()) + (plan.keeps_rows() ? " keeps rows" : "") +
         (plan.keeps_cols() ? " keeps cols" : "");
}

std::uint64_t chunk_bytes(const BandPlanRequest& request, ChunkIndex chunk) {
  const Window window = request.chunks.window(chunk);
  return BufferPool::charge(window.height * window.width * request.pixel_bytes);
}

/// The chunks a unit needs, found by looking at every chunk.
std::set<ChunkIndex> chunks_under(const BandPlanRequest& request, const BandUnit& unit) {
  const auto grown = [&](std::uint64_t from, std::uint64_t to, std::uint64_t extent) {
    return std::pair(from > request.halo ? from - request.halo : 0, std::min(to + request.halo, extent));
  };
  const TileLayout& t = request.tiles;
  const auto [top, bottom] =
      grown(unit.tile_row * t.tile_height, (unit.tile_row + unit.tile_rows) * t.tile_height, t.height);
  const auto [left, right] =
      grown(unit.tile_col * t.tile_width, (unit.tile_col + unit.tile_cols) * t.tile_width, t.width);
  const Window source{top, left, bottom - top, right - left};
  CHECK(unit.source == source);
  std::set<ChunkIndex> chunks;
  for (std::uint64_t row = 0; row < request.chunks.rows.count(); ++row)
    for (std::uint64_t col = 0; col < request.chunks.cols.count(); ++col)
      if (!intersect(request.chunks.window({row, col}), source).empty()) chunks.insert({row, col});
  return chunks;
}

struct Walked {
  std::uint64_t required = 0, reads = 0;
};

/// Walks all units in order, holds chunks and encoded tiles as a run would, and compares with what the plan
/// says.
Walked walk(const BandPlan& plan) {
  const BandPlanRequest& request = plan.request();
  const TileLayout& tiles = request.tiles;
  std::vector<BandUnit> units;
  std::vector<std::set<ChunkIndex>> needs;
  for (std::uint64_t i = 0; i < plan.units(); ++i) {
    units.push_back(plan.unit(i));
    needs.push_back(chunks_under(request, units.back()));
  }
  Walked walked;
  std::set<ChunkIndex> held;
  std::set<std::uint64_t> waiting;  // encoded tiles, by place in the file
  std::uint64_t delivered = 0;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const BandUnit& unit = units[i];
    REQUIRE(unit.index == i);
    REQUIRE(unit.band * plan.segments() + unit.segment == i);

    std::uint64_t carried = waiting.size() * request.tile_bytes;
    for (const ChunkIndex chunk : held) carried += chunk_bytes(request, chunk);
    REQUIRE(plan.carried_bytes(unit) == carried);

    std::vector<ChunkIndex> owned;
    std::uint64_t bytes = unit.tile_rows * unit.tile_cols * tiles.planes * request.tile_bytes;
    for (const ChunkIndex chunk : needs[i])
      if (!held.contains(chunk)) {
        owned.push_back(chunk);
        bytes += chunk_bytes(request, chunk) + request.fetch_bytes;
      }
    REQUIRE(plan.owned_chunks(unit) == owned);
    REQUIRE(plan.owned_count(unit) == owned.size());
    REQUIRE(plan.unit_bytes(unit) == bytes);
    const Window range = plan.needed_chunks(unit);
    std::set<ChunkIndex> needed;
    for (std::uint64_t row = range.row; row < range.row_end(); ++row)
      for (std::uint64_t col = range.col; col < range.col_end(); ++col) needed.insert({row, col});
    REQUIRE(needed == needs[i]);

    walked.required = std::max(walked.required, carried + bytes);
    walked.reads += owned.size();

    held.insert(owned.begin(), owned.end());
    for (const ChunkIndex chunk : needs[i]) {
      bool again = false;
      for (std::size_t later = i + 1; later < units.size(); ++later)
        if (plan.keeps_rows() || (plan.keeps_cols() && units[later].band == unit.band))
          again = again || needs[later].contains(chunk);
      REQUIRE(plan.is_kept(unit, chunk) == again);
      if (!plan.is_kept(unit, chunk)) held.erase(chunk);
    }
    for (std::uint64_t row = unit.tile_row; row < unit.tile_row + unit.tile_rows; ++row)
      for (std::uint64_t plane = 0; plane < tiles.planes; ++plane)
        for (std::uint64_t col = unit.tile_col; col < unit.tile_col + unit.tile_cols; ++col)
          REQUIRE(waiting.insert((row * tiles.planes + plane) * tiles.tile_cols() + col).second);
    for (; waiting.erase(delivered) == 1; ++delivered) continue;
    REQUIRE((waiting.empty() || *waiting.begin() > delivered));  // none twice
  }
  CHECK(held.empty());
  CHECK(delivered == tiles.tile_rows() * tiles.tile_cols() * tiles.planes);
  return walked;
}

void check_walk(const BandPlan& plan) {
  CAPTURE(text(plan));
  const Walked walked = walk(plan);
  CHECK(plan.required() == walked.required);
  CHECK(plan.reads() == walked.reads);
  CHECK(plan.fits() == (walked.required <= plan.request().available));
  if (plan.keeps_rows()) CHECK(plan.reads() == plan.request().chunks.count());
}

BandPlanRequest float32_raster(std::uint64_t height, std::uint64_t width, std::uint64_t chunk,
                               std::uint64_t tile, std::uint64_t available) {
  BandPlanRequest request;
  request.chunks = {Partition(height, chunk), Partition(width, chunk)};
  request.pixel_bytes = 4;
  request.tiles = {height, width, tile, tile, 1};
  request.tile_bytes = BufferPool::charge(tile * tile * 4 + tile * tile * 4 / 32);  // a codec's bound
  request.available = available;
  return request;
}

/// The most that `count` units in flight take, beside what was carried.
std::uint64_t peak(const BandPlan& plan, std::uint64_t count) {
  std::uint64_t peak = 0;
  for (std::uint64_t i = 0; i < plan.units(); ++i) {
    const BandUnit unit = plan.unit(i);
    peak = std::max(peak, plan.carried_bytes(unit) + count * plan.unit_bytes(unit));
  }
  return peak;
}

/// How many of the wanted units fit together, wherever the run is.
std::uint64_t in_flight(const BandPlan& plan) {
  std::uint64_t count = plan.request().units_wanted;
  while (count > 0 && peak(plan, count) > plan.request().available) --count;
  return count;
}

}  // namespace

TEST_CASE("a walk over all units of random plans finds exactly the chunks and bytes that the plan states") {
  Requests requests(1);
  for (int i = 0; i < 1500; ++i) {
    const BandPlanRequest request = requests.next();
    const std::uint64_t band = requests.pick(1, 6), segment = requests.pick(1, 6),
                        keeps = requests.pick(0, 2);
    check_walk(BandPlan::fixed(request, band, segment, keeps == 2, keeps >= 1));
  }
}

TEST_CASE("the peak is exact where periods of groups are skipped") {
  Requests requests(2);
  for (int i = 0; i < 150; ++i) {
    BandPlanRequest request = requests.next();
    request.tiles.tile_height = requests.pick(1, 3);
    request.tiles.height = requests.pick(1, 60);
    request.tiles.tile_width = requests.pick(1, 6);
    request.tiles.width = requests.pick(100, 250);
    request.chunks = {Partition(request.tiles.height, requests.pick(1, 8)),
                      Partition(request.tiles.width, requests.pick(1, 9))};
    if (requests.pick(0, 1) == 0) {  // long in the other direction
      std::swap(request.tiles.height, request.tiles.width);
      std::swap(request.tiles.tile_height, request.tiles.tile_width);
      std::swap(request.chunks.rows, request.chunks.cols);
    }
    CAPTURE(text(request));
    const std::uint64_t keeps = requests.pick(0, 2);
    const BandPlan plan =
        BandPlan::fixed(request, requests.pick(1, 3), requests.pick(1, 3), keeps == 2, keeps >= 1);
    std::uint64_t required = 0, reads = 0;
    for (std::uint64_t u = 0; u < plan.units(); ++u) {
      const BandUnit unit = plan.unit(u);
      required = std::max(required, plan.carried_bytes(unit) + plan.unit_bytes(unit));
      reads += plan.owned_count(unit);
    }
    CHECK(plan.required() == required);
    CHECK(plan.reads() == reads);
  }
}

TEST_CASE("the smallest budget fits and a byte less does not") {
  Requests requests(3);
  for (int i = 0; i < 300; ++i) {
    BandPlanRequest request = requests.next();
    CAPTURE(text(request));
    const std::uint64_t smallest = BandPlan::smallest_available(request);
    request.available = smallest;
    const BandPlan fitting = BandPlan::make(request);
    CHECK(fitting.fits());
    CHECK(fitting.required() == smallest);
    check_walk(fitting);
    request.available = smallest - 1;
    const BandPlan refused = BandPlan::make(request);
    CHECK_FALSE(refused.fits());
    CHECK(refused.required() == smallest);
  }
}

TEST_CASE("among all shapes of small rasters none reads less, or as little with more units in flight") {
  Requests requests(4);
  int once = 0, again = 0;
  for (int i = 0; i < 500; ++i) {
    BandPlanRequest request = requests.next();
    request.tiles.tile_height = std::max(request.tiles.tile_height, (request.tiles.height + 7) / 8);
    request.tiles.tile_width = std::max(request.tiles.tile_width, (request.tiles.width + 7) / 8);
    CAPTURE(text(request));
    const std::uint64_t smallest = BandPlan::smallest_available(request);
    request.available = smallest + smallest * requests.pick(0, 12) / 24;
    const BandPlan plan = BandPlan::make(request);
    check_walk(plan);
    const std::uint64_t together = in_flight(plan);
    for (std::uint64_t band = 1; band <= request.tiles.tile_rows(); ++band)
      for (std::uint64_t segment = 1; segment <= request.tiles.tile_cols(); ++segment)
        for (int keeps = 0; keeps <= 2; ++keeps) {
          const BandPlan other = BandPlan::fixed(request, band, segment, keeps == 2, keeps >= 1);
          CHECK(other.required() >= smallest);
          if (!other.fits()) continue;
          CHECK(other.reads() >= plan.reads());
          if (other.reads() == plan.reads() && other.keeps_rows() == plan.keeps_rows())
            CHECK(in_flight(other) <= together);
        }
    ++(plan.reads() == request.chunks.count() ? once : again);
  }
  CHECK(once > 100);
  CHECK(again > 20);
}

TEST_CASE("more budget never reads more") {
  Requests requests(5);
  for (int i = 0; i < 100; ++i) {
    BandPlanRequest request = requests.next();
    CAPTURE(text(request));
    request.available = BandPlan::smallest_available(request);
    std::uint64_t reads = BandPlan::make(request).reads();
    for (int step = 0; step < 12; ++step) {
      request.available += request.available / 4;
      const std::uint64_t next = BandPlan::make(request).reads();
      CHECK(next <= reads);
      reads = next;
    }
  }
}

TEST_CASE("chunks of 512 and 1024 against tiles of 256 are read once in several bands") {
  for (const std::uint64_t chunk : {512u, 1024u}) {
    CAPTURE(chunk);
    const BandPlan plan = BandPlan::make(float32_raster(4096, 4096, chunk, 256, 40 * mib));
    check_walk(plan);
    CHECK(plan.fits());
    CHECK(plan.bands() > 1);
    CHECK(plan.reads() == (4096 / chunk) * (4096 / chunk));
    // Chunk rows that are read in the run; one tile row at a time without keeping would read one per tile
    // row.
    std::uint64_t chunk_rows = 0;
    for (std::uint64_t band = 0; band < plan.bands(); ++band)
      if (plan.owned_count(plan.unit(band * plan.segments())) > 0) ++chunk_rows;
    CHECK(chunk_rows < plan.request().tiles.tile_rows());
  }
}

TEST_CASE("strips against chunks of 512 are read once in several bands") {
  BandPlanRequest request = float32_raster(4096, 2048, 512, 256, 24 * mib);
  request.tiles.tile_height = 16;
  request.tiles.tile_width = 2048;
  request.tile_bytes = BufferPool::charge(16 * 2048 * 4 * 33 / 32);
  const BandPlan plan = BandPlan::make(request);
  check_walk(plan);
  CHECK(plan.fits());
  CHECK(plan.segments() == 1);
  CHECK(plan.bands() > 1);
  CHECK(plan.reads() == 32);
  CHECK(peak(plan, 2) <= request.available);
}

TEST_CASE("units leave room for the wanted number of them where the budget allows") {
  for (const std::uint64_t available : {50 * mib, 100 * mib, 400 * mib}) {
    BandPlanRequest request = float32_raster(8192, 8192, 512, 256, available);
    request.units_wanted = 6;
    const BandPlan plan = BandPlan::make(request);
    CAPTURE(text(plan));
    CHECK(plan.reads() == 256);
    CHECK(peak(plan, 6) <= available);
    for (std::uint64_t i = 0; i < plan.units(); ++i) CHECK(plan.unit_bytes(plan.unit(i)) <= available / 6);
  }
}

TEST_CASE("a budget below one band cuts it into segments") {
  // A band of full width takes 16 chunks of 1 MiB and more.
  const BandPlan plan = BandPlan::make(float32_raster(8192, 8192, 512, 512, 8 * mib));
  check_walk(plan);
  CHECK(plan.fits());
  CHECK(plan.segments() > 1);
  CHECK(plan.reads() == 256);
}

TEST_CASE("16384 x 16384 float32 in chunks of 512 is read once inside 58 MiB with three units in flight") {
  for (const std::uint64_t tile : {256u, 512u}) {
    CAPTURE(tile);
    const BandPlan plan = BandPlan::make(float32_raster(16384, 16384, 512, tile, 58 * mib));
    CAPTURE(text(plan));
    CHECK(plan.reads() == 1024);
    CHECK(peak(plan, 3) <= 58 * mib);
    CHECK(plan.unit_bytes(plan.unit(0)) >= 2 * mib);
    CHECK(plan.unit_bytes(plan.unit(0)) < 5 * mib);
  }
}

TEST_CASE("a budget far above what is needed is not used up") {
  // Kept rows of chunks are 32 MiB here; bands as high as a chunk, 17 MiB of encoded tiles, do the same.
  const BandPlan plan = BandPlan::make(float32_raster(16384, 16384, 512, 256, 4096 * mib));
  CHECK(plan.reads() == 1024);
  CHECK(peak(plan, 4) < 30 * mib);
}

TEST_CASE("200000 x 2000 in chunks of 512 against tiles of 256 reads twice at 58 MiB and says so") {
  const BandPlan plan = BandPlan::make(float32_raster(2000, 200000, 512, 256, 58 * mib));
  CAPTURE(text(plan));
  CHECK(plan.fits());
  CHECK_FALSE(plan.keeps_rows());
  CHECK(plan.keeps_cols());
  CHECK(plan.reads() == 2 * plan.request().chunks.count());
  CHECK(peak(plan, 4) <= 58 * mib);
  const BandPlan wide = BandPlan::make(float32_raster(2000, 200000, 512, 256, 600 * mib));
  CHECK(wide.reads() == wide.request().chunks.count());
}

TEST_CASE("a wide raster whose chunk rows are tile rows is read once in segments") {
  BandPlanRequest request = float32_raster(2000, 200000, 256, 256, 58 * mib);
  request.chunks.cols = Partition(200000, 1000);
  const BandPlan plan = BandPlan::make(request);
  check_walk(plan);
  CHECK(plan.fits());
  CHECK(plan.reads() == request.chunks.count());
  CHECK(plan.segments() > 1);
}

TEST_CASE("halos read no chunk twice where the budget allows") {
  BandPlanRequest request = float32_raster(4096, 4096, 512, 256, 100 * mib);
  request.halo = 1;
  const BandPlan plan = BandPlan::make(request);
  check_walk(plan);
  CHECK(plan.fits());
  CHECK(plan.reads() == 64);
  CHECK(plan.bands() > 1);
}

TEST_CASE("ragged tails and ragged chunks are read once") {
  BandPlanRequest request = float32_raster(2501, 1999, 700, 256, 30 * mib);
  request.chunks = {Partition({300, 310, 1100, 1101, 2500, 2501}), Partition({1, 900, 1024, 1999})};
  request.halo = 3;
  const BandPlan plan = BandPlan::make(request);
  check_walk(plan);
  CHECK(plan.fits());
  CHECK(plan.reads() == 24);
}

TEST_CASE("a budget too small is refused with what would do") {
  const BandPlan plan = BandPlan::make(float32_raster(4096, 4096, 512, 256, 100 * kib));
  CHECK_FALSE(plan.fits());
  BandPlanRequest request = plan.request();
  request.available = plan.required();
  CHECK(BandPlan::make(request).fits());
  CHECK(plan.required() == BandPlan::smallest_available(plan.request()));
}

TEST_CASE("one pixel is one unit") {
  const BandPlan plan = BandPlan::make(float32_raster(1, 1, 1, 16, mib));
  check_walk(plan);
  CHECK(plan.units() == 1);
  CHECK(plan.reads() == 1);
  CHECK(plan.unit(0).source == Window{0, 0, 1, 1});
}

TEST_CASE("units of one-row strips carry enough work and whole runs") {
  BandPlanRequest request = float32_raster(100000, 3000, 1, 1, 200 * mib);
  request.chunks.cols = Partition(3000, 3000);
  request.tiles.tile_width = 3000;
  request.tile_bytes = BufferPool::charge(12400);
  request.run_tiles = 12;
  const BandPlan plan = BandPlan::make(request);
  CAPTURE(text(plan));
  CHECK(plan.reads() == 100000);
  CHECK(plan.band_tiles() % 12 == 0);
  CHECK(plan.unit_bytes(plan.unit(0)) >= 2 * mib);
  CHECK(plan.unit_bytes(plan.unit(0)) < 4 * mib);
}

TEST_CASE("segments hold whole runs of small tiles") {
  BandPlanRequest request = float32_raster(8192, 8192, 512, 64, 58 * mib);
  request.run_tiles = 6;
  const BandPlan plan = BandPlan::make(request);
  CAPTURE(text(plan));
  CHECK(plan.reads() == 256);
  CHECK(plan.segment_tiles() % 6 == 0);
  CHECK(plan.unit_bytes(plan.unit(0)) >= 2 * mib);
}

TEST_CASE("keeping rows keeps columns") {
  CHECK(BandPlan::fixed(float32_raster(99, 99, 10, 16, mib), 1, 1, true, false).keeps_cols());
}

TEST_CASE("the groups of an axis are looked at by period and by run, and all are counted") {
  struct Case {
    std::uint64_t extent, piece, halo, tile, group_tiles, visits;
  };
  const std::vector<Case> cases = {
      {10000000, 509, 0, 1, 1, 20},         // one-row strips: ten million groups, runs inside a chunk
      {10000000, 1, 0, 1, 1, 10},           // as many chunks: a period is one group
      {10000000, 7, 3, 5, 1, 30},           // neither divides
      {10000000, 10000000, 0, 1, 1, 10},    // one chunk
      {1000000, 512, 0, 256, 1, 20},        // a period of two
      {1000000, 509, 1, 256, 1, 1530},      // a period of 509, and at most two more
      {1000000, 4093, 100, 256, 4, 1000},   // no period comes round: 977 groups
      {100000000000, 4096, 5, 512, 1, 40},  // a period of eight
  };
  for (const Case& c : cases) {
    CAPTURE(c.extent);
    CAPTURE(c.piece);
    const Partition pieces(c.extent, c.piece);
    const BandAxis axis(pieces, c.halo, c.tile, c.group_tiles, true);
    std::uint64_t visits = 0, groups = 0, owned = 0;
    axis.visit_runs([&](const BandGroup& group, std::uint64_t length, std::uint64_t times) {
      ++visits;
      groups += length * times;
      owned += (group.end - group.owned_from) * length * times;
    });
    CHECK(groups == axis.count());
    CHECK(owned == pieces.count());
    CHECK(visits <= c.visits);
  }
}

TEST_CASE("giant rasters are planned without a walk over their units") {
  // Millions of tiles: a walk over the units of every candidate takes minutes, the formula milliseconds.
  std::vector<BandPlanRequest> requests;
  for (const std::uint64_t chunk : {512u, 1000u, 509u, 4093u})
    for (const std::uint64_t available : {58 * mib, 4096 * mib, 1 * mib})
      requests.push_back(float32_raster(1000000, 1000000, chunk, 256, available));
  BandPlanRequest strips = float32_raster(10000000, 4000, 509, 1, 58 * mib);
  strips.tiles.tile_width = 4000;
  requests.push_back(strips);
  strips.chunks.rows = Partition(10000000, 10000000);  // one chunk: not readable, but planned
  requests.push_back(strips);
  for (const BandPlanRequest& request : requests) {
    CAPTURE(text(request));
    const std::clock_t start = std::clock();
    const BandPlan plan = BandPlan::make(request);
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    CAPTURE(text(plan));
    CHECK(seconds < 2.0);  // of CPU; a generous bound, for builds with sanitizers
  }
}

TEST_CASE("a raster whose bytes no counter holds is refused") {
  BandPlanRequest request = float32_raster(std::uint64_t{1} << 32, std::uint64_t{1} << 32, 512, 256, mib);
  CHECK_THROWS_AS(BandPlan::make(request), Error);
}
