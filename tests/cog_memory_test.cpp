// What a COG's run holds: its smallest budget, planned and measured, also for rasters that are nearly all width or height.
#include <doctest/doctest.h>

#include <cstring>

#include "nodes/raster/function_source.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "tests/cog_support.hpp"

using namespace weir;
using namespace weir::pipeline_test;

namespace {

/// Writes with the smallest budget that works. The plan is kept: nothing held passes it, each chunk is read once, and the plan
/// is no idle talk either: `least` of it is used.
RunReport check_smallest(const std::shared_ptr<const ChunkSource>& source, WriteCogOptions options,
                         std::uint64_t most, double least) {
  const TemporaryFolder folder;
  options.spool = "none";
  options.graph.memory = smallest_budget(source, options);
  CAPTURE(options.graph.memory);
  CHECK(options.graph.memory <= most);
  CogWrite write(source, folder / "a.tif", options);
  const RunReport report = write.run();
  CAPTURE(report.peak_payload);
  CAPTURE(report.peak_planned);
  CAPTURE(report.standing_bytes);
  CHECK(report.peak_payload <= report.peak_planned);
  CHECK(report.peak_planned <= options.graph.memory);
  CHECK(report.peak_leased <= options.graph.memory);
  CHECK(static_cast<double>(report.peak_payload) >= least * static_cast<double>(options.graph.memory));
  CHECK(report.source_reads == report.source_chunks);
  CHECK(folder.names() == std::vector<std::string>{"a.tif"});
  --options.graph.memory;
  CHECK_THROWS_AS(CogWrite(source, folder / "b.tif", options), Error);
  return report;
}

/// Rows and columns with patterns; cheap, as these tests are of memory.
std::shared_ptr<const ChunkSource> striped(std::uint64_t height, std::uint64_t width, std::uint64_t chunk) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.type = SampleType::uint8;
  return std::make_shared<const FunctionSource>(
      info, chunk, chunk, [](const Window& window, std::byte* pixels) {
        for (std::uint64_t row = 0; row < window.height; ++row)
          std::memset(pixels + row * window.width, static_cast<int>((window.row + row + window.col) % 251),
                      window.width);
      });
}

WriteCogOptions options_with(CodecId codec, Resampling resampling, std::uint64_t tile) {
  WriteCogOptions options;
  options.codec = {codec, codec == CodecId::zstd ? std::optional<int>(1) : std::nullopt,
                   DeflateEngine::automatic};
  options.resampling = resampling;
  options.resampling_is_given = true;
  options.tile_height = options.tile_width = tile;
  options.graph.threads = 3;
  return options;
}

}  // namespace

TEST_CASE(
    "a COG of 4096 x 4096 pixels is written in its smallest budget, a third of the raster and all of it "
    "used") {
  TerrainOptions terrain;
  terrain.type = SampleType::uint16;  // 32 MiB
  terrain.chunk_height = terrain.chunk_width = 256;
  const auto source = std::make_shared<const TerrainSource>(terrain);
  for (const Resampling resampling : {Resampling::average, Resampling::cubic})
    check_smallest(source, options_with(CodecId::zstd, resampling, 256), 24 * mebibyte, 0.5);
}

TEST_CASE("very wide and very tall rasters become COGs in budgets of their tile rows") {
  // A level 1 tile is made from two rows of level 0, and one row of 256 waits for the other, as pixels: its tiles go to the file
  // in front of all those of the second row, so no order of reading spares it. Rows as high as the raster wait for nothing.
  const std::uint64_t length = wants_everything() ? 200'000 : 30'000;
  for (const Resampling resampling : {Resampling::average, Resampling::cubic})
    for (const bool is_wide : {true, false})
      for (const std::uint64_t tile : {256u, 512u}) {
        CAPTURE(name_of(resampling));
        CAPTURE(is_wide);
        CAPTURE(tile);
        const std::uint64_t waiting = is_wide && tile == 256 ? length * tile : 0;
        check_smallest(is_wide ? striped(512, length, tile) : striped(length, 512, tile),
                       options_with(CodecId::zstd, resampling, tile), 14 * mebibyte + waiting * 5 / 4, 0.3);
      }
}
