#include "pipelines/write_geotiff.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "nodes/raster/chunk_grid.hpp"
#include "tests/pipeline_support.hpp"

// What is in the file: the same bytes whatever the means, and those of a write in one piece.

namespace weir::pipeline_test {
namespace {

Predictor usual_predictor(CodecId codec, SampleType type) {
  if (codec == CodecId::none || codec == CodecId::packbits) return Predictor::none;
  return is_floating(type) ? Predictor::floating_point : Predictor::horizontal;
}

/// A raster, and how it is stored.
struct Case {
  SampleType type;
  CodecId codec;
  std::uint64_t tile_height, tile_width;  ///< tile_width 0: strips of tile_height rows
  std::uint32_t samples = 1;
  bool is_planar = false;
  std::uint64_t chunk = 512;
  bool is_ragged = false;

  std::string text() const {
    const std::string shape = tile_width == 0 ? fmt::format("strips of {}", tile_height)
                                              : fmt::format("tiles of {} x {}", tile_height, tile_width);
    return fmt::format("{} {}, {}, {} sample{}{}, {}chunks of {}", name_of(type), name_of(codec), shape,
                       samples, samples == 1 ? "" : "s", is_planar ? " in planes" : "",
                       is_ragged ? "ragged " : "", chunk);
  }
  WriteGeotiffOptions options() const {
    WriteGeotiffOptions options;
    if (tile_width == 0) {
      options.strip_rows = tile_height;
    } else {
      options.tile_height = tile_height;
      options.tile_width = tile_width;
    }
    options.planar_separate = is_planar;
    options.codec.id = codec;
    options.predictor = usual_predictor(codec, type);
    options.overwrite = true;
    return options;
  }
  std::shared_ptr<const ChunkSource> source(const Raster& raster) const {
    if (!is_ragged) return source_of(raster, chunk, chunk);
    return std::make_shared<const ArraySource>(
        interleaved_view(raster.pixels.data(), raster.info),
        ChunkGrid{ragged_pieces(raster.info.height, chunk), ragged_pieces(raster.info.width, chunk)});
  }
};

enum class Memory { smallest, tight, ample };

/// With what it is written.
struct Means {
  Engine engine;
  unsigned threads, tokens;
  Memory memory;
  std::string text() const {
    return fmt::format("{}, {} threads, {} tokens, {} memory", engine == Engine::serial ? "serial" : "oneTBB",
                       threads, tokens,
                       memory == Memory::smallest ? "smallest"
                       : memory == Memory::tight  ? "tight"
                                                  : "ample");
  }
};

std::vector<Means> all_means() {
  std::vector<Means> means{
      {Engine::serial, 1, 0, Memory::smallest}, {Engine::onetbb, 1, 0, Memory::ample},
      {Engine::onetbb, 2, 1, Memory::ample},    {Engine::onetbb, 2, 0, Memory::tight},
      {Engine::onetbb, 8, 0, Memory::smallest}, {Engine::onetbb, 8, 32, Memory::ample},
  };
  if (!wants_everything()) return means;
  means.clear();
  for (const Memory memory : {Memory::smallest, Memory::tight, Memory::ample})
    for (const unsigned tokens : {0U, 1U, 64U}) {
      means.push_back({Engine::serial, 1, tokens, memory});
      for (const unsigned threads : {1U, 2U, 8U}) means.push_back({Engine::onetbb, threads, tokens, memory});
    }
  return means;
}

/// Writes one case with each of the means, and compares the files with one that was written in one piece.
void check_case(const Case& wanted) {
  CAPTURE(wanted.text());
  const Raster raster = made_raster(1130, 1390, wanted.type, wanted.samples);
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  WriteGeotiffOptions options = wanted.options();
  const Bytes right = one_piece_file(raster, options);
  for (const Means& means : all_means()) {
    CAPTURE(means.text());
    options.graph = {.memory = 0, .tokens = means.tokens, .threads = means.threads, .engine = means.engine};
    auto inner = wanted.source(raster);
    const std::uint64_t smallest = smallest_budget(inner, options);
    options.graph.memory = means.memory == Memory::smallest ? smallest
                           : means.memory == Memory::tight  ? smallest + smallest / 2
                                                            : 1024 * mebibyte;
    // All threads take part: with ample memory and tokens there are enough chunks in flight to hold each of
    // them, where the raster has so many: of ragged ones of 512 it has six.
    const bool is_crowded = means.memory == Memory::ample && means.tokens != 1 && wanted.chunk <= 512 &&
                            inner->grid().count() >= means.threads;
    Meeting meeting(is_crowded ? means.threads : 1);
    auto source = std::make_shared<const WatchedSource>(inner, [&] { meeting.attend(); });
    GeotiffWrite write(source, path, options);
    const BandPlan& plan = *write.plan().bands;
    if (means.memory == Memory::smallest) {
      CHECK(plan.bands() > 1);
      if (wanted.tile_width > 0) CHECK(plan.segments() > 1);
    }
    const RunReport report = write.run();
    CHECK(file_bytes(path) == right);
    CHECK(report.peak_payload <= options.graph.memory);
    CHECK(report.peak_leased <= report.peak_planned);
    CHECK(report.peak_planned <= options.graph.memory);
    CHECK(report.source_reads == inner->grid().count());
    CHECK(source->total() == inner->grid().count());
    CHECK(report.output_bytes == right.size());
    if (is_crowded || means.threads == 1) CHECK(report.threads_seen == means.threads);
  }
  CHECK(pixels_by_libtiff(path, raster.info) == raster.pixels);
  CHECK(pixels_read_back(path) == raster.pixels);
  CHECK(folder.names() == std::vector<std::string>{"out.tif"});
}

TEST_CASE(
    "the same bytes for any threads, memory, tokens and engine, equal to a write in one piece and to the "
    "source") {
  using enum SampleType;
  using enum CodecId;
  std::vector<Case> cases{
      {float32, none, 256, 256},
      {float32, deflate, 128, 128, 1, false, 1024},
      {float32, zstd, 512, 512},
      {float32, lzw, 16, 0},
      {uint16, none, 7, 0},
      {uint16, deflate, 512, 512, 1, false, 300},
      {uint16, zstd, 128, 384, 3},
      {uint16, lzw, 256, 256, 1, false, 400, true},
      {uint8, none, 128, 128, 3, true},
      {uint8, deflate, 64, 0, 3, true, 300, true},
      {uint8, zstd, 256, 256, 2, true, 1024},
      {uint8, lzw, 512, 512},
      {int16, packbits, 256, 256},
      {int8, zstd, 400, 0, 1, false, 200, true},
      {float64, deflate, 256, 128},
      {uint32, packbits, 33, 0},
      {int64, zstd, 128, 256},
  };
  if (wants_everything()) {
    cases.clear();
    unsigned turn = 0;
    for (const SampleType type : {float32, uint16, uint8})
      for (const CodecId codec : {none, deflate, zstd, lzw, packbits})
        for (const auto& [height, width] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
                 {128, 128}, {256, 256}, {512, 512}, {128, 384}, {7, 0}, {64, 0}})
          for (const auto& [samples, is_planar] :
               std::vector<std::pair<std::uint32_t, bool>>{{1, false}, {3, false}, {2, true}})
            cases.push_back({type, codec, height, width, samples, is_planar,
                             std::vector<std::uint64_t>{512, 1024, 300}[turn++ % 3], turn % 4 == 0});
    for (const SampleType type : arithmetic_sample_types) cases.push_back({type, deflate, 256, 256});
  }
  for (const Case& wanted : cases) check_case(wanted);
}

TEST_CASE("deflate without a level is written at the level that suits the predictor") {
  const TemporaryFolder folder;
  for (const SampleType type : {SampleType::uint16, SampleType::float32}) {
    const Raster raster = made_raster(300, 200, type);
    const Predictor predictor = usual_predictor(CodecId::deflate, type);
    CAPTURE(name_of(type));
    WriteGeotiffOptions options;
    options.codec.id = CodecId::deflate;
    write_geotiff(source_of(raster, 100, 100), folder / "default.tif", options);
    options.codec = resolved(options.codec, predictor);
    options.overwrite = true;
    write_geotiff(source_of(raster, 100, 100), folder / "given.tif", options);
    CHECK(file_bytes(folder / "default.tif") == file_bytes(folder / "given.tif"));
    options.codec.level = 9;
    write_geotiff(source_of(raster, 100, 100), folder / "other.tif", options);
    CHECK(file_bytes(folder / "default.tif") != file_bytes(folder / "other.tif"));
    std::filesystem::remove(folder / "default.tif");
  }
}

TEST_CASE("every deflate engine writes what it writes in one piece") {
  const Raster raster = made_raster(700, 500);
  const TemporaryFolder folder;
  for (const DeflateEngine engine : deflate_engines())
    for (const int level : {1, 3}) {
      WriteGeotiffOptions options;
      options.codec = {CodecId::deflate, level, engine};
      options.predictor = Predictor::horizontal;
      options.overwrite = true;
      options.graph = {.memory = 64 * mebibyte, .threads = 2};
      CAPTURE(name_of(engine));
      CAPTURE(level);
      write_geotiff(source_of(raster, 200, 200), folder / "out.tif", options);
      const auto streamed = file_bytes(folder / "out.tif"), right = one_piece_file(raster, options);
      CHECK(streamed.size() == right.size());
      CHECK(std::mismatch(streamed.begin(), streamed.end(), right.begin(), right.end()).first -
                streamed.begin() ==
            static_cast<std::ptrdiff_t>(right.size()));
      CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
    }
}

TEST_CASE(
    "without one being named the predictor is floating point for floats, horizontal for integers, none "
    "without a codec") {
  const TemporaryFolder folder;
  for (const SampleType type : {SampleType::float32, SampleType::uint16})
    for (const CodecId codec :
         {CodecId::none, CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::packbits}) {
      const Raster raster = made_raster(100, 120, type);
      WriteGeotiffOptions options;
      options.codec.id = codec;
      options.overwrite = true;
      write_geotiff(source_of(raster, 64, 64), folder / "out.tif", options);
      options.predictor = usual_predictor(codec, type);
      CHECK(file_bytes(folder / "out.tif") == one_piece_file(raster, options));
    }
}

TEST_CASE("packbits packs each row apart") {
  // TIFF 6.0 section 9. Rows of one value: a run that crossed the row's end would be seen as fewer bytes.
  const Raster raster{made_raster(64, 64, SampleType::uint8).info, Bytes(64 * 64, std::byte{9})};
  const TemporaryFolder folder;
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 64;
  options.codec.id = CodecId::packbits;
  write_geotiff(source_of(raster, 64, 64), folder / "out.tif", options);
  const TiffSource written(folder / "out.tif");
  const test::LibTiff tiff(folder / "out.tif");
  CHECK(TIFFGetStrileByteCount(tiff.get(), 0) == 64 * 2);  // one pair for each row
}

TEST_CASE("the smallest rasters, one row and one column are written and read back") {
  const TemporaryFolder folder;
  for (const auto& sides : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {1, 1}, {1, 700}, {700, 1}, {2, 3}, {256, 256}, {257, 255}})
    for (const bool is_tiled : {true, false})
      for (const Engine engine : {Engine::serial, Engine::onetbb}) {
        const std::uint64_t height = sides.first, width = sides.second;
        CAPTURE(height);
        CAPTURE(width);
        const Raster raster = made_raster(height, width, SampleType::float32, 2);
        WriteGeotiffOptions options;
        if (!is_tiled) options.strip_rows = 1000;
        options.predictor = Predictor::floating_point;
        options.overwrite = true;
        options.graph = {.threads = 2, .engine = engine};
        options.graph.memory = smallest_budget(source_of(raster, 100, 100), options);
        write_geotiff(source_of(raster, 100, 100), folder / "out.tif", options);
        CHECK(file_bytes(folder / "out.tif") == one_piece_file(raster, options));
        CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
        CHECK(pixels_read_back(folder / "out.tif") == raster.pixels);
      }
}

TEST_CASE("overhanging tiles are filled with nodata, or with 0 where there is none") {
  const TemporaryFolder folder;
  for (const std::optional<std::string>& nodata :
       {std::optional<std::string>("-7"), std::optional<std::string>()}) {
    Raster raster = made_raster(130, 140, SampleType::int16);
    raster.info.nodata = nodata;
    WriteGeotiffOptions options;
    options.tile_height = 64;
    options.tile_width = 96;
    options.overwrite = true;
    write_geotiff(source_of(raster, 50, 50), folder / "out.tif", options);
    const test::LibTiff tiff(folder / "out.tif");
    std::vector<std::int16_t> tile(64 * 96);
    // The last of 3 x 2 tiles has 2 rows of 44 pixels inside the raster.
    REQUIRE(TIFFReadEncodedTile(tiff.get(), 5, tile.data(), 64 * 96 * 2) == 64 * 96 * 2);
    std::size_t filled = 0;
    for (std::size_t i = 0; i < tile.size(); ++i) {
      const bool is_inside = i / 96 < 2 && i % 96 < 44;
      if (!is_inside && tile[i] == (nodata ? -7 : 0)) ++filled;
    }
    CHECK(filled == 64 * 96 - 2 * 44);
  }
}

/// Every 97th sample is NaN, so that there are some in each tile.
Raster with_nan(std::uint64_t height, std::uint64_t width, std::optional<std::string> nodata) {
  Raster raster = made_raster(height, width, SampleType::float32);
  raster.info.nodata = std::move(nodata);
  const float nan = std::nanf("");
  for (std::uint64_t i = 0; i < height * width; i += 97)
    std::memcpy(raster.pixels.data() + i * sizeof nan, &nan, sizeof nan);
  return raster;
}

std::size_t count_of(const Bytes& pixels, auto is_it) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < pixels.size(); i += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, pixels.data() + i, sizeof value);
    if (is_it(value)) ++count;
  }
  return count;
}

TEST_CASE(
    "NaN becomes the nodata value in every band, as in a one-piece write, and the source stays as it is") {
  const TemporaryFolder folder;
  const Raster raster = with_nan(1200, 900, "-9999");
  const Bytes before = raster.pixels;
  const std::size_t holes = (1200 * 900 + 96) / 97;
  for (const bool is_tiled : {true, false})
    for (const Engine engine : {Engine::serial, Engine::onetbb}) {
      WriteGeotiffOptions options;
      if (!is_tiled) options.strip_rows = 30;
      options.predictor = Predictor::floating_point;
      options.overwrite = true;
      options.graph = {.threads = 2, .engine = engine};
      // Chunks are lower and narrower than tiles here, and higher and wider than strips: both ways of sharing
      // them.
      const auto source = source_of(raster, 200, 200);
      options.graph.memory = smallest_budget(source, options);
      GeotiffWrite write(source, folder / "out.tif", options);
      CHECK(write.plan().bands->bands() > 2);
      write.run();
      const Bytes pixels = pixels_by_libtiff(folder / "out.tif", raster.info);
      CHECK(count_of(pixels, [](float value) { return std::isnan(value); }) == 0);
      CHECK(count_of(pixels, [](float value) { return value == -9999; }) == holes);
      CHECK(file_bytes(folder / "out.tif") == one_piece_file(raster, options));
      CHECK(raster.pixels == before);
    }
}

TEST_CASE("NaN stays where there is no nodata value or where it is NaN; a value given in its place counts") {
  const TemporaryFolder folder;
  const auto is_nan = [](float value) { return std::isnan(value); };
  for (const std::optional<std::string>& nodata :
       {std::optional<std::string>(), std::optional<std::string>("nan")}) {
    const Raster raster = with_nan(300, 300, nodata);
    WriteGeotiffOptions options;
    options.overwrite = true;
    write_geotiff(source_of(raster, 128, 128), folder / "out.tif", options);
    CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
    options.nodata = "5";
    write_geotiff(source_of(raster, 128, 128), folder / "out.tif", options);
    CHECK(count_of(pixels_by_libtiff(folder / "out.tif", raster.info), is_nan) == 0);
    CHECK(TiffSource(folder / "out.tif").info().nodata == "5");
  }
}

TEST_CASE("a nodata value that is no number is refused") {
  const Raster raster = made_raster(10, 10);
  WriteGeotiffOptions options;
  options.nodata = "none of it";
  const std::string reason =
      reason_of([&] { write_geotiff(source_of(raster, 10, 10), "never.tif", options); }, ErrorKind::usage);
  CHECK(contains(reason, "'none of it'"));
}

TEST_CASE("options that cannot be are refused before anything is created") {
  const Raster raster = made_raster(40, 40);
  const TemporaryFolder folder;
  const auto refused = [&](auto change) {
    WriteGeotiffOptions options;
    change(options);
    const std::string reason = reason_of(
        [&] { write_geotiff(source_of(raster, 16, 16), folder / "out.tif", options); }, ErrorKind::usage);
    CHECK(folder.names().empty());
    return reason;
  };
  CHECK(contains(refused([](auto& o) { o.tile_width = 100; }), "multiples of 16"));
  CHECK(contains(refused([](auto& o) { o.tile_height = 0; }), "0"));
  CHECK(contains(refused([](auto& o) { o.strip_rows = 0; }), "0"));
  CHECK(contains(refused([](auto& o) { o.predictor = Predictor::floating_point; }), "uint16"));
  CHECK(contains(refused([](auto& o) { o.codec.level = 40; }), "levels are 1 to"));
  CHECK(contains(refused([](auto& o) {
                   o.codec = {CodecId::lzw, 3, DeflateEngine::automatic};
                 }),
                 "no levels"));
  CHECK(contains(refused([](auto& o) { o.concurrency["compres"] = 1; }), "there is no node of that name"));
  CHECK(contains(refused([](auto& o) { o.concurrency["tif"] = 2; }), "one item at a time"));
  CHECK(contains(refused([](auto& o) { o.concurrency["compress"] = 0; }), "at least 1"));
}

TEST_CASE("an existing file is refused, and replaced on request") {
  const Raster raster = made_raster(40, 40);
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  std::ofstream(path) << "mine";
  WriteGeotiffOptions options;
  const std::string reason =
      reason_of([&] { write_geotiff(source_of(raster, 16, 16), path, options); }, ErrorKind::usage);
  CHECK(contains(reason, "exists already"));
  CHECK(file_bytes(path).size() == 4);
  options.overwrite = true;
  write_geotiff(source_of(raster, 16, 16), path, options);
  CHECK(pixels_by_libtiff(path, raster.info) == raster.pixels);
  CHECK(folder.names() == std::vector<std::string>{"out.tif"});
}

}  // namespace
}  // namespace weir::pipeline_test
