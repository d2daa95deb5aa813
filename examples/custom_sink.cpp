// A sink of your own: statistics of a terrain of 36 million pixels in one pass, in 8 MiB.
//
//   chunks ──► decode ──► measure ──► statistics
//   source     all cores  all cores   ordered sink
//
// Each chunk is measured on whatever core is free. The parts arrive in order, so the sum of floating-point numbers is
// the same for any number of threads.
//
// Output:
//   36000000 pixels
//   elevation from 730.273 to 3335.3 m, mean 1914.69 m
//   memory stayed inside 8 MiB: yes

#include <algorithm>
#include <cstring>
#include <iostream>
#include <limits>

#include "framework/graph.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/raster/terrain_source.hpp"

struct Part {
  std::uint64_t pixels = 0;
  float least = std::numeric_limits<float>::max(), most = std::numeric_limits<float>::lowest();
  double sum = 0;
};

Part measure(const weir::DecodedChunk& chunk) {
  const weir::Block& block = chunk.block;
  Part part;
  for (std::uint64_t row = 0; row < block.window.height; ++row)
    for (std::uint64_t col = 0; col < block.window.width; ++col) {
      float value;
      std::memcpy(&value, block.at(row, col), sizeof value);
      part.least = std::min(part.least, value);
      part.most = std::max(part.most, value);
      part.sum += value;
      ++part.pixels;
    }
  return part;
}

// The sink: called one item at a time, in order; close() when everything has been delivered. A failed run never
// gets there.
struct Statistics {
  Part all;
  void operator()(const Part& part) {
    all.pixels += part.pixels;
    all.least = std::min(all.least, part.least);
    all.most = std::max(all.most, part.most);
    all.sum += part.sum;
  }
  void close() const {
    std::cout << all.pixels << " pixels\nelevation from " << all.least << " to " << all.most << " m, mean "
              << all.sum / static_cast<double>(all.pixels) << " m\n";
  }
};

int main() {
  weir::TerrainOptions options;
  options.height = options.width = 6000;
  auto terrain = std::make_shared<weir::TerrainSource>(options);
  auto reads = std::make_shared<std::atomic<std::uint64_t>>(0);
  const std::uint64_t cols = terrain->grid().cols.count();

  weir::Graph graph({.memory = 8 << 20});
  auto chunks =
      graph.source<weir::ChunkRequest>("chunks",
                                       [cols](std::uint64_t unit, weir::Emit<weir::ChunkRequest>& emit) {
                                         emit(weir::ChunkRequest{{unit / cols, unit % cols}});
                                       },
                                       {.units = terrain->grid().count()});
  const auto bytes = [charge = weir::BufferPool::charge(terrain->block_bytes())](std::uint64_t) {
    return charge;
  };
  auto blocks = read_chunks(graph, chunks, terrain, reads, {.fetch = {}, .decode = bytes});
  auto parts = graph.transform<Part>("measure", blocks,
                                     [](const weir::DecodedChunk& chunk) { return measure(chunk); });
  graph.ordered_sink("statistics", parts, Statistics{});

  const weir::RunReport report = graph.run();
  std::cout << "memory stayed inside 8 MiB: " << (report.peak_payload <= (8 << 20) ? "yes" : "no") << "\n";
}
