// Stencils between a source and a GeoTIFF: each chunk is computed once whatever the budget, the plan says beforehand
// what is read and held, and the bytes are those of the whole raster computed in one piece.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "nodes/raster/hillshade.hpp"
#include "tests/stencil_support.hpp"

namespace weir::pipeline_test {
namespace {

struct Chunking {
  const char* name;
  ChunkGrid grid;
};

std::vector<Chunking> chunkings(const RasterInfo& info) {
  return {{"as high as tiles", {Partition(info.height, 32), Partition(info.width, 80)}},
          {"twice as high as tiles", {Partition(info.height, 64), Partition(info.width, 64)}},
          {"never lining up with tiles", {Partition(info.height, 23), Partition(info.width, 37)}},
          {"ragged on both axes", {ragged_pieces(info.height, 40), ragged_pieces(info.width, 60)}}};
}

TEST_CASE(
    "a stencil computes each source chunk once at every budget, tiled and stripped, whatever the chunks") {
  const Raster raster = made_raster(139, 1210, SampleType::float32);
  const TemporaryFolder folder;
  std::uint64_t spooled_runs = 0, runs = 0;
  // No halo, two small ones, one larger than a tile, one larger than most chunks.
  for (const std::int64_t radius : {0, 1, 3, 40, 90})
    for (const bool is_tiled : {true, false}) {
      WriteGeotiffOptions options;
      options.codec = {CodecId::zstd, 1, DeflateEngine::automatic};
      options.predictor = Predictor::floating_point;
      options.tile_height = 32;
      options.tile_width = 48;
      if (!is_tiled) options.strip_rows = 17;
      options.overwrite = true;
      const std::shared_ptr<TileKernel> whole = weighted_sum(radius);
      const Bytes right = one_piece_file(computed_whole(*whole, raster), options);
      for (const Chunking& chunking : chunkings(raster.info)) {
        const auto source = function_of(raster, chunking.grid);
        options.kernels = {weighted_sum(radius)};
        options.graph = {.threads = 2, .engine = Engine::onetbb};
        const std::uint64_t smallest = smallest_budget(source, options);
        std::uint64_t step = 0;
        for (const std::uint64_t memory : budget_ladder(smallest)) {
          CAPTURE(radius);
          CAPTURE(is_tiled);
          CAPTURE(chunking.name);
          CAPTURE(memory);
          options.kernels = {weighted_sum(radius)};
          options.graph.memory = memory;
          // Engines, threads and tokens take turns: the bytes are the same.
          options.graph.engine = step % 2 == 0 ? Engine::onetbb : Engine::serial;
          options.graph.tokens = step % 3 == 0 ? 0 : static_cast<unsigned>(step % 3);
          options.graph.threads = step % 2 == 0 ? 2 : 1;
          if (step++ == 0) options.graph.threads = 2;
          const Outcome outcome = write_counted(source, folder / "out.tif", options);
          CHECK(outcome.is_each_once);
          CHECK(outcome.has_spool == (outcome.planned_reads > chunking.grid.count()));
          CHECK(file_bytes(folder / "out.tif") == right);
          spooled_runs += outcome.has_spool ? 1 : 0;
          ++runs;
        }
      }
    }
  CHECK(spooled_runs > 10);  // both ways were taken
  CHECK(spooled_runs < runs / 2);
  CHECK(folder.names() == std::vector<std::string>{"out.tif"});
}

TEST_CASE(
    "without a spool a stencil's second reads are as many as the plan says, and more memory never means "
    "more") {
  const Raster raster = made_raster(139, 1210, SampleType::float32);
  const TemporaryFolder folder;
  for (const std::int64_t radius : {0, 1, 3, 40, 90})
    for (const bool is_tiled : {true, false})
      for (const Chunking& chunking : chunkings(raster.info)) {
        CAPTURE(radius);
        CAPTURE(is_tiled);
        CAPTURE(chunking.name);
        WriteGeotiffOptions options;
        options.codec.id = CodecId::none;
        options.predictor = Predictor::none;
        options.tile_height = 32;
        options.tile_width = 48;
        if (!is_tiled) options.strip_rows = 17;
        options.overwrite = true;
        options.spool = "none";
        options.graph = {.threads = 2};
        options.kernels = {weighted_sum(radius)};
        const Bytes right = one_piece_file(computed_whole(*weighted_sum(radius), raster), options);
        const auto source = function_of(raster, chunking.grid);
        std::uint64_t before = ~std::uint64_t{0};
        for (const std::uint64_t memory : budget_ladder(smallest_budget(source, options))) {
          CAPTURE(memory);
          options.kernels = {weighted_sum(radius)};
          options.graph.memory = memory;
          const Outcome outcome = write_counted(source, folder / "out.tif", options);
          CHECK(outcome.computed == outcome.planned_reads);
          CHECK(outcome.computed <= before);
          before = outcome.computed;
          CHECK(file_bytes(folder / "out.tif") == right);
        }
        CHECK(before == chunking.grid.count());
      }
}

TEST_CASE("random rasters, chunks, tiles, kernels and budgets: what the plan says is what is counted") {
  std::mt19937_64 random(20261128);
  const auto pick = [&](std::uint64_t least, std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
  };
  const TemporaryFolder folder;
  for (int round = 0; round < (wants_everything() ? 600 : 60); ++round) {
    CAPTURE(round);
    Raster raster =
        made_raster(pick(1, 260), pick(1, 500), pick(0, 1) == 0 ? SampleType::uint16 : SampleType::float32,
                    static_cast<std::uint32_t>(pick(1, 2)));
    WriteGeotiffOptions options;
    options.tile_height = 16 * pick(1, 6);
    options.tile_width = 16 * pick(1, 6);
    if (pick(0, 2) == 0) options.strip_rows = pick(1, 70);
    options.codec = {pick(0, 1) == 0 ? CodecId::none : CodecId::zstd, {}, DeflateEngine::automatic};
    options.predictor = Predictor::none;
    options.overwrite = true;
    options.spool = pick(0, 2) == 0 ? "none" : "auto";
    options.graph = {.tokens = static_cast<unsigned>(pick(0, 3)),
                     .threads = static_cast<unsigned>(pick(1, 4)),
                     .engine = pick(0, 1) == 0 ? Engine::serial : Engine::onetbb};
    const ChunkGrid grid{pick(0, 1) == 0 ? Partition(raster.info.height, pick(1, 150))
                                         : ragged_pieces(raster.info.height, pick(1, 90)),
                         pick(0, 1) == 0 ? Partition(raster.info.width, pick(1, 250))
                                         : ragged_pieces(raster.info.width, pick(1, 90))};
    const auto source = function_of(raster, grid);
    std::vector<std::int64_t> radii;
    for (std::uint64_t i = 0, count = pick(0, 2); i < count; ++i)
      radii.push_back(static_cast<std::int64_t>(pick(0, 1) == 0 ? pick(0, 3) : pick(0, 80)));
    const auto kernels = [&] {
      std::vector<std::shared_ptr<TileKernel>> made;
      for (const std::int64_t radius : radii) made.push_back(weighted_sum(radius));
      return made;
    };
    Raster computed;
    computed.info = raster.info;
    computed.pixels = raster.pixels;
    for (const auto& kernel : kernels()) computed = computed_whole(*kernel, computed);
    const Bytes right = one_piece_file(computed, options);
    options.kernels = kernels();
    const std::uint64_t smallest = smallest_budget(source, options);
    for (const std::uint64_t memory : {smallest, smallest + pick(0, smallest), smallest * pick(2, 9)}) {
      CAPTURE(memory);
      options.kernels = kernels();
      options.graph.memory = memory;
      const Outcome outcome = write_counted(source, folder / "out.tif", options);
      CHECK(outcome.computed == (outcome.has_spool ? grid.count() : outcome.planned_reads));
      CHECK(file_bytes(folder / "out.tif") == right);
    }
  }
}

/// Wide: `scale` of 200,000 x 2,000 in tiles of 256, on both axes and in bytes.
struct Wide {
  std::uint64_t height = 250, width = 25000, tile = 32, chunk = 32;
  std::uint64_t memory = 1200 * 1024;
};

/// Made up on the spot: at full size it would not fit the tests' memory.
std::shared_ptr<const ChunkSource> wide_source(const Wide& wide) {
  RasterInfo info;
  info.height = wide.height;
  info.width = wide.width;
  info.type = SampleType::float32;
  return std::make_shared<const FunctionSource>(
      info, wide.chunk, wide.chunk,
      each_sample(info, [](std::uint64_t row, std::uint64_t col, std::uint32_t) {
        const std::uint64_t noise = (row * 0x9e3779b97f4a7c15U + col) * 0xbf58476d1ce4e5b9U;
        return static_cast<float>(row * 2 + col) / 4 + static_cast<float>(noise >> 60) / 16;
      }));
}

WriteGeotiffOptions wide_slope(const Wide& wide) {
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = wide.tile;
  options.codec = {CodecId::zstd, 1, DeflateEngine::automatic};
  options.overwrite = true;
  options.graph = {.memory = wide.memory, .threads = 2};
  options.kernels = {std::make_shared<Slope>(SlopeOptions{})};
  return options;
}

/// Piece by piece: at full size they have 1.3 GB each.
bool are_same(const std::string& a, const std::string& b) {
  const InputFile one(a), other(b);
  if (one.size() != other.size()) return false;
  Bytes mine(4 * mebibyte), theirs(4 * mebibyte);
  for (std::uint64_t at = 0; at < one.size(); at += mine.size()) {
    const std::size_t count = one.read_at(at, mine);
    if (other.read_at(at, theirs) != count || std::memcmp(mine.data(), theirs.data(), count) != 0)
      return false;
  }
  return true;
}

void check_wide(const Wide& wide, std::uint64_t much_memory) {
  const TemporaryFolder folder;
  const auto source = wide_source(wide);
  const Outcome tight = write_counted(source, folder / "tight.tif", wide_slope(wide));
  CHECK(tight.has_spool);  // one band's source span is above the budget
  CHECK(tight.is_each_once);
  CHECK(tight.report.reads_per_chunk() == 1.0);
  MESSAGE(fmt::format("{} x {}, chunks of {}: planned peak {}, measured {}, {} chunks back from the spool",
                      wide.width, wide.height, wide.chunk, tight.plan.peak, tight.report.peak_payload,
                      tight.planned_reads - source->grid().count()));
  WriteGeotiffOptions ample = wide_slope(wide);
  ample.graph.memory = much_memory;
  const Outcome loose = write_counted(source, folder / "loose.tif", ample);
  CHECK_FALSE(loose.has_spool);
  CHECK(loose.is_each_once);
  CHECK(are_same(folder / "tight.tif", folder / "loose.tif"));
  WriteGeotiffOptions again = wide_slope(wide);
  again.spool = "none";
  const Outcome reread = write_counted(source, folder / "again.tif", again);
  CHECK(reread.computed == reread.planned_reads);
  CHECK(reread.computed > source->grid().count());
  CHECK(are_same(folder / "again.tif", folder / "loose.tif"));
}

TEST_CASE("a wide raster under a 3 x 3 stencil is read once in a budget that holds no band of it") {
  Wide wide;
  SUBCASE("chunks as high as tiles") {
    check_wide(wide, 256 * mebibyte);
  }
  SUBCASE("chunks twice as high as tiles") {
    wide.chunk = 64;
    check_wide(wide, 256 * mebibyte);
  }
}

TEST_CASE("200,000 x 2,000 float32 under a 3 x 3 stencil is read once in 64 MiB (--full)") {
  if (!wants_everything()) return;
  for (const std::uint64_t chunk : {256U, 512U}) {
    const Wide wide{2000, 200000, 256, chunk, 64 * mebibyte};
    check_wide(wide, 4096 * mebibyte);
  }
}

TEST_CASE("bundled stencils in a row are those of the graph files, computed from one read") {
  const Raster raster = made_raster(300, 400, SampleType::float32);
  const TemporaryFolder folder;
  FocalMeanOptions of_mean;
  of_mean.radius = 4;
  HillshadeOptions of_shade;
  FocalMean mean(of_mean);
  Hillshade shade(of_shade);
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 64;
  options.codec.id = CodecId::zstd;
  options.predictor = Predictor::horizontal;  // hillshades are bytes
  options.overwrite = true;
  const Raster smooth = computed_whole(mean, raster);
  const Bytes right = one_piece_file(computed_whole(shade, smooth), options);
  options.kernels = {std::make_shared<FocalMean>(of_mean), std::make_shared<Hillshade>(of_shade)};
  options.graph = {.memory = 8 * mebibyte, .threads = 2};
  const Outcome outcome = write_counted(function_of(raster, {Partition(300, 50), Partition(400, 70)}),
                                        folder / "out.tif", options);
  CHECK(outcome.is_each_once);
  CHECK(file_bytes(folder / "out.tif") == right);
}

TEST_CASE("a function as a kernel sees its halo, the raster's edge repeated, and says what it makes") {
  const Raster raster = made_raster(40, 50, SampleType::uint16, 2);
  const TemporaryFolder folder;
  FunctionKernelOptions of_kernel;
  of_kernel.halo = 1;
  of_kernel.type = SampleType::int32;
  of_kernel.nodata = "-1";
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 16;
  options.kernels = {function_kernel(of_kernel, each_pixel([](const auto& at) {
                                       CHECK(at(0, 0) == at(0, 0));
                                       return at(-1, 0) - at(1, 1) +
                                              static_cast<double>(at.row() + at.col()) + 1000.0 * at.sample();
                                     }))};
  write_geotiff(function_of(raster, {Partition(40, 7), Partition(50, 11)}), folder / "out.tif", options);
  const TiffSource out(folder / "out.tif");
  CHECK(out.info().type == SampleType::int32);
  CHECK(out.info().nodata == "-1");
  CHECK(out.info().samples == 2);
  const Bytes pixels = pixels_read_back(folder / "out.tif");
  const auto in = [&](std::uint64_t row, std::uint64_t col, std::uint32_t sample) {
    std::uint16_t value;
    row = std::min<std::uint64_t>(row, 39);
    col = std::min<std::uint64_t>(col, 49);
    std::memcpy(&value, raster.pixels.data() + ((row * 50 + col) * 2 + sample) * 2, sizeof value);
    return static_cast<std::int64_t>(value);
  };
  for (std::uint64_t row = 0; row < 40; ++row)
    for (std::uint64_t col = 0; col < 50; ++col)
      for (std::uint32_t sample = 0; sample < 2; ++sample) {
        std::int32_t value;
        std::memcpy(&value, pixels.data() + ((row * 50 + col) * 2 + sample) * 4, sizeof value);
        REQUIRE(value == in(row == 0 ? 0 : row - 1, col, sample) - in(row + 1, col + 1, sample) +
                             static_cast<std::int64_t>(row + col) + 1000 * sample);
      }
}

TEST_CASE(
    "a kernel that cannot take the raster, planes, or throws is refused or fails with its node and tile") {
  const Raster raster = made_raster(100, 100, SampleType::uint8, 3);
  const TemporaryFolder folder;
  const auto source = source_of(raster, 50, 50);
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 32;
  options.kernels = {weighted_sum(1)};
  options.planar_separate = true;
  CHECK(contains(reason_of([&] { write_geotiff(source, folder / "out.tif", options); }, ErrorKind::usage),
                 "interleave: pixel"));
  options.planar_separate = false;
  FunctionKernelOptions impossible;
  impossible.type = SampleType::uint8;
  impossible.nodata = "300";
  options.kernels = {function_kernel(impossible, each_pixel([](const auto& at) { return at(0, 0); }))};
  CHECK(contains(reason_of([&] { write_geotiff(source, folder / "out.tif", options); }, ErrorKind::usage),
                 "uint8 has no such value"));
  options.kernels = {weighted_sum(2), function_kernel({}, [](const PixelView&, const PixelTarget& out) {
                       if (out.window.row == 64) throw std::runtime_error("no such luck");
                     })};
  for (const unsigned threads : {1U, 2U}) {
    options.graph.threads = threads;
    try {
      write_geotiff(source, folder / "out.tif", options);
      FAIL("nothing was thrown");
    } catch (const Error& error) {
      CHECK(error.node() == "kernel2");
      CHECK(contains(error.what(), "no such luck"));
      CHECK(contains(error.item(), "tiles (2, "));
    }
    CHECK(folder.names().empty());
  }
}

}  // namespace
}  // namespace weir::pipeline_test
