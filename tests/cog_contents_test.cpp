// What a COG keeps beside its pixels, and what codecs that change values make of its levels.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nodes/raster/geo_transform.hpp"
#include "tests/beside_tiles_support.hpp"
#include "tests/cog_support.hpp"

namespace weir::pipeline_test {
namespace {

WriteCogOptions tiles_of(std::uint64_t side) {
  WriteCogOptions options;
  options.tile_height = options.tile_width = side;
  options.graph = {.memory = 64 * mebibyte, .threads = 2};
  options.overwrite = true;
  return options;
}

RasterInfo info_of(const std::string& path, unsigned directory) {
  return read_tiff_image(InputFile(path), directory, {}, true).info;
}

/// RGB with slopes, edges and noise.
Raster picture(std::uint64_t height, std::uint64_t width, std::uint32_t samples) {
  Raster raster = made_raster(height, width, SampleType::uint8, samples);
  if (samples >= 3) raster.info.photometric = 2;
  if (samples == 4) raster.info.extra_samples = {2};
  for (std::uint64_t i = 0; i < raster.pixels.size(); ++i)
    raster.pixels[i] = static_cast<std::byte>(
        120 + 60 * std::sin(static_cast<double>(i / samples % width) / 17) +
        40 * std::cos(static_cast<double>(i / samples / width) / 11) + static_cast<double>(i % samples * 5));
  return raster;
}

TEST_CASE(
    "codecs that change values change each level of a COG once: it is the level's own raster, encoded") {
  struct Codec {
    CodecSpec spec;
    std::uint32_t samples;
    SampleType type;
    double most;  ///< that a sample may change by
  };
  std::vector<Codec> codecs;
  const auto add = [&](CodecId id, std::uint32_t samples, SampleType type, double most) -> CodecSpec& {
    codecs.push_back({{}, samples, type, most});
    codecs.back().spec.id = id;
    return codecs.back().spec;
  };
  for (const std::uint32_t samples : {1u, 3u})
    add(CodecId::jpeg, samples, SampleType::uint8, 24).quality = 90;
  add(CodecId::webp, 3, SampleType::uint8, 40).quality = 90;
  add(CodecId::webp, 4, SampleType::uint8, 0).lossless = true;
  for (const SampleType type : {SampleType::int16, SampleType::float32}) {
    add(CodecId::lerc, 1, type, 3).max_error = 3;
    add(CodecId::lerc, 2, type, 0).max_error = 0;
  }
  add(CodecId::lzma, 1, SampleType::uint16, 0);
  add(CodecId::packbits, 3, SampleType::uint8, 0);
  const TemporaryFolder folder;
  for (const Codec& codec : codecs) {
    CAPTURE(name_of(codec.spec));
    CAPTURE(codec.samples);
    CAPTURE(name_of(codec.type));
    const Raster raster = codec.type == SampleType::uint8 ? picture(150, 210, codec.samples)
                                                          : made_raster(150, 210, codec.type, codec.samples);
    WriteCogOptions options = tiles_of(64);
    options.codec = codec.spec;
    if (!missing_reason(codec.spec.id).empty()) continue;  // an optional library
    write_cog(source_of(raster, 70, 90), folder / "a.tif", options);
    const std::vector<Raster> levels =
        reference_levels(raster, Resampling::average, halvings(150, 210, options));
    REQUIRE(levels.size() == 3);
    bool has_changed = false;
    for (unsigned level = 0; level < levels.size(); ++level) {
      CAPTURE(level);
      const Bytes stored = pixels_of(folder / "a.tif", level);
      WriteCogOptions alone = options;
      alone.overviews.emplace();
      write_cog(source_of(levels[level], 64, 64), folder / "b.tif", alone);
      CHECK(stored == pixels_of(folder / "b.tif", 0));
      double most = 0;
      with_sample_type(codec.type, [&](auto zero) {
        for (std::size_t i = 0; i < stored.size(); i += sizeof zero) {
          auto is = zero, was = zero;
          std::memcpy(&is, &stored[i], sizeof is);
          std::memcpy(&was, &levels[level].pixels[i], sizeof was);
          most = std::max(most, std::abs(static_cast<double>(is) - static_cast<double>(was)));
        }
      });
      CHECK(most <= codec.most);
      has_changed = has_changed || most > 0;
    }
    CHECK(has_changed == (codec.most > 0));
    CHECK(problem_of(folder / "a.tif", 3) == "");
  }
}

TEST_CASE(
    "tiles without data are left out of every level of a COG that is to be sparse, and so are their masks") {
  Raster raster = made_raster(300, 260, SampleType::uint16);
  raster.info.nodata = "0";
  std::uint16_t* values = reinterpret_cast<std::uint16_t*>(raster.pixels.data());
  for (std::uint64_t i = 0; i < std::uint64_t{300} * 260; ++i)
    if (i / 260 < 130 || i % 260 > 140) values[i] = 0;
  const TemporaryFolder folder;
  WriteCogOptions options = tiles_of(32);
  write_cog(source_of(raster, 100, 70), folder / "full.tif", options);
  options.sparse = true;
  for (const CogPacking packing : {CogPacking::automatic, CogPacking::copy}) {
    options.packing = packing;
    write_cog(source_of(raster, 100, 70), folder / "sparse.tif", options);
    for (unsigned level = 0; level < 5; ++level) {
      CAPTURE(level);
      CHECK(pixels_of(folder / "sparse.tif", level) == pixels_of(folder / "full.tif", level));
      const InputFile file(folder / "sparse.tif");
      const TiffLayout layout = read_tiff_image(file, level).layout;
      StrileWindow offsets(file, layout.offsets), counts(file, *layout.byte_counts);
      std::uint64_t empty = 0;
      for (std::uint64_t tile = 0; tile < layout.offsets.count; ++tile) {
        CHECK((offsets.at(tile) == 0) == (counts.at(tile) == 0));
        empty += counts.at(tile) == 0 ? 1u : 0u;
      }
      // Of 10 x 9, 5 x 5, 3 x 3 and 2 x 2 tiles those above row 130 and right of column 140; the last is one.
      CHECK(empty == std::vector<std::uint64_t>{4 * 9 + 6 * 4, 2 * 5 + 3 * 2, 3 + 2, 2, 0}[level]);
    }
    CHECK(problem_of(folder / "sparse.tif", 5) == "");
  }

  // Nothing but nodata: no level has a byte of pixels.
  std::ranges::fill(raster.pixels, std::byte{0});
  write_cog(source_of(raster, 100, 70), folder / "none.tif", options);
  for (unsigned level = 0; level < 5; ++level)
    CHECK(std::ranges::all_of(pixels_of(folder / "none.tif", level),
                              [](std::byte b) { return b == std::byte{0}; }));

  // Masks are tiles of their own.
  const Bytes mask(300 * 260);
  const auto masked =
      std::make_shared<const MaskedSource>(raster, mask, ChunkGrid{Partition(300, 100), Partition(260, 70)});
  write_cog(masked, folder / "masked.tif", options);
  for (unsigned directory = 1; directory < 10; directory += 2) {
    const Bytes bits = pixels_of(folder / "masked.tif", directory);
    CHECK(std::ranges::all_of(bits, [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST_CASE("statistics of a COG are those of the plain file, of the full raster alone, whatever the budget") {
  Raster raster = made_raster(200, 170, SampleType::int16, 2);
  raster.info.nodata = "300";
  const Bytes mask = made_mask(raster.info);
  const auto source =
      std::make_shared<const MaskedSource>(raster, mask, ChunkGrid{Partition(200, 60), Partition(170, 50)});
  const TemporaryFolder folder;
  WriteCogOptions options = tiles_of(48);
  options.statistics = true;
  WriteGeotiffOptions plain;
  static_cast<GeotiffOptions&>(plain) = options;
  write_geotiff(source, folder / "plain.tif", plain);
  write_cog(source, folder / "cog.tif", options);
  const std::vector<MetadataItem> right = info_of(folder / "plain.tif", 0).metadata;
  CHECK(right.size() == 10);
  CHECK(info_of(folder / "cog.tif", 0).metadata == right);
  for (unsigned directory = 1; directory < 8; ++directory)
    CHECK(info_of(folder / "cog.tif", directory).metadata.empty());
  const Bytes first = file_bytes(folder / "cog.tif");
  options.graph = {.threads = 7};
  options.graph.memory = smallest_budget(source, options);
  write_cog(source, folder / "cog.tif", options);
  CHECK(file_bytes(folder / "cog.tif") == first);
}

TEST_CASE("a palette, complex numbers and float16 have overviews by nearest, and none that mixes values") {
  const TemporaryFolder folder;
  Raster palette = made_raster(100, 130, SampleType::uint8);
  palette.info.photometric = 3;
  palette.info.tags = {test::tag_of(320, TiffType::short16, std::vector<std::uint16_t>(768, 5))};
  WriteCogOptions options = tiles_of(32);
  write_cog(source_of(palette, 50, 50), folder / "a.tif", options);
  const std::vector<Raster> levels = reference_levels(palette, Resampling::nearest, {2, 2, 2});
  for (unsigned level = 0; level < levels.size(); ++level) {
    CHECK(pixels_of(folder / "a.tif", level) == levels[level].pixels);
    const RasterInfo info = info_of(folder / "a.tif", level);
    CHECK(info.photometric == 3);
    CHECK(std::ranges::any_of(info.tags, [](const RawTag& tag) { return tag.id == 320; }));
  }
  options.resampling_is_given = true;
  for (const Resampling resampling : all_resamplings) {
    options.resampling = resampling;
    const bool mixes = resampling == Resampling::average || resampling == Resampling::rms ||
                       resampling == Resampling::bilinear || resampling == Resampling::cubic;
    CAPTURE(name_of(resampling));
    if (mixes)
      CHECK_THROWS_AS(CogWrite(source_of(palette, 50, 50), folder / "x.tif", options), Error);
    else
      CogWrite(source_of(palette, 50, 50), folder / "x.tif", options);
  }

  // Grey with a colour table of its own is a palette to those who read it; the shades of few bits are not.
  Raster grey = palette;
  grey.info.photometric = 1;
  options = tiles_of(32);
  write_cog(source_of(grey, 50, 50), folder / "grey.tif", options);
  CHECK(pixels_of(folder / "grey.tif", 1) == levels[1].pixels);
  std::vector<std::uint16_t> ramp(3 * 16);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<std::uint16_t>((15 - i % 16) * 4369);
  for (std::byte& pixel : grey.pixels) pixel &= std::byte{15};
  grey.info.tags = {test::tag_of(320, TiffType::short16, ramp)};
  write_cog(source_of(grey, 50, 50), folder / "ramp.tif", options);
  CHECK(pixels_of(folder / "ramp.tif", 1) == reference_levels(grey, Resampling::average, {2})[1].pixels);

  for (const SampleType type : {SampleType::complex64, SampleType::complex_int16, SampleType::float16}) {
    CAPTURE(name_of(type));
    Raster raster = made_raster(100, 130, SampleType::uint64);  // any bytes will do
    raster.info.type = type;
    raster.pixels.resize(100 * 130 * bytes_of(type));
    options = tiles_of(32);
    write_cog(source_of(raster, 50, 50), folder / "b.tif", options);
    const std::vector<Raster> right = reference_levels(raster, Resampling::nearest, {2, 2, 2});
    for (unsigned level = 0; level < right.size(); ++level) {
      TiffReadOptions reading;
      reading.directory = level;
      reading.keep_half = true;
      const auto source = std::make_shared<const TiffSource>(folder / "b.tif", reading);
      Bytes pixels(right[level].pixels.size());
      read_region(source, {0, 0, right[level].info.height, right[level].info.width},
                  {pixels.data(), interleaved_strides(right[level].info.width, 1, bytes_of(type))});
      CHECK(pixels == right[level].pixels);
    }
    options.resampling_is_given = true;
    CHECK_THROWS_AS(CogWrite(source_of(raster, 50, 50), folder / "x.tif", options), Error);
  }
}

TEST_CASE(
    "each level of a COG says where it lies and what its nodata is; names, scales and other tags are the "
    "full raster's") {
  Raster raster = made_raster(101, 130, SampleType::int16, 2);
  raster.info.nodata = "-7";
  raster.info.metadata = {
      {"DESCRIPTION", "depth", 1, "description"}, {"SCALE", "0.5", 0, "scale"}, {"AREA", "north"}};
  raster.info.tags = {test::tag_of<char>(305, TiffType::ascii, {'m', 'e', 0})};
  const GeoTransform north{500000, 10, 0, 4600000, 0, -20}, turned{500000, 10, 3, 4600000, 4, -20};
  const std::vector<ControlPoint> points{{0, 0, 10, 50}, {130, 0, 11, 50.2}, {65, 101, 10.5, 49}};
  const TemporaryFolder folder;
  for (int way = 0; way < 3; ++way) {
    CAPTURE(way);
    WriteCogOptions options = tiles_of(32);
    options.georeferencing.crs = "projected:32633";
    if (way == 0) options.georeferencing.transform = north;
    if (way == 1) options.georeferencing.transform = turned;
    if (way == 2) options.georeferencing.control_points = points;
    write_cog(source_of(raster, 50, 50), folder / "a.tif", options);
    std::uint64_t height = 101, width = 130;
    for (unsigned level = 0; level < 4; ++level, height = (height + 1) / 2, width = (width + 1) / 2) {
      CAPTURE(level);
      const RasterInfo info = info_of(folder / "a.tif", level);
      CHECK(info.nodata == "-7");
      CHECK(info.metadata.size() == (level == 0 ? 3 : 0));
      CHECK(std::ranges::any_of(info.tags, [](const RawTag& tag) { return tag.id == 305; }) == (level == 0));
      // The raster's corners lie where they lay.
      const double h = static_cast<double>(height), w = static_cast<double>(width);
      if (way == 2) {
        const std::vector<ControlPoint> found = control_points_of(info.georeferencing);
        REQUIRE(found.size() == points.size());
        for (std::size_t i = 0; i < points.size(); ++i) {
          CHECK(found[i].x == points[i].x);
          CHECK(found[i].col == doctest::Approx(points[i].col * w / 130));
          CHECK(found[i].row == doctest::Approx(points[i].row * h / 101));
        }
        continue;
      }
      const std::optional<GeoTransform> found = geo_transform_of(info.georeferencing);
      REQUIRE(found);
      const GeoTransform& right = way == 0 ? north : turned;
      for (const bool at_right : {false, true})
        for (const bool at_foot : {false, true}) {
          const ModelPoint is = found->at(at_right ? w : 0, at_foot ? h : 0),
                           was = right.at(at_right ? 130 : 0, at_foot ? 101 : 0);
          CHECK(is.x == doctest::Approx(was.x).epsilon(1e-12));
          CHECK(is.y == doctest::Approx(was.y).epsilon(1e-12));
        }
    }
  }
}

}  // namespace
}  // namespace weir::pipeline_test
