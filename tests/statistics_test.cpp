#include "nodes/raster/statistics.hpp"

#include <set>

#include "framework/error.hpp"
#include "framework/graph.hpp"
#include "tests/kernel_support.hpp"
#include "tests/tiff_helpers.hpp"

using namespace weir;
using namespace weir::test;

namespace {

std::vector<Window> tiles_of(const RasterInfo& info, std::uint64_t size) {
  std::vector<Window> tiles;
  for (std::uint64_t row = 0; row < info.height; row += size)
    for (std::uint64_t col = 0; col < info.width; col += size)
      tiles.push_back({row, col, std::min(size, info.height - row), std::min(size, info.width - col)});
  return tiles;
}

/// Measured by tiles, put together in their order.
RasterStatistics measured(const KernelRaster& raster, std::uint64_t size) {
  const MeasureStatistics measure(raster.info);
  RasterStatistics all(raster.info);
  for (const Window& tile : tiles_of(raster.info, size)) all.merge(measure(raster.view(tile)));
  return all;
}

double as_double(const SampleValue& value) {
  return std::visit([](auto number) { return static_cast<double>(number); }, value);
}

struct Plain {
  std::uint64_t count = 0, nodata = 0;
  long double least = std::numeric_limits<long double>::infinity(), most = -least, mean = 0, deviation = 0;

  Plain(const KernelRaster& raster, std::uint32_t sample) {
    std::vector<long double> values;
    for (std::uint64_t row = 0; row < raster.info.height; ++row)
      for (std::uint64_t col = 0; col < raster.info.width; ++col)
        if (const auto value = value_at(raster, row, col, sample))
          values.push_back(*value);
        else
          ++nodata;
    count = values.size();
    for (const long double value : values) {
      least = std::min(least, value);
      most = std::max(most, value);
      mean += value / static_cast<long double>(count);
    }
    for (const long double value : values) deviation += (value - mean) * (value - mean);
    deviation = std::sqrt(deviation / static_cast<long double>(count));
  }
};

}  // namespace

TEST_CASE("statistics agree with the plain ones for all types, sizes, tiles and nodata") {
  std::mt19937 random(9);
  const std::uint64_t sizes[][2] = {{1, 1}, {1, 9}, {40, 1}, {33, 70}, {5, 1100}};
  for (const SampleType type : arithmetic_sample_types)
    for (const auto& size : sizes)
      for (const unsigned nodata_each : {0U, 9U, 2U})
        for (const std::uint64_t tile : {1U, 16U, 2000U})
          for (const std::size_t gap : {0U, 3U}) {
            if (tile == 1 && size[1] > 100) continue;
            CAPTURE(name_of(type));
            CAPTURE(size[0]);
            CAPTURE(size[1]);
            CAPTURE(nodata_each);
            CAPTURE(tile);
            const std::optional<std::string> nodata =
                nodata_each > 0 ? std::optional<std::string>("7") : std::nullopt;
            const RasterInfo info = kernel_info(size[0], size[1], type, nodata, 2);
            const KernelRaster packed = random_raster(info, random, true, nodata_each);
            KernelRaster raster(info, gap);
            for (std::uint64_t row = 0; row < info.height; ++row)
              for (std::uint64_t col = 0; col < info.width; ++col)
                std::memcpy(raster.at(row, col), packed.at(row, col), info.pixel_bytes());
            const RasterStatistics all = measured(raster, tile);
            for (std::uint32_t sample = 0; sample < 2; ++sample) {
              const Plain plain(raster, sample);
              const SampleStatistics& found = all.samples()[sample];
              REQUIRE(found.count == plain.count);
              REQUIRE(found.nodata == plain.nodata);
              if (plain.count == 0) continue;
              const auto scale = static_cast<double>(std::max(std::fabs(plain.least), std::fabs(plain.most)));
              CHECK(as_double(found.least) == static_cast<double>(plain.least));
              CHECK(as_double(found.most) == static_cast<double>(plain.most));
              CHECK(std::fabs(found.mean - static_cast<double>(plain.mean)) <= 1e-14 * scale);
              CHECK(std::fabs(found.standard_deviation() - static_cast<double>(plain.deviation)) <=
                    1e-12 * scale);
            }
          }
}

TEST_CASE("a small spread on a large value is not lost") {
  KernelRaster raster(kernel_info(100, 100, SampleType::float64));
  for (std::uint64_t row = 0; row < 100; ++row)
    for (std::uint64_t col = 0; col < 100; ++col)
      raster.set(row, col, 0, 1e9 + static_cast<double>((row + col) % 2));
  const SampleStatistics found = measured(raster, 32).samples()[0];
  CHECK(found.mean == doctest::Approx(1e9 + 0.5).epsilon(1e-15));
  CHECK(found.standard_deviation() == doctest::Approx(0.5).epsilon(1e-9));
}

TEST_CASE("the same tiles in the same order give the same bits, however they are dealt into parts") {
  std::mt19937 random(10);
  KernelRaster raster = random_raster(kernel_info(200, 300, SampleType::float32), random, true, 10);
  for (std::uint64_t row = 0; row < 200; ++row)
    for (std::uint64_t col = 0; col < 300; ++col)
      raster.set(row, col, 0, raster.get<float>(row, col) * std::exp2(static_cast<float>(random() % 30)));
  const std::string expected = measured(raster, 32).to_json();
  const MeasureStatistics measure(raster.info);
  for (int i = 0; i < 20; ++i) {
    RasterStatistics all(raster.info);
    const std::vector<Window> tiles = tiles_of(raster.info, 32);
    for (std::size_t first = 0; first < tiles.size();) {
      const std::size_t count = std::min<std::size_t>(1 + random() % 9, tiles.size() - first);
      std::vector<PixelView> views;
      for (std::size_t k = 0; k < count; ++k) views.push_back(raster.view(tiles[first + k]));
      all.merge(measure(views));
      first += count;
    }
    CHECK(all.to_json() == expected);
  }
}

TEST_CASE("statistics of a run have the same bits for any threads, tokens and engine") {
  std::mt19937 random(11);
  const KernelRaster raster = random_raster(kernel_info(300, 400, SampleType::float32), random, true, 10);
  const std::vector<Window> tiles = tiles_of(raster.info, 16);
  std::set<std::string> seen;
  for (const Engine engine : {Engine::serial, Engine::onetbb})
    for (const unsigned threads : {1U, 2U, 4U})
      for (const unsigned tokens : {1U, 5U, 40U}) {
        Graph graph({.memory = 16 << 20, .tokens = tokens, .threads = threads, .engine = engine});
        auto units = graph.source<std::uint64_t>(
            "plan", [](std::uint64_t unit, Emit<std::uint64_t>& emit) { emit(unit); },
            {.units = tiles.size()});
        auto parts = graph.transform<StatisticsPart>(
            "measure", units, [&, measure = MeasureStatistics(raster.info)](const std::uint64_t& tile) {
              return measure(raster.view(tiles[tile]));
            });
        RasterStatistics all(raster.info);
        graph.ordered_sink("statistics", parts, [&all](const StatisticsPart& part) { all.merge(part); });
        graph.run();
        seen.insert(all.to_json());
      }
  CHECK(seen.size() == 1);
}

TEST_CASE("64-bit extremes are printed as they are") {
  KernelRaster raster(kernel_info(1, 2, SampleType::uint64));
  raster.set(0, 0, 0, std::numeric_limits<std::uint64_t>::max());
  raster.set(0, 1, 0, std::numeric_limits<std::uint64_t>::max() - 1);
  CHECK(contains(measured(raster, 1).to_json(),
                 "\"min\": 18446744073709551614, \"max\": 18446744073709551615"));
  KernelRaster negative(kernel_info(1, 1, SampleType::int64));
  negative.set(0, 0, 0, std::numeric_limits<std::int64_t>::min());
  CHECK(contains(measured(negative, 1).to_json(), "\"min\": -9223372036854775808"));
}

TEST_CASE("the JSON of a raster without data, and with infinite values, has null for what is no number") {
  KernelRaster raster(kernel_info(1, 3, SampleType::float32));
  for (std::uint64_t col = 0; col < 3; ++col) raster.set(0, col, 0, std::numeric_limits<float>::quiet_NaN());
  CHECK(
      measured(raster, 2).to_json() ==
      "{\n  \"width\": 3,\n  \"height\": 1,\n  \"type\": \"float32\",\n  \"samples\": [\n    {\"count\": 0, "
      "\"nodata\": 3, \"min\": null, \"max\": null, \"mean\": null, \"stddev\": null}\n  ]\n}\n");
  raster.set(0, 0, 0, 1.5F);
  raster.set(0, 1, 0, std::numeric_limits<float>::infinity());
  for (const std::uint64_t tile : {1U, 3U})
    CHECK(contains(
        measured(raster, tile).to_json(),
        "\"count\": 2, \"nodata\": 1, \"min\": 1.5, \"max\": null, \"mean\": null, \"stddev\": null"));
}

TEST_CASE("the JSON file of statistics appears whole, and only on request in place of another") {
  const TemporaryFolder folder;
  const std::string path = folder / "statistics.json";
  std::mt19937 random(12);
  const KernelRaster raster = random_raster(kernel_info(8, 8, SampleType::uint8), random, true, 0);
  const MeasureStatistics measure(raster.info);
  const StatisticsPart part = measure(raster.view({0, 0, 8, 8}));
  {
    WriteStatistics unfinished(raster.info, path, false);
    unfinished.open();
    unfinished(part);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
  WriteStatistics sink(raster.info, path, false);
  sink.open();
  sink(part);
  sink.close();
  const auto bytes = file_bytes(path);
  CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) ==
        measured(raster, 8).to_json());
  CHECK_THROWS_AS(WriteStatistics(raster.info, path, false).open(), Error);
  CHECK_NOTHROW(WriteStatistics(raster.info, path, true).open());
}
