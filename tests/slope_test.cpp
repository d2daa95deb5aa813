#include "nodes/raster/slope.hpp"

#include <numbers>

#include "framework/error.hpp"
#include "nodes/raster/terrain_source.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr double degrees = 180 / std::numbers::pi;

struct Cell {
  double x = 1, y = 1;
};

/// Horn's slope as rise by run, in the plainest way, with gdaldem's rules for -compute_edges; nothing where
/// there is no slope.
std::optional<double> plain_slope(const KernelRaster& raster, std::uint64_t row, std::uint64_t col,
                                  std::uint32_t sample, bool compute_edges, const Cell& cell) {
  const auto height = static_cast<std::int64_t>(raster.info.height),
             width = static_cast<std::int64_t>(raster.info.width);
  const auto centre = value_at(raster, row, col, sample);
  if (!centre) return std::nullopt;
  if (compute_edges && (height < 2 || width < 2)) return std::nullopt;
  const auto r = static_cast<std::int64_t>(row), c = static_cast<std::int64_t>(col);
  // Outside of the raster: rows go on linearly, and so do columns, but at the first and last row the column
  // is the outermost one again.
  const auto at = [&](std::int64_t y, std::int64_t x) -> std::optional<long double> {
    const auto inside = [&](std::int64_t yy, std::int64_t xx) {
      return value_at(raster, static_cast<std::uint64_t>(yy), static_cast<std::uint64_t>(xx), sample);
    };
    const auto continued = [](std::optional<long double> near, std::optional<long double> far) {
      return near && far ? std::optional(2 * *near - *far) : std::nullopt;
    };
    const bool is_out_row = y < 0 || y >= height, is_out_col = x < 0 || x >= width;
    if (!is_out_row && !is_out_col) return inside(y, x);
    if (!compute_edges) return std::nullopt;
    const bool at_edge_row = r == 0 || r == height - 1;
    if (at_edge_row) {
      const std::int64_t xx = std::clamp<std::int64_t>(x, 0, width - 1);
      if (!is_out_row) return inside(y, xx);
      return y < 0 ? continued(inside(0, xx), inside(1, xx))
                   : continued(inside(height - 1, xx), inside(height - 2, xx));
    }
    return x < 0 ? continued(inside(y, 0), inside(y, 1))
                 : continued(inside(y, width - 1), inside(y, width - 2));
  };
  long double n[3][3];
  for (int i = 0; i < 3; ++i)
    for (int k = 0; k < 3; ++k) {
      auto value = at(r + i - 1, c + k - 1);
      if (!value && compute_edges) value = centre;
      if (!value) return std::nullopt;
      n[i][k] = *value;
    }
  const long double dx =
      ((n[0][2] + 2 * n[1][2] + n[2][2]) - (n[0][0] + 2 * n[1][0] + n[2][0])) / (8 * cell.x);
  const long double dy =
      ((n[2][0] + 2 * n[2][1] + n[2][2]) - (n[0][0] + 2 * n[0][1] + n[0][2])) / (8 * cell.y);
  return static_cast<double>(std::sqrt(dx * dx + dy * dy));
}

double in_unit(double tangent, SlopeUnit unit) {
  if (unit == SlopeUnit::percent) return 100 * tangent;
  return std::atan(tangent) * (unit == SlopeUnit::degrees ? degrees : 1);
}

/// Largest |found - wanted| / max(|wanted|, 1e-3); infinite where one has data and the other has none.
double worst_error(const KernelRaster& found, const KernelRaster& raster, const SlopeOptions& options,
                   const Cell& cell) {
  double worst = 0;
  for (std::uint64_t row = 0; row < raster.info.height; ++row)
    for (std::uint64_t col = 0; col < raster.info.width; ++col)
      for (std::uint32_t sample = 0; sample < raster.info.samples; ++sample) {
        const auto tangent = plain_slope(raster, row, col, sample, options.gradient.compute_edges, cell);
        const float slope = found.get<float>(row, col, sample);
        if (!tangent) {
          if (slope != -9999) return std::numeric_limits<double>::infinity();
          continue;
        }
        if (slope == -9999 || std::isnan(slope)) return std::numeric_limits<double>::infinity();
        const double wanted = in_unit(*tangent, options.unit);
        worst = std::max(worst, std::fabs(static_cast<double>(slope) - wanted) / std::max(wanted, 1e-3));
      }
  return worst;
}

RasterInfo placed(RasterInfo info, double x, double y) {
  info.georeferencing.pixel_scale = {x, y, 0};
  info.georeferencing.tiepoints = {0, 0, 0, 500000, 4000000, 0};
  return info;
}

/// A plane that rises 3 to the east and 4 to the south per pixel.
KernelRaster plane(RasterInfo info) {
  KernelRaster raster(std::move(info));
  for (std::uint64_t row = 0; row < raster.info.height; ++row)
    for (std::uint64_t col = 0; col < raster.info.width; ++col)
      raster.set(row, col, 0, static_cast<float>(3 * col + 4 * row));
  return raster;
}

float slope_of(const RasterInfo& info, const SlopeOptions& options) {
  Slope slope(options);
  const KernelRaster raster = plane(info);
  const RasterInfo out = slope.describe(std::span(&raster.info, 1));
  return compute_whole(slope, {&raster}, out).get<float>(2, 2);
}

}  // namespace

TEST_CASE("slope agrees with the plain formula for all types, units, sizes, nodata and edges") {
  std::mt19937 random(1);
  const std::uint64_t sizes[][2] = {{1, 1}, {1, 7}, {7, 1},   {2, 2},   {2, 9},
                                    {9, 2}, {3, 3}, {20, 31}, {4, 1100}};
  for (const SampleType type : arithmetic_sample_types)
    for (const auto& size : sizes)
      for (const bool compute_edges : {false, true})
        for (const unsigned nodata_each : {0U, 20U, 2U}) {
          CAPTURE(name_of(type));
          CAPTURE(size[0]);
          CAPTURE(size[1]);
          CAPTURE(compute_edges);
          CAPTURE(nodata_each);
          const std::optional<std::string> nodata =
              nodata_each > 0 ? std::optional<std::string>("7") : std::nullopt;
          const RasterInfo info = placed(kernel_info(size[0], size[1], type, nodata, 2), 10, 30);
          // A gradient of near values from wide ones has lost digits that the plain one in long double has.
          const KernelRaster raster = random_raster(info, random, false, nodata_each);
          SlopeOptions options;
          options.unit = static_cast<SlopeUnit>(random() % 3);
          options.gradient.compute_edges = compute_edges;
          Slope slope(options);
          const RasterInfo out = slope.describe(std::span(&info, 1));
          CHECK(out.type == SampleType::float32);
          CHECK(out.nodata == "-9999");
          const KernelRaster whole = compute_whole(slope, {&raster}, out);
          CHECK(worst_error(whole, raster, options, {10, 30}) < (is_floating(type) ? 2e-5 : 1e-6));
          CHECK(has_same_bits_in_windows(slope, {&raster}, whole, random));
        }
}

TEST_CASE("slope of large numbers of 32 and 64 bits is that of their differences") {
  for (const SampleType type : {SampleType::int32, SampleType::uint32, SampleType::float64}) {
    const RasterInfo info = kernel_info(20, 30, type);
    std::mt19937 random(2);
    KernelRaster raster(info);
    with_sample_type(type, [&](auto zero) {
      using Sample = decltype(zero);
      for (std::uint64_t row = 0; row < 20; ++row)
        for (std::uint64_t col = 0; col < 30; ++col)
          raster.set(row, col, 0, static_cast<Sample>(2000000000 + random() % 50));
    });
    Slope slope(SlopeOptions{});
    const RasterInfo out = slope.describe(std::span(&info, 1));
    CHECK(worst_error(compute_whole(slope, {&raster}, out), raster, {}, {}) < 1e-6);
  }
}

TEST_CASE("angles of every steepness are within 3e-7 of their value") {
  // Rows rise by the same step, so the tangent is the step, exactly.
  for (const float step : {1e-30F, 1e-6F, 1e-3F, 0.1F, 0.41421F, 0.5F, 0.9999999F, 1.0F, 1.0000001F, 2.0F,
                           2.4142F, 100.0F, 1e6F, 1e15F}) {
    KernelRaster raster(kernel_info(3, 3, SampleType::float32));
    for (std::uint64_t col = 0; col < 3; ++col) {
      raster.set(0, col, 0, -step);
      raster.set(1, col, 0, 0.0F);
      raster.set(2, col, 0, step);
    }
    SlopeOptions options;
    options.unit = SlopeUnit::radians;
    Slope slope(options);
    const RasterInfo out = slope.describe(std::span(&raster.info, 1));
    const double found = static_cast<double>(compute_whole(slope, {&raster}, out).get<float>(1, 1));
    const double wanted = std::atan(static_cast<double>(step));
    CAPTURE(step);
    if (step > 1e-15F)
      CHECK(std::fabs(found - wanted) <= 3e-7 * wanted);
    else
      CHECK(found <= wanted);  // its square is below the smallest float
  }
}

TEST_CASE("slope of a terrain agrees with the plain formula and has the same bits in any windows") {
  TerrainOptions terrain;
  terrain.height = 300;
  terrain.width = 1300;
  terrain.chunk_height = 300;
  terrain.chunk_width = 1300;
  terrain.holes = true;
  const TerrainSource source(terrain);
  const Block block = source.decode({0, 0}, {}, nullptr, {});
  KernelRaster raster(source.info());
  std::memcpy(raster.bytes.data(), block.data.data(), raster.bytes.size());
  for (const SlopeUnit unit : {SlopeUnit::degrees, SlopeUnit::percent, SlopeUnit::radians}) {
    SlopeOptions options;
    options.unit = unit;
    Slope slope(options);
    const RasterInfo out = slope.describe(std::span(&raster.info, 1));
    const KernelRaster whole = compute_whole(slope, {&raster}, out);
    CHECK(worst_error(whole, raster, options, {10, 10}) < 2e-6);
    std::mt19937 random(3);
    for (int i = 0; i < 20; ++i) CHECK(has_same_bits_in_windows(slope, {&raster}, whole, random));
  }
}

TEST_CASE("a plane has one slope, and infinite pixels have none") {
  SlopeOptions options;
  options.unit = SlopeUnit::percent;
  CHECK(slope_of(kernel_info(5, 5, SampleType::float32), options) == 500);
  options.unit = SlopeUnit::degrees;
  CHECK(slope_of(kernel_info(5, 5, SampleType::float32), options) ==
        doctest::Approx(std::atan(5.0) * degrees));

  KernelRaster raster = plane(kernel_info(5, 5, SampleType::float32));
  raster.set(2, 2, 0, std::numeric_limits<float>::infinity());
  Slope slope(options);
  const RasterInfo out = slope.describe(std::span(&raster.info, 1));
  CHECK(compute_whole(slope, {&raster}, out).get<float>(2, 2) == -9999);
}

TEST_CASE("cell size comes from pixel scale, matrix, scale and z_factor, or is given") {
  SlopeOptions percent;
  percent.unit = SlopeUnit::percent;
  const RasterInfo plain = kernel_info(5, 5, SampleType::float32);
  CHECK(slope_of(placed(plain, 10, 10), percent) == 50);
  CHECK(slope_of(placed(plain, 3, 4), percent) == doctest::Approx(100 * std::sqrt(2.0)));
  CHECK(slope_of(placed(plain, 10, -10), percent) == 50);

  RasterInfo rotated = plain;  // by atan(3 / 4), pixels 10 wide and 5 high
  rotated.georeferencing.transformation = {8, 3, 0, 100, 6, -4, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1};
  CHECK(slope_of(rotated, percent) == doctest::Approx(100 * std::hypot(0.3, 0.8)));
  RasterInfo sheared = plain;
  sheared.georeferencing.transformation = {10, 5, 0, 100, 0, -10, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1};
  CHECK_THROWS_WITH_AS(
      slope_of(sheared, percent),
      "cannot compute slope of a sheared raster: its axes are not at right angles; give cell_size", Error);
  SlopeOptions given = percent;
  given.gradient.cell_size = 20;
  CHECK(slope_of(sheared, given) == 25);
  CHECK(slope_of(placed(plain, 10, 10), given) == 25);
  given.gradient.z_factor = 4;
  CHECK(slope_of(placed(plain, 10, 10), given) == 100);
  given.gradient.scale = 10;
  CHECK(slope_of(placed(plain, 10, 10), given) == 10);
}

TEST_CASE("slope of a raster on degrees wants a scale or a cell size") {
  RasterInfo info = placed(kernel_info(5, 5, SampleType::float32), 1.0 / 1200, 1.0 / 1200);
  info.georeferencing.key_directory = {1, 1, 0, 2, 1024, 0, 1, 2, 1025, 0, 1, 1};
  SlopeOptions options;
  options.unit = SlopeUnit::percent;
  CHECK_THROWS_WITH_AS(
      slope_of(info, options),
      "cannot compute slope of a raster on degrees: give scale, the elevation units in a degree "
      "(111120 for metres), or cell_size",
      Error);
  options.gradient.scale = 111120;
  CHECK(slope_of(info, options) == doctest::Approx(500 / 92.6));
  options.gradient.scale.reset();
  options.gradient.cell_size = 92.6;
  CHECK(slope_of(info, options) == doctest::Approx(500 / 92.6));
  info.georeferencing.key_directory[7] = 1;  // projected
  options.gradient.cell_size.reset();
  CHECK(slope_of(info, options) == doctest::Approx(500.0 * 1200));
}

TEST_CASE("the nodata value of slope can be any float or NaN") {
  const RasterInfo info = kernel_info(1, 1, SampleType::uint8);
  const KernelRaster raster{info};
  SlopeOptions options;
  options.nodata = "nan";
  Slope slope(options);
  const RasterInfo out = slope.describe(std::span(&info, 1));
  CHECK(out.nodata == "nan");
  CHECK(std::isnan(compute_whole(slope, {&raster}, out).get<float>(0, 0)));
  options.nodata = "none";
  CHECK_THROWS_WITH_AS(Slope(options).describe(std::span(&info, 1)),
                       "cannot compute slope with nodata none: float32 has no such value", Error);
}

TEST_CASE("slope is made from parameters") {
  Slope slope(
      Parameters(Slope::parameters(),
                 {{"unit", "percent"}, {"nodata", "-1"}, {"cell_size", "2"}, {"compute_edges", "true"}}));
  const KernelRaster raster = plane(kernel_info(5, 5, SampleType::float32));
  const RasterInfo out = slope.describe(std::span(&raster.info, 1));
  CHECK(out.nodata == "-1");
  const KernelRaster whole = compute_whole(slope, {&raster}, out);
  CHECK(whole.get<float>(2, 2) == 250);
  CHECK(whole.get<float>(2, 0) == 250);
  CHECK(Slope(Parameters(Slope::parameters(), {})).halo() == 1);
  CHECK_THROWS_AS(Parameters(Slope::parameters(), {{"cell_size", "0"}}), Error);
  CHECK_THROWS_AS(Parameters(Slope::parameters(), {{"unit", "grad"}}), Error);
}

TEST_CASE("what is computed keeps size and place, and no tags about the old values") {
  RasterInfo info = placed(kernel_info(5, 5, SampleType::int16, "-1", 3), 10, 10);
  info.tags.push_back({280, 3, 1, std::vector<std::byte>(2)});  // MinSampleValue
  info.photometric = 3;                                         // palette
  const RasterInfo out = Slope(SlopeOptions{}).describe(std::span(&info, 1));
  CHECK(out.height == 5);
  CHECK(out.samples == 3);
  CHECK(out.georeferencing.pixel_scale == info.georeferencing.pixel_scale);
  CHECK(out.tags.empty());
  CHECK(out.photometric == 1);
  CHECK(out.extra_samples == std::vector<std::uint16_t>{0, 0});
}
