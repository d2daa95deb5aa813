#include "nodes/tiff/open_tiff.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "nodes/raster/array_source.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/tiff/masked_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "tests/made_images.hpp"
#include "tests/tiff_recipes.hpp"

// Images with their masks, and overviews, as they come out of a file.

namespace weir {

using namespace test;

namespace {

struct Read {
  Bytes pixels, mask;
};

Read read(const std::shared_ptr<const ChunkSource>& source, const Window& window,
          const ReadOptions& options = {}) {
  const RasterInfo& info = source->info();
  Read read{Bytes(window.height * window.width * info.pixel_bytes(), std::byte{0xee}),
            Bytes(window.height * window.width, std::byte{0xee})};
  read_region(source, window,
              {read.pixels.data(), interleaved_strides(window.width, info.samples, bytes_of(info.type)),
               read.mask.data(), window.width},
              options);
  return read;
}
Read read(const std::shared_ptr<const ChunkSource>& source) {
  return read(source, {0, 0, source->info().height, source->info().width});
}

Bytes cut(const Bytes& whole, std::uint64_t width, std::uint64_t bytes, const Window& window) {
  Bytes part;
  for (std::uint64_t row = window.row; row < window.row_end(); ++row) {
    const auto from = whole.begin() + static_cast<std::ptrdiff_t>((row * width + window.col) * bytes);
    part.insert(part.end(), from, from + static_cast<std::ptrdiff_t>(window.width * bytes));
  }
  return part;
}

const Picture full{60, 81, 0, 3}, full_mask{60, 81, 4}, half{30, 41, 1, 3, 9}, half_mask{30, 41, 5, 1, 2},
    quarter{15, 20, 1, 3, 5};

TiffOpenOptions overview(unsigned number, unsigned directory = 0) {
  TiffOpenOptions options;
  options.overview = number;
  options.directory = directory;
  return options;
}

std::string usage_of(const std::function<void()>& function) {
  return reason_of(function, ErrorKind::usage);
}

}  // namespace

TEST_CASE("an image is read with its mask, and so are its overviews") {
  for (const char* mode : {"wl", "wb8"}) {
    MemoryFiles files(make_images({full, full_mask, quarter, half, half_mask}, mode));
    const auto whole = open_tiff("a.tif", {}, files);
    CHECK(whole->info().has_mask);
    CHECK(read(whole).pixels == pixels_of(full));
    CHECK(read(whole).mask == mask_of(full_mask));
    const auto first = open_tiff("a.tif", overview(1), files);
    CHECK(read(first).pixels == pixels_of(half));
    CHECK(read(first).mask == mask_of(half_mask));
    const auto second = open_tiff("a.tif", overview(2), files);
    CHECK(!second->info().has_mask);
    CHECK(read(second).pixels == pixels_of(quarter));
    CHECK(read(second).mask == Bytes(15 * 20, std::byte{255}));  // all valid
    // A directory by its number is what it is, with its mask; the mask itself has no other.
    CHECK(read(open_tiff("a.tif", overview(0, 3), files)).mask == mask_of(half_mask));
    CHECK(read(open_tiff("a.tif", overview(0, 1), files)).pixels == pixels_of(full_mask));
    TiffOpenOptions bare;
    bare.with_mask = false;
    CHECK(!open_tiff("a.tif", bare, files)->info().has_mask);
    CHECK(read(open_tiff("a.tif", bare, files)).pixels == pixels_of(full));
  }
}

TEST_CASE("an overview that is not there is refused, and how many there are is said") {
  MemoryFiles files(make_images({full, half, {50, 50}}));
  CHECK(usage_of([&] { open_tiff("a.tif", overview(2), files); }) ==
        "cannot read overview 2 of a.tif: the image has 1 overview");
  CHECK(usage_of([&] { open_tiff("a.tif", overview(1, 2), files); }) ==
        "cannot read overview 1 of a.tif: the image has 0 overviews");
  CHECK(usage_of([&] { open_tiff("a.tif", overview(1, 1), files); }) ==
        "cannot read overview 1 of a.tif: its directory 1 is an overview itself");
  CHECK_THROWS_WITH_AS(open_tiff("a.tif", overview(1, 3), files), "cannot read a.tif: it has no directory 3",
                       Error);
}

TEST_CASE("an overview has the place, nodata, colours and metadata of its image") {
  Picture image{60, 80};
  image.more_tags = [](TIFF* tiff) {
    static const TIFFFieldInfo fields[] = {
        {33550, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("scale")},
        {33922, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("tiepoints")},
        {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("nodata")},
        {50844, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("RPCs")}};
    TIFFMergeFieldInfo(tiff, fields, 4);
    const double scale[] = {10, 20, 0}, tiepoint[] = {0, 0, 0, 500000, 4000000, 0};
    TIFFSetField(tiff, 33550, 3, scale);
    TIFFSetField(tiff, 33922, 6, tiepoint);
    TIFFSetField(tiff, 42113, "7");
    static const std::vector<double> rpcs(92, 29.5);
    TIFFSetField(tiff, 50844, 92, rpcs.data());
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_PALETTE);
    static const std::vector<std::uint16_t> colours(256, 77);
    TIFFSetField(tiff, TIFFTAG_COLORMAP, colours.data(), colours.data(), colours.data());
    TIFFSetField(tiff, TIFFTAG_SOFTWARE, "someone");
  };
  const Picture third{20, 27, 1};
  MemoryFiles files(make_images({image, third}));
  const RasterInfo whole = open_tiff("a.tif", {}, files)->info();
  const RasterInfo small = open_tiff("a.tif", overview(1), files)->info();
  CHECK(small.height == 20);
  CHECK(small.width == 27);
  CHECK(small.nodata == "7");
  REQUIRE(geo_transform_of(small.georeferencing));
  const GeoTransform transform = *geo_transform_of(small.georeferencing);
  CHECK(transform.x_origin == 500000);
  CHECK(transform.y_origin == 4000000);
  CHECK(transform.x_per_col == 10.0 * (80.0 / 27));
  CHECK(transform.y_per_row == -20.0 * 60 / 20);
  REQUIRE(small.tags.size() == whole.tags.size());
  CHECK(std::ranges::any_of(small.tags, [](const RawTag& tag) { return tag.id == 320; }));
  CHECK(std::ranges::any_of(small.tags, [](const RawTag& tag) { return tag.id == 305; }));
  const auto rpcs = std::ranges::find(small.tags, 50844, &RawTag::id);
  REQUIRE(rpcs != small.tags.end());
  double line_off = 0;  // 29.5 from the first of 60 lines' centre is 30 from the edge, and 10 in 20 lines
  std::memcpy(&line_off, &rpcs->bytes[2 * sizeof line_off], sizeof line_off);
  CHECK(line_off == doctest::Approx(9.5));
}

TEST_CASE("overviews and masks in files beside the image are read") {
  TemporaryFolder folder;
  const std::string path = folder / "a.tif";
  write_file(path, make_images({full}));
  write_file(path + ".ovr", make_images({half, half_mask, quarter}));
  Picture mask{60, 81, 0, 1, 11};
  mask.more_tags = [](TIFF* tiff) {
    static const TIFFFieldInfo info = {42112,        -1, -1, TIFF_ASCII,
                                       FIELD_CUSTOM, 1,  0,  const_cast<char*>("GDALMetadata")};
    TIFFMergeFieldInfo(tiff, &info, 1);
    TIFFSetField(tiff, 42112, "<GDALMetadata><Item name=\"INTERNAL_MASK_FLAGS_1\">2</Item></GDALMetadata>");
  };
  write_file(path + ".msk", make_images({mask}));
  CHECK(read(open_tiff(path)).pixels == pixels_of(full));
  CHECK(read(open_tiff(path)).mask == mask_of(mask));  // its numbers are from 0 to 255
  CHECK(read(open_tiff(path, overview(1))).pixels == pixels_of(half));
  CHECK(read(open_tiff(path, overview(1))).mask == mask_of(half_mask));
  CHECK(read(open_tiff(path, overview(2))).pixels == pixels_of(quarter));
  write_file(path + ".ovr", Bytes(20));  // a broken one is in nobody's way
  CHECK_THROWS_WITH_AS(open_tiff(path, overview(1)), doctest::Contains("a.tif.ovr: it is not a TIFF"), Error);
  Bytes seen(60 * 81, std::byte{0xee}), pixels(60 * 81 * 3);
  read_geotiff(path, {0, 0, 60, 81}, {pixels.data(), interleaved_strides(81, 3, 1), seen.data(), 81});
  CHECK(seen == mask_of(mask));
}

TEST_CASE("a mask of another size or type is refused, naming both") {
  const auto refusal_of = [](const std::shared_ptr<const ChunkSource>& mask) {
    MemoryFiles files(make_images({full}));
    const auto file = in_memory(files);
    TiffImage image = read_tiff_image(*file, 0);
    image.info.has_mask = true;
    try {
      const MaskedSource masked(std::make_unique<TiffSource>(file, std::move(image)), mask);
      return std::string();
    } catch (const Error& error) {
      return std::string(error.what());
    }
  };
  const Bytes pixels(10000);
  RasterInfo info;
  info.height = 60;
  info.width = 81;
  const auto array = [&] {
    return std::make_shared<const ArraySource>(interleaved_view(pixels.data(), info), 16, 16);
  };
  CHECK(refusal_of(array()).empty());
  info.samples = 2;
  CHECK(contains(refusal_of(array()), "the mask of a.tif: it has 2 uint8 samples per pixel"));
  info.samples = 1;
  info.type = SampleType::uint16;
  CHECK(contains(refusal_of(array()), "it has 1 uint16 samples per pixel"));
  info.type = SampleType::uint8;
  info.height = 61;
  CHECK(contains(refusal_of(array()), "it is 81 x 61 pixels, and the image is 81 x 60"));
}

TEST_CASE("chunks of image and mask that do not match, windows and small budgets give the same pixels") {
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_ZSTD})
    for (const bool is_planar : {false, true})
      for (const std::uint32_t tile : {0u, 16u})
        for (const std::uint64_t mask_chunk : {10u, 16u, 100u}) {
          Recipe recipe;
          recipe.height = 60;
          recipe.width = 81;
          recipe.type = SampleType::uint16;
          recipe.samples = 2;
          recipe.mode = "wb";
          recipe.compression = compression;
          recipe.is_planar = is_planar;
          recipe.tile_height = recipe.tile_width = tile;
          CAPTURE(compression);
          CAPTURE(is_planar);
          CAPTURE(tile);
          CAPTURE(mask_chunk);
          MemoryFiles files(make_tiff(recipe));
          MemoryFiles mask_files(make_images({full_mask}));
          const auto file = in_memory(files);
          TiffImage image = read_tiff_image(*file, 0);
          image.info.has_mask = true;
          const auto source = std::make_shared<const MaskedSource>(
              std::make_unique<TiffSource>(file, std::move(image),
                                           TiffReadOptions{.chunk_height = 16, .chunk_width = 32}),
              std::make_shared<const TiffSource>(
                  in_memory(mask_files),
                  TiffReadOptions{.chunk_height = mask_chunk, .chunk_width = mask_chunk}));
          for (const Window& window :
               {Window{0, 0, 60, 81}, Window{15, 31, 3, 3}, Window{7, 5, 40, 60}, Window{59, 80, 1, 1}}) {
            const Bytes pixels = cut(pixels_for(recipe), 81, 4, window);
            const Bytes mask = cut(mask_of(full_mask), 81, 1, window);
            for (const auto& [engine, threads] :
                 {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 4U)}) {
              ReadOptions options;
              options.graph = {.memory = 1, .threads = threads, .engine = engine};
              const std::string refusal = usage_of([&] { read(source, window, options); });
              const std::string words = "the smallest that works is ";
              REQUIRE(contains(refusal, words));
              options.graph.memory = std::stoull(refusal.substr(refusal.find(words) + words.size()));
              const Read seen = read(source, window, options);
              CHECK(seen.pixels == pixels);
              CHECK(seen.mask == mask);
              const auto part = std::make_shared<const WindowSource>(source, window);
              CHECK(read(part).pixels == pixels);
              CHECK(read(part).mask == mask);
            }
          }
        }
}

TEST_CASE("a mask with the chunks of its image is read once; others as often as is said") {
  MemoryFiles files(make_images({full, full_mask}));
  TiffOpenOptions options;
  options.chunk_height = options.chunk_width = 32;
  const auto matching = std::dynamic_pointer_cast<const MaskedSource>(open_tiff("a.tif", options, files));
  REQUIRE(matching);
  CHECK(matching->mask().grid().count() == 6);
  CHECK(matching->mask_reads() == 6);

  const auto file = in_memory(files);
  TiffImage image = read_tiff_image(*file, 0);
  image.info.has_mask = true;
  const MaskedSource other(
      std::make_unique<TiffSource>(file, std::move(image),
                                   TiffReadOptions{.chunk_height = 16, .chunk_width = 16}),
      std::make_shared<const TiffSource>(
          file, TiffReadOptions{.chunk_height = 32, .chunk_width = 96, .directory = 1}));
  CHECK(other.grid().count() == 24);
  CHECK(other.mask_reads() == 24);  // 2 chunks, each for the 12 that touch it
}

TEST_CASE("an array can have a mask, whole and in windows") {
  Bytes pixels(20 * 30), mask(20 * 40);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % 3 == 0 ? std::byte{0} : std::byte{255};
  RasterInfo info;
  info.height = 20;
  info.width = 30;
  ArrayView view = interleaved_view(pixels.data(), info);
  view.mask = mask.data();
  view.mask_row_stride = 40;
  const auto source = std::make_shared<const ArraySource>(view, 7, 11);
  CHECK(source->info().has_mask);
  CHECK(read(source).mask == cut(mask, 40, 1, {0, 0, 20, 30}));
  CHECK(read(source, {3, 5, 10, 20}).mask == cut(mask, 40, 1, {3, 5, 10, 20}));
}

TEST_CASE("limits of what is fetched are kept over image, overviews and mask") {
  MemoryFiles files(make_images({full, full_mask}));
  TiffOpenOptions options;
  const auto refusal_at = [&](std::uint64_t most) -> std::string {
    options.max_fetched_bytes = most;
    try {
      read(open_tiff("a.tif", options, files));
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  CHECK(contains(refusal_at(0), "more than the limit for what is fetched, 0 bytes"));
  std::uint64_t enough = 1;
  while (!refusal_at(enough).empty()) enough *= 2;
  CHECK(enough < 65536);
  CHECK(contains(refusal_at(enough / 2), "a.tif: "));
}

}  // namespace weir
