#include "nodes/tiff/cog_levels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>

#include "framework/error.hpp"
#include "nodes/codecs/compress_tiles.hpp"
#include "nodes/raster/geo_transform.hpp"
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

/// Whether values come out that were not there.
bool mixes(Resampling resampling) {
  return resampling == Resampling::average || resampling == Resampling::rms ||
         resampling == Resampling::bilinear || resampling == Resampling::cubic;
}

Resampling resampling_for(const RasterInfo& info, const CogOptions& options) {
  const bool is_palette = info.photometric == photometric_palette;
  if (!options.resampling_is_given)
    return is_palette || !is_arithmetic(info.type) ? Resampling::nearest : options.resampling;
  if (is_palette && mixes(options.resampling))
    throw Error::usage("make overviews",
                       fmt::format("by {} of indices of a colour table", name_of(options.resampling)),
                       "what lies between two of them is another colour: use nearest or mode");
  return options.resampling;
}

}  // namespace

std::optional<std::vector<std::uint32_t>> parse_overviews(const std::string& text) {
  if (text == "auto") return std::nullopt;
  std::vector<std::uint32_t> factors;
  if (text == "none") return factors;
  const char *at = text.data(), *const end = at + text.size();
  for (;;) {
    const auto [next, error] = std::from_chars(at, end, factors.emplace_back());
    if (error != std::errc() || (next != end && *next != ','))
      throw Error::usage("read", "overviews",
                         fmt::format("'{}' is not auto, none or factors like 2,4,8", text));
    if (next == end) return factors;
    at = next + 1;
  }
}

void require_cog_layout(bool strips, bool planes) {
  if (strips || planes)
    throw Error::usage("write", "a COG", "it has tiles with all samples of a pixel: no strips, no planes");
}

CogLevels::CogLevels(std::string node, std::string path, const CogOptions& options, GraphSetup& setup)
    : node_(std::move(node)),
      path_(std::move(path)),
      options_(options),
      setup_(setup),
      encoders_(std::make_shared<SharedLocals<CompressTiles::Local>>()),
      reducers_(std::make_shared<SharedLocals<ReduceTile::Local>>()) {}

std::string CogLevels::stage(const char* name, std::size_t level) const {
  const std::string numbered = level == 0 ? name : fmt::format("{}{}", name, level);
  return node_.empty() ? numbered : stage_name(node_, numbered);
}

void CogLevels::describe(const TilesEdge& tiles) {
  require_cog_layout(tiles.is_strips, tiles.tiles.planes > 1);
  options_.tile_height = tiles.tiles.tile_height;
  options_.tile_width = tiles.tiles.tile_width;
  make_levels(tiles.info);

  RasterFlow& flow = setup_.shared<RasterFlow>();
  flow.add_output(path_);
  flow.add_encoded(tiles.cut, [bytes = levels_.front().encoding.tile_charge()] { return bytes; });
  flow.add_standing([this] { return standing_bytes(); });
  PyramidRequest request{tiles.tiles, factors_, {}, {}};
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].reduce) request.halos.push_back(levels_[i].reduce->halo());
    request.tile_bytes.push_back({levels_.size() > 1 ? tile_bytes(i) : 0, levels_[i].encoding.tile_charge()});
  }
  number_ = flow.add_pyramid(tiles.cut, std::move(request));
}

void CogLevels::make_levels(const RasterInfo& info) {
  TiffOutputLayout full = output_layout(info, options_);
  check(full);
  factors_ = options_.overviews ? relative_factors(*options_.overviews) : automatic_factors(full.tiles());
  const Resampling resampling = resampling_for(info, options_);
  const CodecSpec codec = resolved(options_.codec);
  file_ = std::make_shared<CogFile>(CogFile{{}, path_, options_.overwrite, options_.packing, options_.files});
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
    file_->levels.push_back(level.layout);
    levels_.push_back(std::move(level));
  }
  writer_bytes_ = CogWriter::standing_bytes(file_->levels);  // refuses what no file can hold
}

ReduceTile CogLevels::reducer(std::size_t level) const {
  const TiffOutputLayout &finer = levels_[level - 1].layout, &layout = levels_[level].layout;
  return {*levels_[level - 1].reduce, finer.info, layout.info, layout.tiles(), pyramid_, level};
}

std::uint64_t CogLevels::reducer_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t level = 1; level < levels_.size(); ++level)
    bytes = std::max(bytes, reducer(level).slot_bytes());
  return bytes;
}

std::uint64_t CogLevels::standing_bytes() const {
  const GraphOptions& limits = setup_.limits;
  // Bodies inside at once, over all levels; see compute_threads().
  const std::uint64_t workers = limits.engine == Engine::serial ? 1 : std::max(limits.threads, 2u);
  std::uint64_t encoder = 0;
  for (const Level& level : levels_)
    encoder = std::max(encoder, CompressTiles(level.encoding, 1).slot_bytes());
  return workers * (encoder + reducer_bytes()) + writer_bytes_;
}

std::uint64_t CogLevels::tile_bytes(std::size_t level) const {
  return TakeTile::tile_bytes(levels_[level].layout.info, levels_[level].layout.tiles());
}

void CogLevels::add_to(Graph& graph, Output<TileRun> tiles) {
  pyramid_ = setup_.shared<RasterFlow>().pyramid(number_);
  const std::shared_ptr<const PyramidPlan> pyramid = pyramid_;
  if (levels_.size() > 1)
    tiles = graph.transform<TileRun>(
        stage("take", 0), tiles, TakeTile(levels_[0].layout.info, levels_[0].layout.tiles()),
        {.buffer_bytes_of_unit = [pyramid, bytes = tile_bytes(0)](
                                     std::uint64_t unit) { return pyramid->tiles_of_unit(0, unit) * bytes; },
         .carried_bytes = [pyramid](std::uint64_t unit) { return pyramid->carried_bytes(unit); }});
  add_level(graph, 0, tiles);
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    const auto count = [pyramid, level](std::uint64_t unit) { return pyramid->tiles_of_unit(level, unit); };
    auto gathered = graph.expand<PyramidTile>(stage("gather", level), tiles, GatherLevel(pyramid, level),
                                              {.items_of_unit = count});
    ReduceTile reduce = reducer(level);
    reduce.share_locals(reducer_bytes());
    tiles = graph.transform<TileRun>(
        stage("reduce", level), gathered, WithSharedLocals<ReduceTile>(reduce, reducers_),
        {.buffer_bytes_of_unit = [count, bytes = tile_bytes(level)](std::uint64_t unit) {
          return count(unit) * bytes;
        }});
    add_level(graph, level, tiles);
  }
}

/// Encodes the tiles of a level and writes them. What all levels share stands with level 0.
void CogLevels::add_level(Graph& graph, std::size_t level, Output<TileRun> tiles) {
  const std::shared_ptr<const PyramidPlan> pyramid = pyramid_;
  const std::uint64_t bytes = levels_[level].encoding.tile_charge();
  const CompressTiles compress(levels_[level].encoding, 1);
  auto encoded = graph.transform<EncodedTiles>(stage("compress", level), tiles,
                                               WithSharedLocals<CompressTiles>(compress, encoders_),
                                               {.buffer_bytes_of_unit =
                                                    [pyramid, level, bytes](std::uint64_t unit) {
                                                      return pyramid->tiles_of_unit(level, unit) * bytes;
                                                    },
                                                .standing_bytes = level == 0 ? standing_bytes() : 0});
  graph.ordered_sink(stage(level == 0 ? "level0" : "level", level), encoded, WriteCog(file_, level),
                     {.lane = Lane::io, .waits = [pyramid, level](std::uint64_t unit, std::uint64_t ticket) {
                        return pyramid->waits(level, unit, ticket);
                      }});
}

std::string CogLevels::explain() const {
  std::string text;
  for (std::size_t i = 1; i < levels_.size(); ++i) {
    const RasterInfo& info = levels_[i].layout.info;
    text += fmt::format("{:<12}{} x {} pixels, {} tiles\n", i == 1 ? "overviews" : "", info.width,
                        info.height, pyramid_->tiles(i));
  }
  return text;
}

}  // namespace weir
