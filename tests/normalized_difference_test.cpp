#include "nodes/raster/normalized_difference.hpp"

#include "framework/error.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

float index_of(double positive, double negative, SampleType type = SampleType::float64) {
  KernelRaster a(kernel_info(1, 1, type)), b(kernel_info(1, 1, type));
  with_sample_type(type, [&](auto zero) {
    a.set(0, 0, 0, static_cast<decltype(zero)>(positive));
    b.set(0, 0, 0, static_cast<decltype(zero)>(negative));
  });
  NormalizedDifference index(NormalizedDifferenceOptions{});
  const RasterInfo infos[] = {a.info, b.info};
  return compute_whole(index, {&a, &b}, index.describe(infos)).get<float>(0, 0);
}

}  // namespace

TEST_CASE("the normalized difference of any two types agrees with the plain one, in any windows") {
  std::mt19937 random(7);
  for (const SampleType positive : arithmetic_sample_types)
    for (const SampleType negative : arithmetic_sample_types)
      for (const std::optional<std::string>& nodata :
           {std::optional<std::string>(), std::optional<std::string>("7")}) {
        CAPTURE(name_of(positive));
        CAPTURE(name_of(negative));
        CAPTURE(nodata.has_value());
        const bool is_wide = random() % 2 == 0;
        const std::uint64_t width = random() % 2 == 0 ? 1 : 1030;
        const KernelRaster p = random_raster(kernel_info(9, width, positive, nodata, 2), random, is_wide, 5);
        const KernelRaster n = random_raster(kernel_info(9, width, negative, {}, 2), random, is_wide, 5);
        NormalizedDifference index(NormalizedDifferenceOptions{});
        const RasterInfo infos[] = {p.info, n.info};
        const RasterInfo out = index.describe(infos);
        CHECK(out.nodata == "-9999");
        const KernelRaster whole = compute_whole(index, {&p, &n}, out);
        std::size_t wrong = 0;
        for (std::uint64_t row = 0; row < 9; ++row)
          for (std::uint64_t col = 0; col < width; ++col)
            for (std::uint32_t sample = 0; sample < 2; ++sample) {
              const auto a = value_at(p, row, col, sample), b = value_at(n, row, col, sample);
              const float found = whole.get<float>(row, col, sample);
              if (!a || !b || static_cast<double>(*a) + static_cast<double>(*b) == 0) {
                wrong += found != -9999;
                continue;
              }
              const double x = static_cast<double>(*a), y = static_cast<double>(*b);
              wrong += found != static_cast<float>((x - y) / (x + y));
            }
        CHECK(wrong == 0);
        CHECK(has_same_bits_in_windows(index, {&p, &n}, whole, random));
      }
}

TEST_CASE("a sum of zero and infinite values have no normalized difference") {
  CHECK(index_of(3, 1) == 0.5F);
  CHECK(index_of(0, 0) == -9999);
  CHECK(index_of(2, -2) == -9999);
  CHECK(index_of(std::numeric_limits<double>::infinity(), 1) == -9999);
  CHECK(index_of(0, 5) == -1);
}

TEST_CASE("unsigned samples do not wrap around, and the largest ones do not overflow") {
  CHECK(index_of(10, 250, SampleType::uint8) == static_cast<float>(-240.0 / 260));
  CHECK(index_of(255, 255, SampleType::uint8) == 0);
  CHECK(index_of(0x1p63, 0, SampleType::uint64) == 1);
  CHECK(index_of(0x1p63, 0x1p63, SampleType::uint64) == 0);
}

TEST_CASE("the nodata value of each input counts") {
  KernelRaster p(kernel_info(1, 3, SampleType::int16, "-1")), n(kernel_info(1, 3, SampleType::uint8, "255"));
  const std::int16_t positive[] = {-1, 30, 30};
  const std::uint8_t negative[] = {10, 255, 10};
  for (std::uint64_t col = 0; col < 3; ++col) {
    p.set(0, col, 0, positive[col]);
    n.set(0, col, 0, negative[col]);
  }
  NormalizedDifference index(Parameters(NormalizedDifference::parameters(), {{"nodata", "nan"}}));
  const RasterInfo infos[] = {p.info, n.info};
  const KernelRaster whole = compute_whole(index, {&p, &n}, index.describe(infos));
  CHECK(whole.info.nodata == "nan");
  CHECK(std::isnan(whole.get<float>(0, 0)));
  CHECK(std::isnan(whole.get<float>(0, 1)));
  CHECK(whole.get<float>(0, 2) == 0.5F);
}

TEST_CASE("64-bit nodata values are told from their neighbours") {
  const std::uint64_t large = (std::uint64_t{1} << 63) + 1;
  KernelRaster p(kernel_info(1, 2, SampleType::uint64, std::to_string(large))),
      n(kernel_info(1, 2, SampleType::uint8));
  p.set(0, 0, 0, large);
  p.set(0, 1, 0, large + 1);
  n.set(0, 0, 0, std::uint8_t{0});
  n.set(0, 1, 0, std::uint8_t{0});
  NormalizedDifference index(NormalizedDifferenceOptions{});
  const RasterInfo infos[] = {p.info, n.info};
  const KernelRaster whole = compute_whole(index, {&p, &n}, index.describe(infos));
  CHECK(whole.get<float>(0, 0) == -9999);
  CHECK(whole.get<float>(0, 1) == 1);
}

TEST_CASE("rasters of different size or samples have no normalized difference") {
  NormalizedDifference index(NormalizedDifferenceOptions{});
  const RasterInfo infos[] = {kernel_info(2, 3, SampleType::uint8),
                              kernel_info(2, 3, SampleType::uint8, {}, 2)};
  CHECK_THROWS_WITH_AS(
      index.describe(infos),
      "cannot compute the normalized difference: positive has 3 x 2 pixels of 1 sample, negative "
      "has 3 x 2 pixels of 2 samples",
      Error);
}
