#include "pipelines/command/zarr_output.hpp"

#include <fmt/format.h>

#include <utility>

#include "framework/error.hpp"
#ifdef WEIR_WITH_ZARR
#include "pipelines/write_zarr_raster.hpp"
#endif

namespace weir::command {

void ZarrFlags::add_to(CLI::App& app) {
  app.add_option("--format", format, "Zarr: 2 or 3 (default: 3)")
      ->option_text("N")
      ->check(CLI::IsMember({2, 3}));
  app.add_option("--shard", shard, "Zarr: shards of N or HEIGHTxWIDTH pixels")->option_text("N");
  app.add_option("--dataset", dataset,
                 "Zarr: OUT is a group of the array NAME and its coordinates, as xarray opens it")
      ->option_text("NAME");
}

void ZarrFlags::require_none() const {
  for (const auto& [option, is_given] : {std::pair("--format", format.has_value()),
                                         {"--shard", !shard.empty()},
                                         {"--dataset", dataset.has_value()}})
    if (is_given) throw Error::usage("use", option, "it is for Zarr: say --to zarr");
}

#ifdef WEIR_WITH_ZARR

namespace {

WriteZarrRasterOptions write_options(const ZarrConversion& conversion) {
  WriteZarrRasterOptions write;
  write.format = conversion.flags.format.value_or(3);
  if (conversion.tile != "auto") {
    const Size tile = parse_size("--tile", conversion.tile);
    write.chunk_height = tile.height;
    write.chunk_width = tile.width;
  }
  if (!conversion.flags.shard.empty()) {
    const Size shard = parse_size("--shard", conversion.flags.shard);
    write.shard_height = shard.height;
    write.shard_width = shard.width;
  }
  write.dataset = conversion.flags.dataset;
  write.interleaved = conversion.interleaved;
  write.pyramid = conversion.pyramid;
  if (conversion.compress != "auto") write.compressor = conversion.compress;
  const WriteGeotiffOptions& common = conversion.common;
  write.level = common.codec.level;
  write.nodata = common.nodata;
  write.metadata = common.metadata;
  write.georeferencing = common.georeferencing;
  write.spool = common.spool;
  write.pass_through = common.pass_through;
  write.overwrite = common.overwrite;
  write.graph = common.graph;
  write.concurrency = common.concurrency;
  return write;
}

}  // namespace

Size chunk_of(const RasterInfo& info, const ZarrConversion& conversion) {
  const TileLayout tiles = chunk_tiles(info, write_options(conversion));
  return {tiles.tile_height, tiles.tile_width};
}

ZarrConverted convert_to_zarr(std::shared_ptr<const ChunkSource> source, const ZarrConversion& conversion,
                              const RunOptions& run) {
  const WriteZarrRasterOptions options = write_options(conversion);
  ZarrRasterWrite write(std::move(source), conversion.path, options);
  if (conversion.explain) {
    fmt::print("{}", conversion.dot ? write.dot() : write.explain());
    return {};
  }
  RunReport report = write.run(run);
  return {std::move(report), write.passed_chunks()};
}

#else

Size chunk_of(const RasterInfo&, const ZarrConversion&) {
  return {};
}

ZarrConverted convert_to_zarr(std::shared_ptr<const ChunkSource>, const ZarrConversion& conversion,
                              const RunOptions&) {
  throw Error::usage("write", conversion.path, "this build has no Zarr: it was made without nlohmann-json");
}

#endif

}  // namespace weir::command
