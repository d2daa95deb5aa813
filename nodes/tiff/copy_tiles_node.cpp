#include <fmt/format.h>

#include "framework/error.hpp"
#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/raster/select_source.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "nodes/tiff/tiff_nodes.hpp"
#include "nodes/tiff/tile_copy.hpp"

namespace weir {
namespace {

/// The options under which a file's tiles fit: those that it was written with, as far as they are known.
GeotiffOptions options_like(const TiffSource& source) {
  const TiffLayout& stored = source.layout();
  GeotiffOptions options;
  if (!stored.is_tiled) options.strip_rows = stored.strile_height;
  options.tile_height = stored.strile_height;
  options.tile_width = stored.strile_width;
  options.planar_separate = stored.planes > 1;
  options.codec.id = stored.codec;
  options.predictor = stored.predictor;
  return options;
}

class CopyInstance : public NodeInstance {
 public:
  CopyInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)), setup_(setup) {
    TiffOpenOptions read;
    read.directory = static_cast<unsigned>(parameters.integer("directory"));
    read.overview = static_cast<unsigned>(parameters.integer("overview"));
    read.with_mask = false;
    if (parameters.has("max_fetch")) read.max_fetched_bytes = parameters.bytes("max_fetch");
    const std::string& path = parameters.text("path");
    std::shared_ptr<const ChunkSource> source = open_tiff(path, read, *setup.files);
    if (parameters.has("samples"))
      source = select_samples(std::move(source), parse_samples(parameters.text("samples")));
    source_ = std::dynamic_pointer_cast<const TiffSource>(source);
    const std::string reason = source_ ? why_not_copied(*source_, options_like(*source_))
                                       : "samples can be chosen where they are in planes";
    if (!reason.empty()) throw Error::usage("copy", "the tiles of " + path, reason);
  }

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>>) override {
    // The sink's standing bytes are not known here: a quarter is left to it and to what else there is.
    const std::uint64_t standing = source_->standing_bytes() + setup_.limits.memory / 4;
    copy_ = std::make_shared<const TileCopy>(source_, copied_run_bytes(setup_.limits, standing));
    const TiffOutputLayout layout = layout_of_copy(*copy_, options_like(*source_));
    auto out = std::make_shared<EncodedEdge>();
    out->info = source_->info();
    out->encoding.codec.id = layout.codec;
    out->encoding.predictor = layout.predictor;
    out->encoding.tiles = layout.tiles();
    out->encoding.pads_last_row = layout.tiled;
    out->encoding.samples = out->info.samples;
    out->encoding.type = out->info.type;
    out->stored = {layout.max_tile_bytes, copy_->all_bytes()};
    return out;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput>) override {
    return add_tile_copy(graph, copy_, stage_name(name_, "plan"), stage_name(name_, "fetch"));
  }

  void finish(RunReport& report) override {
    const RasterInfo& info = source_->info();
    report.raw_bytes += info.height * info.width * info.pixel_bytes();
    report.source_chunks += copy_->tiles();
    report.source_reads += copy_->tiles();
  }

 private:
  std::string name_;
  GraphSetup& setup_;
  std::shared_ptr<const TiffSource> source_;
  std::shared_ptr<const TileCopy> copy_;
};

}  // namespace

NodeType copy_tiles_node_type() {
  NodeType type;
  type.name = "copy_tiles";
  type.help =
      "passes the tiles or strips of a TIFF file on as they are stored, without decoding them; not its mask";
  type.output = Port{"output", "encoded", "stored tiles, in file order"};
  type.parameters = {
      {.name = "path", .help = "the file", .is_required = true},
      {.name = "directory",
       .type = ParameterType::integer,
       .help = "which image of a file with several, from 0",
       .default_value = "0",
       .least = 0,
       .most = 65535},
      {.name = "overview",
       .type = ParameterType::integer,
       .help = "the k-th overview, largest first; 0: full resolution",
       .default_value = "0",
       .least = 0,
       .most = 65535},
      {.name = "max_fetch", .type = ParameterType::bytes, .help = "refuse to read more bytes from the file"},
      {.name = "samples",
       .help = "only these samples of a file that has them in planes, from 1, in this order: 3,1,2"},
  };
  type.bytes = "the stored bytes of a run of tiles, 1 MiB at most where tiles are not larger";
  type.stages = {"plan", "fetch"};
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<CopyInstance>(name, parameters, setup);
  };
  return type;
}

}  // namespace weir
