// A user of weir::geotiff: what its static library needs (libtiff, zlib, zstd, ...) comes with the target. Writes a
// raster of its own through every codec, and reads it back.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <vector>
#include <weir/nodes/raster/function_source.hpp>
#include <weir/pipelines/read_geotiff.hpp>
#include <weir/pipelines/write_geotiff.hpp>

int main() {
  weir::RasterInfo info;
  info.height = 300;
  info.width = 500;
  info.type = weir::SampleType::uint16;
  auto value = [](std::uint64_t row, std::uint64_t col, std::uint32_t) { return 7 * row + col; };
  auto source = std::make_shared<weir::FunctionSource>(info, 128, 128, weir::each_sample(info, value));
  for (weir::CodecId id : {weir::CodecId::none, weir::CodecId::lzw, weir::CodecId::deflate,
                           weir::CodecId::packbits, weir::CodecId::zstd}) {
    weir::WriteGeotiffOptions options;
    options.codec.id = id;
    options.overwrite = true;
    options.graph.memory = 64 << 20;
    const weir::RunReport report = weir::write_geotiff(source, "outside.tif", options);
    std::vector<std::uint16_t> pixels(info.height * info.width);
    weir::read_geotiff("outside.tif", {0, 0, info.height, info.width},
                       {reinterpret_cast<std::byte*>(pixels.data()), {info.width * 2, 2, 2}});
    for (std::uint64_t row = 0; row < info.height; ++row)
      for (std::uint64_t col = 0; col < info.width; ++col)
        if (pixels[row * info.width + col] != value(row, col, 0)) return 1;
    std::printf("%s: %llu bytes, %.0f reads per chunk\n", weir::name_of(id).data(),
                static_cast<unsigned long long>(report.output_bytes), report.reads_per_chunk());
  }
  return 0;
}
