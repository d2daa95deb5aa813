#include "nodes/codecs/encoded_edge.hpp"

#include <algorithm>
#include <cassert>

#include "framework/error.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {
namespace {

class CompressInstance : public NodeInstance {
 public:
  CompressInstance(std::string name, const Parameters& parameters,
                   const std::vector<std::shared_ptr<const CustomCodec>>& codecs, GraphSetup& setup)
      : name_(std::move(name)),
        flow_(setup.shared<RasterFlow>()),
        setup_(setup),
        settings_(encoding_settings(parameters, codecs)) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto* in = dynamic_cast<const TilesEdge*>(inputs.front().get());
    assert(in != nullptr);  // port types were checked
    edge_ = std::make_shared<EncodedEdge>();
    edge_->cut = in->cut;
    edge_->info = in->info;
    if (settings_.nodata) replace_nodata(edge_->info, *settings_.nodata);
    if (settings_.drops_mask) edge_->info.has_mask = false;
    if (is_lossy(settings_.codec)) edge_->info.metadata = without_statistics(std::move(edge_->info.metadata));
    TileEncoding& encoding = edge_->encoding;
    encoding.codec = settings_.codec;
    encoding.predictor = settings_.predictor.value_or(default_predictor(settings_.codec, in->info.type));
    encoding.tiles = in->tiles;
    encoding.pads_last_row = !in->is_strips;
    encoding.samples = in->info.samples;
    encoding.type = in->info.type;
    encoding.fill = fill_for(edge_->info);
    encoding.set_extras(edge_->info, settings_.sparse, settings_.statistics);
    fit_codec(encoding, edge_->info);
    const std::uint64_t tile_bytes = encoding.tile_charge();
    flow_.add_encoded(edge_->cut, [tile_bytes] { return tile_bytes; });
    flow_.add_standing([this] { return setup_.slots(name_) * compress().slot_bytes(); });
    return edge_;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(0);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(edge_->cut);
    const CompressTiles compress = this->compress();
    const std::uint64_t tile_bytes = edge_->encoding.tile_charge();
    return graph.transform<EncodedTiles>(name_, inputs.front().as<TileRun>(), compress,
                                         {.buffer_bytes_of_unit =
                                              [plan, runs, tile_bytes](std::uint64_t unit) {
                                                return runs->tile_count(plan->unit(unit)) * tile_bytes;
                                              },
                                          .slot_bytes = compress.slot_bytes()});
  }

 private:
  CompressTiles compress() const { return CompressTiles(edge_->encoding, flow_.run_tiles(edge_->cut)); }

  std::string name_;
  RasterFlow& flow_;
  GraphSetup& setup_;
  EncodingSettings settings_;
  std::shared_ptr<EncodedEdge> edge_;
};

}  // namespace

Predictor default_predictor(const CodecSpec& codec, SampleType type) {
  const bool gains = codec.custom || takes_predictor(codec.id);
  if (!gains || is_complex(type)) return Predictor::none;
  return is_floating(type) ? Predictor::floating_point : Predictor::horizontal;
}

std::vector<Parameter> encoding_parameters(const std::vector<std::shared_ptr<const CustomCodec>>& codecs) {
  std::vector<std::string> names = codec_names();
  int least = 0, most = 22;  // of ours
  for (const auto& custom : codecs) {
    names.push_back(custom->name());
    if (const auto levels = custom->levels()) {
      least = std::min(least, levels->first);
      most = std::max(most, levels->second);
    }
  }
  return {
      {.name = "codec",
       .type = ParameterType::choice,
       .help = "how tiles are compressed",
       .default_value = "deflate",
       .choices = names},
      {.name = "level",
       .type = ParameterType::integer,
       .help = "deflate 1-12, zstd and lerc_zstd 1-22, lerc_deflate 1-9, lzma 0-9; the codec's own default "
               "where it "
               "is not given",
       .least = static_cast<double>(least),
       .most = static_cast<double>(most)},
      {.name = "quality",
       .type = ParameterType::integer,
       .help = "of jpeg and of webp that is not lossless, 75 where it is not given; values change, nodata "
               "values too",
       .least = 1,
       .most = 100},
      {.name = "lossless",
       .type = ParameterType::flag,
       .help = "webp keeps every sample",
       .default_value = "false"},
      {.name = "max_error",
       .type = ParameterType::number,
       .help =
           "lerc: no sample changes by more, nodata values by as much; 0 where it is not given: none changes",
       .least = 0},
      {.name = "deflate_engine",
       .type = ParameterType::choice,
       .help = "the library that makes deflate streams",
       .default_value = "auto",
       .choices = {"auto", "zlib", "libdeflate", "isal"}},
      {.name = "predictor",
       .type = ParameterType::choice,
       .help = "auto: horizontal for integers and float for floats where the codec gains by it",
       .default_value = "auto",
       .choices = {"auto", "none", "horizontal", "float"}},
      {.name = "nodata",
       .type = ParameterType::text,
       .help = "the nodata value to store, a number or nan, in place of the input's; NaN becomes it"},
      {.name = "mask",
       .type = ParameterType::choice,
       .help = "what becomes of the input's mask, where it has one",
       .default_value = "keep",
       .choices = {"keep", "drop"}},
      {.name = "sparse",
       .type = ParameterType::flag,
       .help = "leave tiles out that hold nothing but nodata (0 where there is none)",
       .default_value = "false"},
      {.name = "statistics",
       .type = ParameterType::flag,
       .help = "measure the pixels on their way, for the file's GDAL_METADATA",
       .default_value = "false"},
  };
}

EncodingSettings encoding_settings(const Parameters& parameters,
                                   const std::vector<std::shared_ptr<const CustomCodec>>& codecs) {
  EncodingSettings settings;
  CodecSpec codec;
  const std::string& name_of_codec = parameters.text("codec");
  for (const auto& custom : codecs)
    if (custom->name() == name_of_codec) codec.custom = custom;
  if (!codec.custom) codec = *codec_spec_named(name_of_codec);
  if (parameters.has("level")) codec.level = static_cast<int>(parameters.integer("level"));
  if (parameters.has("quality")) codec.quality = static_cast<int>(parameters.integer("quality"));
  codec.lossless = parameters.flag("lossless");
  if (parameters.has("max_error")) codec.max_error = parameters.number("max_error");
  const std::string& engine = parameters.text("deflate_engine");
  if (engine != "auto") codec.engine = *deflate_engine_named(engine);
  resolved(codec);  // throws
  settings.codec = codec;
  const std::string& predictor = parameters.text("predictor");
  if (predictor == "none") settings.predictor = Predictor::none;
  if (predictor == "horizontal") settings.predictor = Predictor::horizontal;
  if (predictor == "float") settings.predictor = Predictor::floating_point;
  if (parameters.has("nodata")) settings.nodata = parameters.text("nodata");
  settings.drops_mask = parameters.text("mask") == "drop";
  settings.sparse = parameters.flag("sparse");
  settings.statistics = parameters.flag("statistics");
  return settings;
}

NodeType compress_tiles_node_type(const std::vector<std::shared_ptr<const CustomCodec>>& codecs) {
  NodeType type;
  type.name = "compress_tiles";
  type.help = "cuts each tile out of its band, applies the predictor and encodes it";
  type.inputs = {{"input", "tiles", "output tiles"}};
  type.output = Port{"output", "encoded", "encoded tiles, for a file"};
  type.parameters = encoding_parameters(codecs);
  type.bytes =
      "per tile: the most bytes that the codec can make of it and of its mask, and statistics; per thread: "
      "the "
      "codec's context and a raw tile";
  type.make = [codecs](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<CompressInstance>(name, parameters, codecs, setup);
  };
  return type;
}

}  // namespace weir
