#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <random>

#include "nodes/raster/window_source.hpp"
#include "pipelines/write_geotiff.hpp"
#include "tests/pipeline_support.hpp"

// How a write goes about it: what is read how often, what is held, and what the knobs cap.

namespace weir::pipeline_test {
namespace {

bool is_each_one(const WatchedSource& source) {
  const std::vector<unsigned> counts = source.counts();
  return std::all_of(counts.begin(), counts.end(), [](unsigned count) { return count == 1; });
}

BandPlan plan_of(const std::shared_ptr<const ChunkSource>& source, const WriteGeotiffOptions& options) {
  const GeotiffWrite write(source, "never.tif", options);
  return *write.plan().bands;
}

/// The least memory, to the nearest 64 KiB, with which the plan is as wanted; it must be so with 1 GiB.
std::uint64_t least_memory(const std::shared_ptr<const ChunkSource>& source, WriteGeotiffOptions options,
                           auto is_wanted) {
  std::uint64_t too_little = smallest_budget(source, options) - 1, enough = 1024 * mebibyte;
  while (enough - too_little > 64 * 1024) {
    options.graph.memory = too_little + (enough - too_little) / 2;
    bool is_enough = false;
    try {
      is_enough = is_wanted(plan_of(source, options));
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::usage);
    }
    (is_enough ? enough : too_little) = options.graph.memory;
  }
  return enough;
}

/// Tiles of 256, or strips.
struct Shape {
  std::uint64_t strip_rows = 0;
  std::uint64_t rows() const { return strip_rows == 0 ? 256 : strip_rows; }
  void set(WriteGeotiffOptions& options) const {
    if (strip_rows > 0) options.strip_rows = strip_rows;
  }
};

TEST_CASE("each source chunk is computed once, tiled and stripped, at budgets that need several bands") {
  const Raster raster = made_raster(2300, 2100, SampleType::uint16);
  const TemporaryFolder folder;
  for (const std::uint64_t chunk : {512U, 1024U, 0U})  // 0: ragged
    for (const Shape shape : {Shape{}, Shape{64}, Shape{100}}) {
      CAPTURE(chunk);
      CAPTURE(shape.strip_rows);
      const ChunkGrid grid = chunk > 0 ? ChunkGrid{Partition(2300, chunk), Partition(2100, chunk)}
                                       : ChunkGrid{ragged_pieces(2300, 400), ragged_pieces(2100, 600)};
      const auto inner =
          std::make_shared<const ArraySource>(interleaved_view(raster.pixels.data(), raster.info), grid);
      WriteGeotiffOptions options;
      shape.set(options);
      options.codec = {CodecId::zstd, 1, DeflateEngine::automatic};
      options.overwrite = true;
      options.graph = {.threads = 2};
      const auto reads_once = [&](const BandPlan& plan) { return plan.reads() == grid.count(); };
      options.graph.memory = least_memory(inner, options, reads_once);

      const auto source = std::make_shared<const WatchedSource>(inner);
      GeotiffWrite write(source, folder / "out.tif", options);
      const BandPlan& plan = *write.plan().bands;
      const std::uint64_t tile_rows = (2300 + shape.rows() - 1) / shape.rows();
      CHECK(plan.bands() > 1);
      CHECK(write.graph().plan().largest_unit <= options.graph.memory);
      const RunReport report = write.run();
      CHECK(is_each_one(*source));
      CHECK(report.source_reads == grid.count());
      CHECK(report.reads_per_chunk() == 1.0);
      // Computes of a column of chunks: as many as chunk rows, where reading per tile row would take
      // tile_rows and more.
      CHECK(grid.rows.count() < tile_rows);
      CHECK(report.peak_payload <= options.graph.memory);
      CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
    }
}

TEST_CASE(
    "with memory for it consecutive tile rows are grouped into bands: several of them, fewer than tile "
    "rows") {
  const Raster raster = made_raster(3000, 400, SampleType::float32);
  const TemporaryFolder folder;
  for (const Shape shape : {Shape{64}, Shape{16}, Shape{1}}) {
    CAPTURE(shape.strip_rows);
    WriteGeotiffOptions options;
    shape.set(options);
    options.overwrite = true;
    options.graph = {.threads = 2};
    const std::uint64_t strips = (3000 + shape.rows() - 1) / shape.rows();
    const auto inner = source_of(raster, 256, 256);
    options.graph.memory =
        least_memory(inner, options, [&](const BandPlan& plan) { return plan.bands() < strips; });
    const auto source = std::make_shared<const WatchedSource>(inner);
    GeotiffWrite write(source, folder / "out.tif", options);
    CHECK(write.plan().bands->bands() > 1);
    CHECK(write.plan().bands->bands() < strips);
    const RunReport report = write.run();
    CHECK(report.units < strips);
    CHECK(is_each_one(*source));
    CHECK(report.peak_payload <= options.graph.memory);
    CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
  }
}

TEST_CASE(
    "a raster too wide for a row goes by column segments, each chunk still read once where the budget "
    "allows") {
  const Raster raster = made_raster(1100, 6000, SampleType::uint8);
  const TemporaryFolder folder;
  for (const std::uint64_t chunk : {512U, 1024U, 700U}) {
    CAPTURE(chunk);
    const auto inner = source_of(raster, chunk, chunk);
    WriteGeotiffOptions options;
    options.codec = {CodecId::zstd, 1, DeflateEngine::automatic};
    options.overwrite = true;
    options.graph = {.threads = 2};
    options.graph.memory = least_memory(
        inner, options, [&](const BandPlan& plan) { return plan.reads() == inner->grid().count(); });
    const auto source = std::make_shared<const WatchedSource>(inner);
    GeotiffWrite write(source, folder / "out.tif", options);
    CHECK(write.plan().bands->segments() > 1);
    CHECK(write.plan().bands->bands() > 1);
    const RunReport report = write.run();
    CHECK(is_each_one(*source));
    CHECK(report.peak_payload <= options.graph.memory);
    CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
  }
}

TEST_CASE("where the budget forces second reads there are exactly as many as the plan said") {
  const Raster raster = made_raster(2000, 2300, SampleType::uint8);
  const TemporaryFolder folder;
  for (const std::uint64_t chunk : {512U, 1024U, 700U})
    for (const Engine engine : {Engine::serial, Engine::onetbb}) {
      CAPTURE(chunk);
      const auto inner = source_of(raster, chunk, chunk);
      WriteGeotiffOptions options;
      options.tile_height = options.tile_width = 128;
      options.codec = {CodecId::zstd, 1, DeflateEngine::automatic};
      options.overwrite = true;
      options.spool = "none";
      options.graph = {.threads = 2, .engine = engine};
      options.graph.memory = smallest_budget(inner, options);
      const auto source = std::make_shared<const WatchedSource>(inner);
      GeotiffWrite write(source, folder / "out.tif", options);
      const std::uint64_t reads = write.plan().bands->reads();
      CHECK(reads > inner->grid().count());
      const std::string explained = write.explain();
      CHECK(said_number(explained, "reads") == reads);
      CHECK(contains(explained, fmt::format("{} for {} chunks", reads, inner->grid().count())));
      CHECK(said_number(explained, "bands") == write.plan().bands->bands());
      CHECK(said_number(explained, "segments") == write.plan().bands->segments());
      const RunReport report = write.run();
      CHECK(source->total() == reads);
      CHECK(report.source_reads == reads);
      CHECK(report.source_chunks == inner->grid().count());
      CHECK(report.peak_payload <= options.graph.memory);
      CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
    }
}

TEST_CASE(
    "a budget too small is refused with the smallest that works, which works, and nothing is created "
    "before") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(500, 600, SampleType::float32, 2);
  for (const CodecId codec :
       {CodecId::none, CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::packbits})
    for (const std::uint64_t strip_rows : {0U, 50U})
      for (const auto& way :
           {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 1U), std::pair(Engine::onetbb, 4U)})
        for (const bool is_planar : {false, true}) {
          const Engine engine = way.first;
          const unsigned threads = way.second;
          CAPTURE(name_of(codec));
          CAPTURE(strip_rows);
          CAPTURE(threads);
          const auto source = source_of(raster, 200, 200);
          WriteGeotiffOptions options;
          if (strip_rows > 0) options.strip_rows = strip_rows;
          options.codec.id = codec;
          options.planar_separate = is_planar;
          options.graph = {.threads = threads, .engine = engine};
          const std::uint64_t smallest = smallest_budget(source, options);
          options.graph.memory = smallest - 1;
          const std::string refusal =
              reason_of([&] { write_geotiff(source, folder / "out.tif", options); }, ErrorKind::usage);
          CHECK(smallest_named(refusal) == smallest);
          CHECK(folder.names().empty());
          options.graph.memory = smallest;
          const RunReport report = write_geotiff(source, folder / "out.tif", options);
          CHECK(report.peak_payload <= smallest);
          CHECK(report.peak_leased <= smallest);
          std::filesystem::remove(folder / "out.tif");
        }
}

TEST_CASE("memory counts raw and encoded bytes: pixels that do not compress stay within the budget, too") {
  Raster raster = made_raster(1500, 1500, SampleType::uint16);
  std::mt19937_64 random(1);
  for (std::byte& byte : raster.pixels) byte = static_cast<std::byte>(random());
  const TemporaryFolder folder;
  for (const CodecId codec : {CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::packbits}) {
    WriteGeotiffOptions options;
    options.codec.id = codec;
    options.overwrite = true;
    options.graph = {.tokens = 64, .threads = 4};
    const auto source = source_of(raster, 512, 512);
    const std::uint64_t smallest = smallest_budget(source, options);
    for (const std::uint64_t memory : {smallest, smallest + smallest / 3, 2 * smallest}) {
      CAPTURE(name_of(codec));
      CAPTURE(memory);
      options.graph.memory = memory;
      RunOptions run;
      // A slow sink: what is encoded piles up in front of it as far as the budget lets it.
      run.before_body = [](const std::string& node, std::uint64_t) {
        if (node == "tif") std::this_thread::sleep_for(std::chrono::milliseconds(1));
      };
      const RunReport report = write_geotiff(source, folder / "out.tif", options, run);
      CHECK(report.peak_payload <= memory);
      CHECK(report.peak_leased <= memory);
      CHECK(report.output_bytes > raster.pixels.size());
    }
  }
}

TEST_CASE("tokens cap the units in flight, and without a cap there are more") {
  const Raster raster = made_raster(1024, 1024, SampleType::uint8);
  const TemporaryFolder folder;
  unsigned most_of_all = 0;
  for (const unsigned tokens : {1U, 2U, 3U, 0U, 64U}) {
    WriteGeotiffOptions options;
    options.tile_height = options.tile_width = 64;
    options.codec.id = CodecId::zstd;
    options.overwrite = true;
    options.graph = {.memory = 3 * mebibyte, .tokens = tokens, .threads = 2, .engine = Engine::onetbb};
    const auto source = std::make_shared<const WatchedSource>(
        source_of(raster, 64, 64), [] { std::this_thread::sleep_for(std::chrono::microseconds(200)); });
    GeotiffWrite write(source, folder / "out.tif", options);
    CAPTURE(tokens);
    CHECK(write.plan().bands->units() > (tokens == 64 ? 8 : tokens));
    const RunReport report = write.run();
    if (tokens == 0) {
      CHECK(report.tokens == 6);  // 2 per thread, plus 2
    } else {
      CHECK(report.tokens == tokens);
    }
    CHECK(report.most_units_in_flight <= report.tokens);
    if (tokens == 1 || tokens == 2) CHECK(report.most_units_in_flight == tokens);
    most_of_all = std::max(most_of_all, report.most_units_in_flight);
    CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
  }
  CHECK(most_of_all > 3);
}

TEST_CASE("the concurrency of a node caps how many of it run at once, and without a cap there are more") {
  const Raster raster = made_raster(1024, 1024, SampleType::uint8);
  const TemporaryFolder folder;
  for (const unsigned cap : {1U, 2U, 0U})
    for (const std::string node : {"compress", "decode"}) {
      WriteGeotiffOptions options;
      options.tile_height = options.tile_width = 128;
      options.codec.id = CodecId::zstd;
      options.overwrite = true;
      options.graph = {.memory = 256 * mebibyte, .tokens = 32, .threads = 4, .engine = Engine::onetbb};
      if (cap > 0) options.concurrency[node] = cap;
      Meeting meeting(cap == 0 ? 3
                               : cap);  // as many must be able to be inside at once, however busy the machine
      RunOptions run;
      run.before_body = [&](const std::string& running, std::uint64_t) {
        if (running == node) meeting.attend();
      };
      const RunReport report = write_geotiff(source_of(raster, 128, 128), folder / "out.tif", options, run);
      CAPTURE(node);
      CAPTURE(cap);
      CHECK(report.node(node).concurrency == (cap == 0 ? 4 : cap));
      if (cap == 0)
        CHECK(report.node(node).most_in_flight > 2);
      else
        CHECK(report.node(node).most_in_flight == cap);
      CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
    }
}

TEST_CASE("tiles are encoded on all of four threads at once, and lie in the file in order") {
  const Raster raster = made_raster(1000, 1000, SampleType::float32);
  const TemporaryFolder folder;
  for (const bool is_tiled : {true, false}) {
    WriteGeotiffOptions options;
    if (!is_tiled) options.strip_rows = 40;
    options.codec.id = CodecId::zstd;
    options.predictor = Predictor::floating_point;
    options.overwrite = true;
    options.graph = {.memory = 256 * mebibyte, .tokens = 32, .threads = 4, .engine = Engine::onetbb};
    Meeting meeting(4);
    RunOptions run;
    run.before_body = [&](const std::string& node, std::uint64_t ticket) {
      if (node != "compress") return;
      meeting.attend();
      // Early tiles take longest: their successors are done before them.
      std::this_thread::sleep_for(std::chrono::microseconds(ticket % 4 == 0 ? 3000 : 100));
    };
    const RunReport report = write_geotiff(source_of(raster, 256, 256), folder / "out.tif", options, run);
    CHECK(report.threads_seen == 4);
    CHECK(report.node("compress").most_in_flight == 4);
    CHECK(file_bytes(folder / "out.tif") == one_piece_file(raster, options));
    const test::LibTiff tiff(folder / "out.tif");
    const std::uint32_t count = is_tiled ? TIFFNumberOfTiles(tiff.get()) : TIFFNumberOfStrips(tiff.get());
    CHECK(count > 15);
    for (std::uint32_t i = 1; i < count; ++i)
      CHECK(TIFFGetStrileOffset(tiff.get(), i) ==
            TIFFGetStrileOffset(tiff.get(), i - 1) + TIFFGetStrileByteCount(tiff.get(), i - 1));
  }
}

TEST_CASE("one usable core means no hand-offs: the automatic engine is the serial one, on one thread") {
  const Raster raster = made_raster(300, 300);
  const TemporaryFolder folder;
  WriteGeotiffOptions options;
  options.graph = {.threads = 1};
  const RunReport report = write_geotiff(source_of(raster, 128, 128), folder / "out.tif", options);
  CHECK(report.engine == "serial");
  CHECK(report.threads_seen == 1);
  for (const NodeReport& node : report.nodes) CHECK(node.most_in_flight == 1);
}

TEST_CASE("uncompressed output keeps no encoder and no raw tile: nothing stands for it") {
  const Raster raster = made_raster(300, 300);
  WriteGeotiffOptions options;
  options.graph = {.memory = 64 * mebibyte, .threads = 2};
  for (const CodecId codec : {CodecId::none, CodecId::zstd}) {
    options.codec.id = codec;
    const GeotiffWrite write(source_of(raster, 128, 128), "never.tif", options);
    const Plan plan = write.graph().plan();
    for (std::size_t i = 0; i < plan.standing.size(); ++i)
      if (write.graph().nodes()[i].name == "compress")
        CHECK((plan.standing[i] == 0) == (codec == CodecId::none));
  }
}

TEST_CASE("a file is read in chunks of the caller's size, coarser than its own tiles, each tile once") {
  const Raster raster = made_raster(1500, 1300, SampleType::uint16);
  const TemporaryFolder folder;
  WriteGeotiffOptions options;
  options.tile_height = options.tile_width = 128;
  write_geotiff(source_of(raster, 256, 256), folder / "in.tif", options);
  options.tile_height = options.tile_width = 256;
  options.predictor = Predictor::horizontal;
  options.overwrite = true;
  const Bytes right = one_piece_file(raster, options);
  for (const std::uint64_t chunk : {512U, 1024U}) {
    TiffReadOptions read;
    read.chunk_height = read.chunk_width = chunk;
    const auto inner = std::make_shared<const TiffSource>(folder / "in.tif", read);
    CHECK(inner->grid().rows.largest() == chunk);
    CHECK(inner->grid().cols.largest() == chunk);
    options.graph = {.threads = 2};
    options.graph.memory = least_memory(
        inner, options, [&](const BandPlan& plan) { return plan.reads() == inner->grid().count(); });
    const auto source = std::make_shared<const WatchedSource>(inner);
    const RunReport report = write_geotiff(source, folder / "out.tif", options);
    CHECK(is_each_one(*source));
    CHECK(source->fetches() == inner->grid().count());
    CHECK(report.peak_payload <= options.graph.memory);
    CHECK(file_bytes(folder / "out.tif") == right);
  }
}

TEST_CASE(
    "a window of large chunks works at the smallest budget, where kept chunks hold more than their part") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(1700, 1900, SampleType::uint16);
  WriteGeotiffOptions options;
  options.overwrite = true;
  options.codec.id = CodecId::none;
  options.tile_height = options.tile_width = 512;
  write_geotiff(source_of(raster, 512, 512), folder / "in.tif", options);
  options.codec.id = CodecId::zstd;
  options.predictor = Predictor::horizontal;
  options.tile_height = options.tile_width = 128;
  for (const Window& window :
       {Window{500, 500, 1040, 1060}, Window{1000, 1, 50, 1899}, Window{510, 0, 1190, 20},
        Window{0, 0, 1700, 1900}, Window{1023, 1023, 2, 2}}) {
    const Raster part = slice(raster, window);
    const Bytes right = one_piece_file(part, options);
    for (const bool is_file : {true, false})
      for (const auto& [engine, threads] :
           {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 2U), std::pair(Engine::onetbb, 8U)}) {
        CAPTURE(window.row);
        CAPTURE(window.col);
        CAPTURE(is_file);
        std::shared_ptr<const ChunkSource> whole = source_of(raster, 512, 512);
        if (is_file) whole = std::make_shared<const TiffSource>(folder / "in.tif");
        const auto source = std::make_shared<const WindowSource>(whole, window);
        options.graph = {.threads = threads, .engine = engine};
        const std::uint64_t smallest = smallest_budget(source, options);
        for (const std::uint64_t memory : {smallest, smallest + smallest / 2, 4 * smallest}) {
          options.graph.memory = memory;
          const RunReport report = write_geotiff(source, folder / "out.tif", options);
          CHECK(report.peak_payload <= memory);
          CHECK(report.peak_leased <= memory);
          CHECK(file_bytes(folder / "out.tif") == right);
        }
      }
  }
}

}  // namespace
}  // namespace weir::pipeline_test
