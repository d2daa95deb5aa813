#include "nodes/raster/kernel_node.hpp"

#include <cassert>
#include <tuple>

#include "framework/error.hpp"
#include "nodes/raster/map_tiles.hpp"
#include "nodes/raster/masked_pixels.hpp"
#include "nodes/raster/raster_flow.hpp"
#include "nodes/raster/raster_nodes.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {
namespace {

class KernelInstance : public NodeInstance {
 public:
  KernelInstance(std::string name, std::shared_ptr<TileKernel> kernel, GraphSetup& setup)
      : name_(std::move(name)),
        kernel_(std::move(kernel)),
        flow_(setup.shared<RasterFlow>()),
        setup_(setup) {}

  std::shared_ptr<EdgeInfo> describe(std::span<const std::shared_ptr<EdgeInfo>> inputs) override {
    std::vector<RasterInfo> infos;
    std::vector<std::shared_ptr<TilesEdge>> upstream;
    for (const auto& input : inputs) {
      upstream.push_back(std::dynamic_pointer_cast<TilesEdge>(input));
      assert(upstream.back() != nullptr);  // port types were checked
      infos.push_back(upstream.back()->info);
    }
    for (const RasterInfo& info : infos) {
      require_arithmetic("compute", info);
      require_value_for_masked("compute", info);
    }
    const TilesEdge& first = *upstream.front();
    for (const auto& input : upstream)
      if (input->cut != first.cut)
        throw Error::usage("join", "the inputs", "they are cut into different tiles");
    if (first.tiles.planes > 1)
      throw Error::usage("compute", "tiles of one sample each",
                         "a kernel takes all samples of a pixel: cut with interleave: pixel");
    mapping_.kernel = kernel_;
    mapping_.inputs = infos;
    for (RasterInfo& info : infos) info.has_mask = false;  // a kernel sees masked pixels as ones without data
    mapping_.output = kernel_->describe(infos);
    assert(mapping_.output.height == first.info.height && mapping_.output.width == first.info.width);
    mapping_.tiles = first.tiles;

    out_ = std::make_shared<TilesEdge>();
    out_->cut = flow_.add_cut(first.tiles, mapping_.output.pixel_bytes());
    out_->info = mapping_.output;
    out_->tiles = first.tiles;
    out_->is_strips = first.is_strips;
    out_->on_halo = [upstream, of_kernel = kernel_->halo()](std::uint64_t halo) {
      for (const auto& input : upstream) input->need_halo(halo + of_kernel);
    };
    out_->on_halo(0);
    flow_.add_transient(out_->cut, [this] { return mapping().tile_bytes(); });
    compute_name_ = infos.size() > 1 ? stage_name(name_, "compute") : name_;
    flow_.add_standing([this] { return setup_.slots(compute_name_) * mapping().slot_bytes(); });
    return out_;
  }

  /// The inputs as one stream of tuples.
  template <std::size_t... I>
  auto joined(Graph& graph, std::span<const AnyOutput> inputs, std::index_sequence<I...>) {
    return graph.join(stage_name(name_, "join"), inputs[I].as<TileRun>()...);
  }

  AnyOutput add_to(Graph& graph, std::span<const AnyOutput> inputs) override {
    switch (inputs.size()) {
      case 1:
        return map(graph, inputs[0].as<TileRun>());
      case 2:
        return map(graph, joined(graph, inputs, std::make_index_sequence<2>{}));
      case 3:
        return map(graph, joined(graph, inputs, std::make_index_sequence<3>{}));
      default:
        return map(graph, joined(graph, inputs, std::make_index_sequence<4>{}));
    }
  }

 private:
  /// With what is only known when all nodes are described.
  TileMapping mapping() const {
    TileMapping mapping = mapping_;
    mapping.halo = out_->halo;
    mapping.run_tiles = flow_.run_tiles(out_->cut);
    return mapping;
  }

  template <class In>
  Output<TileRun> map(Graph& graph, Output<In> input) {
    const std::shared_ptr<const BandPlan> plan = flow_.bands(0);
    const std::shared_ptr<const TileRuns> runs = flow_.runs(out_->cut);
    const TileMapping mapping = this->mapping();
    return graph.transform<TileRun>(compute_name_, input, MapTiles(mapping),
                                    {.buffer_bytes_of_unit =
                                         [plan, runs, bytes = mapping.tile_bytes()](std::uint64_t unit) {
                                           return runs->tile_count(plan->unit(unit)) * bytes;
                                         },
                                     .slot_bytes = mapping.slot_bytes()});
  }

  std::string name_, compute_name_;
  std::shared_ptr<TileKernel> kernel_;
  RasterFlow& flow_;
  GraphSetup& setup_;
  TileMapping mapping_;
  std::shared_ptr<TilesEdge> out_;
};

}  // namespace

std::unique_ptr<NodeInstance> kernel_node(std::string name, std::shared_ptr<TileKernel> kernel,
                                          GraphSetup& setup) {
  return std::make_unique<KernelInstance>(std::move(name), std::move(kernel), setup);
}

NodeType kernel_node_type(NodeType type, MakeKernel make) {
  if (type.inputs.empty()) type.inputs = {{"input", "tiles", "output tiles, not yet encoded"}};
  for (Port& input : type.inputs) input.type = "tiles";
  assert(type.inputs.size() <= 4);
  type.output = Port{"output", "tiles", "the computed tiles"};
  type.stages =
      type.inputs.size() > 1 ? std::vector<std::string>{"join", "compute"} : std::vector<std::string>{""};
  if (type.bytes.empty())
    type.bytes =
        "per tile: its computed pixels; per thread: the pixels of a run of tiles with their halo, of each "
        "input";
  type.make = [make = std::move(make)](const std::string& name, const Parameters& parameters,
                                       GraphSetup& setup) {
    return kernel_node(name, make(parameters), setup);
  };
  return type;
}

}  // namespace weir
