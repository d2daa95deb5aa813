#include "nodes/raster/pyramid_plan.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "nodes/raster/band_axis.hpp"

using namespace weir;

namespace {

struct Tile {
  std::size_t level;
  std::uint64_t row, col;
  auto operator<=>(const Tile&) const = default;
};

/// The pyramid made tile by tile, in the order of the units.
struct Simulation {
  const PyramidPlan& plan;
  std::vector<std::uint32_t> factors;
  std::vector<std::uint64_t> halos;
  std::set<Tile> made = {}, held = {};

  std::uint64_t tile_height() const { return plan.bands().request().tiles.tile_height; }
  std::uint64_t tile_width() const { return plan.bands().request().tiles.tile_width; }

  /// The tiles of the level below that pixels of a tile are made from: by pixels, clipped.
  std::vector<Tile> parts(const Tile& tile) const {
    const std::uint64_t factor = factors[tile.level - 1], halo = halos[tile.level - 1];
    std::vector<Tile> parts;
    for (std::uint64_t row = 0; row < plan.rows().tiles(tile.level - 1); ++row)
      for (std::uint64_t col = 0; col < plan.cols().tiles(tile.level - 1); ++col) {
        const auto touches = [&](std::uint64_t of_tile, std::uint64_t part, std::uint64_t side,
                                 std::uint64_t extent) {
          const std::uint64_t begin = of_tile * side * factor, end = (of_tile + 1) * side * factor + halo;
          const std::uint64_t low = begin - std::min(begin, halo), high = std::min(end, extent);
          return part * side < high && std::min((part + 1) * side, extent) > low;
        };
        if (touches(tile.row, row, tile_height(), plan.rows().extent(tile.level - 1)) &&
            touches(tile.col, col, tile_width(), plan.cols().extent(tile.level - 1)))
          parts.push_back({tile.level - 1, row, col});
      }
    return parts;
  }

  /// Makes all that can be made; what came with this unit, by level.
  std::vector<std::vector<Tile>> add(const BandUnit& unit) {
    std::vector<std::vector<Tile>> come(plan.levels());
    for (std::uint64_t row = unit.tile_row; row < unit.tile_row + unit.tile_rows; ++row)
      for (std::uint64_t col = unit.tile_col; col < unit.tile_col + unit.tile_cols; ++col)
        come[0].push_back({0, row, col});
    for (std::size_t level = 1; level < plan.levels(); ++level) {
      for (const Tile& tile : come[level - 1]) made.insert(tile);
      for (std::uint64_t row = 0; row < plan.rows().tiles(level); ++row)
        for (std::uint64_t col = 0; col < plan.cols().tiles(level); ++col) {
          const Tile tile{level, row, col};
          if (made.contains(tile)) continue;
          const std::vector<Tile> needed = parts(tile);
          if (std::ranges::all_of(needed, [&](const Tile& part) { return made.contains(part); }))
            come[level].push_back(tile);
        }
    }
    for (const auto& level : come)
      for (const Tile& tile : level) made.insert(tile);
    held.clear();
    for (std::size_t level = 1; level < plan.levels(); ++level)
      for (std::uint64_t row = 0; row < plan.rows().tiles(level); ++row)
        for (std::uint64_t col = 0; col < plan.cols().tiles(level); ++col)
          if (!made.contains({level, row, col}))
            for (const Tile& part : parts({level, row, col}))
              if (made.contains(part)) held.insert(part);
    return come;
  }
};

BandPlanRequest request_for(std::uint64_t height, std::uint64_t width, std::uint64_t tile_height,
                            std::uint64_t tile_width) {
  BandPlanRequest request;
  request.chunks = {Partition(height, tile_height), Partition(width, tile_width)};
  request.pixel_bytes = 1;
  request.tiles = {height, width, tile_height, tile_width, 1};
  request.tile_bytes = 4096;
  request.available = 1 << 30;
  return request;
}

}  // namespace

TEST_CASE("a pyramid's plan says for every unit which tiles come, which are held and which wait") {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const auto pick = [&](std::uint64_t most) { return 1 + random() % most; };
    const BandPlanRequest request = request_for(pick(150), pick(150), 16, 16 * pick(2));
    std::vector<std::uint32_t> factors;
    std::vector<std::uint64_t> halos;
    const bool has_halo = random() % 2 == 0;
    for (std::uint64_t level = pick(4); level > 0; --level) {
      factors.push_back(random() % 4 == 0 ? 3 : 2);
      halos.push_back(has_halo ? pick(4) : 0);
    }
    const auto bands =
        std::make_shared<const BandPlan>(BandPlan::fixed(request, pick(5), pick(5), true, true));
    // Powers of ten tell what is counted.
    std::vector<PyramidPlan::TileBytes> bytes;
    for (std::size_t level = 0; level <= factors.size(); ++level) bytes.push_back({1, 1000000});
    const PyramidPlan plan(bands, factors, halos, bytes);
    Simulation simulation{plan, factors, halos};
    std::vector<std::uint64_t> next(plan.levels(), 0);
    std::vector<std::set<std::uint64_t>> waiting(plan.levels());
    for (std::uint64_t unit = 0; unit < bands->units(); ++unit) {
      CAPTURE(round);
      CAPTURE(unit);
      std::uint64_t still = 0;
      for (std::size_t level = 1; level < plan.levels(); ++level) still += waiting[level].size();
      REQUIRE(plan.carried_bytes(unit) >= simulation.held.size() + 1000000 * still);
      REQUIRE(plan.carried_bytes(unit) % 1000000 == simulation.held.size());
      const auto come = simulation.add(bands->unit(unit));
      std::uint64_t pixels = 0, encoded = 0;
      for (std::size_t level = 0; level < plan.levels(); ++level) {
        REQUIRE(plan.tiles_of_unit(level, unit) == come[level].size());
        pixels += come[level].size();
        if (level > 0) encoded += come[level].size();
        for (const Tile& tile : come[level])
          waiting[level].insert(tile.row * plan.cols().tiles(level) + tile.col);
        while (waiting[level].contains(next[level])) waiting[level].erase(next[level]++);
        for (const Tile& tile : come[level]) {
          const std::uint64_t ticket = tile.row * plan.cols().tiles(level) + tile.col;
          if (waiting[level].contains(ticket)) REQUIRE(plan.waits(level, unit, ticket));
        }
      }
      REQUIRE(plan.unit_bytes(unit) == pixels + 1000000 * encoded);
    }
    for (std::size_t level = 0; level < plan.levels(); ++level) {
      CHECK(waiting[level].empty());
      CHECK(next[level] == plan.tiles(level));
    }
  }
}

TEST_CASE("the users of a tile are the tiles that need it") {
  for (const std::uint64_t halo : {0u, 1u, 3u})
    for (const std::uint32_t factor : {2u, 3u, 5u})
      for (std::uint64_t extent = 1; extent < 400; extent += 7) {
        const PyramidAxis axis(extent, 16, 1, {factor}, {halo});
        for (std::uint64_t tile = 0; tile < axis.tiles(0); ++tile)
          for (std::uint64_t user = 0; user < axis.tiles(1); ++user) {
            const bool needs = axis.first_needed(1, user) <= tile && tile < axis.needed_end(1, user);
            CHECK(needs == (axis.first_user(0, tile) <= user && user < axis.users_end(0, tile)));
          }
      }
}
