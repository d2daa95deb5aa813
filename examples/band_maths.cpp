// Band maths on two rasters: the vegetation index (nir - red) / (nir + red), streamed to a GeoTIFF in 16 MiB.
//
//          ┌─► red.decode ─┐
//   plan ──┤               ├─► pairs ──► ndvi ──► assemble ──► cut ──► compress ──► tif
//          └─► nir.decode ─┘   join      all cores
//
// Two rasters, one admission: a unit of the plan reads the same chunks of both. Run it on your own bands with
// band_maths RED.tif NIR.tif OUT.tif (same size, one sample, same type); without arguments it makes two up.
//
// Output:
//   ndvi.tif: 2000 x 1500 float32
//   20 chunks of two rasters, 40 reads
//   memory stayed inside 16 MiB: yes
//   index at (0, 0): 0.5, at (700, 1200): 0.37037

#include <cstring>
#include <iostream>

#include "nodes/raster/function_source.hpp"
#include "nodes/raster/read_chunks.hpp"
#include "nodes/tiff/geotiff_stream.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "pipelines/read_geotiff.hpp"

using weir::DecodedChunk;
using Pair = std::tuple<std::shared_ptr<const DecodedChunk>, std::shared_ptr<const DecodedChunk>>;
using Source = std::shared_ptr<const weir::ChunkSource>;

// The transform: two blocks in, one block out. Const: every core may be inside.
struct Ndvi {
  DecodedChunk operator()(const Pair& pair, const weir::Context& context) const {
    const auto& red = std::get<0>(pair);
    const auto& nir = std::get<1>(pair);
    if (red->request.is_none) return {red->request, {}};
    const weir::Window& window = red->block.window;
    weir::Block out = weir::interleaved_block(window, weir::SampleType::float32, 1,
                                              context.buffer(window.height * window.width * sizeof(float)));
    weir::with_sample_type(red->block.type, [&](auto sample) {
      using Sample = decltype(sample);
      for (std::uint64_t row = 0; row < window.height; ++row)
        for (std::uint64_t col = 0; col < window.width; ++col) {
          Sample r, n;
          std::memcpy(&r, red->block.at(row, col), sizeof r);
          std::memcpy(&n, nir->block.at(row, col), sizeof n);
          const float sum = static_cast<float>(r) + static_cast<float>(n);
          const float index = sum == 0 ? 0 : (static_cast<float>(n) - static_cast<float>(r)) / sum;
          std::memcpy(out.at(row, col), &index, sizeof index);
        }
    });
    return {red->request, std::move(out)};
  }
};

Source made_up(std::uint64_t base) {
  weir::RasterInfo info;
  info.height = 1500;
  info.width = 2000;
  info.type = weir::SampleType::uint16;
  return std::make_shared<weir::FunctionSource>(
      info, 400, 400, weir::each_sample(info, [base](std::uint64_t row, std::uint64_t, std::uint32_t) {
        return base + row;
      }));
}

int main(int argc, char** argv) try {
  const Source red = argc > 3 ? Source(std::make_shared<weir::TiffSource>(argv[1])) : made_up(1000);
  const Source nir = argc > 3 ? Source(std::make_shared<weir::TiffSource>(argv[2])) : made_up(3000);
  const std::string path = argc > 3 ? argv[3] : "ndvi.tif";

  weir::Graph graph({.memory = 16 << 20});
  // What the output needs to know: the raster, its chunks, and what a chunk takes besides its block - here the stored
  // bytes and the pixels of both inputs.
  weir::StreamInput input = input_of(*red);
  input.info.type = weir::SampleType::float32;
  const std::uint64_t pixels = weir::BufferPool::charge(red->block_bytes());
  input.transient_bytes = 2 * pixels + red->fetch_bytes() + nir->fetch_bytes();
  input.standing_bytes += nir->standing_bytes();
  input.slot_bytes += nir->local_bytes();
  weir::GeotiffOptions options;
  options.codec.id = weir::CodecId::zstd;
  options.overwrite = true;
  weir::GeotiffStream output(graph, input, path, options);

  auto reads = std::make_shared<std::atomic<std::uint64_t>>(0);
  auto requests = output.requests();
  auto reds =
      read_chunks(graph, requests, red, reads,
                  {output.bytes_per_chunk(red->fetch_bytes()), output.bytes_per_chunk(pixels)}, "red.");
  auto nirs =
      read_chunks(graph, requests, nir, reads,
                  {output.bytes_per_chunk(nir->fetch_bytes()), output.bytes_per_chunk(pixels)}, "nir.");
  auto pairs = graph.join("pairs", reds, nirs);
  auto index =
      graph.transform<DecodedChunk>("ndvi", pairs, Ndvi{}, {.buffer_bytes_of_unit = output.block_bytes()});
  output.write(index);
  const weir::RunReport report = graph.run();

  std::cout << path << ": " << input.info.width << " x " << input.info.height << " float32\n"
            << red->grid().count() << " chunks of two rasters, " << reads->load() << " reads\n"
            << "memory stayed inside 16 MiB: " << (report.peak_payload <= (16 << 20) ? "yes" : "no") << "\n";
  const auto pixel = [&](std::uint64_t row, std::uint64_t col) {
    float value = 0;
    weir::read_geotiff(path, {row, col, 1, 1}, {reinterpret_cast<std::byte*>(&value), {4, 4, 4}});
    return value;
  };
  std::cout << "index at (0, 0): " << pixel(0, 0) << ", at (700, 1200): " << pixel(700, 1200) << "\n";
} catch (const weir::Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
