// A node type of your own, known by name: graph files, `--set` and C++ use it like those that come along.
//
//   dem ──► bands ──► tiles ──► above ──► pack ──► tif
//   terrain assemble  cut       yours     zstd     above.tif
//
// The class says its parameters once; the registry makes nodes of it from names and texts.
//
// Output:
//   above: 1 where the elevation is above a threshold, else 0
//   wrote above.tif: 2048 x 1024 uint8, 8 chunks, 8 reads
//   above 1000 m: 76.8 %

#include <cstring>
#include <iomanip>
#include <iostream>

#include "framework/graph_run.hpp"
#include "nodes/raster/raster_nodes.hpp"
#include "pipelines/node_types.hpp"
#include "pipelines/read_geotiff.hpp"

class Above : public weir::TileKernel {
 public:
  static constexpr std::string_view help = "1 where the elevation is above a threshold, else 0";
  static std::vector<weir::Parameter> parameters() {
    return {{.name = "threshold",
             .type = weir::ParameterType::number,
             .help = "the elevation",
             .default_value = "0",
             .unit = "metres"}};
  }
  explicit Above(const weir::Parameters& parameters) : threshold_(parameters.number("threshold")) {}

  weir::RasterInfo describe(std::span<const weir::RasterInfo> inputs) override {
    weir::RasterInfo out = inputs[0];
    out.type = weir::SampleType::uint8;
    return out;
  }
  void compute(std::span<const weir::PixelView> inputs, const weir::PixelTarget& out, Local*,
               const weir::Context&) const override {
    weir::with_sample_type(inputs[0].type, [&](auto sample) {
      for (std::uint64_t row = 0; row < out.window.height; ++row)
        for (std::uint64_t col = 0; col < out.window.width; ++col) {
          std::memcpy(&sample, inputs[0].at(row, col), sizeof sample);
          *out.at(row, col) = static_cast<std::byte>(static_cast<double>(sample) > threshold_);
        }
    });
  }

 private:
  double threshold_;
};

int main() try {
  weir::Registry registry;
  weir::add_geotiff_nodes(registry);
  registry.add(weir::kernel_node_type<Above>("above"));
  std::cout << "above: " << registry.at("above").help << "\n";

  // As a graph file would say it; weir::read_graph_file makes the same from YAML.
  weir::GraphFile graph;
  graph.limits.memory = 16 << 20;
  graph.nodes = {
      {.name = "dem", .type = "terrain", .parameters = {{"size", "1024x2048"}}},
      {.name = "bands", .type = "assemble_bands", .inputs = {{"", "dem"}}},
      {.name = "tiles", .type = "cut_tiles", .inputs = {{"", "bands"}}},
      {.name = "above", .type = "above", .inputs = {{"", "tiles"}}, .parameters = {{"threshold", "1000"}}},
      {.name = "pack",
       .type = "compress_tiles",
       .inputs = {{"", "above"}},
       .parameters = {{"codec", "zstd"}}},
      {.name = "tif",
       .type = "write_tiff",
       .inputs = {{"", "pack"}},
       .parameters = {{"path", "above.tif"}, {"overwrite", "true"}}},
  };
  const weir::RunReport report = weir::GraphRun(graph, registry).run();

  std::vector<std::byte> pixels(1024 * 2048);
  weir::read_geotiff("above.tif", {0, 0, 1024, 2048}, {pixels.data(), {2048, 1, 1}});
  std::size_t above = 0;
  for (const std::byte pixel : pixels) above += std::to_integer<std::size_t>(pixel);
  std::cout << "wrote above.tif: 2048 x 1024 uint8, " << report.source_chunks << " chunks, "
            << report.source_reads << " reads\n"
            << "above 1000 m: " << std::fixed << std::setprecision(1)
            << 100.0 * static_cast<double>(above) / static_cast<double>(pixels.size()) << " %\n";
} catch (const weir::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
