#include "pipelines/command/as_graph.hpp"

#include <fmt/format.h>

#include "framework/error.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/stores/url.hpp"
#include "nodes/tiff/tiff_nodes.hpp"
#include "pipelines/command/zarr_input.hpp"

namespace weir::command {
namespace {

void set(GraphNode& node, const std::string& name, const std::string& value) {
  node.parameters.push_back({name, value});
}

GraphNode node_of(const std::string& name, const std::string& type, const std::string& input = "") {
  GraphNode node;
  node.name = name;
  node.type = type;
  if (!input.empty()) node.inputs.push_back({"", input});
  return node;
}

/// The part, samples and values of the input that are wanted.
void set_view(GraphNode& node, const InputOptions& input) {
  if (!input.window.empty()) set(node, "window", input.window);
  if (!input.bbox.empty()) set(node, "bbox", input.bbox);
  if (input.max_pixels > 0) set(node, "max_pixels", std::to_string(input.max_pixels));
  if (!input.samples.empty()) set(node, "samples", input.samples);
  if (!input.type.empty()) set(node, "cast", input.type);
  if (!input.nodata.empty()) set(node, "cast_nodata", input.nodata);
  if (input.scale) set(node, "scale", fmt::format("{}", *input.scale));
  if (input.offset) set(node, "offset", fmt::format("{}", *input.offset));
  if (input.unscale) set(node, "unscale", "true");
}

/// How it is read where it is a URL.
void set_http(GraphNode& node, const InputOptions& input) {
  if (input.http.timeout) set(node, "timeout", fmt::format("{}", *input.http.timeout));
  if (input.http.retries) set(node, "retries", std::to_string(*input.http.retries));
  if (input.http.requests) set(node, "requests", std::to_string(*input.http.requests));
}

/// The node "in": its stages plan, fetch and decode are nodes of their own in the ready commands.
GraphNode source_of(const InputOptions& input, const std::string& spool = "auto") {
  if (is_zarr(input.path)) {
    GraphNode node = node_of("in", "read_zarr");
    set(node, "path", input.path);
    if (input.axes != "auto") set(node, "axes", input.axes);
    if (input.no_checksums) set(node, "check_sums", "false");
    if (input.overview > 0) set(node, "overview", std::to_string(input.overview));
    if (!input.max_chunk.empty()) set(node, "max_chunk", input.max_chunk);
    if (!input.chunk.empty()) set(node, "chunk", input.chunk);
    set_view(node, input);
    set_http(node, input);
    if (spool != "auto") set(node, "spool", spool);
    return node;
  }
  if (!input.path.starts_with("terrain:")) {
    GraphNode node = node_of("in", "read_tiff");
    set(node, "path", input.path);
    if (input.directory > 0) set(node, "directory", std::to_string(input.directory));
    if (input.overview > 0) set(node, "overview", std::to_string(input.overview));
    if (input.no_mask) set(node, "mask", "false");
    if (!input.max_chunk.empty()) set(node, "max_chunk", input.max_chunk);
    if (!input.max_fetch.empty()) set(node, "max_fetch", input.max_fetch);
    if (!input.chunk.empty()) set(node, "chunk", input.chunk);
    set_view(node, input);
    set_http(node, input);
    if (spool != "auto") set(node, "spool", spool);
    return node;
  }
  InputOptions whole;
  whole.path = input.path;
  whole.chunk = input.chunk;
  const std::shared_ptr<const ChunkSource> terrain = whole.open();  // refuses what is no terrain
  GraphNode node = node_of("in", "terrain");
  set(node, "size", fmt::format("{}x{}", terrain->info().height, terrain->info().width));
  set(node, "sample_type", std::string(name_of(terrain->info().type)));
  if (!input.chunk.empty()) set(node, "chunk", input.chunk);
  set_view(node, input);
  if (spool != "auto") set(node, "spool", spool);
  return node;
}

/// How tiles are encoded.
void set_encoding(GraphNode& node, const GeotiffOptions& options) {
  set(node, "codec", std::string(name_of(options.codec)));
  if (options.codec.level) set(node, "level", std::to_string(*options.codec.level));
  if (options.codec.quality) set(node, "quality", std::to_string(*options.codec.quality));
  if (options.codec.lossless) set(node, "lossless", "true");
  if (options.codec.max_error) set(node, "max_error", fmt::format("{}", *options.codec.max_error));
  if (options.codec.engine != DeflateEngine::automatic)
    set(node, "deflate_engine", std::string(name_of(options.codec.engine)));
  if (options.predictor)
    set(node, "predictor",
        *options.predictor == Predictor::none         ? "none"
        : *options.predictor == Predictor::horizontal ? "horizontal"
                                                      : "float");
  if (options.nodata) set(node, "nodata", *options.nodata);
  if (options.sparse) set(node, "sparse", "true");
  if (options.statistics) set(node, "statistics", "true");
}

/// The file and what it says of the raster.
void set_file(GraphNode& node, const std::string& output, const GeotiffOptions& options) {
  set(node, "path", output);
  if (options.big != TiffOutputLayout::BigTiff::automatic)
    set(node, "bigtiff", options.big == TiffOutputLayout::BigTiff::yes ? "yes" : "no");
  if (const std::string lines = metadata_lines(options.metadata); !lines.empty())
    set(node, "metadata", lines);
  if (const std::string lines = band_lines(options.metadata); !lines.empty()) set(node, "bands", lines);
  if (options.overwrite) set(node, "overwrite", "true");
  for (const auto& [name, value] : to_parameters(options.georeferencing)) set(node, name, value);
}

/// Whether the command would write the stored tiles. An input that cannot be opened yet is read and encoded.
bool passes_through(const InputOptions& input, const WriteGeotiffOptions& options) {
  if (options.pass_through == PassThrough::never) return false;
  try {
    const auto tiff = std::dynamic_pointer_cast<const TiffSource>(input.open());
    return tiff && why_not_copied(*tiff, options).empty();
  } catch (const Error&) {
    return false;
  }
}

/// Puts --set NODE.concurrency=N where the graph has that node, or one whose stage it is. Throws a usage Error for a node that it
/// has not.
void set_concurrency(GraphFile& graph, const std::map<std::string, unsigned>& concurrency) {
  static const NodeType cog = write_cog_node_type();
  for (const auto& setting : concurrency) {
    const std::string& name = setting.first;  // no structured binding: clang 14 captures none
    const bool is_reading = name == "plan" || name == "fetch" || name == "decode";
    const auto is_stage_of = [&](const GraphNode& node) {
      if (node.type.text == "write_zarr") return !is_reading && name != "assemble" && name != "cut";
      return node.type.text == cog.name ? has_stage(cog, name) : is_reading && node.name.text == "in";
    };
    bool found = false;
    for (GraphNode& node : graph.nodes) {
      const bool is_stage = is_stage_of(node);
      if (!is_stage && (is_reading || node.name.text != name)) continue;
      node.concurrency.push_back({is_stage ? name : "", std::to_string(setting.second)});
      found = true;
    }
    if (!found) throw Error::usage("set", name + ".concurrency", "there is no node of that name");
  }
}

GraphFile graph_of(const CommonOptions& common, const std::string& help) {
  GraphFile graph;
  graph.help = help;
  graph.limits = common.graph();
  return graph;
}

}  // namespace

GraphFile convert_as_graph(const InputOptions& input, const std::string& output,
                           const WriteGeotiffOptions& options, const CommonOptions& common) {
  GraphFile graph = graph_of(common, fmt::format("weir convert {} {}", shown_path(input.path), output));
  GraphNode cut = node_of("cut", "cut_tiles", "assemble");
  if (options.strip_rows)
    set(cut, "strip", std::to_string(*options.strip_rows));
  else
    set(cut, "tile", fmt::format("{}x{}", options.tile_height, options.tile_width));
  if (options.planar_separate) set(cut, "interleave", "band");

  GraphNode compress = node_of("compress", "compress_tiles", "cut");
  set_encoding(compress, options);

  GraphNode tif = node_of("tif", "write_tiff", "compress");
  set_file(tif, output, options);

  if (passes_through(input, options)) {
    GraphNode copy = node_of("in", "copy_tiles");
    set(copy, "path", input.path);
    if (input.directory > 0) set(copy, "directory", std::to_string(input.directory));
    if (input.overview > 0) set(copy, "overview", std::to_string(input.overview));
    if (!input.max_fetch.empty()) set(copy, "max_fetch", input.max_fetch);
    if (!input.samples.empty()) set(copy, "samples", input.samples);
    tif.inputs = {{"", "in"}};
    graph.nodes = {copy, tif};
  } else {
    graph.nodes = {source_of(input, options.spool), node_of("assemble", "assemble_bands", "in"), cut,
                   compress, tif};
  }
  set_concurrency(graph, options.concurrency);
  return graph;
}

GraphFile cog_as_graph(const InputOptions& input, const std::string& output, const WriteCogOptions& options,
                       const CommonOptions& common) {
  GraphFile graph =
      graph_of(common, fmt::format("weir convert {} {} --to cog", shown_path(input.path), output));
  require_cog_layout(options.strip_rows.has_value(), options.planar_separate);
  GraphNode cut = node_of("cut", "cut_tiles", "assemble");
  set(cut, "tile", fmt::format("{}x{}", options.tile_height, options.tile_width));
  GraphNode cog = node_of("cog", "write_cog", "cut");
  set_file(cog, output, options);
  if (options.overviews)
    set(cog, "overviews",
        options.overviews->empty() ? "none" : fmt::format("{}", fmt::join(*options.overviews, ",")));
  if (options.resampling_is_given) set(cog, "resampling", std::string(name_of(options.resampling)));
  if (options.packing != CogPacking::automatic) set(cog, "pack", std::string(name_of(options.packing)));
  set_encoding(cog, options);
  graph.nodes = {source_of(input, options.spool), node_of("assemble", "assemble_bands", "in"), cut, cog};
  set_concurrency(graph, options.concurrency);
  return graph;
}

GraphFile zarr_as_graph(const InputOptions& input, const ZarrConversion& conversion, const Size& chunk,
                        const CommonOptions& common) {
  GraphFile graph = graph_of(
      common, fmt::format("weir convert {} {} --recompress", shown_path(input.path), conversion.path));
  const WriteGeotiffOptions& options = conversion.common;
  GraphNode cut = node_of("cut", "cut_tiles", "assemble");
  set(cut, "tile", fmt::format("{}x{}", chunk.height, chunk.width));
  if (!conversion.interleaved) set(cut, "interleave", "band");
  GraphNode zarr = node_of("zarr", "write_zarr", "cut");
  set(zarr, "path", conversion.path);
  if (conversion.flags.format) set(zarr, "format", std::to_string(*conversion.flags.format));
  if (!conversion.flags.shard.empty()) set(zarr, "shard", conversion.flags.shard);
  if (conversion.flags.dataset) set(zarr, "dataset", *conversion.flags.dataset);
  if (conversion.compress != "auto") set(zarr, "codec", conversion.compress);
  if (conversion.pyramid) set(zarr, "overviews", conversion.overviews);
  if (conversion.pyramid && !conversion.resampling.empty()) set(zarr, "resampling", conversion.resampling);
  if (options.codec.level) set(zarr, "level", std::to_string(*options.codec.level));
  if (options.nodata) set(zarr, "nodata", *options.nodata);
  if (const std::string lines = metadata_lines(options.metadata); !lines.empty())
    set(zarr, "metadata", lines);
  if (const std::string lines = band_lines(options.metadata); !lines.empty()) set(zarr, "bands", lines);
  if (options.overwrite) set(zarr, "overwrite", "true");
  for (const auto& [name, value] : to_parameters(options.georeferencing)) set(zarr, name, value);
  graph.nodes = {source_of(input, options.spool), node_of("assemble", "assemble_bands", "in"), cut, zarr};
  set_concurrency(graph, options.concurrency);
  return graph;
}

GraphFile read_as_graph(const InputOptions& input, const std::string& output, const CommonOptions& common) {
  GraphFile graph = graph_of(common, fmt::format("weir read {} --output {}", shown_path(input.path), output));
  GraphNode cut = node_of("cut", "cut_tiles", "assemble");
  set(cut, "strip", "1");
  GraphNode copy = node_of("copy", "compress_tiles", "cut");
  set(copy, "codec", "none");
  set(copy, "mask", "drop");
  GraphNode file = node_of("file", "write_rows", "copy");
  set(file, "path", output);
  if (common.overwrite) set(file, "overwrite", "true");
  graph.nodes = {source_of(input), node_of("assemble", "assemble_bands", "in"), cut, copy, file};
  set_concurrency(graph, common.concurrency());
  return graph;
}

}  // namespace weir::command
