#include <algorithm>
#include <cassert>
#include <filesystem>
#include <iterator>

#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/tiff/cog_levels.hpp"
#include "nodes/tiff/tiff_nodes.hpp"

namespace weir {
namespace {

CogOptions cog_options(const EncodingSettings& encoding, const Parameters& parameters, GraphSetup& setup) {
  TiffFileSettings file = tiff_file_settings(parameters, setup);
  CogOptions options;
  options.codec = encoding.codec;
  options.predictor = encoding.predictor;
  options.nodata = encoding.nodata;
  options.sparse = encoding.sparse;
  options.statistics = encoding.statistics;
  options.big = file.big;
  options.overwrite = file.overwrite;
  options.metadata = std::move(file.metadata);
  options.georeferencing = std::move(file.georeferencing);
  options.files = setup.files;
  static_cast<OverviewOptions&>(options) = overview_options(parameters);
  options.packing = *cog_packing_named(parameters.text("pack"));
  return options;
}

class WriteCogInstance : public NodeInstance {
 public:
  WriteCogInstance(const std::string& name, const EncodingSettings& encoding, const Parameters& parameters,
                   GraphSetup& setup)
      : drops_mask_(encoding.drops_mask),
        levels_(name, parameters.text("path"), cog_options(encoding, parameters, setup), setup) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto* in = dynamic_cast<const TilesEdge*>(inputs.front().get());
    assert(in != nullptr);  // port types were checked
    TilesEdge tiles = *in;
    if (drops_mask_) tiles.info.has_mask = false;
    levels_.describe(tiles);
    return nullptr;
  }
  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    levels_.add_to(graph, inputs.front().as<TileRun>());
    return {};
  }
  void finish(RunReport& report) override {
    std::error_code ignored;  // the file was just committed; a size that cannot be had counts as 0
    const std::uintmax_t size = std::filesystem::file_size(levels_.path(), ignored);
    report.output_bytes += ignored ? 0 : size;
  }
  std::string explain() const override { return levels_.explain(); }

 private:
  bool drops_mask_;
  CogLevels levels_;
};

Parameter packing_parameter() {
  std::vector<std::string> packings;
  for (const CogPacking each : all_cog_packings) packings.emplace_back(name_of(each));
  return {.name = "pack",
          .type = ParameterType::choice,
          .help =
              "how room that was reserved and not needed leaves the file: by collapsing it, by copying, "
              "as the file system can; or it stays, as holes",
          .default_value = "automatic",
          .choices = std::move(packings)};
}

}  // namespace

NodeType write_cog_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs) {
  NodeType type;
  type.name = "write_cog";
  type.help = "writes tiles and overviews of them to a Cloud Optimized GeoTIFF, in one pass";
  type.inputs = {{"input", "tiles", "output tiles, not yet encoded"}};
  type.needs_order = true;
  type.parameters = tiff_file_parameters();
  std::ranges::move(overview_parameters("auto"), std::back_inserter(type.parameters));
  type.parameters.push_back(packing_parameter());
  std::ranges::move(encoding_parameters(codecs), std::back_inserter(type.parameters));
  type.stages = {"take", "gatherK", "reduceK", "compressK", "levelK", "compress"};
  type.bytes =
      "per tile of each level: its pixels, until the next level is made of them, and the most bytes that the "
      "codec can make of it; per thread: the codec's context and the pixels that a tile is made from; the "
      "directories and a piece of each offset array";
  type.make = [codecs](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<WriteCogInstance>(name, encoding_settings(parameters, codecs), parameters, setup);
  };
  return type;
}

}  // namespace weir
