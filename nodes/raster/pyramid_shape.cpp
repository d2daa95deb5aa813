#include "nodes/raster/pyramid_shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>

#include "framework/error.hpp"
#include "nodes/raster/band_axis.hpp"

namespace weir {
namespace {

/// As in band_plan.cpp: some milliseconds of work.
constexpr std::uint64_t enough_work = 2 << 20;

/// Groups of an axis that stand for all: the peak lies where many levels end or begin together, at powers of two, or at an end.
std::set<std::uint64_t> telling(std::uint64_t count) {
  std::set<std::uint64_t> chosen;
  const auto add = [&](std::uint64_t group) {
    if (group < count) chosen.insert(group);
  };
  for (std::uint64_t i = 0; i < 8; ++i) {
    add(i);
    add(count - 1 - std::min(i, count - 1));
  }
  for (std::uint64_t power = 8; power < count; power *= 2)
    for (const std::uint64_t near : {power - 2, power - 1, power}) add(near);
  return chosen;
}

struct Weight {
  std::uint64_t required = 0, footprint = 0, in_flight = 0, largest = 0;
};

struct UnitBytes {
  std::uint64_t carried = 0, takes = 0;
};
UnitBytes bytes_of(const PyramidPlans& plans, std::uint64_t unit) {
  const BandUnit of_bands = plans.bands->unit(unit);
  UnitBytes bytes{plans.bands->carried_bytes(of_bands), plans.bands->unit_bytes(of_bands)};
  for (const auto& pyramid : plans.pyramids) {
    bytes.carried += pyramid->carried_bytes(unit);
    bytes.takes += pyramid->unit_bytes(unit);
  }
  return bytes;
}

Weight weigh(const PyramidPlans& plans, std::uint64_t available, std::uint64_t wanted) {
  const BandPlan& bands = *plans.bands;
  Weight weight;
  weight.in_flight = wanted;
  const std::set<std::uint64_t> segments = telling(bands.segments());
  for (const std::uint64_t band : telling(bands.bands()))
    for (const std::uint64_t segment : segments) {
      const auto [carried, takes] = bytes_of(plans, band * bands.segments() + segment);
      weight.required = std::max(weight.required, carried + takes);
      weight.footprint = std::max(weight.footprint, carried + wanted * takes);
      weight.largest = std::max(weight.largest, takes);
      const std::uint64_t left = available - std::min(available, carried);
      weight.in_flight = std::min(weight.in_flight, left / std::max<std::uint64_t>(takes, 1));
    }
  return weight;
}

/// 1, 2, 4 ... and the length after which tile and chunk boundaries meet, and its double.
std::set<std::uint64_t> lengths(const Partition& chunks, std::uint64_t tile, std::uint64_t tiles) {
  std::set<std::uint64_t> lengths;
  for (std::uint64_t length = 1; length < tiles; length *= 2) lengths.insert(length);
  lengths.insert(tiles);
  const std::uint64_t piece = chunks.largest();
  const std::uint64_t meet = chunks.is_ragged() ? divide_up(piece, tile) : piece / std::gcd(piece, tile);
  for (const std::uint64_t length : {meet, 2 * meet})
    if (length < tiles) lengths.insert(length);
  return lengths;
}

}  // namespace

std::vector<std::uint32_t> automatic_factors(const TileLayout& tiles) {
  std::vector<std::uint32_t> factors;
  for (std::uint64_t height = tiles.height, width = tiles.width;
       height > tiles.tile_height || width > tiles.tile_width;) {
    factors.push_back(2);
    height = divide_up(height, 2);
    width = divide_up(width, 2);
  }
  return factors;
}

std::vector<std::uint32_t> relative_factors(const std::vector<std::uint32_t>& of_full) {
  std::vector<std::uint32_t> factors;
  std::uint32_t before = 1;
  for (const std::uint32_t factor : of_full) {
    if (factor <= before || factor % before != 0)
      throw Error::usage("make overviews", fmt::format("of factor {} after {}", factor, before),
                         "each must be a larger multiple of the one before");
    factors.push_back(factor / before);
    before = factor;
  }
  return factors;
}

std::uint64_t PyramidPlans::required() const {
  std::uint64_t most = 0;
  for (std::uint64_t unit = 0; unit < bands->units(); ++unit) {
    const UnitBytes bytes = bytes_of(*this, unit);
    most = std::max(most, bytes.carried + bytes.takes);
  }
  return most;
}

PyramidPlans choose_pyramids(const BandPlanRequest& request, const std::vector<PyramidRequest>& pyramids) {
  const TileLayout& tiles = request.tiles;
  std::optional<PyramidPlans> best, smallest;
  std::tuple<std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t> best_rank;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  // Bands higher than a chunk save no reads; what they cost is the tiles that wait.
  const std::uint64_t highest =
      std::max<std::uint64_t>(8, divide_up(2 * request.chunks.rows.largest(), tiles.tile_height));
  for (const bool keeps_rows : {true, false}) {
    if (best) break;  // that reads each chunk once
    for (const std::uint64_t height : lengths(request.chunks.rows, tiles.tile_height, tiles.tile_rows())) {
      if (height > highest && height < tiles.tile_rows()) continue;
      for (const std::uint64_t width : lengths(request.chunks.cols, tiles.tile_width, tiles.tile_cols())) {
        PyramidPlans plans;
        plans.bands =
            std::make_shared<const BandPlan>(BandPlan::fixed(request, height, width, keeps_rows, true));
        for (const PyramidRequest& each : pyramids)
          plans.pyramids.push_back(std::make_shared<const PyramidPlan>(plans.bands, each.tiles, each.factors,
                                                                       each.halos, each.tile_bytes));
        const Weight weight = weigh(plans, request.available, request.units_wanted);
        plans.least_required = weight.required;
        if (weight.required < least) {
          least = weight.required;
          smallest = plans;
        }
        if (weight.required > request.available) continue;
        const std::tuple rank(plans.bands->reads(), request.units_wanted - weight.in_flight,
                              enough_work - std::min(enough_work, weight.largest), weight.footprint);
        if (best && best_rank <= rank) continue;
        best_rank = rank;
        best = std::move(plans);
      }
    }
  }
  return best ? *best : *smallest;
}

}  // namespace weir
