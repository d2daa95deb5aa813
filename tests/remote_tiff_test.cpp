#include <doctest/doctest.h>

#ifdef WEIR_WITH_CURL

#include <fmt/format.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "framework/build_info.hpp"
#include "nodes/raster/remote_reading.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/read_ahead.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "pipelines/read_geotiff.hpp"
#include "pipelines/write_geotiff.hpp"
#include "pipelines/write_rows.hpp"
#include "tests/http_server.hpp"
#include "tests/made_images.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/tiff_recipes.hpp"

// TIFF files behind HTTP: what reading them costs, and that it reads what is there.

namespace weir::pipeline_test {
namespace {

using namespace std::chrono_literals;
using test::Fault;
using test::HttpServer;
using test::SeenRequest;

/// 2048 x 2048 uint16 in tiles of 256, each 128 KiB, row after row; the directory is in front.
constexpr std::uint64_t side = 2048, tile_bytes = 256 * 256 * 2;

Bytes file_of(const Raster& raster, const WriteGeotiffOptions& options) {
  const TemporaryFolder folder;
  write_geotiff(source_of(raster, 256, 1024), folder / "a.tif", options);
  return file_bytes(folder / "a.tif");
}

WriteGeotiffOptions stored(CodecId codec) {
  WriteGeotiffOptions options;
  options.codec.id = codec;
  return options;
}

HttpOptions quick() {
  HttpOptions http;
  http.retry_pause = 1ms;
  return http;
}

struct Read {
  Bytes pixels;
  RunReport report;
};

Read read_url(const std::string& url, const Window& window, const ReadOptions& options = {}) {
  Read read;
  read.pixels.resize(window.height * window.width * 2);
  read.report =
      read_geotiff(url, window, {read.pixels.data(), interleaved_strides(window.width, 1, 2)}, options);
  return read;
}

TEST_CASE("a window of a remote tiled file costs its opening and one request for each run of tiles") {
  const Raster raster = made_raster(side, side);
  HttpServer server;
  server.serve("/a.tif", {file_of(raster, stored(CodecId::none))});
  const std::uint64_t prefix = HttpOptions().prefix_bytes;
  struct Case {
    Window window;
    std::uint64_t requests, bytes;
  };
  for (const Case& c :
       {Case{{300, 300, 500, 700}, 4, prefix + 3 * 3 * tile_bytes},  // tile rows 1 to 3, columns 1 to 3
        Case{{300, 300, 1, 1}, 2, prefix + tile_bytes},              // one tile
        Case{{256, 512, 256, 256}, 2, prefix + tile_bytes},          // just a tile
        Case{{255, 511, 2, 2}, 3, prefix + 4 * tile_bytes},          // around a corner
        Case{{1024, 0, 512, side}, 2, prefix + 16 * tile_bytes},     // two whole rows, one run
        Case{{0, 1792, side, 256}, 9, prefix + 8 * tile_bytes}}) {   // a column
    server.forget();
    const Read read = read_url(server.url("/a.tif"), c.window);
    CHECK(read.pixels == slice(raster, c.window).pixels);
    CHECK(server.count() == c.requests);
    CHECK(read.report.requests == c.requests);
    CHECK(read.report.fetched_bytes == c.bytes);
  }
  SUBCASE("a whole file is read in runs of up to 4 MiB of pixels, less what its opening brought") {
    server.forget();
    const Read read = read_url(server.url("/a.tif"), {0, 0, side, side});
    CHECK(read.pixels == raster.pixels);
    CHECK(server.count() == 3);
    CHECK(read.report.fetched_bytes == file_of(raster, stored(CodecId::none)).size());
  }
}

TEST_CASE("strips of a remote file are read in runs, too, planes that lie side by side together") {
  const Raster raster = made_raster(1500, 1000, SampleType::uint16, 2);
  HttpServer server;
  WriteGeotiffOptions options = stored(CodecId::none);
  options.strip_rows = 10;
  server.serve("/strips.tif", {file_of(raster, options)});
  options.planar_separate = true;
  server.serve("/planes.tif", {file_of(raster, options)});
  for (const auto& [path, runs] : {std::pair("/strips.tif", 1u), std::pair("/planes.tif", 1u)}) {
    server.forget();
    const Window window{700, 20, 100, 900};
    Bytes pixels(window.height * window.width * 4);
    read_geotiff(server.url(path), window, {pixels.data(), interleaved_strides(window.width, 2, 2)});
    CHECK(pixels == slice(raster, window).pixels);
    CHECK(server.count() == 1 + runs);
  }
}

TEST_CASE("remote files read as local ones do: layouts, codecs, byte orders, directories at the end") {
  test::Recipe strips, tiles, planes, other_order;
  tiles.tile_height = tiles.tile_width = 16;
  tiles.compression = COMPRESSION_ADOBE_DEFLATE;
  planes.samples = 3;
  planes.is_planar = true;
  planes.compression = COMPRESSION_LZW;
  other_order.mode = "wb8";
  other_order.type = SampleType::uint16;
  other_order.tile_height = other_order.tile_width = 16;
  other_order.left_out = {1, 2};
  HttpServer server;
  for (test::Recipe recipe : {strips, tiles, planes, other_order}) {
    recipe.height = 237;
    recipe.width = 345;
    const Bytes file = test::make_tiff(recipe);
    server.serve("/a.tif", {file});
    const Bytes right = test::read_all(file);
    for (const std::uint64_t prefix : {std::uint64_t{16}, std::uint64_t{300}, std::uint64_t{64} << 10})
      for (const std::optional<std::uint64_t> chunk :
           {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(16)}) {
        TiffReadOptions options;
        options.http = quick();
        options.http.prefix_bytes = prefix;
        options.chunk_height = options.chunk_width = chunk;
        const TiffSource source(server.url("/a.tif"), options);
        CHECK(test::read_all(source) == right);
      }
  }
}

TEST_CASE("a window lays out chunks of its own, and asking for one outside is refused") {
  const Raster raster = made_raster(700, 900);
  const Bytes file = file_of(raster, stored(CodecId::deflate));
  test::MemoryFiles files(file);
  for (const Window& window : {Window{0, 0, 700, 900}, Window{300, 300, 1, 1}, Window{10, 600, 300, 300},
                               Window{511, 0, 2, 900}, Window{0, 767, 700, 2}}) {
    TiffReadOptions options;
    options.window = window;
    const auto source = std::make_shared<const TiffSource>("a.tif", options, files);
    const auto part = std::make_shared<const WindowSource>(source, window);
    const Window all{0, 0, window.height, window.width};
    Bytes pixels(window.height * window.width * 2);
    read_region(part, all, {pixels.data(), interleaved_strides(window.width, 1, 2)});
    CHECK(pixels == slice(raster, window).pixels);
  }
  TiffReadOptions options;
  options.window = {300, 300, 1, 1};
  const TiffSource source("a.tif", options, files);
  CHECK(source.grid().count() == 9);  // the tile, and what lies around it
  CHECK(contains(reason_of([&] { source.fetch({0, 0}, {}); }, ErrorKind::usage), "outside of the window"));
  options.window = {0, 0, 701, 900};
  CHECK(contains(reason_of([&] { const TiffSource refused("a.tif", options, files); }, ErrorKind::usage),
                 "the raster is 900 x 700 pixels"));
}

TEST_CASE("windows of images with masks, and of overviews, are read over HTTP as locally") {
  using test::Picture;
  const Picture full{260, 381, 0, 3}, mask{260, 381, 4}, half{130, 191, 1, 3, 9},
      half_mask{130, 191, 5, 1, 2};
  const Bytes bytes = test::make_images({full, mask, half, half_mask});
  const TemporaryFolder folder;
  std::ofstream(folder / "a.tif", std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  HttpServer server;
  server.serve("/a.tif", {bytes});
  for (const unsigned overview : {0u, 1u})
    for (const std::optional<std::uint64_t> chunk :
         {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(48)})
      for (const Window& window : {Window{0, 0, 130, 191}, Window{17, 33, 40, 50}, Window{129, 190, 1, 1}}) {
        Bytes pixels[2], masks[2];
        std::size_t place = 0;
        for (const std::string& path : {folder / "a.tif", server.url("/a.tif")}) {
          TiffOpenOptions options;
          options.overview = overview;
          options.http = quick();
          options.http.prefix_bytes = 500;
          options.chunk_height = options.chunk_width = chunk;
          options.max_fetched_bytes = 4 * bytes.size();
          if (place == 1) options.part = [&](const RasterInfo&) { return window; };
          const auto source = open_tiff(path, options);
          CHECK(source->info().has_mask);
          CHECK(source->remote().has_value() == (place == 1));
          pixels[place].resize(window.height * window.width * 3);
          masks[place].resize(window.height * window.width);
          read_region(source, window,
                      {pixels[place].data(), interleaved_strides(window.width, 3, 1), masks[place].data(),
                       window.width});
          ++place;
        }
        CHECK(pixels[0] == pixels[1]);
        CHECK(masks[0] == masks[1]);
      }
}

TEST_CASE("a window of a file with long arrays looks up just its own tiles") {
  // 262,144 tiles: 3 MiB of arrays.
  test::MemoryTiff memory;
  {
    TIFF* tiff = memory.open("w8");
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 8192);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 8192);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
    Bytes tile(256, std::byte{7});
    for (const std::uint32_t strile : {512u * 100 + 7, 512u * 101 + 7})
      REQUIRE(TIFFWriteEncodedTile(tiff, strile, tile.data(), 256) == 256);
    TIFFClose(tiff);
  }
  HttpServer server;
  server.serve("/a.tif", {memory.bytes()});
  Bytes pixels(32 * 32);
  const RunReport report =
      read_geotiff(server.url("/a.tif"), {1600, 112, 32, 32}, {pixels.data(), interleaved_strides(32, 1, 1)});
  for (std::size_t i = 0; i < pixels.size(); ++i) CHECK(pixels[i] == std::byte(i % 32 < 16 ? 7 : 0));
  CHECK(report.requests <= 6);  // opening, directory, a place in each array, no pixels beyond the opening's
  CHECK(report.fetched_bytes < 600'000);

  SUBCASE("and reading it all costs few requests for the arrays, in declared memory") {
    server.forget();
    const auto source = std::make_shared<const TiffSource>(server.url("/a.tif"));
    CHECK(server.count() < 40);
    CHECK(source->standing_bytes() > ReadAhead::capacity);
    CHECK(source->standing_bytes() < 4 * mebibyte);
  }
}

TEST_CASE("a conversion over HTTP makes the same bytes, with the requests that were planned") {
  const Raster raster = made_raster(1100, 1300);
  HttpServer server;
  WriteGeotiffOptions options = stored(CodecId::zstd);
  const TemporaryFolder folder;
  write_geotiff(source_of(raster, 256, 256), folder / "in.tif", options);
  server.serve("/in.tif", {file_bytes(folder / "in.tif")});
  options.codec.id = CodecId::deflate;
  options.overwrite = true;
  write_geotiff(std::make_shared<const TiffSource>(folder / "in.tif"), folder / "local.tif", options);
  struct Means {
    Engine engine;
    unsigned threads;
    std::uint64_t memory;  // 0: the smallest that works
  };
  for (const Means& means :
       {Means{Engine::automatic, 1, 256 * mebibyte}, Means{Engine::onetbb, 4, 256 * mebibyte},
        Means{Engine::serial, 1, 256 * mebibyte}, Means{Engine::onetbb, 2, 0}}) {
    server.forget();
    TiffReadOptions read;
    read.http = quick();
    read.chunk_height = read.chunk_width = 256;
    const auto source = std::make_shared<const TiffSource>(server.url("/in.tif"), read);
    options.graph = {.memory = means.memory, .threads = means.threads, .engine = means.engine};
    if (means.memory == 0) options.graph.memory = smallest_budget(source, options);
    GeotiffWrite write(source, folder / "remote.tif", options);
    const std::uint64_t planned = said_number(write.explain(), "requests");
    CHECK(planned == source->remote()->planned_requests);
    const std::size_t opening = server.count();
    CHECK(contains(write.explain(), fmt::format("up to 16 at once; {} so far", opening)));
    const RunReport report = write.run();
    CHECK(file_bytes(folder / "remote.tif") == file_bytes(folder / "local.tif"));
    CHECK(report.requests == server.count());
    if (write.plan().bands->reads() == source->grid().count()) CHECK(server.count() == opening + planned);
    CHECK(report.peak_payload <= report.peak_planned);
    CHECK(report.engine == (means.engine == Engine::serial ? "serial" : "oneTBB"));
  }
}

TEST_CASE(
    "as many requests are in flight as were asked for, whatever the threads, where the budget has room") {
  const Raster raster = made_raster(2048, 2048);
  HttpServer server;
  server.serve("/a.tif", {file_of(raster, stored(CodecId::none))});
  server.set_latency(30ms);
  ReadOptions options;
  options.graph.threads = 2;
  for (const unsigned requests : {3u, 8u, 16u}) {
    TiffReadOptions read;
    read.http.requests = requests;
    read.chunk_height = read.chunk_width = 256;
    const auto source = std::make_shared<const TiffSource>(server.url("/a.tif"), read);
    // Time enough to send them all, on a busy machine, too, and under sanitizers.
    const auto time_to_send = [](unsigned count) {
      return (build_info::sanitizers.empty() ? 10ms : 60ms) * count;
    };
    server.set_latency(time_to_send(requests));
    server.forget();
    Bytes pixels(raster.pixels.size());
    RunReport report =
        read_region(source, {0, 0, 2048, 2048}, {pixels.data(), interleaved_strides(2048, 1, 2)}, options);
    CHECK(pixels == raster.pixels);
    CHECK(server.most_in_flight() == requests);
    CHECK(report.node("fetch").concurrency == requests);

    server.forget();
    const TemporaryFolder folder;
    WriteGeotiffOptions write = stored(CodecId::none);
    write.graph.threads = 2;
    report = write_geotiff(source, folder / "b.tif", write);
    CHECK(server.most_in_flight() == requests);

    server.forget();
    server.set_latency(time_to_send(3));
    options.concurrency["fetch"] = 2;
    report =
        read_region(source, {0, 0, 2048, 2048}, {pixels.data(), interleaved_strides(2048, 1, 2)}, options);
    CHECK(server.most_in_flight() == 2);
    CHECK(report.requests == server.count());
    options.concurrency.clear();
  }
}

TEST_CASE("pixels are right, or there is an error, whatever the server does") {
  const Raster raster = made_raster(1024, 1024);
  const test::ServedFile file{file_of(raster, stored(CodecId::deflate))};
  HttpServer server;
  std::string path = "/a.tif";
  server.serve(path, file);
  TiffReadOptions read;
  read.http = quick();
  read.http.timeout = 300ms;
  read.chunk_height = read.chunk_width = 256;
  const std::vector<Fault> faults{
      {.status = 503}, {.status = 429}, {.resets = true}, {.body_bytes = 1000}, {.length = 1000}};
  const auto run = [&] {
    Bytes pixels(raster.pixels.size());
    const auto source = std::make_shared<const TiffSource>(server.url(path), read);
    read_region(source, {0, 0, 1024, 1024}, {pixels.data(), interleaved_strides(1024, 1, 2)});
    return pixels;
  };
  server.set_fault([&](const SeenRequest& request) {
    return request.number % 3 != 2 ? Fault{} : faults[request.number / 3 % faults.size()];
  });
  CHECK(run() == raster.pixels);
  const std::string named = "node fetch, chunk (";
  for (const Fault& fault : {Fault{.status = 403}, Fault{.etag = "\"two\""}, Fault{.ignores_range = true},
                             Fault{.content_range = "bytes 0-99/5"}}) {
    // Another file each time: requests of the read before, which failed, may still arrive, and are not counted.
    path.insert(1, 1, 'a');
    server.serve(path, file);
    server.set_fault(
        [fault, path, seen = std::make_shared<std::atomic<unsigned>>(0)](const SeenRequest& request) {
          return request.path != path || (*seen)++ < 6 ? Fault{} : fault;
        });
    const std::string message = reason_of(run, ErrorKind::failed);
    CHECK_MESSAGE(message.starts_with(named), message);
    CHECK_MESSAGE(contains(message, " of " + server.url(path)), message);
  }
}

TEST_CASE("a remote read ends soon after a stop, although the server is silent") {
  const Raster raster = made_raster(1024, 1024);
  HttpServer server;
  server.serve("/a.tif", {file_of(raster, stored(CodecId::none))});
  const auto source = std::make_shared<const TiffSource>(server.url("/a.tif"));
  server.set_fault([](const SeenRequest&) { return Fault{.stalls = true}; });
  std::stop_source stop;
  std::thread stopper([&] {
    while (server.count() < 2) std::this_thread::sleep_for(1ms);
    stop.request_stop();
  });
  Bytes pixels(raster.pixels.size());
  const auto begun = std::chrono::steady_clock::now();
  CHECK(contains(reason_of(
                     [&] {
                       read_region(source, {0, 0, 1024, 1024},
                                   {pixels.data(), interleaved_strides(1024, 1, 2)}, {},
                                   {.stop = stop.get_token()});
                     },
                     ErrorKind::cancelled),
                 "cancelled"));
  stopper.join();
  CHECK(std::chrono::steady_clock::now() - begun < 10s);
}

}  // namespace
}  // namespace weir::pipeline_test

#endif
