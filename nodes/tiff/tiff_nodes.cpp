#include "nodes/tiff/tiff_nodes.hpp"

#include <algorithm>
#include <cassert>
#include <filesystem>
#include <iterator>

#include "framework/error.hpp"
#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/raster/georeferencing_edit.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/raster_nodes.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/http_parameters.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "nodes/tiff/write_tiff.hpp"

namespace weir {
namespace {

class WriteInstance : public NodeInstance {
 public:
  WriteInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)),
        file_(tiff_file_settings(parameters, setup)),
        files_(*setup.files),
        flow_(setup.shared<RasterFlow>()) {
    layout_.big = file_.big;
  }

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto* in = dynamic_cast<const EncodedEdge*>(inputs.front().get());
    assert(in != nullptr);  // port types were checked
    const TileEncoding& encoding = in->encoding;
    cut_ = in->cut;
    layout_.info = in->info;
    add_metadata(layout_.info, file_.metadata);
    layout_.info.georeferencing = edited(in->info, file_.georeferencing);
    layout_.tile_height = encoding.tiles.tile_height;
    layout_.tile_width = encoding.tiles.tile_width;
    layout_.tiled = encoding.pads_last_row;
    layout_.planar_separate = encoding.tiles.planes > 1;
    layout_.codec = encoding.codec.custom ? static_cast<CodecId>(encoding.codec.custom->tiff_compression())
                                          : encoding.codec.id;
    layout_.predictor = encoding.predictor;
    layout_.max_tile_bytes = in->stored ? in->stored->largest_tile : encoding.max_tile_bytes();
    if (in->stored) layout_.all_tile_bytes = in->stored->all_tiles;
    layout_.max_mask_bytes = encoding.max_mask_bytes();
    layout_.sparse = encoding.sparse;
    layout_.statistics = encoding.statistics;
    layout_.codec_tags = tags_of(encoding.codec);
    check(layout_);
    flow_.add_standing([this] { return TiffWriter::standing_bytes(layout_); });
    flow_.add_output(file_.path);
    return nullptr;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    if (layout_.all_tile_bytes) {
      graph.ordered_sink(name_, inputs.front().as<EncodedTiles>(),
                         WriteTiff(layout_, file_.path, file_.overwrite, files_),
                         {.lane = Lane::io, .standing_bytes = TiffWriter::standing_bytes(layout_)});
      return {};
    }
    const std::shared_ptr<const BandPlan> plan = flow_.bands(0);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(cut_);
    graph.ordered_sink(
        name_, inputs.front().as<EncodedTiles>(), WriteTiff(layout_, file_.path, file_.overwrite, files_),
        {.lane = Lane::io,
         .waits = [plan, runs](std::uint64_t unit,
                               std::uint64_t ticket) { return runs->waits(plan->unit(unit), ticket); },
         .standing_bytes = TiffWriter::standing_bytes(layout_)});
    return {};
  }

  void finish(RunReport& report) override {
    std::error_code ignored;  // the file was just committed; a size that cannot be had counts as 0
    const std::uintmax_t size = std::filesystem::file_size(file_.path, ignored);
    report.output_bytes += ignored ? 0 : size;
  }

 private:
  std::string name_;
  TiffFileSettings file_;
  FileSystem& files_;
  RasterFlow& flow_;
  TiffOutputLayout layout_;
  std::size_t cut_ = 0;
};

}  // namespace

NodeType read_tiff_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs) {
  NodeType type;
  type.name = "read_tiff";
  type.help = "reads a TIFF or BigTIFF file chunk by chunk, decoding on every core";
  type.parameters = {
      {.name = "path", .help = "the file, or its http:// or https:// URL", .is_required = true},
      {.name = "directory",
       .type = ParameterType::integer,
       .help = "which image of a file with several, from 0",
       .default_value = "0",
       .least = 0,
       .most = 65535},
      {.name = "overview",
       .type = ParameterType::integer,
       .help = "0: full resolution; the k-th overview, in the file or in FILE.ovr, largest first",
       .default_value = "0",
       .least = 0,
       .most = 65535},
      {.name = "mask",
       .type = ParameterType::flag,
       .help = "give the mask, of the file or of FILE.msk, with the pixels",
       .default_value = "true"},
      {.name = "max_chunk",
       .type = ParameterType::bytes,
       .help = "most bytes that the pixels of a chunk may take; smaller chunks are made where they can be",
       .default_value = "2G",
       .least = 1},
      {.name = "max_fetch",
       .type = ParameterType::bytes,
       .help = "most bytes that are read from the file",
       .least = 1},
      {.name = "chunk",
       .type = ParameterType::size,
       .help = "read in chunks of this size, height x width, rounded up to what the file stores",
       .unit = "pixels"},
      {.name = "keep_half",
       .type = ParameterType::flag,
       .help = "float16 samples stay float16; else they become float32",
       .default_value = "false"},
  };
  std::ranges::move(http_parameters(), std::back_inserter(type.parameters));
  return source_node_type(
      std::move(type),
      [codecs](const Parameters& parameters, const GraphSetup& setup) -> std::shared_ptr<const ChunkSource> {
        TiffOpenOptions options;
        options.codecs = codecs;
        options.directory = static_cast<unsigned>(parameters.integer("directory"));
        options.keep_half =
            parameters.flag("keep_half") || (parameters.has("cast") && parameters.text("cast") == "float16");
        options.overview = static_cast<unsigned>(parameters.integer("overview"));
        options.with_mask = parameters.flag("mask");
        options.max_chunk_bytes = parameters.bytes("max_chunk");
        if (parameters.has("max_fetch")) options.max_fetched_bytes = parameters.bytes("max_fetch");
        options.http = http_options(parameters);
        options.part = [&](const RasterInfo& whole) {
          return part_window(whole, parameters.has("window") ? parameters.text("window") : "",
                             parameters.has("bbox") ? parameters.text("bbox") : "");
        };
        if (parameters.has("chunk")) {
          options.chunk_height = parameters.size("chunk").height;
          options.chunk_width = parameters.size("chunk").width;
        }
        return open_tiff(parameters.text("path"), options, *setup.files);
      },
      true);
}

std::vector<Parameter> tiff_file_parameters() {
  std::vector<Parameter> parameters = {
      {.name = "path", .help = "the file to write", .is_required = true},
      {.name = "overwrite",
       .type = ParameterType::flag,
       .help = "replace the file where it exists",
       .default_value = "false"},
      {.name = "bigtiff",
       .type = ParameterType::choice,
       .help = "auto: where the largest size that the file could reach needs it",
       .default_value = "auto",
       .choices = {"auto", "yes", "no"}},
      {.name = "metadata",
       .type = ParameterType::text,
       .help = "items to add or replace in the file's GDAL_METADATA: KEY=VALUE, one a line"},
      {.name = "bands",
       .type = ParameterType::text,
       .help = "what bands are, one a line: 2:name=near infrared,unit=W/m2,scale=0.1,offset=-3"},
  };
  std::ranges::move(georeferencing_parameters(), std::back_inserter(parameters));
  return parameters;
}

TiffFileSettings tiff_file_settings(const Parameters& parameters, const GraphSetup& setup) {
  const auto text = [&](const std::string& of) {
    return parameters.has(of) ? parameters.text(of) : std::string();
  };
  const std::string& big = parameters.text("bigtiff");
  return {.path = parameters.text("path"),
          .overwrite = setup.overwrite || parameters.flag("overwrite"),
          .big = big == "yes"  ? TiffOutputLayout::BigTiff::yes
                 : big == "no" ? TiffOutputLayout::BigTiff::no
                               : TiffOutputLayout::BigTiff::automatic,
          .metadata = parse_metadata_lines(text("metadata"), text("bands")),
          .georeferencing = georeferencing_edit(parameters)};
}

NodeType write_tiff_node_type() {
  NodeType type;
  type.name = "write_tiff";
  type.help = "writes tiles to a GeoTIFF in file order; the file has its name when it is whole";
  type.inputs = {{"input", "encoded", "encoded tiles, in file order"}};
  type.needs_order = true;
  type.parameters = tiff_file_parameters();
  type.bytes = "the directory and a piece of the offset arrays, through the whole run";
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<WriteInstance>(name, parameters, setup);
  };
  return type;
}

}  // namespace weir
