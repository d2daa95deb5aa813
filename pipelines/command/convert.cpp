#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <limits>

#include "framework/error.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/stores/url.hpp"
#include "pipelines/command/as_graph.hpp"
#include "pipelines/command/cog_flags.hpp"
#include "pipelines/command/commands.hpp"
#include "pipelines/command/help.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/command/place_options.hpp"
#include "pipelines/command/signals.hpp"
#include "pipelines/command/zarr_input.hpp"
#include "pipelines/command/zarr_output.hpp"
#include "pipelines/write_cog.hpp"
#include "pipelines/write_geotiff.hpp"

namespace weir::command {
namespace {

struct ConvertOptions {
  InputOptions input;
  CommonOptions common;
  std::string output, compress = "auto", engine = "auto", predictor = "auto", tile = "auto", to = "auto",
                      bigtiff = "auto", interleave = "auto";
  std::string nodata, spool = "auto";
  std::vector<std::string> metadata, bands;
  PlaceOptions place;
  CogFlags cog;
  ZarrFlags zarr;
  std::optional<int> level, quality;
  std::optional<double> max_error;
  bool lossless = false;
  std::uint64_t strip = 0;
  bool sparse = false, statistics = false, dot = false, print_graph = false, recompress = false;
};

Predictor parse_predictor(const std::string& text) {
  if (text == "1" || text == "none") return Predictor::none;
  if (text == "2" || text == "horizontal") return Predictor::horizontal;
  return Predictor::floating_point;
}

/// What is to be written: "geotiff", "cog", "zarr".
std::string format_of(const ConvertOptions& options) {
  if (options.to != "auto") return options.to;
  return is_zarr(options.output) ? "zarr" : "geotiff";
}

/// A GeoTIFF called map.png would only confuse.
void check_name(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  for (const char* other : {".zarr", ".nc", ".png", ".jpg", ".jpeg", ".vrt", ".jp2", ".hdf", ".h5", ".npy"})
    if (ending == other)
      throw Error::usage("write", path, "it is to be a GeoTIFF: give it a name that ends in .tif");
}

WriteGeotiffOptions write_options(const ConvertOptions& options) {
  WriteGeotiffOptions write;
  // GDAL's COG driver has 512, too: fewer, larger requests.
  const std::string format = format_of(options), usual = format == "cog" ? "512" : "256";
  const Size tile = parse_size("--tile", options.tile == "auto" ? usual : options.tile);
  write.tile_height = tile.height;
  write.tile_width = tile.width;
  if (options.strip > 0) write.strip_rows = options.strip;
  write.planar_separate = options.interleave == "band";
  if (format != "zarr") {
    const std::string name = options.compress == "auto" ? "deflate" : options.compress;
    const std::optional<CodecSpec> codec = codec_spec_named(name);
    if (!codec) throw Error::usage("use", "--compress " + name, "TIFF files have no such codec");
    write.codec = *codec;
  }
  write.codec.level = options.level;
  write.codec.quality = options.quality;
  write.codec.lossless = options.lossless;
  write.codec.max_error = options.max_error;
  if (options.engine != "auto") {
    if (write.codec.id != CodecId::deflate)
      throw Error::usage("use", "--deflate-engine", "the codec is not deflate");
    write.codec.engine = *deflate_engine_named(options.engine);
  }
  if (options.predictor != "auto") write.predictor = parse_predictor(options.predictor);
  if (!options.nodata.empty()) write.nodata = options.nodata;
  write.georeferencing = options.place.edit();
  write.big = options.bigtiff == "yes"  ? TiffOutputLayout::BigTiff::yes
              : options.bigtiff == "no" ? TiffOutputLayout::BigTiff::no
                                        : TiffOutputLayout::BigTiff::automatic;
  for (const std::string& item : options.metadata) write.metadata.push_back(parse_metadata_item(item));
  for (const std::string& band : options.bands)
    for (MetadataItem& item : parse_band_items(band)) write.metadata.push_back(std::move(item));
  write.spool = options.spool;
  write.sparse = options.sparse;
  write.statistics = options.statistics;
  if (options.recompress) write.pass_through = PassThrough::never;
  write.overwrite = options.common.overwrite;
  write.graph = options.common.graph();
  write.concurrency = options.common.concurrency();
  return write;
}

/// Throws where an option is given that Zarr has not, or the output is called a TIFF file.
void require_zarr_options(const ConvertOptions& options) {
  if (options.output.ends_with(".tif") || options.output.ends_with(".tiff"))
    throw Error::usage("write", options.output, "it is to be Zarr: give it a name that ends in .zarr");
  for (const auto& [option, is_given] : {std::pair("--strip", options.strip > 0),
                                         {"--quality", options.quality.has_value()},
                                         {"--lossless", options.lossless},
                                         {"--max-error", options.max_error.has_value()},
                                         {"--deflate-engine", options.engine != "auto"},
                                         {"--predictor", options.predictor != "auto"},
                                         {"--bigtiff", options.bigtiff != "auto"},
                                         {"--statistics", options.statistics},
                                         {"--sparse", options.sparse}})
    if (is_given) throw Error::usage("use", option, "it is for TIFF files");
}

/// Plans, and either explains or runs. `Write`: GeotiffWrite or CogWrite.
template <class Write>
std::optional<RunReport> carry_out(Write& write, const ConvertOptions& options, bool explain,
                                   const RunOptions& run) {
  if (!explain) return write.run(run);
  fmt::print("{}", options.dot ? write.dot() : write.explain());
  return std::nullopt;
}

}  // namespace

Action add_convert(CLI::App& app, bool explain) {
  auto options = std::make_shared<ConvertOptions>();
  CLI::App* convert =
      app.add_subcommand("convert", explain ? "Show the plan of a conversion"
                                            : "Stream a raster to GeoTIFF, COG or Zarr in bounded memory");
  options->input.add_to(*convert);
  convert->add_flag("--no-mask", options->input.no_mask, "Leave the input's mask aside");
  convert->add_option("OUT", options->output, "The GeoTIFF, or OUT.zarr[/ARRAY], to write")->required();
  const auto choice = [&](const std::string& name, std::string& value, const std::string& help,
                          const std::string& placeholder, std::vector<std::string> allowed) {
    convert->add_option(name, value, help)
        ->option_text(placeholder)
        ->check(CLI::IsMember(std::move(allowed)));
  };
  choice("--to", options->to, "geotiff, cog or zarr (default: by OUT, else geotiff)", "F",
         {"auto", "geotiff", "cog", "zarr"});
  std::vector<std::string> codecs = codec_names();
  codecs.insert(codecs.end(), {"auto", "gzip", "blosc", "zlib"});
  choice("--compress", options->compress,
         "none, deflate, zstd, lzw, lzma, packbits, lerc, lerc_deflate, lerc_zstd, webp or jpeg (Zarr: none, "
         "zstd, gzip, blosc or, in format 2, zlib; default: deflate, Zarr: zstd)",
         "C", std::move(codecs));
  convert
      ->add_option("--level", options->level,
                   "deflate 1-12, zstd and lerc_zstd 1-22, lerc_deflate 1-9, lzma, gzip, zlib and blosc 0-9 "
                   "(default: zstd 3, deflate 1 and 4 with predictor 3 where libdeflate is built in; else "
                   "the codec's own)")
      ->option_text("N");
  convert
      ->add_option("--quality", options->quality,
                   "jpeg, webp: 1-100 (default: 75); values change, nodata values too")
      ->option_text("N");
  convert->add_flag("--lossless", options->lossless, "webp: keep every sample");
  convert
      ->add_option("--max-error", options->max_error,
                   "lerc: samples change by this at most, nodata values by as much (default: 0)")
      ->option_text("E");
  choice("--deflate-engine", options->engine, "auto, zlib, libdeflate or isal", "E",
         {"auto", "zlib", "libdeflate", "isal"});
  choice("--predictor", options->predictor, "auto, 1/none, 2/horizontal, 3/float", "P",
         {"auto", "1", "none", "2", "horizontal", "3", "float"});
  auto* tile = convert->add_option("--tile", options->tile,
                                   "Tile size: N or HEIGHTxWIDTH, multiples of 16 (default: 256; COG: 512); "
                                   "Zarr: chunk size (default: 512)");
  tile->option_text("N");
  convert->add_option("--strip", options->strip, "Strips of this many rows instead of tiles")
      ->option_text("ROWS")
      ->check(CLI::Range(1U, std::numeric_limits<std::uint32_t>::max()))
      ->excludes(tile);
  choice("--interleave", options->interleave,
         "pixel, or band for one plane per sample (default: pixel; Zarr: band)", "I",
         {"auto", "pixel", "band"});
  convert->add_option("--nodata", options->nodata, "Nodata value to store, a number or nan; NaN becomes it")
      ->option_text("V");
  convert->add_option("--metadata", options->metadata, "Add or replace an item of GDAL_METADATA; repeatable")
      ->option_text("KEY=VALUE")
      ->allow_extra_args(false);
  convert
      ->add_option("--band", options->bands,
                   "What band N is, from 1: N:name=A,unit=B,scale=C,offset=D; repeatable")
      ->option_text("BAND")
      ->allow_extra_args(false);
  convert
      ->add_option("--spool", options->spool,
                   "Where chunks wait that do not fit the memory: auto, none or FOLDER")
      ->option_text("S");
  convert->add_flag("--sparse", options->sparse, "Leave tiles out that hold nothing but nodata (or 0)");
  convert->add_flag("--statistics", options->statistics, "Measure each band on the way, into GDAL_METADATA");
  choice("--bigtiff", options->bigtiff, "auto, yes or no", "B", {"auto", "yes", "no"});
  options->cog.add_to(*convert);
  options->zarr.add_to(*convert);
  options->place.add_to(*convert);
  convert->add_flag(
      "--recompress", options->recompress,
      "Encode anew, also where the input's tiles or chunks fit and could pass through as they are");
  options->common.add_to(*convert);
  if (!explain)
    convert->add_flag("--print-graph", options->print_graph,
                      "Print this as a graph file for weir run, and do nothing");
  if (explain) convert->add_flag("--dot", options->dot, "Print the graph in the DOT language");
  keep_in_short_help(*convert,
                     {"--to",        "--overviews", "--resampling",  "--window", "--bbox",      "--shard",
                      "--overview",  "--samples",   "--compress",    "--level",  "--predictor", "--tile",
                      "--strip",     "--nodata",    "--crs",         "--memory", "--threads",   "--report",
                      "--overwrite", "--quiet",     "--print-graph", "--dot"});
  return [options, convert, explain](const std::stop_token& stop) {
    if (!convert->parsed()) return;
    const std::string format = format_of(*options);
    const bool is_cog = format == "cog", to_zarr = format == "zarr";
    if (!to_zarr) check_name(options->output);
    // Pixels without data get the new value where pixels are computed anyway; else it is only written down.
    if (options->input.converts()) options->input.nodata = options->nodata;
    WriteGeotiffOptions write_as = write_options(*options);
    if (!is_cog && !to_zarr) options->cog.require_none();
    if (!to_zarr) options->zarr.require_none();
    ZarrConversion zarr;
    if (to_zarr) {
      require_zarr_options(*options);
      const std::optional<OverviewOptions> pyramid = options->cog.pyramid();
      // The levels of a pyramid have all samples of a pixel in a chunk.
      const bool interleaved = options->interleave == "pixel" || (options->interleave == "auto" && pyramid);
      zarr = {options->output,
              options->compress,
              options->tile,
              interleaved,
              write_as,
              options->zarr,
              pyramid,
              options->cog.overviews,
              options->cog.resampling,
              explain,
              options->dot};
    }
    if (options->print_graph && to_zarr) {
      const Size chunk = chunk_of(options->input.open()->info(), zarr);
      fmt::print("{}", to_yaml(zarr_as_graph(options->input, zarr, chunk, options->common)));
      return;
    }
    if (options->print_graph) {
      fmt::print("{}", to_yaml(is_cog ? cog_as_graph(options->input, options->output,
                                                     options->cog.options(write_as), options->common)
                                      : convert_as_graph(options->input, options->output, write_as,
                                                         options->common)));
      return;
    }
    RunFiles files(options->common, options->output,
                   fmt::format("weir convert {} {}", shown_path(options->input.path), options->output),
                   options->input.path);
    write_as.graph.recording = files.recording();
    zarr.common.graph.recording = files.recording();
    std::vector<std::string> notes;
    const std::shared_ptr<const ChunkSource> source = options->input.open(&notes);
    RunOptions run;
    run.stop = stop;
    run.progress = ends_without_listeners(progress_printer(options->common.progress_style(), stderr));
    run.on_failure =
        files.on_failure([&](const std::string& item) { return options->input.repeat_of(*source, item); });
    std::optional<RunReport> report;
    std::optional<std::uint64_t> passed_tiles, passed_chunks;
    if (to_zarr) {
      ZarrConverted converted = convert_to_zarr(source, zarr, run);
      report = std::move(converted.report);
      passed_chunks = converted.passed_chunks;
    } else if (is_cog) {
      CogWrite write(source, options->output, options->cog.options(write_as));
      report = carry_out(write, *options, explain, run);
    } else {
      GeotiffWrite write(source, options->output, write_as);
      report = carry_out(write, *options, explain, run);
      passed_tiles = write.passed_tiles();
    }
    if (!report) return;
    files.write(*report);
    if (options->common.quiet) return;
    tell(*report, fmt::format("wrote {}", options->output));
    for (const std::string& note : notes) fmt::print("  note: {}\n", note);
    if (passed_tiles) fmt::print("  tiles passed through: {}\n", *passed_tiles);
    if (passed_chunks) fmt::print("  chunks passed through: {}\n", *passed_chunks);
  };
}

}  // namespace weir::command
