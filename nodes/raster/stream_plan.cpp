#include "nodes/raster/stream_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "framework/recording.hpp"
#include "nodes/raster/chunk_nodes.hpp"

namespace weir {

StreamInput input_of(const ChunkSource& source) {
  return {source.info(),           source.grid(),        source.fetch_bytes(),
          source.standing_bytes(), source.local_bytes(), source.excess_bytes()};
}

std::uint64_t StreamPlan::requests(std::uint64_t unit) const {
  return PlanChunks::items(*bands, unit);
}

std::uint64_t StreamPlan::chunk_count(std::uint64_t unit) const {
  return bands->owned_count(bands->unit(unit));
}

std::uint64_t StreamPlan::block_bytes(std::uint64_t unit) const {
  return bands->block_bytes(bands->unit(unit));
}

std::uint64_t StreamPlan::run_count(std::uint64_t unit) const {
  return runs->count(bands->unit(unit));
}

std::uint64_t StreamPlan::encoded_bytes(std::uint64_t unit) const {
  const BandUnit of_unit = bands->unit(unit);
  return of_unit.tile_rows * of_unit.tile_cols * bands->request().tiles.planes * bands->request().tile_bytes;
}

std::uint64_t StreamPlan::carried_bytes(std::uint64_t unit) const {
  return bands->carried_bytes(bands->unit(unit));
}

bool StreamPlan::waits(std::uint64_t unit, std::uint64_t ticket) const {
  return runs->waits(bands->unit(unit), ticket);
}

std::string StreamPlan::explain() const {
  const BandPlan& plan = *bands;
  const BandPlanRequest& request = plan.request();
  const auto& chunks = request.chunks;
  std::string text;
  text += fmt::format("raster      {} x {} pixels of {} bytes (width x height)\n", request.tiles.width,
                      request.tiles.height, request.pixel_bytes);
  text += fmt::format("chunks      {} rows x {} columns, up to {} x {} pixels (height x width)\n",
                      chunks.rows.count(), chunks.cols.count(), chunks.rows.largest(), chunks.cols.largest());
  text += fmt::format("tiles       {} rows x {} columns of {} x {} pixels{}\n", request.tiles.tile_rows(),
                      request.tiles.tile_cols(), request.tiles.tile_height, request.tiles.tile_width,
                      request.tiles.planes > 1 ? fmt::format(", in {} planes", request.tiles.planes) : "");
  text += fmt::format("bands       {}, of {} tile row{}\n", plan.bands(), plan.band_tiles(),
                      plan.band_tiles() == 1 ? "" : "s");
  text += fmt::format("segments    {} a band, of {} tile column{}\n", plan.segments(), plan.segment_tiles(),
                      plan.segment_tiles() == 1 ? "" : "s");
  text += fmt::format("reads       {} for {} chunks: {:.3g} per chunk\n", plan.reads(), chunks.count(),
                      static_cast<double>(plan.reads()) / static_cast<double>(chunks.count()));
  if (plan.reads() > chunks.count())
    text +=
        "            (what could be kept between units does not fit the memory; more memory means fewer "
        "reads)\n";
  return text;
}

std::uint64_t tiles_per_run(const TileLayout& tiles, std::uint64_t raw_tile_bytes) {
  // 128 KiB cost about 100 us to copy and write, and 0.5 ms to compress.
  constexpr std::uint64_t enough = 128 * 1024;
  const std::uint64_t wanted =
      std::max<std::uint64_t>(enough / std::max<std::uint64_t>(raw_tile_bytes, 1), 1);
  const bool is_vertical = tiles.tile_cols() == 1 && tiles.planes == 1;
  return std::min(wanted, is_vertical ? tiles.tile_rows() : tiles.tile_cols());
}

StreamPlan plan_stream(const StreamInput& input, const TileLayout& tiles, std::uint64_t max_tile_bytes,
                       std::uint64_t run_tiles, const GraphOptions& limits, std::uint64_t standing) {
  if (limits.recording != nullptr) standing += limits.recording->bytes();
  BandPlanRequest request;
  request.chunks = input.grid;
  request.pixel_bytes = input.info.block_pixel_bytes();
  request.fetch_bytes = input.transient_bytes;
  request.excess_bytes = input.excess_bytes;
  request.tiles = tiles;
  request.tile_bytes = BufferPool::charge(max_tile_bytes);  // a run of several takes no more
  request.run_tiles = run_tiles;
  // One per thread, one being read and one being written.
  request.units_wanted = std::min<std::uint64_t>(limits.tokens, limits.threads + 2);
  request.available = limits.memory > standing ? limits.memory - standing : 0;
  auto bands = std::make_shared<const BandPlan>(BandPlan::make(request));
  if (!bands->fits()) {
    const std::uint64_t smallest = standing + BandPlan::smallest_available(request);
    throw Error::usage(
        "stream", "the raster",
        fmt::format("a memory budget of {} ({} bytes) is too small; the smallest that works is {} ({} bytes)",
                    format_bytes(limits.memory), limits.memory, format_bytes(smallest), smallest));
  }
  auto runs = std::make_shared<const TileRuns>(bands, run_tiles);
  return {std::move(bands), std::move(runs)};
}

}  // namespace weir
