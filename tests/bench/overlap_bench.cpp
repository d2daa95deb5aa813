// How much of two cores a streaming write uses: the wall time of write_geotiff on N threads against the CPU time of a
// plain serial loop over the same work (make, cut, predictor, codec, write), perfectly spread over N cores.
//
//   build/bench/overlap_bench [FOLDER [SIDE [ROUNDS]]]      default: /dev/shm 8192 5
//
// Prints medians of interleaved rounds. Ratio 1.00 is the physical limit; the bar is 1.08 for zstd 3 and deflate 6.
// The last lines compare one thread without a codec to the plain loop: hand-offs would show there.

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "framework/machine.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "nodes/tiff/tiff_writer.hpp"
#include "pipelines/write_geotiff.hpp"

namespace {

using namespace weir;

struct Times {
  double wall = 0, cpu = 0;
};

Times timed(const std::function<void()>& work) {
  const double cpu = process_cpu_seconds();
  const auto start = std::chrono::steady_clock::now();
  work();
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
          process_cpu_seconds() - cpu};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The same file by a loop that anyone would write: chunk rows are as high as tiles, so a row of chunks is a row of tiles.
void plain_loop(const ChunkSource& source, const std::string& path, const WriteGeotiffOptions& options) {
  TiffOutputLayout layout;
  layout.info = source.info();
  layout.tile_height = options.tile_height;
  layout.tile_width = options.tile_width;
  layout.codec = options.codec.id;
  layout.predictor = *options.predictor;
  const std::uint64_t raw_bytes = layout.tile_height * layout.tile_width * layout.info.pixel_bytes();
  const CodecSpec codec = resolved(options.codec);
  layout.max_tile_bytes = max_encoded_bytes(codec, raw_bytes);
  TiffWriter writer(layout, path, true);
  const Context context;
  const Fill fill = fill_for(layout.info);
  std::unique_ptr<Encoder> encoder;
  if (codec.id != CodecId::none) encoder = make_encoder(codec, raw_bytes, context.scratch());
  std::vector<std::byte> raw(raw_bytes), row(layout.tile_width * layout.info.pixel_bytes());
  EncodedTiles tile;
  tile.bytes = context.buffer(layout.max_tile_bytes);
  const auto local = source.make_local(context.scratch());
  const RowLayout rows{layout.tile_width, layout.info.samples,
                       static_cast<std::uint32_t>(bytes_of(layout.info.type))};
  const TileLayout tiles = layout.tiles();
  for (std::uint64_t chunk_row = 0; chunk_row < source.grid().rows.count(); ++chunk_row)
    for (std::uint64_t chunk_col = 0; chunk_col < source.grid().cols.count(); ++chunk_col) {
      Band band;
      auto block = std::make_shared<Block>(source.decode({chunk_row, chunk_col}, {}, local.get(), context));
      band.window = block->window;
      band.blocks.push_back(block);
      for (std::uint64_t col = 0; col < band.window.width / tiles.tile_width; ++col) {
        const Window window{band.window.row, band.window.col + col * tiles.tile_width, tiles.tile_height,
                            tiles.tile_width};
        std::size_t size = raw_bytes;
        tile.bytes.resize(layout.max_tile_bytes);
        if (encoder) {
          cut_tile(band, window, 0, layout.info.samples, fill, raw.data());
          apply_predictor(layout.predictor, rows, raw, row);
          size = encoder->encode(raw, tile.bytes.span());
        } else {
          cut_tile(band, window, 0, layout.info.samples, fill, tile.bytes.data());
        }
        tile.bytes.resize(size);
        tile.sizes = {static_cast<std::uint32_t>(size)};
        writer.write(tile);
        ++tile.first_tile;
      }
    }
  writer.close();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string folder = argc > 1 ? argv[1] : "/dev/shm";
  const std::uint64_t side = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 8192;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  const unsigned cores = usable_cores();
  struct Case {
    const char* name;
    SampleType type;
    CodecSpec codec;
    Predictor predictor;
    unsigned threads;
  };
  const std::vector<Case> cases = {
      {"uint16 zstd 3", SampleType::uint16, {CodecId::zstd, 3}, Predictor::horizontal, cores},
      {"uint16 deflate 6", SampleType::uint16, {CodecId::deflate, 6}, Predictor::horizontal, cores},
      {"float32 zstd 3", SampleType::float32, {CodecId::zstd, 3}, Predictor::floating_point, cores},
      {"float32 deflate 6", SampleType::float32, {CodecId::deflate, 6}, Predictor::floating_point, cores},
      {"uint16 zstd 3", SampleType::uint16, {CodecId::zstd, 3}, Predictor::horizontal, 1},
      {"uint16 none", SampleType::uint16, {CodecId::none, {}}, Predictor::none, cores},
      {"uint16 none", SampleType::uint16, {CodecId::none, {}}, Predictor::none, 1},
  };
  fmt::print("terrain {0} x {0}, chunks 256 x 1024, tiles 256 x 256, {1} cores, {2} rounds, in {3}\n", side,
             cores, rounds, folder);
  fmt::print("{:<18} {:>7} {:>14} {:>12} {:>9} {:>9} {:>7}\n", "work", "threads", "loop CPU (s)", "limit (s)",
             "wall (s)", "CPU (s)", "ratio");
  for (const Case& one : cases) {
    TerrainOptions terrain;
    terrain.height = terrain.width = side;
    terrain.type = one.type;
    terrain.chunk_height = 256;
    terrain.chunk_width = 1024;
    const auto source = std::make_shared<const TerrainSource>(terrain);
    WriteGeotiffOptions options;
    options.codec = one.codec;
    options.predictor = one.predictor;
    options.overwrite = true;
    options.graph.threads = one.threads;
    const std::string path = folder + "/weir_overlap_bench.tif";
    std::vector<double> loop_cpu, wall, cpu, ratio;
    for (int round = 0; round < rounds; ++round) {
      const Times loop = timed([&] { plain_loop(*source, path, options); });
      const Times ours = timed([&] { write_geotiff(source, path, options); });
      loop_cpu.push_back(loop.cpu);
      wall.push_back(ours.wall);
      cpu.push_back(ours.cpu);
      ratio.push_back(ours.wall / (loop.cpu / one.threads));
    }
    std::filesystem::remove(path);
    fmt::print("{:<18} {:>7} {:>14.2f} {:>12.2f} {:>9.2f} {:>9.2f} {:>7.3f}\n", one.name, one.threads,
               median(loop_cpu), median(loop_cpu) / one.threads, median(wall), median(cpu), median(ratio));
  }
}
