#include "nodes/tiff/cog_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "framework/bytes.hpp"
#include "framework/error.hpp"
#include "framework/recording.hpp"
#include "framework/shared_locals.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/raster/assemble_bands.hpp"
#include "nodes/raster/cut_tiles.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/pyramid_nodes.hpp"
#include "nodes/raster/pyramid_shape.hpp"

namespace weir {
namespace {

constexpr std::uint16_t photometric_palette = 3, color_map_tag = 320;

/// What a level says of itself: the full raster's place in its own pixels, nodata and colours; no metadata, no other tags.
RasterInfo level_info(const RasterInfo& full, std::uint64_t height, std::uint64_t width) {
  RasterInfo info = full;
  info.height = height;
  info.width = width;
  info.georeferencing = scaled(full.georeferencing, full.height, full.width, height, width);
  info.metadata.clear();
  std::erase_if(info.tags, [](const RawTag& tag) { return tag.id != color_map_tag; });
  return info;
}

std::string numbered(const char* name, std::size_t level) {
  return level == 0 ? name : fmt::format("{}{}", name, level);
}

}  // namespace

CogStream::CogStream(Graph& graph, const StreamInput& input, std::string path, const CogOptions& options)
    : graph_(graph),
      path_(std::move(path)),
      options_(options),
      raw_bytes_(input.info.height * input.info.width * input.info.pixel_bytes()),
      input_standing_(input.standing_bytes),
      encoders_(std::make_shared<SharedLocals<CompressTiles::Local>>()),
      reducers_(std::make_shared<SharedLocals<ReduceTile::Local>>()) {
  if (options.strip_rows || options.planar_separate)
    throw Error::usage("write", "a COG", "it has tiles with all samples of a pixel: no strips, no planes");
  if (!options_.kernels.empty())
    throw Error::usage("write", "a COG", "kernels are not computed on the way to it: write a GeoTIFF first");
  const GraphOptions limits = resolved(graph.options());
  workers_ = limits.engine == Engine::serial ? 1 : std::max(limits.threads, 2u);  // see compute_threads()
  make_levels(input.info);

  const auto set = options_.concurrency.find("decode");
  const std::uint64_t decoders = limits.engine == Engine::serial     ? 1
                                 : set != options_.concurrency.end() ? set->second
                                                                     : limits.threads;
  std::uint64_t standing = input.standing_bytes + decoders * input.slot_bytes + standing_bytes();
  if (limits.recording != nullptr) standing += limits.recording->bytes();

  BandPlanRequest request;
  request.chunks = input.grid;
  request.pixel_bytes = input.info.block_pixel_bytes();
  request.fetch_bytes = input.transient_bytes;
  request.excess_bytes = input.excess_bytes;
  request.tiles = levels_.front().layout.tiles();
  request.tile_bytes = levels_.front().encoding.tile_charge();
  request.units_wanted =
      std::min<std::uint64_t>(limits.tokens, limits.threads + std::uint64_t{2} + input.requests_at_once);
  request.available = limits.memory > standing ? limits.memory - standing : 0;

  PyramidRequest pyramid{factors_, {}, {}};
  for (const Level& level : levels_) {
    if (level.reduce) pyramid.halos.push_back(level.reduce->halo());
    pyramid.tile_bytes.push_back(
        {levels_.size() > 1 ? TakeTile::tile_bytes(level.layout.info, level.layout.tiles()) : 0,
         level.encoding.tile_charge()});
  }
  pyramid_ = std::make_shared<const PyramidPlan>(choose_pyramid(request, pyramid));
  // The choice looked at telling units; this looks at all.
  if (const std::uint64_t required = pyramid_->required(); required > request.available)
    throw Error::usage(
        "stream", "the raster",
        fmt::format("a memory budget of {} ({} bytes) is too small; the smallest that works is {} ({} bytes)",
                    format_bytes(limits.memory), limits.memory, format_bytes(standing + required),
                    standing + required));
  std::shared_ptr<const BandPlan> bands(pyramid_, &pyramid_->bands());
  plan_ = {bands, std::make_shared<const TileRuns>(bands, 1)};

  file_ = std::make_shared<CogFile>(CogFile{{}, path_, options_.overwrite, options_.packing, options_.files});
  for (const Level& level : levels_) file_->levels.push_back(level.layout);
}

void CogStream::make_levels(const RasterInfo& info) {
  GeotiffOptions as = options_;
  TiffOutputLayout full = output_layout(info, as);
  check(full);
  factors_ = options_.overviews ? relative_factors(*options_.overviews) : automatic_factors(full.tiles());
  Resampling resampling = options_.resampling;
  if (!options_.resampling_is_given && (info.photometric == photometric_palette || !is_arithmetic(info.type)))
    resampling = Resampling::nearest;
  const CodecSpec codec = resolved(options_.codec);
  for (std::size_t i = 0; i <= factors_.size(); ++i) {
    Level level;
    level.layout = full;
    if (i > 0) {
      const ReducePixels& reduce = *levels_.back().reduce;
      level.layout.info = level_info(full.info, reduce.coarse_height(), reduce.coarse_width());
      level.layout.is_reduced = true;
      level.layout.statistics = false;
    }
    level.encoding = encoding_of(level.layout, codec);
    level.encoding.framed = true;
    level.layout.max_tile_bytes = level.encoding.max_tile_bytes();
    level.layout.max_mask_bytes = level.encoding.max_mask_bytes();
    level.layout.codec_tags = tags_of(level.encoding.codec);
    if (i < factors_.size())
      level.reduce = std::make_shared<const ReducePixels>(resampling, level.layout.info, factors_[i]);
    levels_.push_back(std::move(level));
  }
}

ReduceTile CogStream::reducer(std::size_t level) const {
  const TiffOutputLayout &finer = levels_[level - 1].layout, &layout = levels_[level].layout;
  return {*levels_[level - 1].reduce, finer.info, layout.info, layout.tiles(), pyramid_, level};
}

std::uint64_t CogStream::reducer_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t level = 1; level < levels_.size(); ++level)
    bytes = std::max(bytes, reducer(level).slot_bytes());
  return bytes;
}

std::uint64_t CogStream::standing_bytes() const {
  std::vector<TiffOutputLayout> layouts;
  std::uint64_t encoder = 0;
  for (const Level& level : levels_) {
    layouts.push_back(level.layout);
    encoder = std::max(encoder, CompressTiles(level.encoding, 1).slot_bytes());
  }
  return workers_ * (encoder + reducer_bytes()) + CogWriter::standing_bytes(layouts);
}

Output<ChunkRequest> CogStream::requests() {
  return graph_.source<ChunkRequest>(
      "plan", PlanChunks(plan_.bands),
      {.concurrency = 1,
       .units = plan_.bands->units(),
       .items_of_unit = [plan = plan_](std::uint64_t unit) { return plan.requests(unit); },
       .standing_bytes = input_standing_});
}

void CogStream::write(Output<DecodedChunk> chunks) {
  const StreamPlan plan = plan_;
  const std::shared_ptr<const PyramidPlan> pyramid = pyramid_;
  auto bands = graph_.expand<Band>("assemble", chunks, AssembleBands(plan.bands),
                                   {.items_of_unit = [](std::uint64_t) { return std::uint64_t{1}; },
                                    .carried_bytes =
                                        [plan, pyramid](std::uint64_t unit) {
                                          return plan.carried_bytes(unit) + pyramid->carried_bytes(unit);
                                        }});
  auto tiles = graph_.expand<TileRun>(
      "cut", bands, CutTiles(plan.bands, plan.runs),
      {.concurrency = 1, .items_of_unit = [plan](std::uint64_t unit) { return plan.run_count(unit); }});
  if (levels_.size() > 1) {
    const std::uint64_t bytes = TakeTile::tile_bytes(levels_[0].layout.info, levels_[0].layout.tiles());
    tiles =
        graph_.transform<TileRun>("take", tiles, TakeTile(levels_[0].layout.info, levels_[0].layout.tiles()),
                                  {.buffer_bytes_of_unit = [pyramid, bytes](std::uint64_t unit) {
                                    return pyramid->tiles_of_unit(0, unit) * bytes;
                                  }});
  }
  add_level(0, tiles);
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    const auto count = [pyramid, level](std::uint64_t unit) { return pyramid->tiles_of_unit(level, unit); };
    auto gathered = graph_.expand<PyramidTile>(numbered("gather", level), tiles, GatherLevel(pyramid, level),
                                               {.items_of_unit = count});
    ReduceTile reduce = reducer(level);
    reduce.share_locals(reducer_bytes());
    const TiffOutputLayout& layout = levels_[level].layout;
    const std::uint64_t bytes = TakeTile::tile_bytes(layout.info, layout.tiles());
    tiles = graph_.transform<TileRun>(
        numbered("reduce", level), gathered, WithSharedLocals<ReduceTile>(reduce, reducers_),
        {.buffer_bytes_of_unit = [count, bytes](std::uint64_t unit) { return count(unit) * bytes; }});
    add_level(level, tiles);
  }
  for (const auto& [node, concurrency] : options_.concurrency) graph_.set_concurrency(node, concurrency);
}

/// Encodes the tiles of a level and writes them. What all levels share stands with level 0.
void CogStream::add_level(std::size_t level, Output<TileRun> tiles) {
  const std::shared_ptr<const PyramidPlan> pyramid = pyramid_;
  const std::uint64_t bytes = levels_[level].encoding.tile_charge();
  const CompressTiles compress(levels_[level].encoding, 1);
  auto encoded = graph_.transform<EncodedTiles>(numbered("compress", level), tiles,
                                                WithSharedLocals<CompressTiles>(compress, encoders_),
                                                {.buffer_bytes_of_unit =
                                                     [pyramid, level, bytes](std::uint64_t unit) {
                                                       return pyramid->tiles_of_unit(level, unit) * bytes;
                                                     },
                                                 .standing_bytes = level == 0 ? standing_bytes() : 0});
  graph_.ordered_sink(fmt::format("level{}", level), encoded, WriteCog(file_, level),
                      {.lane = Lane::io, .waits = [pyramid, level](std::uint64_t unit, std::uint64_t ticket) {
                         return pyramid->waits(level, unit, ticket);
                       }});
}

std::function<std::uint64_t(std::uint64_t)> CogStream::block_bytes() const {
  return [plan = plan_](std::uint64_t unit) { return plan.block_bytes(unit); };
}
std::function<std::uint64_t(std::uint64_t)> CogStream::bytes_per_chunk(std::uint64_t bytes) const {
  return [plan = plan_, bytes](std::uint64_t unit) { return plan.chunk_count(unit) * bytes; };
}

std::string CogStream::explain() const {
  std::string text = plan_.explain();
  for (std::size_t i = 1; i < levels_.size(); ++i) {
    const RasterInfo& info = levels_[i].layout.info;
    text += fmt::format("{:<12}{} x {} pixels, {} tiles\n", i == 1 ? "overviews" : "", info.width,
                        info.height, pyramid_->tiles(i));
  }
  return text;
}

}  // namespace weir
