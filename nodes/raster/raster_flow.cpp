#include "nodes/raster/raster_flow.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <limits>
#include <numeric>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "framework/file.hpp"
#include "framework/recording.hpp"
#include "nodes/raster/band_axis.hpp"

namespace weir {
namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

/// The smallest length that both divide, or the whole extent where that is not larger.
std::uint64_t common_length(std::uint64_t a, std::uint64_t b, std::uint64_t extent) {
  const std::uint64_t factor = b / std::gcd(a, b);
  return a >= extent || factor > extent / a ? extent : std::min(a * factor, extent);
}

std::uint64_t sum_of(const std::vector<RasterFlow::Bytes>& parts) {
  std::uint64_t sum = 0;
  for (const RasterFlow::Bytes& part : parts) sum += part();
  return sum;
}

}  // namespace

void TilesEdge::need_halo(std::uint64_t pixels) {
  if (pixels <= halo) return;
  halo = pixels;
  if (on_halo) on_halo(halo);
}

std::size_t RasterFlow::add_source(const StreamInput& input, std::string spool) {
  assert(!is_planned_);
  if (!sources_.empty()) {
    const RasterInfo &first = sources_.front().input.info, &info = input.info;
    if (info.height != first.height || info.width != first.width)
      throw Error::usage(
          "use", "the sources",
          fmt::format("one graph reads rasters of one size, and these have {} x {} and {} x {} pixels",
                      first.width, first.height, info.width, info.height));
  }
  sources_.push_back({.input = input, .spool = std::move(spool)});
  return sources_.size() - 1;
}

void RasterFlow::add_output(const std::string& path, const std::string& beside) {
  const std::string name = beside.empty() ? path : canonical_path(path);
  const auto lies_in = [](const std::string& inner, const std::string& outer) {
    return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
  };
  for (const std::string& other : outputs_)
    if (lies_in(name, other) || lies_in(other, name))
      throw Error::usage("write", path,
                         fmt::format("another node writes {}", name == other ? "it as well" : other));
  outputs_.push_back(name);
  if (beside_.empty()) beside_ = beside;
}

std::vector<StoredPlace> RasterFlow::places() const {
  std::vector<StoredPlace> places;
  for (const Source& source : sources_)
    if (source.input.place.store != nullptr) places.push_back(source.input.place);
  return places;
}

std::size_t RasterFlow::add_cut(const TileLayout& tiles, std::uint64_t pixel_bytes) {
  assert(!is_planned_);
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const TileLayout& known = cuts_[i].tiles;
    if (known.tile_height != tiles.tile_height || known.tile_width != tiles.tile_width ||
        known.planes != tiles.planes)
      continue;
    cuts_[i].pixel_bytes = std::max(cuts_[i].pixel_bytes, pixel_bytes);
    return i;
  }
  cuts_.push_back({.tiles = tiles, .pixel_bytes = pixel_bytes});
  return cuts_.size() - 1;
}

void RasterFlow::need_halo(std::size_t source, std::uint64_t pixels) {
  sources_[source].halo = std::max(sources_[source].halo, pixels);
}
void RasterFlow::add_transient(std::size_t cut, Bytes per_tile) {
  cuts_[cut].transient.push_back(std::move(per_tile));
}
void RasterFlow::add_encoded(std::size_t cut, Bytes per_tile) {
  cuts_[cut].encoded.push_back(std::move(per_tile));
}
std::size_t RasterFlow::add_pyramid(std::size_t cut, PyramidRequest request) {
  assert(!is_planned_);
  cuts_[cut].has_pyramid = true;
  pyramid_requests_.push_back(std::move(request));
  return pyramid_requests_.size() - 1;
}
void RasterFlow::add_standing(Bytes bytes) {
  standing_.push_back(std::move(bytes));
}

std::uint64_t RasterFlow::run_tiles(std::size_t cut) const {
  if (cuts_[cut].has_pyramid) return 1;
  const TileLayout& tiles = cuts_[cut].tiles;
  const std::uint64_t plane_bytes = cuts_[cut].pixel_bytes / tiles.planes;
  return tiles_per_run(tiles, tiles.tile_height * std::min(tiles.tile_width, tiles.width) * plane_bytes);
}

const std::shared_ptr<const BandPlan>& RasterFlow::bands(std::size_t source) {
  plan();
  return sources_[source].bands;
}

const std::shared_ptr<const TileRuns>& RasterFlow::runs(std::size_t cut) {
  plan();
  return cuts_[cut].runs;
}

const std::shared_ptr<const PyramidPlan>& RasterFlow::pyramid(std::size_t number) {
  plan();
  return pyramids_[number];
}

std::optional<Spool> RasterFlow::spool_of(std::size_t index) const {
  const Source& source = sources_[index];
  if (source.spool == "none" || source.bands->reads() == source.input.grid.count()) return {};
  namespace fs = std::filesystem;
  std::error_code ignored;  // then the working folder it is
  fs::path path = beside_.empty() ? fs::temp_directory_path(ignored) / "weir" : fs::path(beside_);
  if (source.spool != "auto") path = fs::path(source.spool) / path.filename();
  return Spool{path.string() + (index == 0 ? ".spool" : fmt::format(".spool{}", index)), setup_->files};
}

StreamPlan RasterFlow::stream(std::size_t source, std::size_t cut) {
  plan();
  return {sources_[source].bands, cuts_[cut].runs, spool_of(source)};
}

TileLayout RasterFlow::common_tiles() const {
  const RasterInfo& info = sources_.front().input.info;
  TileLayout common{info.height, info.width, cuts_.front().tiles.tile_height, cuts_.front().tiles.tile_width,
                    1};
  if (cuts_.size() == 1) return common;
  for (const Cut& cut : cuts_) {
    common.tile_height = common_length(common.tile_height, cut.tiles.tile_height, info.height);
    common.tile_width = common_length(common.tile_width, cut.tiles.tile_width, info.width);
  }
  return common;
}

BandPlanRequest RasterFlow::request_of(std::size_t index, const TileLayout& tiles,
                                       std::uint64_t available) const {
  const Source& source = sources_[index];
  BandPlanRequest request;
  request.chunks = source.input.grid;
  request.halo = source.halo;
  request.pixel_bytes = source.input.info.block_pixel_bytes();
  request.fetch_bytes = source.input.transient_bytes;
  request.excess_bytes = source.input.excess_bytes;
  request.tiles = tiles;
  request.available = available;
  // One per thread, one being read and one being written.
  request.units_wanted = std::min<std::uint64_t>(
      setup_->limits.tokens, setup_->limits.threads + std::uint64_t{2} + source.input.requests_at_once);
  if (index > 0) return request;
  // What happens to the tiles is on the first source's account.
  for (std::size_t i = 0; i < cuts_.size(); ++i) {
    const TileLayout& of_cut = cuts_[i].tiles;
    const std::uint64_t rows = divide_up(tiles.tile_height, of_cut.tile_height) * of_cut.planes;
    const std::uint64_t cols = divide_up(tiles.tile_width, of_cut.tile_width);
    const std::uint64_t encoded = sum_of(cuts_[i].encoded);
    request.tile_bytes += rows * cols * encoded;
    request.waiting_tile_bytes += (rows - 1) * cols * encoded;
    request.transient_tile_bytes += rows * cols * sum_of(cuts_[i].transient);
    request.run_tiles = std::max(request.run_tiles, run_tiles(i) / std::max<std::uint64_t>(cols, 1));
  }
  return request;
}

/// One source: the best plan. Several: the best plan of the first for as large a part of the bytes that the
/// same shape fits for all together. Takes the shape where one fits; else leaves the smallest.
bool RasterFlow::choose_shape(const std::vector<BandPlanRequest>& requests, std::uint64_t available) {
  constexpr std::uint64_t steps = 32;
  for (std::uint64_t part = steps;; --part) {
    BandPlanRequest first = requests.front();
    first.available = part == steps ? available : available / steps * part;
    PyramidPlans chosen = pyramid_requests_.empty()
                              ? PyramidPlans{std::make_shared<const BandPlan>(BandPlan::make(first)), {}}
                              : choose_pyramids(first, pyramid_requests_);
    const BandPlan& shape = *chosen.bands;
    sources_.front().bands = chosen.bands;
    pyramids_ = std::move(chosen.pyramids);
    std::uint64_t least = chosen.least_required;
    for (std::size_t i = 1; i < requests.size(); ++i) {
      sources_[i].bands = std::make_shared<const BandPlan>(BandPlan::fixed(
          requests[i], shape.band_tiles(), shape.segment_tiles(), shape.keeps_rows(), shape.keeps_cols()));
      least += std::min(sources_[i].bands->required(), most - least);
    }
    if (least <= available && required() <= available) return true;
    if (part == 0) return false;
    if (requests.size() == 1) part = 1;  // it found no plan; the next round finds the smallest
  }
}

std::uint64_t RasterFlow::required() const {
  std::uint64_t required = 0;
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    const std::uint64_t of_source = i == 0 && !pyramids_.empty()
                                        ? PyramidPlans{sources_[i].bands, pyramids_}.required()
                                        : sources_[i].bands->required();
    required += std::min(of_source, most - required);
  }
  return required;
}

void RasterFlow::plan() {
  if (is_planned_) return;
  assert(!sources_.empty());
  if (cuts_.empty()) throw Error::usage("plan", "the raster", "no node cuts it into tiles");
  std::uint64_t standing = sum_of(standing_);
  if (setup_->limits.recording != nullptr) standing += setup_->limits.recording->bytes();
  const std::uint64_t memory = setup_->limits.memory;
  const std::uint64_t available = memory > standing ? memory - standing : 0;
  const TileLayout tiles = common_tiles();
  std::vector<BandPlanRequest> requests;
  for (std::size_t i = 0; i < sources_.size(); ++i) requests.push_back(request_of(i, tiles, available));
  if (!choose_shape(requests, available)) {
    const std::uint64_t smallest = standing + std::min(required(), most - standing);
    throw Error::usage(
        "stream", "the raster",
        fmt::format("a memory budget of {} ({} bytes) is too small; the smallest that works is {} ({} bytes)",
                    format_bytes(memory), memory, format_bytes(smallest), smallest));
  }
  for (std::size_t i = 0; i < cuts_.size(); ++i)
    cuts_[i].runs = std::make_shared<const TileRuns>(sources_.front().bands, cuts_[i].tiles, run_tiles(i));
  is_planned_ = true;
}

std::string RasterFlow::explain() {
  plan();
  std::string text;
  for (std::size_t i = 0; i < sources_.size(); ++i) text += stream(i, 0).explain();
  return text;
}

}  // namespace weir
