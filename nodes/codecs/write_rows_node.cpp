#include "nodes/codecs/write_rows_node.hpp"

#include <cassert>

#include "framework/error.hpp"
#include "nodes/codecs/encoded_edge.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/write_rows.hpp"

namespace weir {
namespace {

class WriteRowsInstance : public NodeInstance {
 public:
  WriteRowsInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)),
        path_(parameters.text("path")),
        overwrite_(setup.overwrite || parameters.flag("overwrite")),
        files_(*setup.files),
        flow_(setup.shared<RasterFlow>()) {
    if (!path_.ends_with(".npy") && !path_.ends_with(".raw"))
      throw Error::usage("write", path_, "the name must end in .npy or .raw");
  }

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto* in = dynamic_cast<const EncodedEdge*>(inputs.front().get());
    assert(in != nullptr);  // port types were checked
    const TileEncoding& encoding = in->encoding;
    if (encoding.pads_last_row || encoding.tiles.planes > 1 || encoding.codec.custom || in->stored ||
        encoding.codec.id != CodecId::none || encoding.predictor != Predictor::none || encoding.has_mask ||
        encoding.sparse || encoding.statistics)
      throw Error::usage(
          "write", path_,
          "rows are strips without a codec: cut with strip, compress with codec none, mask drop, "
          "and neither sparse nor statistics");
    cut_ = in->cut;
    info_ = in->info;
    flow_.add_output(path_);
    return nullptr;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(0);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(cut_);
    header_ = path_.ends_with(".npy") ? npy_header(info_) : std::string();
    graph.ordered_sink(name_, inputs.front().as<EncodedTiles>(),
                       WriteRows(header_, path_, overwrite_, files_),
                       {.lane = Lane::io, .waits = [plan, runs](std::uint64_t unit, std::uint64_t ticket) {
                          return runs->waits(plan->unit(unit), ticket);
                        }});
    return {};
  }

  void finish(RunReport& report) override {
    report.output_bytes += header_.size() + info_.height * info_.width * info_.pixel_bytes();
  }

 private:
  std::string name_, path_;
  bool overwrite_;
  FileSystem& files_;
  RasterFlow& flow_;
  RasterInfo info_;
  std::string header_;
  std::size_t cut_ = 0;
};

}  // namespace

NodeType write_rows_node_type() {
  NodeType type;
  type.name = "write_rows";
  type.help = "writes pixels row by row, as a NumPy array (.npy) or without a header (.raw)";
  type.inputs = {{"input", "encoded", "strips without a codec, in order"}};
  type.needs_order = true;
  type.parameters = {
      {.name = "path", .help = "the file to write, FILE.npy or FILE.raw", .is_required = true},
      {.name = "overwrite",
       .type = ParameterType::flag,
       .help = "replace the file where it exists",
       .default_value = "false"},
  };
  type.bytes = "nothing of its own";
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<WriteRowsInstance>(name, parameters, setup);
  };
  return type;
}

}  // namespace weir
