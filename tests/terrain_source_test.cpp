#include "nodes/raster/terrain_source.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <type_traits>
#include <vector>

#include "framework/error.hpp"

using namespace weir;

namespace {

constexpr std::uint64_t far_away = std::uint64_t{1} << 40;

TerrainOptions options_for(std::uint64_t height, std::uint64_t width, std::uint64_t chunk_height,
                           std::uint64_t chunk_width, SampleType type = SampleType::float32) {
  TerrainOptions options;
  options.height = height;
  options.width = width;
  options.chunk_height = chunk_height;
  options.chunk_width = chunk_width;
  options.type = type;
  return options;
}

/// The whole raster, put together from its chunks.
template <class Sample>
std::vector<Sample> all_pixels(const TerrainOptions& options) {
  const TerrainSource source(options);
  std::vector<Sample> pixels(options.height * options.width);
  for (std::uint64_t row = 0; row < source.grid().rows.count(); ++row)
    for (std::uint64_t col = 0; col < source.grid().cols.count(); ++col) {
      const Block block = source.decode({row, col}, {}, nullptr, {});
      REQUIRE(block.window == source.grid().window({row, col}));
      for (std::uint64_t r = 0; r < block.window.height; ++r)
        for (std::uint64_t c = 0; c < block.window.width; ++c)
          std::memcpy(&pixels[(block.window.row + r) * options.width + block.window.col + c], block.at(r, c),
                      sizeof(Sample));
    }
  return pixels;
}

/// One pixel of a raster of the largest size.
float pixel(std::uint64_t row, std::uint64_t col, std::uint64_t seed = 1) {
  TerrainOptions options = options_for(far_away, far_away, 1, 1);
  options.seed = seed;
  const Block block = TerrainSource(options).decode({row, col}, {}, nullptr, {});
  float value = 0;
  std::memcpy(&value, block.at(0, 0), sizeof value);
  return value;
}

template <class Sample>
bool same_bits(const std::vector<Sample>& a, const std::vector<Sample>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(Sample)) == 0;
}

}  // namespace

TEST_CASE("a terrain's pixels have the same bits for any chunking") {
  const std::uint64_t height = 307, width = 1100;
  const auto whole = all_pixels<float>(options_for(height, width, height, width));
  const std::uint64_t shapes[][2] = {{1, 1100},  {307, 1},   {7, 13},   {16, 16},
                                     {100, 257}, {256, 256}, {300, 511}};
  for (const auto& shape : shapes) {
    CAPTURE(shape[0]);
    CAPTURE(shape[1]);
    CHECK(same_bits(whole, all_pixels<float>(options_for(height, width, shape[0], shape[1]))));
  }
}

TEST_CASE(
    "a terrain's pixels do not depend on the raster's size, and single pixels agree with rows of them") {
  const auto small = all_pixels<float>(options_for(70, 90, 64, 64));
  for (std::uint64_t row = 0; row < 70; row += 3)
    for (std::uint64_t col = 0; col < 90; col += 7) REQUIRE(small[row * 90 + col] == pixel(row, col));
}

TEST_CASE("a terrain goes on smoothly at 2^40 pixels") {
  // Every wavelength has a cell border here.
  const std::uint64_t last = far_away - 1;
  for (std::uint64_t back : {0U, 1U, 2047U, 4095U, 4096U}) {
    const float value = pixel(last - back, last);
    CHECK(value > -2500);
    CHECK(value < 6000);
    CHECK(std::fabs(value - pixel(last - back - 1, last)) < 40);
    CHECK(std::fabs(value - pixel(last - back, last - 1)) < 40);
    CHECK(value != pixel(last - back, 4095));
  }
  // Decoded together, too.
  const TerrainSource source(options_for(far_away, far_away, 3, 300));
  const std::uint64_t chunk_row = source.grid().rows.count() - 1, chunk_col = source.grid().cols.count() - 1;
  const Block block = source.decode({chunk_row, chunk_col}, {}, nullptr, {});
  CHECK(block.window.row_end() == far_away);
  CHECK(block.window.col_end() == far_away);
  float value = 0;
  std::memcpy(&value, block.at(block.window.height - 1, block.window.width - 1), sizeof value);
  CHECK(value == pixel(last, last));
}

TEST_CASE("a terrain does not repeat itself at powers of two") {
  int repeated = 0;
  for (unsigned shift = 12; shift < 40; ++shift)
    for (std::uint64_t i = 0; i < 10; ++i) {
      const std::uint64_t row = i * 7, col = i * 91, far = std::uint64_t{1} << shift;
      repeated += pixel(row, col) == pixel(row + far, col);
      repeated += pixel(row, col) == pixel(row, col + far);
    }
  CHECK(repeated < 10);
}

TEST_CASE("a terrain has slopes everywhere, and no cliffs at the borders of its cells") {
  const std::uint64_t size = 4200;  // more than the longest wavelength
  const auto pixels = all_pixels<float>(options_for(size, size, 1024, 1024));
  double sum = 0;
  float steepest = 0;
  for (std::uint64_t row = 1; row < size; ++row)
    for (std::uint64_t col = 1; col < size; ++col) {
      const float here = pixels[row * size + col];
      const float step = std::max(std::fabs(here - pixels[row * size + col - 1]),
                                  std::fabs(here - pixels[(row - 1) * size + col]));
      sum += static_cast<double>(step);
      steepest = std::max(steepest, step);
    }
  CHECK(sum / static_cast<double>(size * size) > 1);
  CHECK(sum / static_cast<double>(size * size) < 8);
  CHECK(steepest < 40);
}

TEST_CASE("a terrain's elevations are multiples of 1/128 m") {
  for (const float value : all_pixels<float>(options_for(100, 200, 64, 64)))
    REQUIRE(value * 128 == std::nearbyint(value * 128));
}

TEST_CASE("another seed is another terrain") {
  std::map<float, int> values;
  for (std::uint64_t seed = 0; seed < 50; ++seed) ++values[pixel(1000, 1000, seed)];
  CHECK(values.size() > 45);
  CHECK(pixel(5, 6, 7) == pixel(5, 6, 7));
}

TEST_CASE("every sample type shows the same terrain in its own unit") {
  const std::uint64_t height = 300, width = 333;
  const auto metres = all_pixels<double>(options_for(height, width, 128, 128, SampleType::float64));
  for (SampleType type : arithmetic_sample_types) {
    CAPTURE(name_of(type));
    with_sample_type(type, [&](auto sample_type) {
      using Sample = decltype(sample_type);
      using Limits = std::numeric_limits<Sample>;
      double unit = 1;  // metres
      if (type == SampleType::uint8) unit = 16;
      if (type == SampleType::int8) unit = 32;
      if (type == SampleType::uint16) unit = 1.0 / 8;
      if (bytes_of(type) >= 4 && !is_floating(type)) unit = 1.0 / 128;
      const auto pixels = all_pixels<Sample>(options_for(height, width, 100, 50, type));
      for (std::size_t i = 0; i < pixels.size(); ++i) {
        const double clipped = std::min(std::max(metres[i] / unit, static_cast<double>(Limits::lowest())),
                                        static_cast<double>(Limits::max()));
        REQUIRE(std::fabs(static_cast<double>(pixels[i]) - clipped) <= (is_floating(type) ? 0 : 0.5));
      }
    });
  }
}

TEST_CASE("without holes a terrain has no nodata value and no NaN") {
  TerrainOptions options = options_for(64, 4096, 64, 512);
  CHECK(!TerrainSource(options).info().nodata);
  for (const float value : all_pixels<float>(options)) REQUIRE(!std::isnan(value));
}

TEST_CASE("lakes are NaN in floating types and nodata in the others, and the land stays as it is") {
  const std::map<SampleType, std::string> nodata = {
      {SampleType::uint8, "0"},      {SampleType::int8, "-128"},   {SampleType::uint16, "0"},
      {SampleType::int16, "-9999"},  {SampleType::uint32, "0"},    {SampleType::int32, "-9999"},
      {SampleType::uint64, "0"},     {SampleType::int64, "-9999"}, {SampleType::float32, "-9999"},
      {SampleType::float64, "-9999"}};
  for (SampleType type : arithmetic_sample_types) {
    CAPTURE(name_of(type));
    with_sample_type(type, [&](auto sample_type) {
      using Sample = decltype(sample_type);
      TerrainOptions options = options_for(600, 1200, 512, 512, type);
      const auto land = all_pixels<Sample>(options);
      options.holes = true;
      const auto holed = all_pixels<Sample>(options);
      const TerrainSource source(options);
      REQUIRE(source.info().nodata == nodata.at(type));
      std::size_t holes = 0;
      for (std::size_t i = 0; i < land.size(); ++i) {
        if constexpr (std::is_floating_point_v<Sample>) {
          REQUIRE(std::isnan(holed[i]) == (land[i] < 1000));
          if (std::isnan(holed[i])) {
            ++holes;
            continue;
          }
        } else if (holed[i] == static_cast<Sample>(*source.info().nodata_value())) {
          ++holes;
          continue;
        }
        REQUIRE(holed[i] == land[i]);
      }
      CHECK(holes > land.size() / 100);
      CHECK(holes < land.size());
    });
  }
}

TEST_CASE("the nodata value of a terrain can be chosen") {
  TerrainOptions options = options_for(8, 8, 8, 8, SampleType::int16);
  options.holes = true;
  options.nodata = "32767";
  CHECK(TerrainSource(options).info().nodata == "32767");
  options.holes = false;
  options.nodata = "nan";
  CHECK(TerrainSource(options).info().nodata == "nan");
}

TEST_CASE("a terrain lies in EPSG:32633 with pixels of 10 m, and has nothing to fetch") {
  const TerrainSource source(options_for(100, 200, 30, 40));
  const Georeferencing& place = source.info().georeferencing;
  CHECK(place.pixel_scale == std::vector<double>{10, 10, 0});
  CHECK(place.tiepoints.size() == 6);
  CHECK(place.key_directory ==
        std::vector<std::uint16_t>{1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633});
  CHECK(source.fetch_bytes() == 0);
  CHECK(source.standing_bytes() == 0);
  CHECK(source.block_bytes() == 30 * 40 * 4);
}

TEST_CASE("a terrain of samples that nothing computes with is refused") {
  for (const SampleType type : all_sample_types) {
    CAPTURE(name_of(type));
    TerrainOptions options;
    options.height = options.width = 9;
    options.type = type;
    if (is_arithmetic(type))
      CHECK_NOTHROW((void)TerrainSource(options));
    else
      CHECK_THROWS_WITH_AS((void)TerrainSource(options), doctest::Contains("integers, float32 or float64"),
                           Error);
  }
}

TEST_CASE("a terrain of impossible size is refused") {
  CHECK_THROWS_AS(TerrainSource(options_for(0, 1, 1, 1)), Error);
  CHECK_THROWS_AS(TerrainSource(options_for(1, 0, 1, 1)), Error);
  CHECK_THROWS_AS(TerrainSource(options_for(1, 1, 0, 1)), Error);
  CHECK_THROWS_AS(TerrainSource(options_for(1, 1, 1, 0)), Error);
  CHECK_THROWS_AS(TerrainSource(options_for(far_away + 1, 1, 1, 1)), Error);
  CHECK_THROWS_AS(TerrainSource(options_for(1, far_away + 1, 1, 1)), Error);
  CHECK_THROWS_AS(TerrainSource(options_for(far_away, far_away, far_away, far_away)), Error);
}
