#include "nodes/raster/pyramid_levels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "framework/error.hpp"
#include "nodes/raster/color_meanings.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/pyramid_shape.hpp"

namespace weir {
namespace {

constexpr std::uint16_t photometric_palette = 3, color_map_tag = 320;

RasterInfo level_info(const RasterInfo& full, std::uint64_t height, std::uint64_t width) {
  RasterInfo info = full;
  info.height = height;
  info.width = width;
  info.georeferencing = scaled(full.georeferencing, full.height, full.width, height, width);
  info.metadata.clear();
  info.attributes.clear();
  std::erase_if(info.tags, [](const RawTag& tag) { return tag.id != color_map_tag; });
  return info;
}

/// Whether values come out that were not there.
bool mixes(Resampling resampling) {
  return resampling == Resampling::average || resampling == Resampling::rms ||
         resampling == Resampling::bilinear || resampling == Resampling::cubic;
}

}  // namespace

Resampling resampling_for(const RasterInfo& info, const OverviewOptions& options) {
  const bool is_palette =
      info.photometric == photometric_palette || (has_color_table(info) && !has_grey_ramp(info));
  if (!options.resampling_is_given)
    return is_palette || !is_arithmetic(info.type) ? Resampling::nearest : options.resampling;
  if (is_palette && mixes(options.resampling))
    throw Error::usage("make overviews",
                       fmt::format("by {} of indices of a colour table", name_of(options.resampling)),
                       "what lies between two of them is another colour: use nearest or mode");
  return options.resampling;
}

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

std::vector<Parameter> overview_parameters(const std::string& default_overviews) {
  std::vector<std::string> kernels{"auto"};
  for (const Resampling each : all_resamplings) kernels.emplace_back(name_of(each));
  return {
      {.name = "overviews",
       .help = "auto: 2, 4, 8 ... until a level fits into one tile; none; or factors of the full raster, "
               "each a multiple of the one before: 2,4,8",
       .default_value = default_overviews},
      {.name = "resampling",
       .type = ParameterType::choice,
       .help = "how a level is made from the one below; auto: average, and nearest for palettes and "
               "samples that are not computed with",
       .default_value = "auto",
       .choices = std::move(kernels)},
  };
}

OverviewOptions overview_options(const Parameters& parameters) {
  OverviewOptions options;
  options.overviews = parse_overviews(parameters.text("overviews"));
  if (const std::optional<Resampling> given = resampling_named(parameters.text("resampling"))) {
    options.resampling = *given;
    options.resampling_is_given = true;
  }
  return options;
}

std::string PyramidLevels::stage(const char* name, std::size_t level) const {
  const std::string numbered = level == 0 ? name : fmt::format("{}{}", name, level);
  return node_.empty() ? numbered : stage_name(node_, numbered);
}

void PyramidLevels::make(const RasterInfo& full, const TileLayout& tiles, const OverviewOptions& options) {
  factors_ = options.overviews ? relative_factors(*options.overviews) : automatic_factors(tiles);
  resampling_ = resampling_for(full, options);
  levels_.push_back({full, tiles, nullptr});
  for (const std::uint32_t factor : factors_) {
    Level& finer = levels_.back();
    finer.reduce = std::make_shared<const ReducePixels>(resampling_, finer.info, factor);
    Level level{level_info(full, finer.reduce->coarse_height(), finer.reduce->coarse_width()), tiles,
                nullptr};
    level.tiles.height = level.info.height;
    level.tiles.width = level.info.width;
    levels_.push_back(std::move(level));
  }
}

void PyramidLevels::describe(std::size_t cut, const std::vector<std::uint64_t>& encoded) {
  PyramidRequest request{levels_.front().tiles, factors_, {}, {}};
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (levels_[i].reduce) request.halos.push_back(levels_[i].reduce->halo());
    request.tile_bytes.push_back({levels_.size() > 1 ? tile_bytes(i) : 0, encoded[i]});
  }
  number_ = setup_.shared<RasterFlow>().add_pyramid(cut, std::move(request));
}

ReduceTile PyramidLevels::reducer(std::size_t level, std::shared_ptr<const PyramidPlan> plan) const {
  const Level &finer = levels_[level - 1], &coarser = levels_[level];
  return {*finer.reduce, finer.info, coarser.info, coarser.tiles, std::move(plan), level};
}

std::uint64_t PyramidLevels::reducer_bytes() const {
  std::uint64_t bytes = 0;
  for (std::size_t level = 1; level < levels_.size(); ++level)
    bytes = std::max(bytes, reducer(level, nullptr).slot_bytes());
  return bytes;
}

std::uint64_t PyramidLevels::workers() const {
  return setup_.limits.engine == Engine::serial ? 1 : std::max(setup_.limits.threads, 2u);
}

std::uint64_t PyramidLevels::tile_bytes(std::size_t level) const {
  return TakeTile::tile_bytes(levels_[level].info, levels_[level].tiles);
}

std::function<std::uint64_t(std::uint64_t)> PyramidLevels::bytes_per_tile(std::size_t level,
                                                                          std::uint64_t bytes) const {
  return [pyramid = plan(), level, bytes](std::uint64_t unit) {
    return pyramid->tiles_of_unit(level, unit) * bytes;
  };
}
std::function<bool(std::uint64_t, std::uint64_t)> PyramidLevels::waits(std::size_t level) const {
  return [pyramid = plan(), level](std::uint64_t unit, std::uint64_t ticket) {
    return pyramid->waits(level, unit, ticket);
  };
}

void PyramidLevels::add_to(Graph& graph, Output<TileRun> tiles,
                           const std::function<void(std::size_t, Output<TileRun>)>& add_level) {
  const std::shared_ptr<const PyramidPlan> pyramid = plan();
  if (levels_.size() > 1)
    tiles = graph.transform<TileRun>(
        stage("take", 0), tiles, TakeTile(levels_[0].info, levels_[0].tiles),
        {.buffer_bytes_of_unit = bytes_per_tile(0, tile_bytes(0)),
         .carried_bytes = [pyramid](std::uint64_t unit) { return pyramid->carried_bytes(unit); }});
  add_level(0, tiles);
  for (std::size_t level = 1; level < levels_.size(); ++level) {
    auto gathered = graph.expand<PyramidTile>(stage("gather", level), tiles, GatherLevel(pyramid, level),
                                              {.items_of_unit = bytes_per_tile(level, 1)});
    ReduceTile reduce = reducer(level, pyramid);
    reduce.share_locals(reducer_bytes());
    tiles = graph.transform<TileRun>(stage("reduce", level), gathered,
                                     WithSharedLocals<ReduceTile>(reduce, reducers_),
                                     {.buffer_bytes_of_unit = bytes_per_tile(level, tile_bytes(level))});
    add_level(level, tiles);
  }
}

std::string PyramidLevels::explain() const {
  std::string text;
  for (std::size_t i = 1; i < levels_.size(); ++i)
    text += fmt::format("{:<12}{} x {} pixels, {} tiles\n", i == 1 ? "overviews" : "", levels_[i].info.width,
                        levels_[i].info.height, plan()->tiles(i));
  return text;
}

}  // namespace weir
