#include "nodes/raster/select_source.hpp"

#include <fmt/format.h>

#include "nodes/raster/source_view.hpp"
#include "nodes/raster/window_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "tests/dotted_mask_source.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/tiff_recipes.hpp"

// Samples chosen out of a raster, and of planes in a file.

namespace weir::pipeline_test {
namespace {

using Samples = std::vector<std::uint32_t>;

/// Chosen pixel by pixel.
Bytes chosen(const Raster& raster, const Samples& samples) {
  const std::size_t size = bytes_of(raster.info.type), pixel = raster.info.pixel_bytes();
  Bytes out;
  for (std::size_t at = 0; at < raster.pixels.size(); at += pixel)
    for (const std::uint32_t sample : samples) {
      const auto from = raster.pixels.begin() + static_cast<std::ptrdiff_t>(at + sample * size);
      out.insert(out.end(), from, from + static_cast<std::ptrdiff_t>(size));
    }
  return out;
}

Bytes read_all(const std::shared_ptr<const ChunkSource>& source, const ReadOptions& options,
               std::uint32_t samples, RunReport* report = nullptr) {
  const RasterInfo& info = source->info();
  Bytes pixels(info.height * info.width * samples * bytes_of(info.type), std::byte{0xEE});
  const RunReport done =
      read_region(source, {0, 0, info.height, info.width},
                  {pixels.data(), interleaved_strides(info.width, samples, bytes_of(info.type))}, options);
  if (report != nullptr) *report = done;
  return pixels;
}

const std::vector<Samples> choices{
    {0},       {4},       {0, 1, 2, 3, 4}, {2, 0, 1},    {0, 2, 4},
    {1, 2, 3}, {4, 3, 2}, {1, 1, 1},       {3, 0, 0, 4}, {0, 1, 2, 3, 4, 0, 1}};

TEST_CASE(
    "samples come in the order that is asked for, out of arrays, tiles, planes and strips, in any memory") {
  const Raster raster = made_raster(300, 200, SampleType::uint16, 5);
  const TemporaryFolder folder;
  std::vector<std::shared_ptr<const ChunkSource>> sources{source_of(raster, 64, 50)};
  for (const std::string layout : {"tiled", "planar", "striped"}) {
    WriteGeotiffOptions options;
    options.planar_separate = layout == "planar";
    options.tile_height = options.tile_width = 64;
    if (layout == "striped") options.strip_rows = 30;
    write_geotiff(sources.front(), folder / (layout + ".tif"), options);
    sources.push_back(std::make_shared<const TiffSource>(folder / (layout + ".tif")));
  }
  for (const auto& source : sources)
    for (const Samples& samples : choices) {
      CAPTURE(fmt::format("{}", fmt::join(samples, ",")));
      const Bytes right = chosen(raster, samples);
      ReadOptions options;
      options.samples = samples;
      const auto count = static_cast<std::uint32_t>(samples.size());
      CHECK(read_all(source, options, count) == right);
      // The smallest budget that works is kept: what is declared is what is drawn.
      options.graph = {.memory = 1, .threads = 1, .engine = Engine::serial};
      options.graph.memory =
          smallest_named(reason_of([&] { read_all(source, options, count); }, ErrorKind::usage));
      RunReport report;
      CHECK(read_all(source, options, count, &report) == right);
      CHECK(report.peak_payload <= options.graph.memory);
      // As a raster of its own, streamed to a file, in a budget that has no room to spare.
      const auto part = select_samples(source, samples);
      WriteGeotiffOptions write;
      write.overwrite = true;
      write.tile_height = write.tile_width = 64;
      write.graph = {.threads = 2, .engine = Engine::onetbb};
      write.graph.memory = smallest_budget(part, write);
      const RunReport wrote = write_geotiff(part, folder / "part.tif", write);
      CHECK(wrote.peak_payload <= write.graph.memory);
      CHECK(pixels_read_back(folder / "part.tif") == right);
    }
}

TEST_CASE("samples at even steps upwards are a view, others a copy; masks come along") {
  const Raster raster = made_raster(40, 30, SampleType::uint16, 5);
  const auto whole = std::make_shared<const DottedMaskSource>(source_of(raster, 16, 16));
  for (const Samples& samples : choices) {
    CAPTURE(fmt::format("{}", fmt::join(samples, ",")));
    const SelectSource part(whole, samples);
    const Block block = part.decode({1, 1}, {}, nullptr, {});
    const bool is_view = block.data.size() == 16 * 14 * (5 * 2 + 1);
    const bool is_even = samples.size() == 1 || samples == Samples{0, 1, 2, 3, 4} ||
                         samples == Samples{0, 2, 4} || samples == Samples{1, 2, 3};
    CHECK(is_view == is_even);
    if (!is_view) CHECK(block.data.size() == 16 * 14 * (samples.size() * 2 + 1));
    CHECK(block.window == Window{16, 16, 16, 14});
    std::size_t wrong = 0;
    for (std::uint64_t row = 0; row < 16; ++row)
      for (std::uint64_t col = 0; col < 14; ++col) {
        REQUIRE(block.has_mask());
        wrong += *block.mask_at(row, col) != DottedMaskSource::mask(16 + row, 16 + col);
        for (std::uint32_t i = 0; i < samples.size(); ++i)
          wrong +=
              std::memcmp(block.at(row, col, i),
                          raster.pixels.data() + (((16 + row) * 30 + 16 + col) * 5 + samples[i]) * 2, 2) != 0;
      }
    CHECK(wrong == 0);
  }
}

TEST_CASE("of a planar file only the planes that are asked for are fetched and decoded") {
  test::Recipe recipe;
  recipe.samples = 4;
  recipe.height = 64;
  recipe.width = 48;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.is_planar = true;
  Bytes pixels = test::pixels_for(recipe);
  const auto files = std::make_shared<test::MemoryFiles>(test::make_tiff(recipe, pixels));
  const auto whole = std::make_shared<const TiffSource>("memory.tif", TiffReadOptions{}, *files);
  const auto read_bytes = [&](const std::shared_ptr<const ChunkSource>& source) {
    files->bytes_read = 0;
    ReadOptions options;
    Bytes target(64 * 48 * 4);
    read_region(source, {0, 0, 64, 48}, {target.data(), interleaved_strides(48, source->info().samples, 1)},
                options);
    return files->bytes_read.load();
  };
  const std::int64_t plane = 64 * 48, tables = 4096;  // pieces of the offset arrays are read, too
  CHECK(read_bytes(whole) >= 4 * plane);
  CHECK(read_bytes(select_samples(whole, {2})) < plane + tables);
  CHECK(read_bytes(select_samples(whole, {3, 1})) < 2 * plane + tables);
  CHECK(select_samples(whole, {2})->fetch_bytes() < whole->fetch_bytes());
  // Through a window, and of what is selected already.
  const auto window = std::make_shared<const WindowSource>(whole, Window{0, 0, 32, 48});
  const auto twice = select_samples(select_samples(window, {3, 1, 0}), {2, 0});  // planes 0 and 3
  files->bytes_read = 0;
  Bytes target(32 * 48 * 2);
  read_region(twice, {0, 0, 32, 48}, {target.data(), interleaved_strides(48, 2, 1)});
  CHECK(files->bytes_read < plane + tables);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < 32 * 48; ++i)
    wrong += target[i * 2] != pixels[i * 4] || target[i * 2 + 1] != pixels[i * 4 + 3];
  CHECK(wrong == 0);
}

TEST_CASE("an error of a chosen plane names the plane of the file") {
  test::Recipe recipe;
  recipe.samples = 3;
  recipe.is_planar = true;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  Bytes file = test::make_tiff(recipe);
  const auto offsets = test::entries_of(file).at(324);
  REQUIRE(offsets.type == 4);
  const std::uint32_t beyond = 1 << 30;  // the first tile of plane 2, of 3 x 3 tiles
  std::memcpy(file.data() + offsets.at + 18 * 4, &beyond, 4);
  test::MemoryFiles files(file);
  const auto source = std::make_shared<const TiffSource>("memory.tif", TiffReadOptions{}, files);
  ReadOptions options;
  options.samples = {2};
  CHECK(contains(reason_of([&] { read_all(source, options, 1); }, ErrorKind::failed), "plane 2"));
  options.samples = {1};
  CHECK_NOTHROW(read_all(source, options, 1));
}

TEST_CASE("what a raster of chosen samples says of itself follows the samples") {
  RasterInfo info;
  info.height = info.width = 10;
  info.samples = 5;
  info.photometric = 2;
  info.extra_samples = {2, 0};
  info.nodata = "7";
  info.metadata = {{"AREA", "here", {}, "", ""},
                   {"DESCRIPTION", "red", 0, "description", ""},
                   {"DESCRIPTION", "alpha", 3, "description", ""},
                   {"SCALE", "0.5", 4, "scale", ""}};
  info.tags = {test::tag_of<std::uint16_t>(281, TiffType::short16, {1, 2, 3, 4, 5}),
               test::tag_of<std::uint16_t>(320, TiffType::short16, {1, 2, 3}),
               test::tag_of<std::uint16_t>(65000, TiffType::short16, {1, 2, 3, 4, 5})};

  const RasterInfo colors = info_of_samples(info, Samples{0, 1, 2, 4, 3});
  CHECK(colors.samples == 5);
  CHECK(colors.photometric == 2);
  CHECK(colors.extra_samples == std::vector<std::uint16_t>{0, 2});
  CHECK(colors.nodata == "7");
  REQUIRE(colors.metadata.size() == 4);
  CHECK(colors.metadata[0] == info.metadata[0]);
  CHECK(colors.metadata[2] == MetadataItem{"DESCRIPTION", "alpha", 4, "description", ""});
  CHECK(colors.metadata[3] == MetadataItem{"SCALE", "0.5", 3, "scale", ""});
  REQUIRE(colors.tags.size() == 3);
  CHECK(colors.tags[0].bytes == test::tag_of<std::uint16_t>(281, TiffType::short16, {1, 2, 3, 5, 4}).bytes);
  CHECK(colors.tags[2].count == 5);

  const RasterInfo grey = info_of_samples(info, Samples{2, 3, 2});
  CHECK(grey.photometric == 1);
  CHECK(grey.extra_samples == std::vector<std::uint16_t>{2, 0});
  CHECK(grey.tags.size() == 2);  // no colour table
  CHECK(grey.tags[0].count == 3);

  info.photometric = 3;
  CHECK(info_of_samples(info, Samples{0}).photometric == 3);
  CHECK(info_of_samples(info, Samples{0}).tags.size() == 3);
  CHECK(info_of_samples(info, Samples{1, 0}).photometric == 1);
  info.photometric = 0;
  CHECK(info_of_samples(info, Samples{0, 3}).photometric == 0);
  CHECK(info_of_samples(info, Samples{0, 3}).extra_samples == std::vector<std::uint16_t>{2});
}

/// The items of samples that say what colour they are: "0 Blue".
std::vector<std::string> colors_said(const RasterInfo& info) {
  std::vector<std::string> said;
  for (const MetadataItem& item : info.metadata)
    if (item.role == "colorinterp" && item.name == "COLORINTERP")
      said.push_back(fmt::format("{} {}", item.sample.value(), item.text));
  return said;
}

TEST_CASE("colours and alpha in another order are said in items, and back in order by TIFF alone") {
  using Said = std::vector<std::string>;
  using Extra = std::vector<std::uint16_t>;
  RasterInfo info;
  info.height = info.width = 10;
  info.samples = 4;
  info.photometric = 2;
  info.extra_samples = {1};  // premultiplied alpha
  struct Case {
    Samples samples;
    std::uint16_t photometric;
    Extra extra;
    Said said;
  };
  for (const Case& each : {Case{{0, 1, 2}, 2, {}, {}},
                           {{0, 1, 2, 3, 3}, 2, {1, 1}, {}},
                           {{0, 1, 2, 2}, 2, {0}, {"3 Blue"}},
                           {{2, 1, 0}, 1, {0, 0}, {"0 Blue", "1 Green", "2 Red"}},
                           {{2, 1, 0, 3}, 1, {0, 0, 1}, {"0 Blue", "1 Green", "2 Red"}},
                           {{3, 0, 1, 2}, 1, {0, 0, 0}, {"0 Alpha", "1 Red", "2 Green", "3 Blue"}},
                           {{3}, 1, {}, {"0 Alpha"}},
                           {{1, 3}, 1, {1}, {"0 Green"}}}) {
    CAPTURE(fmt::format("{}", fmt::join(each.samples, ",")));
    const RasterInfo part = info_of_samples(info, each.samples);
    CHECK(part.photometric == each.photometric);
    CHECK(part.extra_samples == each.extra);
    CHECK(colors_said(part) == each.said);
  }
  const RasterInfo turned = info_of_samples(info, Samples{2, 1, 0, 3});
  const RasterInfo back = info_of_samples(turned, Samples{2, 1, 0, 3});
  CHECK(back.photometric == 2);
  CHECK(back.extra_samples == Extra{1});
  CHECK(back.metadata.empty());
  // GDAL itself says RGB of BGR, and that it is not, in items; those count.
  info.metadata = {{"COLORINTERP", "Blue", 0, "colorinterp", ""},
                   {"COLORINTERP", "Red", 2, "colorinterp", ""}};
  CHECK(info_of_samples(info, Samples{0, 1, 2}).photometric == 1);
  CHECK(info_of_samples(info, Samples{2, 1, 0}).photometric == 2);
  CHECK(colors_said(info_of_samples(info, Samples{2, 1, 0})).empty());
}

TEST_CASE("greys, palettes and inks: what needs no word gets none") {
  using Said = std::vector<std::string>;
  RasterInfo info;
  info.height = info.width = 10;
  info.samples = 5;
  info.extra_samples = {0, 2, 0, 0};
  CHECK(info_of_samples(info, Samples{4, 0, 2, 0}).metadata.empty());
  CHECK(info_of_samples(info, Samples{4, 0, 2, 0}).extra_samples == std::vector<std::uint16_t>{0, 2, 0});
  CHECK(colors_said(info_of_samples(info, Samples{2, 0})) == Said{"0 Alpha"});
  info.metadata = {{"COLORINTERP", "Gray", 0, "colorinterp", ""},
                   {"COLORINTERP", "NIR", 4, "colorinterp", ""}};
  CHECK(colors_said(info_of_samples(info, Samples{0, 4})) == Said{"1 NIR"});
  info.metadata[1].sample = 5;  // of no sample
  CHECK(info_of_samples(info, Samples{0, 4}).metadata.empty());
  info.metadata = {};
  info.photometric = 3;
  CHECK(info_of_samples(info, Samples{1, 0}).metadata.empty());
  info.photometric = 5;
  info.extra_samples = {2};
  CHECK(info_of_samples(info, Samples{0, 1, 2, 3}).photometric == 5);
  CHECK(info_of_samples(info, Samples{0, 1, 2, 3, 4}).metadata.empty());
  const RasterInfo inks = info_of_samples(info, Samples{3, 1, 4});
  CHECK(inks.photometric == 1);
  CHECK(colors_said(inks) == Said{"0 Black", "1 Magenta"});
  CHECK(inks.extra_samples == std::vector<std::uint16_t>{0, 2});
  // The list that a tag carries as it is cannot get items.
  info.tags = {test::tag_of<std::uint8_t>(42112, TiffType::byte, {1})};
  CHECK(info_of_samples(info, Samples{3, 1, 4}).metadata.empty());
}

TEST_CASE("samples are written from 1, and what the raster has not is refused") {
  CHECK(parse_samples("3,1,2") == Samples{2, 0, 1});
  CHECK(parse_samples("7") == Samples{6});
  CHECK(parse_samples("1,1") == Samples{0, 0});
  for (const char* text : {"", ",", "0", "1,", ",1", "1,,2", "-1", "1;2", "1 ", "x", "4294967296"})
    CHECK_MESSAGE(contains(reason_of([&] { parse_samples(text); }, ErrorKind::usage), "with commas between"),
                  text);
  const Raster raster = made_raster(10, 10, SampleType::uint8, 3);
  const auto source = source_of(raster, 16, 16);
  CHECK(contains(reason_of(
                     [&] {
                       select_samples(source, {0, 3});
                     },
                     ErrorKind::usage),
                 "sample 4, counted from 1: the raster has 3 per pixel"));
  CHECK(contains(reason_of([&] { select_samples(source, {}); }, ErrorKind::usage), "none are asked for"));
  CHECK(contains(reason_of([&] { select_samples(source, Samples(65536)); }, ErrorKind::usage), "65535"));
  CHECK(select_samples(source, {0, 1, 2}) == source);  // nothing to do
}

}  // namespace
}  // namespace weir::pipeline_test
