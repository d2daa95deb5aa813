#include <fmt/format.h>

#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "nodes/raster/window_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "pipelines/write_rows.hpp"
#include "tests/pipeline_support.hpp"

// Reading windows into the caller's memory and into plain files, and windows as rasters of their own.

namespace weir::pipeline_test {
namespace {

const std::vector<Window> windows{{0, 0, 700, 900},   {0, 0, 1, 1},         {699, 899, 1, 1},
                                  {10, 20, 300, 400}, {255, 255, 2, 2},     {0, 256, 700, 1},
                                  {699, 0, 1, 900},   {256, 256, 256, 256}, {100, 600, 1, 300}};

Bytes read(const std::shared_ptr<const ChunkSource>& source, const Window& window,
           const ReadOptions& options = {}) {
  const RasterInfo& info = source->info();
  Bytes pixels(window.height * window.width * info.pixel_bytes(), std::byte{0xEE});
  read_region(source, window,
              {pixels.data(), interleaved_strides(window.width, info.samples, bytes_of(info.type))}, options);
  return pixels;
}

/// The same raster as an array, a tiled file, a planar one, and a striped one.
std::vector<std::shared_ptr<const ChunkSource>> sources_of(const Raster& raster,
                                                           const TemporaryFolder& folder) {
  std::vector<std::shared_ptr<const ChunkSource>> sources{source_of(raster, 128, 200)};
  for (const std::string layout : {"tiled", "planar", "striped", "plain"}) {
    WriteGeotiffOptions options;
    options.planar_separate = layout == "planar";
    if (layout == "striped" || layout == "plain") options.strip_rows = 50;
    if (layout == "plain") options.codec.id = CodecId::none;
    options.overwrite = true;
    write_geotiff(sources.front(), folder / (layout + ".tif"), options);
    sources.push_back(std::make_shared<const TiffSource>(folder / (layout + ".tif")));
  }
  return sources;
}

TEST_CASE("a window is read as it lies in the raster, on both engines, with any memory that works") {
  const Raster raster = made_raster(700, 900, SampleType::uint16, 3);
  const TemporaryFolder folder;
  for (const auto& source : sources_of(raster, folder))
    for (const Window& window : windows)
      for (const auto& [engine, threads] :
           {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 2U), std::pair(Engine::onetbb, 8U)}) {
        CAPTURE(window.row);
        CAPTURE(window.col);
        const Bytes right = slice(raster, window).pixels;
        ReadOptions options;
        options.graph = {.memory = 64 * mebibyte, .threads = threads, .engine = engine};
        CHECK(read(source, window, options) == right);
        // The smallest that works, and one byte less.
        options.graph.memory = 1;
        options.graph.memory =
            smallest_named(reason_of([&] { read(source, window, options); }, ErrorKind::usage));
        CHECK(read(source, window, options) == right);
        --options.graph.memory;
        CHECK(contains(reason_of([&] { read(source, window, options); }, ErrorKind::usage), "too small"));
      }
}

TEST_CASE("only the chunks that the window touches are read, each once") {
  const Raster raster = made_raster(700, 900);
  const auto source = std::make_shared<const WatchedSource>(source_of(raster, 128, 200));
  const Window window{130, 150, 200, 300};  // chunk rows 1 and 2, columns 0 to 2
  Bytes pixels(200 * 300 * 2);
  const RunReport report = read_region(source, window, {pixels.data(), interleaved_strides(300, 1, 2)});
  CHECK(report.source_chunks == 6);
  CHECK(report.source_reads == 6);
  CHECK(report.raw_bytes == pixels.size());
  const std::vector<unsigned> counts = source->counts();
  for (std::size_t i = 0; i < counts.size(); ++i)
    CHECK(counts[i] == ((i / 5 == 1 || i / 5 == 2) && i % 5 <= 2 ? 1 : 0));
}

/// A raster whose chunks are fetched, and the threads that did it.
class FetchedSource : public WatchedSource {
 public:
  using WatchedSource::WatchedSource;
  std::uint64_t fetch_bytes() const override { return 4096; }
  std::uint64_t local_bytes() const override { return is_decoded ? 1 : 0; }
  Buffer fetch(ChunkIndex, const Context& context) const override {
    const std::lock_guard lock(mutex_);
    threads_.insert(std::this_thread::get_id());
    return context.buffer(1);
  }
  std::set<std::thread::id> threads() const { return std::exchange(threads_, {}); }

  mutable bool is_decoded = true;

 private:
  mutable std::mutex mutex_;
  mutable std::set<std::thread::id> threads_;
};

TEST_CASE(
    "a few chunks, and those that are not decoded, are fetched without an I/O lane, one chunk without any "
    "other thread") {
  const Raster raster = made_raster(256, 256);
  const auto source = std::make_shared<const FetchedSource>(source_of(raster, 32, 32));
  const auto read_part = [&](const Window& window, unsigned threads, Engine engine) {
    ReadOptions options;
    options.graph = {.memory = 64 * mebibyte, .threads = threads, .engine = engine};
    Bytes target(window.height * window.width * 2);
    const RunReport report =
        read_region(source, window, {target.data(), interleaved_strides(window.width, 1, 2)}, options);
    CHECK(target == slice(raster, window).pixels);
    return report.engine;
  };
  const std::set<std::thread::id> caller{std::this_thread::get_id()};
  read_part({0, 0, 128, 256}, 1, Engine::onetbb);  // 32 chunks, and the only compute thread is the caller's
  CHECK(source->threads() == caller);
  read_part({0, 0, 129, 256}, 1, Engine::onetbb);
  CHECK(source->threads().count(std::this_thread::get_id()) == 0);
  source->is_decoded = false;
  read_part({0, 0, 256, 256}, 1, Engine::onetbb);
  CHECK(source->threads() == caller);
  source->is_decoded = true;
  CHECK(read_part({40, 40, 20, 20}, 4, Engine::automatic) == "serial");
  CHECK(source->threads() == caller);
  CHECK(read_part({40, 40, 20, 20}, 4, Engine::onetbb) == "oneTBB");
}

TEST_CASE("the target may be strided: padded rows, planes, and swapped axes; nothing beside it is touched") {
  const Raster raster = made_raster(60, 70, SampleType::int32, 2);
  const auto source = source_of(raster, 16, 16);
  const Window window{5, 7, 40, 50};
  const Bytes right = slice(raster, window).pixels;
  struct Layout {
    PixelStrides strides;
    std::size_t bytes;
  };
  for (const Layout& layout : {Layout{{50 * 8 + 24, 8, 4}, 40 * (50 * 8 + 24)},    // rows with a gap
                               Layout{{50 * 4, 4, 40 * 50 * 4}, 2 * 40 * 50 * 4},  // one plane per sample
                               Layout{{8, 40 * 8, 4}, 40 * 50 * 8},                // columns first
                               Layout{{50 * 16, 16, 8}, 40 * 50 * 16}}) {          // every second sample
    Bytes target(layout.bytes, std::byte{0xEE});
    read_region(source, window, {target.data(), layout.strides});
    Bytes expected(layout.bytes, std::byte{0xEE});
    for (std::size_t row = 0; row < 40; ++row)
      for (std::size_t col = 0; col < 50; ++col)
        for (std::size_t sample = 0; sample < 2; ++sample)
          std::memcpy(&expected.at(row * layout.strides.row + col * layout.strides.pixel +
                                   sample * layout.strides.sample),
                      right.data() + ((row * 50 + col) * 2 + sample) * 4, 4);
    CHECK(target == expected);
  }
}

TEST_CASE("a window that is empty or reaches out of the raster is refused, however large its numbers") {
  const Raster raster = made_raster(40, 50);
  const auto source = source_of(raster, 16, 16);
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  Bytes target(40 * 50 * 2);
  for (const Window& window :
       {Window{0, 0, 0, 10}, Window{0, 0, 10, 0}, Window{0, 0, 41, 10}, Window{0, 0, 10, 51},
        Window{40, 0, 1, 1}, Window{0, 50, 1, 1}, Window{most, 0, 1, 1}, Window{0, most, 1, 1},
        Window{1, 1, most, 1}, Window{1, 1, 1, most}, Window{most - 4, 0, 10, 1}}) {
    CAPTURE(window.row);
    CAPTURE(window.col);
    const std::string reason = reason_of(
        [&] {
          read_region(source, window, {target.data(), interleaved_strides(50, 1, 2)});
        },
        ErrorKind::usage);
    CHECK(contains(reason, "the raster is 50 x 40 pixels"));
    CHECK(reason == reason_of([&] { const WindowSource part(source, window); }, ErrorKind::usage));
  }
}

TEST_CASE("concurrency and tokens cap a read, too") {
  const Raster raster = made_raster(256, 256);
  Meeting meeting(2);
  bool is_meeting = true;  // written between runs
  const auto source = std::make_shared<const WatchedSource>(source_of(raster, 32, 32), [&] {
    if (is_meeting)
      meeting.attend();
    else
      std::this_thread::sleep_for(std::chrono::microseconds(500));
  });
  ReadOptions options;
  options.graph = {.memory = 64 * mebibyte, .tokens = 16, .threads = 4, .engine = Engine::onetbb};
  Bytes target(256 * 256 * 2);
  const auto report = [&] {
    return read_region(source, {0, 0, 256, 256}, {target.data(), interleaved_strides(256, 1, 2)}, options);
  };
  CHECK(report().node("decode").most_in_flight > 1);
  is_meeting = false;
  options.concurrency["decode"] = 1;
  CHECK(report().node("decode").most_in_flight == 1);
  options.concurrency.clear();
  options.graph.tokens = 1;
  CHECK(report().most_units_in_flight == 1);
  CHECK(target == raster.pixels);
}

TEST_CASE("a window as a source is the slice of the raster, with the georeferencing moved to its corner") {
  Raster raster = made_raster(700, 900, SampleType::uint16, 3);
  raster.info.nodata = "7";
  raster.info.georeferencing.pixel_scale = {30, 30, 0};
  raster.info.georeferencing.tiepoints = {0, 0, 0, 500000, 9000000, 0};
  raster.info.georeferencing.key_directory = {1, 1, 0, 1, 3072, 0, 1, 32725};
  const TemporaryFolder folder;
  for (const auto& source : sources_of(raster, folder))
    for (const Window& window : windows) {
      const auto part = std::make_shared<const WindowSource>(source, window);
      CHECK(part->info().height == window.height);
      CHECK(part->info().width == window.width);
      CHECK(part->info().nodata == "7");
      // GeoTIFF: x = X + (column - I) * scale, so with I = -column of the corner the model coordinates stay.
      CHECK(part->info().georeferencing.tiepoints == std::vector<double>{-static_cast<double>(window.col),
                                                                         -static_cast<double>(window.row), 0,
                                                                         500000, 9000000, 0});
      CHECK(part->info().georeferencing.pixel_scale == raster.info.georeferencing.pixel_scale);
      const Raster right = slice(raster, window);
      CHECK(read(part, {0, 0, window.height, window.width}) == right.pixels);
      CHECK(read(part, {window.height / 2, window.width / 2, 1, 1}) ==
            slice(right, {window.height / 2, window.width / 2, 1, 1}).pixels);
    }
  // A window of a window.
  const auto outer =
      std::make_shared<const WindowSource>(source_of(raster, 128, 200), Window{100, 150, 500, 600});
  const auto inner = std::make_shared<const WindowSource>(outer, Window{30, 40, 200, 210});
  CHECK(read(inner, {0, 0, 200, 210}) == slice(raster, {130, 190, 200, 210}).pixels);
  CHECK(inner->info().georeferencing.tiepoints == std::vector<double>{-190, -130, 0, 500000, 9000000, 0});
}

TEST_CASE("rows are written as they lie, raw or behind a NumPy header that says what they are") {
  const TemporaryFolder folder;
  struct Kind {
    SampleType type;
    std::uint32_t samples;
    const char* descr;
    const char* shape;
  };
  for (const Kind& kind :
       {Kind{SampleType::uint8, 1, "|u1", "(301, 157)"}, Kind{SampleType::int8, 2, "|i1", "(301, 157, 2)"},
        Kind{SampleType::uint16, 3, "<u2", "(301, 157, 3)"}, Kind{SampleType::int64, 1, "<i8", "(301, 157)"},
        Kind{SampleType::float32, 1, "<f4", "(301, 157)"},
        Kind{SampleType::float64, 2, "<f8", "(301, 157, 2)"}})
    for (const auto& [engine, threads] : {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 4U)}) {
      const Raster raster = made_raster(301, 157, kind.type, kind.samples);
      const auto source = source_of(raster, 64, 50);
      WriteRowsOptions options;
      options.overwrite = true;
      options.graph = {.memory = 1, .threads = threads, .engine = engine};
      options.graph.memory = smallest_named(
          reason_of([&] { write_rows(source, folder / "rows.raw", options); }, ErrorKind::usage));
      const RunReport report = write_rows(source, folder / "rows.raw", options);
      CHECK(file_bytes(folder / "rows.raw") == raster.pixels);
      CHECK(report.peak_payload <= options.graph.memory);
      CHECK(report.output_bytes == raster.pixels.size());

      options.format = RowsFormat::npy;
      write_rows(source, folder / "rows.npy", options);
      const Bytes file = file_bytes(folder / "rows.npy");
      // numpy.lib.format, version 1.0: magic, version, length of the rest, a Python dict, 64-byte alignment.
      REQUIRE(file.size() > 10);
      CHECK(std::memcmp(file.data(), "\x93NUMPY\x01\x00", 8) == 0);
      const std::size_t length = test::number_at<std::uint16_t>(file, 8);
      CHECK((10 + length) % 64 == 0);
      REQUIRE(file.size() == 10 + length + raster.pixels.size());
      std::string dict(length, ' ');
      std::memcpy(dict.data(), file.data() + 10, length);
      CHECK(dict.back() == '\n');
      CHECK(dict.substr(0, dict.find_last_not_of(" \n") + 1) ==
            fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", kind.descr, kind.shape));
      CHECK(Bytes(file.begin() + static_cast<std::ptrdiff_t>(10 + length), file.end()) == raster.pixels);
    }
}

TEST_CASE("rows are whole or absent: an existing file is refused, and a failing source leaves it as it was") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(300, 300);
  std::ofstream(folder / "rows.raw") << "mine";
  WriteRowsOptions options;
  CHECK(contains(reason_of([&] { write_rows(source_of(raster, 64, 64), folder / "rows.raw", options); },
                           ErrorKind::usage),
                 "exists already"));
  options.overwrite = true;
  std::atomic<int> chunks{0};
  const auto broken = std::make_shared<const WatchedSource>(source_of(raster, 64, 64), [&] {
    if (++chunks == 7) throw Error("decode", "the seventh chunk", "it is broken");
  });
  const std::string reason =
      reason_of([&] { write_rows(broken, folder / "rows.raw", options); }, ErrorKind::failed);
  CHECK(contains(reason, "node decode"));
  CHECK(contains(reason, "it is broken"));
  CHECK(file_bytes(folder / "rows.raw").size() == 4);
  CHECK(folder.names() == std::vector<std::string>{"rows.raw"});
}

TEST_CASE("read_geotiff reads a window of a file") {
  const Raster raster = made_raster(300, 200, SampleType::float32);
  const TemporaryFolder folder;
  write_geotiff(source_of(raster, 64, 64), folder / "in.tif");
  Bytes pixels(10 * 20 * 4);
  read_geotiff(folder / "in.tif", {100, 30, 10, 20}, {pixels.data(), interleaved_strides(20, 1, 4)});
  CHECK(pixels == slice(raster, {100, 30, 10, 20}).pixels);
}

}  // namespace
}  // namespace weir::pipeline_test
