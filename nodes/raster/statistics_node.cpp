#include <algorithm>
#include <cassert>

#include "framework/error.hpp"
#include "nodes/raster/map_tiles.hpp"
#include "nodes/raster/masked_pixels.hpp"
#include "nodes/raster/raster_nodes.hpp"
#include "nodes/raster/statistics.hpp"

namespace weir {
namespace {

/// Statistics of each tile of a run, each tile on its own: the result does not depend on the length of runs.
class MeasureTiles {
 public:
  struct Local {
    Scratch scratch;
    ScratchBlock gathered;
  };

  MeasureTiles(const RasterInfo& info, const TileLayout& tiles)
      : info_(info), tiles_(tiles), measure_(info) {}

  std::unique_ptr<Local> make_local(const Scratch& scratch) const {
    auto local = std::make_unique<Local>();
    local->scratch = scratch;
    return local;
  }
  StatisticsPart operator()(const TileRun& run, Local& local, const Context&) const {
    StatisticsPart part;
    for (std::uint64_t i = 0; i < run.count; ++i) {
      TileRun one = run;
      one.tile_row += run.is_vertical ? i : 0;
      one.tile_col += run.is_vertical ? 0 : i;
      one.count = 1;
      const PixelView pixels =
          pixels_of(*run.band, window_of(one, tiles_), info_, local.scratch, local.gathered, tile_pixels());
      for (SampleStatistics& sample : measure_(pixels).windows) part.windows.push_back(std::move(sample));
    }
    return part;
  }
  std::uint64_t slot_bytes() const { return scratch_block_bytes(tile_pixels() * info_.pixel_bytes()); }

 private:
  std::uint64_t tile_pixels() const {
    return std::min(tiles_.tile_height, tiles_.height) * std::min(tiles_.tile_width, tiles_.width);
  }
  RasterInfo info_;
  TileLayout tiles_;
  MeasureStatistics measure_;
};

class StatisticsInstance : public NodeInstance {
 public:
  StatisticsInstance(std::string name, const Parameters& parameters, GraphSetup& setup)
      : name_(std::move(name)),
        path_(parameters.text("path")),
        overwrite_(setup.overwrite || parameters.flag("overwrite")),
        flow_(setup.shared<RasterFlow>()),
        setup_(setup) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    const auto* typed = dynamic_cast<const TilesEdge*>(inputs.front().get());
    assert(typed != nullptr);  // port types were checked
    const TilesEdge& in = *typed;
    require_arithmetic("measure", in.info);
    require_value_for_masked("measure", in.info);
    if (in.tiles.planes > 1)
      throw Error::usage("measure", "tiles of one sample each",
                         "statistics take all samples of a pixel: cut with interleave: pixel");
    info_ = in.info;
    tiles_ = in.tiles;
    cut_ = in.cut;
    flow_.add_encoded(cut_, [this] { return item_bytes(); });
    flow_.add_standing([this] {
      return setup_.slots(stage_name(name_, "measure")) * MeasureTiles(info_, tiles_).slot_bytes();
    });
    return nullptr;
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(0);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(cut_);
    const MeasureTiles measure(info_, tiles_);
    auto parts =
        graph.transform<StatisticsPart>(stage_name(name_, "measure"), inputs.front().as<TileRun>(), measure,
                                        {.item_bytes = item_bytes(), .slot_bytes = measure.slot_bytes()});
    graph.ordered_sink(stage_name(name_, "write"), parts,
                       WriteStatistics(info_, path_, overwrite_, *setup_.files),
                       {.lane = Lane::io, .waits = [plan, runs](std::uint64_t unit, std::uint64_t ticket) {
                          return runs->waits(plan->unit(unit), ticket);
                        }});
    return {};
  }

 private:
  /// Of one run; also what one tile is charged, as a run can be as short as that.
  std::uint64_t item_bytes() const {
    return flow_.run_tiles(cut_) * info_.samples * 2 * sizeof(SampleStatistics) + sizeof(StatisticsPart);
  }

  std::string name_, path_;
  bool overwrite_;
  RasterFlow& flow_;
  GraphSetup& setup_;
  RasterInfo info_;
  TileLayout tiles_;
  std::size_t cut_ = 0;
};

}  // namespace

NodeType statistics_node_type() {
  NodeType type;
  type.name = "statistics";
  type.help = "counts, extremes, mean and standard deviation of each sample, as a JSON file";
  type.inputs = {{"input", "tiles", "output tiles, not yet encoded"}};
  type.needs_order = true;
  type.parameters = {
      {.name = "path", .help = "the JSON file to write", .is_required = true},
      {.name = "overwrite",
       .type = ParameterType::flag,
       .help = "replace the file where it exists",
       .default_value = "false"},
  };
  type.bytes = "per tile: some hundred bytes of numbers; per thread: the pixels of a tile";
  type.stages = {"measure", "write"};
  type.make = [](const std::string& name, const Parameters& parameters, GraphSetup& setup) {
    return std::make_unique<StatisticsInstance>(name, parameters, setup);
  };
  return type;
}

}  // namespace weir
