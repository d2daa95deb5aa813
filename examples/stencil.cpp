// Stencils on the way from a raster to a GeoTIFF, in 16 MiB: a terrain is smoothed by a bundled one, and what comes
// out is curved by one of our own.
//
//   plan ──► decode ──► assemble ──► cut ──► kernel1 ──► kernel2 ──► compress ──► tif
//                                            mean 5 x 5  ours 3 x 3
//
// A stencil sees a halo of pixels around each pixel. The plan knows all halos together (here 2 + 1): the rows and columns
// of chunks that neighbouring tiles share are kept, so that each chunk is made once.
//
// Output:
//   curvature.tif: 3000 x 2000 float32, halo 3
//   24 chunks, 24 reads
//   memory stayed inside 16 MiB: yes
//   curvature at (0, 0): 0.0419006, at (700, 1200): -0.148041

#include <iostream>

#include "nodes/raster/focal_mean.hpp"
#include "nodes/raster/function_kernel.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "pipelines/write_geotiff.hpp"

int main() try {
  weir::TerrainOptions terrain;
  terrain.height = 2000;
  terrain.width = 3000;
  const auto source = std::make_shared<const weir::TerrainSource>(terrain);

  // The difference to the four neighbours: a ridge is negative, a valley positive.
  weir::FocalMeanOptions of_mean;
  of_mean.radius = 2;
  const auto mean = std::make_shared<weir::FocalMean>(of_mean);
  const auto curvature =
      weir::function_kernel({.halo = 1}, weir::each_pixel([](const auto& at) {
                              return (at(-1, 0) + at(1, 0) + at(0, -1) + at(0, 1)) / 4 - at(0, 0);
                            }));

  weir::WriteGeotiffOptions options;
  options.kernels = {mean, curvature};
  options.overwrite = true;
  options.graph.memory = 16 << 20;
  weir::GeotiffWrite write(source, "curvature.tif", options);
  const std::uint64_t halo = write.plan().bands->request().halo;
  const weir::RunReport report = write.run();

  std::cout << "curvature.tif: " << terrain.width << " x " << terrain.height << " float32, halo " << halo
            << "\n"
            << report.source_chunks << " chunks, " << report.source_reads << " reads\n"
            << "memory stayed inside 16 MiB: " << (report.peak_payload <= (16 << 20) ? "yes" : "no") << "\n";
  const auto pixel = [&](std::uint64_t row, std::uint64_t col) {
    float value = 0;
    weir::read_geotiff("curvature.tif", {row, col, 1, 1}, {reinterpret_cast<std::byte*>(&value), {4, 4, 4}});
    return value;
  };
  std::cout << "curvature at (0, 0): " << pixel(0, 0) << ", at (700, 1200): " << pixel(700, 1200) << "\n";
} catch (const weir::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
