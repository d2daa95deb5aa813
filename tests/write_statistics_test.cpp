// Statistics that a file gets in the pass that writes it.

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "nodes/raster/chunk_grid.hpp"
#include "nodes/raster/number_text.hpp"
#include "nodes/tiff/gdal_metadata.hpp"
#include "nodes/tiff/statistics_text.hpp"
#include "tests/beside_tiles_support.hpp"

namespace weir::pipeline_test {
namespace {

using Numbers = std::map<std::string, double>;

std::vector<MetadataItem> items_of(const std::string& path) {
  return TiffSource(path).info().metadata;
}

/// The statistics of one sample in a file, by name without its beginning.
Numbers statistics_of(const std::string& path, std::uint32_t sample) {
  Numbers numbers;
  for (const MetadataItem& item : items_of(path))
    if (item.sample == sample && item.name.starts_with("STATISTICS_"))
      numbers[item.name.substr(11)] = number_in<double>(item.text).value();
  return numbers;
}

/// The same, plainly: one pass for the mean, one for the rest.
template <class Sample>
Numbers plain_statistics(const Raster& raster, std::uint32_t sample, const Bytes& mask = {}) {
  const std::optional<double> nodata = raster.info.nodata_value();
  std::vector<long double> values;
  for (std::uint64_t pixel = 0; pixel < raster.info.height * raster.info.width; ++pixel) {
    Sample value;
    std::memcpy(&value, raster.pixels.data() + (pixel * raster.info.samples + sample) * sizeof value,
                sizeof value);
    if (value != value || (nodata && static_cast<double>(value) == *nodata)) continue;
    if (!mask.empty() && mask[pixel] == std::byte{0}) continue;
    values.push_back(static_cast<long double>(value));
  }
  long double mean = 0, squares = 0;
  for (const long double value : values) mean += value / static_cast<long double>(values.size());
  for (const long double value : values) squares += (value - mean) * (value - mean);
  const double percent = 100.0 * static_cast<double>(values.size()) /
                         static_cast<double>(raster.info.height * raster.info.width);
  return {{"MINIMUM", static_cast<double>(*std::min_element(values.begin(), values.end()))},
          {"MAXIMUM", static_cast<double>(*std::max_element(values.begin(), values.end()))},
          {"MEAN", static_cast<double>(mean)},
          {"STDDEV", static_cast<double>(std::sqrt(squares / static_cast<long double>(values.size())))},
          {"VALID_PERCENT", percent}};
}

void check_close(const Numbers& seen, const Numbers& wanted) {
  REQUIRE(seen.size() == wanted.size());
  CHECK(seen.at("MINIMUM") == wanted.at("MINIMUM"));
  CHECK(seen.at("MAXIMUM") == wanted.at("MAXIMUM"));
  CHECK(seen.at("MEAN") == doctest::Approx(wanted.at("MEAN")).epsilon(1e-12));
  CHECK(seen.at("STDDEV") == doctest::Approx(wanted.at("STDDEV")).epsilon(1e-9));
  CHECK(seen.at("VALID_PERCENT") == doctest::Approx(wanted.at("VALID_PERCENT")).epsilon(1e-3));
}

WriteGeotiffOptions statistics_options(CodecId codec = CodecId::zstd) {
  WriteGeotiffOptions options;
  options.codec.id = codec;
  options.tile_height = 32;
  options.tile_width = 48;
  options.statistics = true;
  options.overwrite = true;
  return options;
}

TEST_CASE("what was measured before is not said of samples that the codec changes") {
  RasterInfo info;
  info.height = info.width = 16;
  info.type = SampleType::float32;
  info.metadata = {{"STATISTICS_MEAN", "5", 0, "", ""}, {"SENSOR", "a", {}, "", ""}};
  for (const double error : {0.0, 0.5}) {
    GeotiffOptions options;
    options.codec.id = CodecId::lerc;
    options.codec.max_error = error;
    const TiffOutputLayout layout = output_layout(info, options);
    REQUIRE(layout.info.metadata.size() == (error > 0 ? 1 : 2));
    CHECK(layout.info.metadata.back().name == "SENSOR");
  }
}

TEST_CASE("statistics are those of all pixels with data, with the same bits for any threads and budget") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(131, 205, SampleType::int16, 3);
  raster.info.nodata = "1100";
  for (const CodecId codec : {CodecId::none, CodecId::zstd})
    for (const std::uint64_t strip_rows : {0U, 7U}) {
      std::vector<Numbers> interleaved;
      for (const bool is_planar : {false, true}) {
        WriteGeotiffOptions options = statistics_options(codec);
        if (strip_rows > 0) options.strip_rows = strip_rows;
        options.planar_separate = is_planar;
        written_in_all_ways(source_of(raster, 40, 70), options, path);
        for (std::uint32_t sample = 0; sample < 3; ++sample) {
          const Numbers seen = statistics_of(path, sample);
          check_close(seen, plain_statistics<std::int16_t>(raster, sample));
          if (!is_planar)
            interleaved.push_back(seen);
          else
            CHECK(seen == interleaved[sample]);  // tile by tile the same pixels, in the same order
        }
        CHECK(pixels_by_libtiff(path, raster.info) == raster.pixels);
      }
    }
}

TEST_CASE("masked pixels are left out of statistics, and NaN is") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(131, 205, SampleType::float32, 2);
  const float nan = NAN;
  for (std::size_t i = 0; i < raster.pixels.size(); i += 4 * 7)
    std::memcpy(&raster.pixels[i], &nan, sizeof nan);
  const Bytes mask = made_mask(raster.info);
  for (const bool is_planar : {false, true}) {
    WriteGeotiffOptions options = statistics_options();
    options.planar_separate = is_planar;
    const auto masked = std::make_shared<const MaskedSource>(raster, mask, even_chunks(raster.info, 50, 60));
    written_in_all_ways(masked, options, path);
    for (std::uint32_t sample = 0; sample < 2; ++sample)
      check_close(statistics_of(path, sample), plain_statistics<float>(raster, sample, mask));
    write_geotiff(source_of(raster, 50, 60), path, options);
    for (std::uint32_t sample = 0; sample < 2; ++sample)
      check_close(statistics_of(path, sample), plain_statistics<float>(raster, sample));
  }
}

TEST_CASE("extremes of 64-bit integers are exact, and left-out tiles are measured, too") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(64, 96, SampleType::uint64);
  std::fill(raster.pixels.begin(), raster.pixels.end(), std::byte{0});
  const std::uint64_t most = 18446744073709551615U;
  std::memcpy(raster.pixels.data() + 8 * 777, &most, sizeof most);
  WriteGeotiffOptions options = statistics_options();
  options.sparse = true;
  write_geotiff(source_of(raster, 64, 64), path, options);
  const std::vector<MetadataItem> items = items_of(path);
  REQUIRE(items.size() == 5);
  CHECK(items[0] == MetadataItem{"STATISTICS_MAXIMUM", "18446744073709551615", 0, "", ""});
  CHECK(items[2] == MetadataItem{"STATISTICS_MINIMUM", "0", 0, "", ""});
  CHECK(items[4] == MetadataItem{"STATISTICS_VALID_PERCENT", "100", 0, "", ""});
}

TEST_CASE("a raster without data says that none of it is valid, and nothing more") {
  const TemporaryFolder folder;
  Raster raster = made_raster(40, 40, SampleType::uint8);
  std::fill(raster.pixels.begin(), raster.pixels.end(), std::byte{9});
  raster.info.nodata = "9";
  write_geotiff(source_of(raster, 40, 40), folder / "out.tif", statistics_options());
  CHECK(items_of(folder / "out.tif") ==
        std::vector<MetadataItem>{{"STATISTICS_VALID_PERCENT", "0", 0, "", ""}});
}

TEST_CASE("statistics come behind other metadata, in the place of old ones, in a text of known length") {
  RasterInfo info;
  info.samples = 2;
  info.metadata = {{"TITLE", "a & b", {}, "", ""}, {"STATISTICS_MEAN", "old", 1, "", ""}};
  StatisticsText text(info);
  const std::string empty = text.text();
  SampleStatistics tile;
  tile.count = 9999;
  tile.nodata = 1;
  tile.least = -2.2250738585072014e-308;
  tile.most = 1.7976931348623157e308;
  tile.mean = -1.2345678901234567e-300;
  tile.squares = 1.2345678901234567e-300;
  text.merge(1, tile);
  CHECK(text.text().size() == text.bytes());
  CHECK(empty.size() == text.bytes());
  const auto items = parse_gdal_metadata(text.text());
  REQUIRE(items);
  REQUIRE(items->size() == 7);
  CHECK(items->at(0) == info.metadata[0]);
  CHECK(items->at(4) == MetadataItem{"STATISTICS_MINIMUM", "-2.2250738585072014e-308", 1, "", ""});
  CHECK(items->at(6) == MetadataItem{"STATISTICS_VALID_PERCENT", "99.99", 1, "", ""});
  tile.count = 9999999;
  text.merge(1, tile);
  CHECK(parse_gdal_metadata(text.text())->at(6).text == "99.999");
  tile.most = std::uint64_t{0};  // and what is not finite is left out
  tile.mean = tile.squares = INFINITY;
  StatisticsText infinite(info);
  infinite.merge(0, tile);
  CHECK(parse_gdal_metadata(infinite.text())->size() == 5);
}

TEST_CASE("statistics are refused where there can be none") {
  const TemporaryFolder folder;
  Raster raster = made_raster(40, 40, SampleType::uint8);
  raster.info.tags = {test::tag_of<char>(gdal_metadata_tag, TiffType::ascii, {'x', '\0'})};
  const auto refused = [&] {
    return reason_of(
        [&] { write_geotiff(source_of(raster, 40, 40), folder / "out.tif", statistics_options()); },
        ErrorKind::usage);
  };
  CHECK(contains(refused(), "tag 42112"));
  raster = {{}, Bytes(40 * 40 * 8)};
  raster.info.height = raster.info.width = 40;
  raster.info.type = SampleType::complex64;
  CHECK(contains(refused(), "measure complex64 samples"));
}

}  // namespace
}  // namespace weir::pipeline_test
