// A program that uses a plugin by its path: its stencil as a kernel in a graph, its codec for the file, and
// both once more for what is read back. Compares with the index computed here.
//
//   outside_plugin TERRAIN.so
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>
#include <weir/framework/graph_run.hpp>
#include <weir/nodes/plugins/add_plugins.hpp>
#include <weir/nodes/plugins/plugin_nodes.hpp>
#include <weir/nodes/raster/terrain_source.hpp>
#include <weir/nodes/tiff/tiff_source.hpp>
#include <weir/pipelines/node_types.hpp>
#include <weir/pipelines/read_geotiff.hpp>

namespace {

constexpr std::uint64_t height = 300, width = 500;

std::vector<float> pixels_of(const std::shared_ptr<const weir::ChunkSource>& source) {
  std::vector<float> pixels(height * width);
  weir::read_region(source, {0, 0, height, width},
                    {reinterpret_cast<std::byte*>(pixels.data()), {width * 4, 4, 4}});
  return pixels;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const weir::Plugin& plugin = weir::load_plugin(argv[1], weir::check_plugin_node);
  const auto codecs = weir::plugin_codecs({&plugin});
  weir::Registry registry;
  weir::add_geotiff_nodes(registry, codecs);
  weir::add_plugin_nodes(registry, {&plugin});

  weir::GraphFile file;
  file.name = "outside_plugin";
  file.limits.memory = 8 << 20;
  file.nodes = {
      {.name = "dem", .type = "terrain", .parameters = {{"size", "300x500"}}},
      {.name = "bands", .type = "assemble_bands", .inputs = {{"", "dem"}}},
      {.name = "tiles", .type = "cut_tiles", .inputs = {{"", "bands"}}, .parameters = {{"tile", "64"}}},
      {.name = "rough", .type = "ruggedness", .inputs = {{"", "tiles"}}, .parameters = {{"factor", "2"}}},
      {.name = "packed",
       .type = "compress_tiles",
       .inputs = {{"", "rough"}},
       .parameters = {{"codec", "delta_runs"}}},
      {.name = "tif",
       .type = "write_tiff",
       .inputs = {{"", "packed"}},
       .parameters = {{"path", "rough.tif"}, {"overwrite", "true"}}}};
  const weir::RunReport report = weir::GraphRun(file, registry).run();

  weir::TerrainOptions terrain;
  terrain.height = height;
  terrain.width = width;
  const std::vector<float> dem = pixels_of(std::make_shared<const weir::TerrainSource>(terrain));
  weir::TiffReadOptions read;
  read.codecs = codecs;
  const std::vector<float> rough = pixels_of(std::make_shared<const weir::TiffSource>("rough.tif", read));
  for (std::uint64_t row = 0; row < height; ++row)
    for (std::uint64_t col = 0; col < width; ++col) {
      const float value = rough[row * width + col];
      if (row == 0 || col == 0 || row + 1 == height || col + 1 == width) {
        if (value == value) return 1;  // no data at the edge
        continue;
      }
      double sum = 0;
      for (std::uint64_t y = row - 1; y <= row + 1; ++y)
        for (std::uint64_t x = col - 1; x <= col + 1; ++x) {
          const double step = double{dem[y * width + x]} - double{dem[row * width + col]};
          sum += step * step;
        }
      if (value != static_cast<float>(2 * std::sqrt(sum))) return 1;
    }
  std::printf("%s %s: %llu bytes written, %llu of memory\n", plugin.name.c_str(), plugin.version.c_str(),
              static_cast<unsigned long long>(report.output_bytes),
              static_cast<unsigned long long>(report.peak_payload));
  return report.peak_payload <= file.limits.memory ? 0 : 1;
}
