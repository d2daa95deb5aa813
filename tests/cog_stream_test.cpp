// COGs of rasters that are computed on the way, and of those too wide for the memory: each chunk is read once, the plan says
// beforehand what is read and held, and the bytes are those of the whole raster computed in one piece.

#include <algorithm>
#include <filesystem>

#include "tests/beside_tiles_support.hpp"
#include "tests/cog_support.hpp"
#include "tests/stencil_support.hpp"

namespace weir::pipeline_test {
namespace {

WriteCogOptions small_tiles() {
  WriteCogOptions options;
  options.tile_height = 32;
  options.tile_width = 48;
  options.codec = {CodecId::zstd, 1, DeflateEngine::automatic};
  options.overwrite = true;
  return options;
}

struct Run {
  RunReport report;
  bool is_each_once = false, has_spool = false;
  std::uint64_t planned_reads = 0;
};
Run run_counted(const std::shared_ptr<const ChunkSource>& inner, const std::string& path,
                const WriteCogOptions& options) {
  const auto source = std::make_shared<const WatchedSource>(inner);
  CogWrite write(source, path, options);
  Run run;
  run.has_spool = write.stream().plan().spool.has_value();
  run.planned_reads = write.stream().plan().bands->reads();
  const std::uint64_t said = said_number(write.explain(), "reads"), peak = write.graph().plan().peak;
  run.report = write.run();
  const std::vector<unsigned> counts = source->counts();
  run.is_each_once = std::ranges::all_of(counts, [](unsigned count) { return count == 1; });
  CHECK(said == source->total());
  CHECK(run.report.source_reads == source->total());
  CHECK(run.report.peak_payload <= peak);
  CHECK(peak <= options.graph.memory);
  return run;
}

TEST_CASE(
    "a stencil on the way to a COG computes each chunk once at every budget, and its levels are made of it") {
  const Raster raster = made_raster(139, 1210, SampleType::float32);
  const TemporaryFolder folder;
  const ChunkGrid grids[] = {{Partition(139, 32), Partition(1210, 80)},
                             {Partition(139, 64), Partition(1210, 64)},
                             {Partition(139, 23), Partition(1210, 37)},
                             {ragged_pieces(139, 40), ragged_pieces(1210, 60)}};
  std::uint64_t spooled_runs = 0, runs = 0;
  for (const std::int64_t radius : {0, 1, 3, 40}) {
    WriteCogOptions options = small_tiles();
    options.kernels = {weighted_sum(radius)};
    write_cog(source_of(raster, 139, 1210), folder / "right.tif", options);
    const Bytes right = file_bytes(folder / "right.tif");
    const std::vector<Raster> levels = reference_levels(computed_whole(*weighted_sum(radius), raster),
                                                        Resampling::average, halvings(139, 1210, options));
    for (unsigned level = 0; level < levels.size(); ++level)
      REQUIRE(pixels_of(folder / "right.tif", level) == levels[level].pixels);
    for (const ChunkGrid& grid : grids) {
      const auto source = function_of(raster, grid);
      options.graph = {.threads = 2};
      options.kernels = {weighted_sum(radius)};
      std::uint64_t step = 0;
      for (const std::uint64_t memory : budget_ladder(smallest_budget(source, options))) {
        CAPTURE(radius);
        CAPTURE(memory);
        options.kernels = {weighted_sum(radius)};
        options.graph.memory = memory;
        options.graph.engine = step % 2 == 0 ? Engine::onetbb : Engine::serial;
        options.graph.tokens = static_cast<unsigned>(step % 3);
        ++step;
        const Run run = run_counted(source, folder / "out.tif", options);
        CHECK(run.is_each_once);
        CHECK(run.has_spool == (run.planned_reads > grid.count()));
        CHECK(file_bytes(folder / "out.tif") == right);
        spooled_runs += run.has_spool ? 1 : 0;
        ++runs;
      }
    }
  }
  CHECK(spooled_runs > 5);  // both ways were taken
  CHECK(spooled_runs < runs / 2);
  CHECK(folder.names() == std::vector<std::string>{"out.tif", "right.tif"});
}

TEST_CASE(
    "a COG of chunks much higher than its tiles is read once through a spool, or again where none is "
    "wanted") {
  const Raster raster = made_raster(256, 3000, SampleType::uint16);
  const TemporaryFolder folder;
  const auto source = function_of(raster, {Partition(256, 256), Partition(3000, 100)});
  WriteCogOptions options = small_tiles();
  write_cog(source, folder / "right.tif", options);
  options.graph = {.threads = 2};
  options.graph.memory = smallest_budget(source, options);
  const Run spooled = run_counted(source, folder / "out.tif", options);
  CHECK(spooled.has_spool);
  CHECK(spooled.is_each_once);
  CHECK(file_bytes(folder / "out.tif") == file_bytes(folder / "right.tif"));
  options.spool = "none";
  const Run again = run_counted(source, folder / "out.tif", options);
  CHECK(!again.has_spool);
  CHECK(again.report.source_reads == spooled.planned_reads);
  CHECK(file_bytes(folder / "out.tif") == file_bytes(folder / "right.tif"));
  // With the whole raster's memory nothing is kept on disk.
  options.spool = "auto";
  options.graph.memory = 256 * mebibyte;
  CHECK(!run_counted(source, folder / "out.tif", options).has_spool);
  CHECK(folder.names() == std::vector<std::string>{"out.tif", "right.tif"});
}

TEST_CASE("kernels in a row, of a masked raster, are what the COG's overviews are made of") {
  Raster raster = made_raster(150, 170, SampleType::float32);
  raster.info.nodata = "-1";
  const Bytes mask = made_mask(raster.info);
  const TemporaryFolder folder;
  const auto source =
      std::make_shared<const MaskedSource>(raster, mask, ChunkGrid{Partition(150, 40), Partition(170, 50)});
  WriteCogOptions options = small_tiles();
  options.graph = {.memory = 64 * mebibyte, .threads = 2};
  const auto kernels = [] {
    return std::vector<std::shared_ptr<TileKernel>>{std::make_shared<FocalMean>(FocalMeanOptions{}),
                                                    std::make_shared<Slope>(SlopeOptions{})};
  };
  // The plain GeoTIFF of the same kernels is judged by tests of its own.
  WriteGeotiffOptions plain;
  static_cast<GeotiffOptions&>(plain) = options;
  plain.kernels = kernels();
  write_geotiff(source, folder / "plain.tif", plain);
  options.kernels = kernels();
  CHECK(run_counted(source, folder / "cog.tif", options).is_each_once);
  Raster computed;
  computed.info = TiffSource(folder / "plain.tif").info();
  computed.pixels = pixels_of(folder / "plain.tif", 0);
  const std::vector<Raster> levels =
      reference_levels(computed, Resampling::average, halvings(150, 170, options));
  REQUIRE(levels.size() == 4);
  for (unsigned level = 0; level < levels.size(); ++level)
    CHECK(pixels_of(folder / "cog.tif", level) == levels[level].pixels);
  CHECK_THROWS_AS(pixels_of(folder / "cog.tif", 4), Error);  // no mask is left, on any level
}

TEST_CASE("nodes of a COG have the concurrency that was asked for") {
  const Raster raster = made_raster(200, 300);
  WriteCogOptions options = small_tiles();
  options.graph = {.memory = 64 * mebibyte, .threads = 4};
  options.concurrency = {{"compress", 2}, {"reduce2", 3}};
  const std::string explained = CogWrite(source_of(raster, 64, 64), "never.tif", options).explain();
  const auto concurrency_of = [&](const std::string& node) {
    const std::size_t line = explained.find("\n  " + node + " ", explained.find("in oneTBB"));
    const std::size_t at = explained.find("concurrency ", line);
    return explained.substr(at, explained.find(',', at) - at);
  };
  CHECK(concurrency_of("compress") == "concurrency 2");
  CHECK(concurrency_of("reduce2") == "concurrency 3");
  CHECK(concurrency_of("compress2") == "concurrency 4");
  options.concurrency = {{"reduce9", 1}};
  CHECK_THROWS_AS(CogWrite(source_of(raster, 64, 64), "never.tif", options), Error);
}

}  // namespace
}  // namespace weir::pipeline_test
