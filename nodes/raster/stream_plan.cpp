#include "nodes/raster/stream_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/bytes.hpp"
#include "nodes/raster/chunk_nodes.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/raster/spool_chunks.hpp"

namespace weir {

StreamInput input_of(const ChunkSource& source) {
  return {source.info(),        source.grid(),         source.fetch_bytes(),     source.standing_bytes(),
          source.local_bytes(), source.excess_bytes(), requests_at_once(source), source.place()};
}

std::uint64_t StreamPlan::reads() const {
  return spool ? bands->request().chunks.count() : bands->reads();
}

std::uint64_t StreamPlan::requests(std::uint64_t unit) const {
  return PlanChunks::items(*bands, unit);
}

std::uint64_t StreamPlan::chunk_count(std::uint64_t unit) const {
  return bands->owned_count(bands->unit(unit));
}

std::uint64_t StreamPlan::block_bytes(std::uint64_t unit) const {
  return bands->block_bytes(bands->unit(unit)) - spooled_bytes(unit);
}

std::uint64_t StreamPlan::spooled_bytes(std::uint64_t unit) const {
  return spool ? bands->reread_bytes(bands->unit(unit)) : 0;
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
  text += fmt::format("reads       {} for {} chunks: {:.3g} per chunk\n", reads(), chunks.count(),
                      static_cast<double>(reads()) / static_cast<double>(chunks.count()));
  if (spool)
    text += fmt::format("spool       {} chunks come back from a nameless file of at most {}, {}\n",
                        plan.reads() - reads(), format_bytes(spool_file_bytes(plan)), spool->path);
  if (plan.reads() > chunks.count())
    text += fmt::format(
        "            (what could be kept between bands does not fit the memory; more memory means fewer "
        "{})\n",
        spool ? "of these" : "reads");
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

}  // namespace weir
