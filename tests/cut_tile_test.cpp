#include "nodes/raster/cut_tile.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "framework/context.hpp"

using namespace weir;

namespace {

enum class Layout { interleaved, planar, padded };

/// A raster whose values are a formula; what every test compares with.
struct Formula {
  std::uint64_t height, width;
  std::uint32_t samples;
  std::uint64_t nan_every = 0;  ///< every so-manieth sample is NaN in floating types; 0: none

  std::uint64_t place(std::uint64_t row, std::uint64_t col, std::uint32_t sample) const {
    return (row * width + col) * samples + sample;
  }
  template <class Sample>
  Sample value(std::uint64_t row, std::uint64_t col, std::uint32_t sample) const {
    const std::uint64_t at = place(row, col, sample);
    if constexpr (std::numeric_limits<Sample>::has_quiet_NaN)
      if (nan_every != 0 && at % nan_every == 0) return std::numeric_limits<Sample>::quiet_NaN();
    return static_cast<Sample>(at * 37 % 101 + 1);  // never 0, fits every type
  }
};

template <class Sample>
std::shared_ptr<const Block> block_of(const Formula& formula, const Window& window, SampleType type,
                                      Layout layout) {
  Block block;
  block.window = window;
  block.type = type;
  block.samples = formula.samples;
  const std::size_t size = sizeof(Sample);
  if (layout == Layout::planar) {
    block.pixel_stride = size;
    block.row_stride = window.width * size;
    block.sample_stride = window.height * block.row_stride;
  } else {
    block.sample_stride = size;
    block.pixel_stride = formula.samples * size + (layout == Layout::padded ? size : 0);
    block.row_stride = window.width * block.pixel_stride + (layout == Layout::padded ? 3 : 0);
  }
  block.data = Context().buffer((window.height + 1) * (window.width + 1) * (formula.samples + 1) * size + 64);
  std::memset(block.data.data(), 0xEE, block.data.size());
  for (std::uint64_t row = 0; row < window.height; ++row)
    for (std::uint64_t col = 0; col < window.width; ++col)
      for (std::uint32_t sample = 0; sample < formula.samples; ++sample) {
        const auto value = formula.value<Sample>(window.row + row, window.col + col, sample);
        std::memcpy(block.at(row, col, sample), &value, size);
      }
  return std::make_shared<const Block>(std::move(block));
}

/// The chunks of the raster that touch `source`, as a band.
template <class Sample>
Band band_of(const Formula& formula, const Window& source, const ChunkGrid& grid, SampleType type,
             Layout layout) {
  Band band{source, {}};
  for (std::uint64_t row = 0; row < grid.rows.count(); ++row)
    for (std::uint64_t col = 0; col < grid.cols.count(); ++col)
      if (!intersect(grid.window({row, col}), source).empty())
        band.blocks.push_back(block_of<Sample>(formula, grid.window({row, col}), type, layout));
  return band;
}

/// Pixel by pixel, as slowly and plainly as can be.
template <class Sample>
std::vector<Sample> expected_tile(const Formula& formula, const Window& tile, std::uint32_t first,
                                  std::uint32_t count, Sample nodata, bool replace) {
  std::vector<Sample> expected;
  for (std::uint64_t row = tile.row; row < tile.row_end(); ++row)
    for (std::uint64_t col = tile.col; col < tile.col_end(); ++col)
      for (std::uint32_t sample = first; sample < first + count; ++sample) {
        Sample value = nodata;
        if (row < formula.height && col < formula.width) value = formula.value<Sample>(row, col, sample);
        if (replace && value != value) value = nodata;
        expected.push_back(value);
      }
  return expected;
}

template <class Sample>
Fill fill_of(Sample nodata, bool replace) {
  Fill fill;
  std::memcpy(fill.sample.data(), &nodata, sizeof nodata);
  fill.replace_nan = replace;
  return fill;
}

/// Cuts the tile and compares bit for bit; the bytes behind the tile stay as they were.
template <class Sample>
void check_tile(const Formula& formula, const Band& band, const Window& tile, std::uint32_t first,
                std::uint32_t count, Sample nodata, bool replace) {
  const auto expected = expected_tile(formula, tile, first, count, nodata, replace);
  const std::size_t bytes = expected.size() * sizeof(Sample);
  // One byte off: tiles need no alignment.
  std::vector<std::byte> memory(bytes + 9, std::byte{0xCC});
  cut_tile(band, tile, first, count, fill_of(nodata, replace), memory.data() + 1);
  REQUIRE(std::memcmp(memory.data() + 1, expected.data(), bytes) == 0);
  REQUIRE(memory[0] == std::byte{0xCC});
  REQUIRE(memory[bytes + 1] == std::byte{0xCC});
}

}  // namespace

TEST_CASE("tiles of any type, block layout, chunking and choice of samples hold the raster's pixels") {
  const ChunkGrid grids[] = {{Partition(23, 23), Partition(37, 37)},
                             {Partition(23, 5), Partition(37, 7)},
                             {Partition({1, 9, 22, 23}), Partition({20, 21, 37})}};
  for (SampleType type : arithmetic_sample_types)
    for (Layout layout : {Layout::interleaved, Layout::planar, Layout::padded})
      for (std::uint32_t samples : {1U, 3U})
        for (const ChunkGrid& grid : grids)
          with_sample_type(type, [&](auto sample_type) {
            using Sample = decltype(sample_type);
            CAPTURE(name_of(type));
            CAPTURE(static_cast<int>(layout));
            const Formula formula{23, 37, samples};
            const Band band = band_of<Sample>(formula, {0, 0, 23, 37}, grid, type, layout);
            for (std::uint64_t row = 0; row < 23; row += 16)
              for (std::uint64_t col = 0; col < 37; col += 16) {
                const Window tile{row, col, 16, 16};
                check_tile<Sample>(formula, band, tile, 0, samples, 120, false);
                for (std::uint32_t plane = 0; plane < samples; ++plane)
                  check_tile<Sample>(formula, band, tile, plane, 1, 0, false);
                if (samples == 3) check_tile<Sample>(formula, band, tile, 1, 2, 0, false);
              }
          });
}

TEST_CASE("one pixel is a raster, and the rest of its tile is nodata") {
  const Formula formula{1, 1, 2};
  const Band band = band_of<std::int16_t>(formula, {0, 0, 1, 1}, {Partition(1, 1), Partition(1, 1)},
                                          SampleType::int16, Layout::planar);
  check_tile<std::int16_t>(formula, band, {0, 0, 16, 16}, 0, 2, -9999, false);
  check_tile<std::int16_t>(formula, band, {0, 0, 1, 1}, 1, 1, -9999, false);
}

TEST_CASE("a tile beside the raster is all nodata") {
  const Formula formula{4, 4, 1};
  const Band band = band_of<float>(formula, {0, 0, 4, 4}, {Partition(4, 4), Partition(4, 4)},
                                   SampleType::float32, Layout::interleaved);
  check_tile<float>(formula, band, {0, 8, 8, 8}, 0, 1, -1, false);
  check_tile<float>(formula, band, {16, 0, 8, 8}, 0, 1, -1, true);
}

TEST_CASE("a band that is part of a raster, its blocks reaching beyond it, gives the tiles inside it") {
  const Formula formula{64, 64, 3};
  const ChunkGrid grid{Partition(64, 10), Partition(64, 12)};
  const Band band =
      band_of<std::uint16_t>(formula, {16, 32, 32, 32}, grid, SampleType::uint16, Layout::interleaved);
  for (std::uint64_t row : {16U, 32U})
    for (std::uint64_t col : {32U, 48U})
      check_tile<std::uint16_t>(formula, band, {row, col, 16, 16}, 0, 3, 0, false);
}

TEST_CASE("NaN becomes nodata in the tile, in every place of a vector, and the blocks keep theirs") {
  for (std::uint64_t nan_every : {1U, 2U, 3U, 7U, 1000U})
    for (Layout layout : {Layout::interleaved, Layout::planar})
      for (std::uint32_t samples : {1U, 3U}) {
        const Formula formula{19, 21, samples, nan_every};
        const ChunkGrid grid{Partition(19, 8), Partition(21, 9)};
        const Band floats = band_of<float>(formula, {0, 0, 19, 21}, grid, SampleType::float32, layout);
        const Band doubles = band_of<double>(formula, {0, 0, 19, 21}, grid, SampleType::float64, layout);
        const auto before = std::vector<std::byte>(floats.blocks[0]->data.span().begin(),
                                                   floats.blocks[0]->data.span().end());
        for (std::uint32_t first = 0; first < samples; ++first) {
          check_tile<float>(formula, floats, {0, 0, 32, 32}, first, samples - first, -9999, true);
          check_tile<double>(formula, doubles, {0, 0, 32, 32}, first, samples - first, -9999, true);
        }
        CHECK(std::memcmp(before.data(), floats.blocks[0]->data.data(), before.size()) == 0);
      }
}

TEST_CASE("NaN stays NaN when it is not replaced") {
  const Formula formula{5, 5, 1, 2};
  const Band band = band_of<float>(formula, {0, 0, 5, 5}, {Partition(5, 5), Partition(5, 5)},
                                   SampleType::float32, Layout::interleaved);
  float tile[25];
  cut_tile(band, {0, 0, 5, 5}, 0, 1, Fill{}, reinterpret_cast<std::byte*>(tile));
  CHECK(std::isnan(tile[0]));
  CHECK(tile[1] == formula.value<float>(0, 1, 0));
}

TEST_CASE("infinities and negative zero are not NaN") {
  const float values[4] = {INFINITY, -INFINITY, -0.0F, NAN};
  Block block = interleaved_block({0, 0, 1, 4}, SampleType::float32, 1, Context().buffer(sizeof values));
  std::memcpy(block.data.data(), values, sizeof values);
  Band band{{0, 0, 1, 4}, {}};
  band.blocks.push_back(std::make_shared<const Block>(std::move(block)));
  const float expected[4] = {INFINITY, -INFINITY, -0.0F, 5};
  float tile[4];
  cut_tile(band, {0, 0, 1, 4}, 0, 1, fill_of(5.0F, true), reinterpret_cast<std::byte*>(tile));
  CHECK(std::memcmp(tile, expected, sizeof tile) == 0);
}

TEST_CASE("a band's payload is that of its blocks") {
  const Formula formula{8, 8, 1};
  const Band band = band_of<float>(formula, {0, 0, 8, 8}, {Partition(8, 4), Partition(8, 8)},
                                   SampleType::float32, Layout::interleaved);
  REQUIRE(band.blocks.size() == 2);
  CHECK(payload_bytes(band) == band.blocks[0]->data.size() + band.blocks[1]->data.size());
  CHECK(payload_bytes(Band{}) == 0);
}

namespace {

template <class Sample>
std::pair<Sample, bool> fill_from(SampleType type, const std::string& nodata) {
  RasterInfo info;
  info.type = type;
  info.nodata = nodata;
  const Fill fill = fill_for(info);
  Sample sample;
  std::memcpy(&sample, fill.sample.data(), sizeof sample);
  return {sample, fill.replace_nan};
}

}  // namespace

TEST_CASE("the fill of a raster without nodata is 0") {
  const Fill fill = fill_for(RasterInfo{});
  CHECK(fill.sample == decltype(fill.sample){});
  CHECK(!fill.replace_nan);
}

TEST_CASE("nodata is converted to the sample type exactly") {
  using enum SampleType;
  CHECK(fill_from<std::uint8_t>(uint8, "255").first == 255);
  CHECK(fill_from<std::int8_t>(int8, "-128").first == -128);
  CHECK(fill_from<std::int16_t>(int16, "-9999").first == -9999);
  CHECK(fill_from<std::int16_t>(int16, "-9999.0").first == -9999);
  CHECK(fill_from<std::uint32_t>(uint32, "1e3").first == 1000);
  CHECK(fill_from<std::int64_t>(int64, "-9223372036854775807").first == -9223372036854775807);
  CHECK(fill_from<std::int64_t>(int64, "-9223372036854775808").first ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(fill_from<std::int64_t>(int64, "-9.223372036854775808e18").first ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(fill_from<std::uint64_t>(uint64, "18446744073709551615").first == 18446744073709551615U);
  CHECK(fill_from<float>(float32, "-9999") == std::pair{-9999.0F, true});
  CHECK(fill_from<float>(float32, "-3.4028234663852886e+38").first == std::numeric_limits<float>::lowest());
  CHECK(fill_from<float>(float32, "0.1").first == 0.1F);
  CHECK(fill_from<double>(float64, "0.1") == std::pair{0.1, true});
  CHECK(fill_from<float>(float32, "-inf") == std::pair{-INFINITY, true});
}

TEST_CASE("nodata that the type cannot hold is 0 and replaces nothing") {
  using enum SampleType;
  for (const char* text : {"256", "-1", "0.5", "nan", "inf", "none", "1e30"}) {
    CAPTURE(text);
    CHECK(fill_from<std::uint8_t>(uint8, text) == std::pair{std::uint8_t{0}, false});
    CHECK(fill_from<std::uint8_t>(int8, text).second == false);
  }
  CHECK(fill_from<std::int8_t>(int8, "128").first == 0);
  CHECK(fill_from<std::int64_t>(int64, "9223372036854775808").first == 0);
  CHECK(fill_from<std::int64_t>(int64, "9.3e18").first == 0);
  CHECK(fill_from<std::uint64_t>(uint64, "18446744073709551616").first == 0);
  CHECK(fill_from<float>(float32, "1e300") == std::pair{0.0F, false});
  CHECK(fill_from<double>(float64, "nothing") == std::pair{0.0, false});
}

TEST_CASE("nodata NaN fills with NaN and replaces nothing") {
  CHECK(std::isnan(fill_from<float>(SampleType::float32, "nan").first));
  CHECK(!fill_from<float>(SampleType::float32, "nan").second);
  CHECK(std::isnan(fill_from<double>(SampleType::float64, "NaN").first));
  CHECK(!fill_from<double>(SampleType::float64, "NaN").second);
}
