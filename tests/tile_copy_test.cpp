#include "nodes/tiff/tile_copy.hpp"

#include <fmt/format.h>

#include "nodes/raster/select_source.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/tiff_recipes.hpp"

// Tiles that pass from one TIFF to another as they are stored.

namespace weir::pipeline_test {
namespace {

/// The stored bytes of every tile or strip, by libtiff.
std::vector<Bytes> stored_tiles(const std::string& path) {
  TIFF* tiff = TIFFOpen(path.c_str(), "r");
  REQUIRE(tiff != nullptr);
  const bool is_tiled = TIFFIsTiled(tiff) != 0;
  const std::uint32_t count = is_tiled ? TIFFNumberOfTiles(tiff) : TIFFNumberOfStrips(tiff);
  std::vector<Bytes> tiles;
  for (std::uint32_t i = 0; i < count; ++i) {
    Bytes tile(TIFFGetStrileByteCount(tiff, i));
    const auto size = static_cast<tmsize_t>(tile.size());
    if (size > 0)
      CHECK((is_tiled ? TIFFReadRawTile(tiff, i, tile.data(), size)
                      : TIFFReadRawStrip(tiff, i, tile.data(), size)) == size);
    tiles.push_back(std::move(tile));
  }
  TIFFClose(tiff);
  return tiles;
}

/// How a file is stored, and so the options under which it passes.
struct Way {
  CodecId codec = CodecId::deflate;
  bool is_planar = false;
  std::optional<std::uint64_t> strip = std::nullopt;
  std::uint64_t height = 32, width = 48;

  WriteGeotiffOptions options() const {
    WriteGeotiffOptions options;
    options.codec.id = codec;
    options.planar_separate = is_planar;
    options.strip_rows = strip;
    options.tile_height = height;
    options.tile_width = width;
    options.overwrite = true;
    return options;
  }
};
const std::vector<Way> ways{{CodecId::deflate},           {CodecId::none},
                            {CodecId::zstd, true},        {CodecId::none, true},
                            {CodecId::lzw, false, 7},     {CodecId::none, false, 10},
                            {CodecId::packbits, true, 9}, {CodecId::zstd, false, {}, 512, 512}};

TEST_CASE("tiles pass through bit for bit, on both engines, in the smallest memory as with much") {
  const Raster raster = made_raster(200, 150, SampleType::uint16, 3);
  const TemporaryFolder folder;
  const std::string in = folder / "in.tif", out = folder / "out.tif";
  for (const Way& way : ways) {
    CAPTURE(name_of(way.codec));
    CAPTURE(way.is_planar);
    WriteGeotiffOptions options = way.options();
    options.codec.level =
        way.codec == CodecId::zstd ? std::optional(9) : std::nullopt;  // not what we would choose
    write_geotiff(source_of(raster, 64, 64), in, options);
    options.codec.level.reset();
    const auto source = std::make_shared<const TiffSource>(in);
    REQUIRE(why_not_copied(*source, options) == "");
    const std::vector<Bytes> right = stored_tiles(in);
    Bytes first;
    for (const auto& [engine, threads] : {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 2U)})
      for (const bool is_tight : {true, false}) {
        options.pass_through = PassThrough::required;
        options.graph = {.memory = 64 * mebibyte, .threads = threads, .engine = engine};
        if (is_tight) {
          options.graph.memory = 1;
          options.graph.memory =
              smallest_named(reason_of([&] { GeotiffWrite(source, out, options).run(); }, ErrorKind::usage));
        }
        GeotiffWrite write(source, out, options);
        CHECK(write.passed_tiles() == right.size());
        CHECK(contains(write.explain(), fmt::format("{} pass through", right.size())));
        const RunReport report = write.run();
        CHECK(report.peak_payload <= options.graph.memory);
        CHECK(report.source_reads == right.size());
        CHECK(report.raw_bytes == raster.pixels.size());
        CHECK(stored_tiles(out) == right);
        CHECK(pixels_read_back(out) == raster.pixels);
        const Bytes file = file_bytes(out);
        if (first.empty()) first = file;
        CHECK(file == first);
      }
  }
}

TEST_CASE(
    "a raster is encoded anew where anything about the file would not be as it is wanted, and the reason is "
    "said") {
  Raster raster = made_raster(100, 90, SampleType::float32, 2);
  const TemporaryFolder folder;
  const Way way{CodecId::deflate};
  write_geotiff(source_of(raster, 64, 64), folder / "in.tif", way.options());
  const auto source = std::make_shared<const TiffSource>(folder / "in.tif");
  const auto reason = [&](auto change) {
    WriteGeotiffOptions options = way.options();
    change(options);
    const std::string why = why_not_copied(*source, options);
    options.pass_through = PassThrough::required;
    CHECK(contains(reason_of([&] { GeotiffWrite(source, folder / "out.tif", options); }, ErrorKind::usage),
                   why));
    options.pass_through = PassThrough::automatic;
    GeotiffWrite write(source, folder / "out.tif", options);
    CHECK(!write.passed_tiles());
    CHECK(contains(write.explain(), "recompress  " + why));
    return why;
  };
  using Options = WriteGeotiffOptions&;
  CHECK(reason([](Options o) { o.codec.id = CodecId::zstd; }) == "the codec is deflate, and zstd is wanted");
  CHECK(reason([](Options o) { o.codec.level = 6; }) == "a level is asked for");
  CHECK(reason([](Options o) { o.codec.engine = DeflateEngine::zlib; }) == "a deflate engine is asked for");
  CHECK(reason([](Options o) { o.predictor = Predictor::none; }) == "the predictor is 3, and 1 is wanted");
  CHECK(contains(reason([](Options o) { o.tile_width = 64; }), "32 x 48 pixels, and tiles of 32 x 64"));
  CHECK(contains(reason([](Options o) { o.strip_rows = 32; }), "and strips of 32 x 90"));
  CHECK(reason([](Options o) { o.planar_separate = true; }) ==
        "its samples are interleaved, and the other is wanted");
  CHECK(reason([](Options o) { o.statistics = true; }) == "statistics are measured of pixels");
  CHECK(contains(reason([](Options o) { o.sparse = true; }), "empty tiles are to be left out"));
  CHECK(reason([](Options o) { o.nodata = "-1"; }) == "another nodata value is wanted");
  CHECK(reason([](Options o) { o.concurrency["compress"] = 1; }) == "a concurrency of compress is asked for");
  // What is not the file as a whole.
  WriteGeotiffOptions options = way.options();
  options.pass_through = PassThrough::required;
  for (const auto& part : {select_samples(source, {1}), source_of(raster, 64, 64)})
    CHECK(contains(reason_of([&] { GeotiffWrite(part, folder / "out.tif", options); }, ErrorKind::usage),
                   "no TIFF file as a whole"));
  options.pass_through = PassThrough::never;
  CHECK(!GeotiffWrite(source, folder / "out.tif", options).passed_tiles());
  // A float raster with a nodata number could have NaN, which is written as that number.
  raster.info.nodata = "-5";
  write_geotiff(source_of(raster, 64, 64), folder / "nodata.tif", way.options());
  CHECK(contains(why_not_copied(TiffSource(folder / "nodata.tif"), way.options()),
                 "would become the nodata value -5"));
}

TEST_CASE("other forms of files do not pass: byte order, bits, old LZW") {
  test::Recipe recipe;
  recipe.type = SampleType::uint16;
  recipe.tile_height = recipe.tile_width = 16;
  WriteGeotiffOptions options = Way{CodecId::none, false, {}, 16, 16}.options();
  const auto why = [&](const Bytes& file) {
    test::MemoryFiles files(file);
    return why_not_copied(TiffSource("memory.tif", TiffReadOptions{}, files), options);
  };
  CHECK(why(test::make_tiff(recipe)) == "");
  recipe.mode = "wb";
  CHECK(why(test::make_tiff(recipe)) == "it is big-endian");
  recipe.type = SampleType::uint8;
  CHECK(why(test::make_tiff(recipe)) == "");  // bytes have no order
  const TiffSource old(WEIR_TEST_DATA "/quad-lzw-compat.tiff");
  options.codec.id = CodecId::lzw;
  options.predictor = old.layout().predictor;
  options.strip_rows = old.layout().strile_height;
  CHECK(why_not_copied(old, options) == "its LZW is of the old kind");
}

TEST_CASE("sparse tiles stay sparse, and planes that are not chosen are left behind") {
  test::Recipe recipe;
  recipe.samples = 3;
  recipe.is_planar = true;
  recipe.tile_height = recipe.tile_width = 16;  // 3 x 3 tiles in each plane
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  recipe.left_out = {0, 5, 10, 26};
  const TemporaryFolder folder;
  const Bytes file = test::make_tiff(recipe);
  std::ofstream(folder / "in.tif", std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  WriteGeotiffOptions options = Way{CodecId::deflate, true, {}, 16, 16}.options();
  options.predictor = Predictor::none;
  options.pass_through = PassThrough::required;
  const auto source = std::make_shared<const TiffSource>(folder / "in.tif");
  write_geotiff(source, folder / "out.tif", options);
  const std::vector<Bytes> all = stored_tiles(folder / "in.tif");
  CHECK(stored_tiles(folder / "out.tif") == all);
  CHECK(all[5].empty());
  GeotiffWrite part(select_samples(source, {2, 0}), folder / "out.tif", options);
  part.run();
  std::vector<Bytes> right(all.begin() + 18, all.end());
  right.insert(right.end(), all.begin(), all.begin() + 9);
  CHECK(stored_tiles(folder / "out.tif") == right);
  GeotiffWrite one(select_samples(source, {1}), folder / "out.tif", options);
  one.run();
  CHECK(stored_tiles(folder / "out.tif") == std::vector<Bytes>(all.begin() + 9, all.begin() + 18));
}

/// The tiles of a file moved behind its end, in the order of `order`, each with `gap` bytes in front and `more` behind
/// that its byte count has too.
Bytes moved_tiles(Bytes file, const std::vector<std::size_t>& order, std::size_t gap, std::size_t more) {
  const auto entries = test::entries_of(file);
  const auto offsets = test::numbers(entries.at(324)), counts = test::numbers(entries.at(325));
  REQUIRE(entries.at(324).type == 4);
  const std::size_t count_bytes =
      entries.at(325).bytes.size() / entries.at(325).count;  // 2 where that is enough
  for (const std::size_t tile : order) {
    file.insert(file.end(), gap, std::byte{0xAB});
    const auto offset = static_cast<std::uint32_t>(file.size());
    const auto count = static_cast<std::uint32_t>(counts[tile] + more);
    const Bytes bytes(file.begin() + static_cast<std::ptrdiff_t>(offsets[tile]),
                      file.begin() + static_cast<std::ptrdiff_t>(offsets[tile] + counts[tile]));
    file.insert(file.end(), bytes.begin(), bytes.end());
    file.insert(file.end(), more, std::byte{0xCD});
    std::memcpy(file.data() + entries.at(324).at + tile * 4, &offset, 4);
    REQUIRE(count < 65536);
    std::memcpy(file.data() + entries.at(325).at + tile * count_bytes, &count, count_bytes);
  }
  return file;
}

TEST_CASE("tiles pass whatever lies between them and in whatever order, neighbours in one read") {
  test::Recipe recipe;
  recipe.height = recipe.width = 160;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  const Bytes file = test::make_tiff(recipe);
  std::vector<std::size_t> forward(100), backward(100);
  for (std::size_t i = 0; i < 100; ++i) forward[i] = backward[99 - i] = i;
  const auto tiles_of = [](const Bytes& of) {
    const auto files = std::make_shared<test::MemoryFiles>(of);
    const auto source = std::make_shared<const TiffSource>("memory.tif", TiffReadOptions{}, *files);
    const TileCopy copy(source, 1 << 20);
    REQUIRE(copy.tiles() == 100);
    files->reads = 0;
    Bytes bytes;
    for (std::uint64_t run = 0; run < copy.runs(); ++run) {
      const EncodedTiles tiles = copy(copy.run(run), {});
      CHECK(tiles.first_tile == copy.run(run).first_tile);
      CHECK(BufferPool::charge(tiles.bytes.capacity()) <= copy.run_bytes());
      bytes.insert(bytes.end(), tiles.bytes.span().begin(), tiles.bytes.span().end());
    }
    CHECK(bytes.size() == copy.all_bytes());
    return std::pair(bytes, files->reads.load());
  };
  const auto plain = tiles_of(file);
  CHECK(plain.second <= 8);  // one for the data of the one run, the others for pieces of the arrays
  const auto gaps = tiles_of(moved_tiles(file, forward, 8, 0));
  CHECK(gaps.first == plain.first);
  CHECK(gaps.second <= 8);
  const auto far = tiles_of(moved_tiles(file, forward, 5000, 0));
  CHECK(far.first == plain.first);
  CHECK(far.second > 100);
  const auto turned = tiles_of(moved_tiles(file, backward, 0, 0));
  CHECK(turned.first == plain.first);
}

TEST_CASE("a tile larger than any encoder of ours would make passes, and its bytes are planned for") {
  test::Recipe recipe;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  const Bytes file = moved_tiles(test::make_tiff(recipe), {4}, 0, 20000);
  const TemporaryFolder folder;
  std::ofstream(folder / "in.tif", std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  WriteGeotiffOptions options = Way{CodecId::deflate, false, {}, 16, 16}.options();
  options.predictor = Predictor::none;
  options.pass_through = PassThrough::required;
  const auto source = std::make_shared<const TiffSource>(folder / "in.tif");
  options.graph.memory = 1;
  options.graph.memory = smallest_named(
      reason_of([&] { GeotiffWrite(source, folder / "out.tif", options).run(); }, ErrorKind::usage));
  CHECK(options.graph.memory > 20000);
  const RunReport report = write_geotiff(source, folder / "out.tif", options);
  CHECK(report.peak_payload <= options.graph.memory);
  CHECK(stored_tiles(folder / "out.tif") == stored_tiles(folder / "in.tif"));
  CHECK(pixels_read_back(folder / "out.tif") == test::pixels_for(recipe));
}

TEST_CASE(
    "a tile whose place in the file is impossible fails the run and is named; the target is as it was") {
  test::Recipe recipe;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  Bytes file = test::make_tiff(recipe);
  const std::uint32_t beyond = 1 << 30;
  std::memcpy(file.data() + test::entries_of(file).at(324).at + 4 * 4, &beyond, 4);
  const auto files = std::make_shared<test::MemoryFiles>(file);
  const auto source = std::make_shared<const TiffSource>("memory.tif", TiffReadOptions{}, *files);
  const TemporaryFolder folder;
  std::ofstream(folder / "out.tif") << "mine";
  WriteGeotiffOptions options = Way{CodecId::deflate, false, {}, 16, 16}.options();
  options.predictor = Predictor::none;
  options.pass_through = PassThrough::required;
  const std::string reason =
      reason_of([&] { write_geotiff(source, folder / "out.tif", options); }, ErrorKind::failed);
  CHECK(contains(reason, "node fetch"));
  CHECK(contains(reason, "tile (row 1, col 1) of memory.tif"));
  CHECK(contains(reason, "beyond the end of the file"));
  CHECK(file_bytes(folder / "out.tif").size() == 4);
  CHECK(folder.names() == std::vector<std::string>{"out.tif"});
}

TEST_CASE("classic or BigTIFF follows from the bytes that the tiles have, not from their largest") {
  TiffOutputLayout layout = test::layout_of(1 << 20, 1 << 20);
  layout.tile_height = layout.tile_width = 4096;  // 65536 tiles
  layout.max_tile_bytes = 1 << 20;                // 64 GiB, if all were as large
  CHECK(TiffWriter::largest_file_bytes(layout) > std::uint64_t{1} << 36);
  layout.all_tile_bytes = 1 << 30;
  CHECK(TiffWriter::largest_file_bytes(layout) < std::uint64_t{1} << 32);
  layout.all_tile_bytes = std::uint64_t{1} << 32;
  CHECK(TiffWriter::largest_file_bytes(layout) > std::uint64_t{1} << 32);
}

TEST_CASE("a file can be copied over itself") {
  const Raster raster = made_raster(100, 90);
  const TemporaryFolder folder;
  const Way way{CodecId::zstd};
  write_geotiff(source_of(raster, 64, 64), folder / "a.tif", way.options());
  WriteGeotiffOptions options = way.options();
  options.pass_through = PassThrough::required;
  options.metadata = {{"TITLE", "new", {}, "", ""}};
  write_geotiff(std::make_shared<const TiffSource>(folder / "a.tif"), folder / "a.tif", options);
  CHECK(pixels_read_back(folder / "a.tif") == raster.pixels);
  CHECK(TiffSource(folder / "a.tif").info().metadata == options.metadata);
}

}  // namespace
}  // namespace weir::pipeline_test
