#include "nodes/tiff/cog_levels.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/error.hpp"
#include "nodes/codecs/compress_tiles.hpp"

namespace weir {

void require_cog_layout(bool strips, bool planes) {
  if (strips || planes)
    throw Error::usage("write", "a COG", "it has tiles with all samples of a pixel: no strips, no planes");
}

CogLevels::CogLevels(std::string node, std::string path, const CogOptions& options, GraphSetup& setup)
    : path_(std::move(path)),
      options_(options),
      setup_(setup),
      pyramid_(std::move(node), setup),
      encoders_(std::make_shared<SharedLocals<CompressTiles::Local>>()) {}

void CogLevels::describe(const TilesEdge& tiles) {
  require_cog_layout(tiles.is_strips, tiles.tiles.planes > 1);
  options_.tile_height = tiles.tiles.tile_height;
  options_.tile_width = tiles.tiles.tile_width;
  make_levels(tiles.info);

  RasterFlow& flow = setup_.shared<RasterFlow>();
  flow.add_output(path_);
  flow.add_encoded(tiles.cut, [bytes = levels_.front().encoding.tile_charge()] { return bytes; });
  flow.add_standing([this] { return standing_bytes(); });
  std::vector<std::uint64_t> encoded;
  for (const Level& level : levels_) encoded.push_back(level.encoding.tile_charge());
  pyramid_.describe(tiles.cut, encoded);
}

void CogLevels::make_levels(const RasterInfo& info) {
  TiffOutputLayout full = output_layout(info, options_);
  check(full);
  pyramid_.make(full.info, full.tiles(), options_);
  file_ = std::make_shared<CogFile>(CogFile{{}, path_, options_.overwrite, options_.packing, options_.files});
  for (std::size_t i = 0; i < pyramid_.count(); ++i) {
    Level level;
    level.layout = full;
    if (i > 0) {
      level.layout.info = pyramid_.info(i);
      level.layout.is_reduced = true;
      level.layout.statistics = false;
    }
    level.encoding = encoding_of(level.layout, options_.codec);
    level.encoding.framed = true;
    level.layout.max_tile_bytes = level.encoding.max_tile_bytes();
    level.layout.max_mask_bytes = level.encoding.max_mask_bytes();
    level.layout.codec_tags = tags_of(level.encoding.codec);
    file_->levels.push_back(level.layout);
    levels_.push_back(std::move(level));
  }
  writer_bytes_ = CogWriter::standing_bytes(file_->levels);  // refuses what no file can hold
}

std::uint64_t CogLevels::standing_bytes() const {
  std::uint64_t encoder = 0;
  for (const Level& level : levels_)
    encoder = std::max(encoder, CompressTiles(level.encoding, 1).slot_bytes());
  return pyramid_.workers() * (encoder + pyramid_.reducer_bytes()) + writer_bytes_;
}

void CogLevels::add_to(Graph& graph, Output<TileRun> tiles) {
  pyramid_.add_to(graph, tiles,
                  [&](std::size_t level, Output<TileRun> of_level) { add_level(graph, level, of_level); });
}

/// Encodes the tiles of a level and writes them. What all levels share stands with level 0.
void CogLevels::add_level(Graph& graph, std::size_t level, Output<TileRun> tiles) {
  const std::uint64_t bytes = levels_[level].encoding.tile_charge();
  const CompressTiles compress(levels_[level].encoding, 1);
  auto encoded = graph.transform<EncodedTiles>(pyramid_.stage("compress", level), tiles,
                                               WithSharedLocals<CompressTiles>(compress, encoders_),
                                               {.buffer_bytes_of_unit = pyramid_.bytes_per_tile(level, bytes),
                                                .standing_bytes = level == 0 ? standing_bytes() : 0});
  graph.ordered_sink(pyramid_.stage(level == 0 ? "level0" : "level", level), encoded, WriteCog(file_, level),
                     {.lane = Lane::io, .waits = pyramid_.waits(level)});
}

}  // namespace weir
