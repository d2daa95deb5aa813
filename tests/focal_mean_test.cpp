#include "nodes/raster/focal_mean.hpp"

#include <cstdlib>

#include "framework/error.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

__extension__ using Int128 = __int128;

/// The mean in the plainest way: for integers as sum and count, exactly.
template <class Sample>
struct PlainMean {
  std::conditional_t<std::is_floating_point_v<Sample>, long double, Int128> sum = 0;
  std::uint64_t count = 0;

  PlainMean(const KernelRaster& raster, std::uint64_t row, std::uint64_t col, std::uint32_t sample,
            std::uint64_t radius) {
    const Window window = grown({row, col, 1, 1}, radius, raster.info);
    for (std::uint64_t r = window.row; r < window.row_end(); ++r)
      for (std::uint64_t c = window.col; c < window.col_end(); ++c)
        if (value_at(raster, r, c, sample)) {
          sum += raster.get<Sample>(r, c, sample);
          ++count;
        }
  }
  /// Rounded to nearest even.
  Int128 whole() const {
    const Int128 n = static_cast<Int128>(count);
    Int128 down = static_cast<Int128>(sum) / n;
    if (down * n > static_cast<Int128>(sum)) --down;
    const Int128 twice = 2 * (static_cast<Int128>(sum) - down * n);
    return twice > n || (twice == n && down % 2 != 0) ? down + 1 : down;
  }
  long double mean() const { return static_cast<long double>(sum) / static_cast<long double>(count); }
};

/// Pixels whose mean is not what it should be.
template <class Sample>
std::size_t wrong_means(const KernelRaster& raster, const KernelRaster& found, std::uint64_t radius,
                        bool keeps_type) {
  std::size_t wrong = 0;
  for (std::uint64_t row = 0; row < raster.info.height; ++row)
    for (std::uint64_t col = 0; col < raster.info.width; ++col)
      for (std::uint32_t sample = 0; sample < raster.info.samples; ++sample) {
        const PlainMean<Sample> plain(raster, row, col, sample, radius);
        if constexpr (!std::is_floating_point_v<Sample>)
          if (keeps_type) {
            // A mean can be equal to the nodata value.
            const Sample wanted = plain.count == 0 ? static_cast<Sample>(*raster.info.nodata_value())
                                                   : static_cast<Sample>(plain.whole());
            wrong += found.get<Sample>(row, col, sample) != wanted;
            continue;
          }
        const double mean = keeps_type ? static_cast<double>(found.get<Sample>(row, col, sample))
                                       : static_cast<double>(found.get<float>(row, col, sample));
        if (plain.count == 0) {
          const auto nodata = found.info.nodata_value();
          wrong += nodata && !std::isnan(*nodata) ? mean != *nodata : !std::isnan(mean);
          continue;
        }
        const auto wanted = static_cast<double>(plain.mean());
        // float: within one rounding to float and one to double. Means of floats may cancel out.
        const double scale = std::is_floating_point_v<Sample> ? std::fabs(wanted) + 1e-3 : std::fabs(wanted);
        const double tolerance = std::is_same_v<Sample, double> && keeps_type ? 1e-9 : 0x1p-23;
        wrong += !(std::fabs(mean - wanted) <= tolerance * scale);
      }
  return wrong;
}

}  // namespace

TEST_CASE("focal mean agrees with the plain one, and has the same bits in any windows, for all types") {
  std::mt19937 random(5);
  const std::uint64_t sizes[][2] = {{1, 1}, {1, 30}, {30, 1}, {5, 8}, {23, 40}, {4, 530}};
  for (const SampleType type : arithmetic_sample_types)
    for (const auto& size : sizes)
      for (const bool keeps_type : {false, true})
        for (const unsigned nodata_each : {0U, 10U, 2U})
          for (const std::uint64_t radius : {1U, 2U, 3U, 7U}) {
            CAPTURE(name_of(type));
            CAPTURE(size[0]);
            CAPTURE(size[1]);
            CAPTURE(keeps_type);
            CAPTURE(nodata_each);
            CAPTURE(radius);
            const std::optional<std::string> nodata =
                nodata_each > 0 ? std::optional<std::string>("7") : std::nullopt;
            const RasterInfo info = kernel_info(size[0], size[1], type, nodata, size[0] == 5 ? 2 : 1);
            const KernelRaster raster = random_raster(info, random, true, nodata_each);
            FocalMean mean(FocalMeanOptions{radius, keeps_type, {}});
            const RasterInfo out = mean.describe(std::span(&info, 1));
            CHECK(out.type == (keeps_type ? type : SampleType::float32));
            const KernelRaster whole = compute_whole(mean, {&raster}, out);
            CHECK(with_sample_type(type, [&](auto zero) {
                    return wrong_means<decltype(zero)>(raster, whole, radius, keeps_type);
                  }) == 0);
            CHECK(has_same_bits_in_windows(mean, {&raster}, whole, random));
          }
}

TEST_CASE("sums of floats have the same bits in any windows where their order would show") {
  // Numbers of very different size: any other order of additions rounds to something else.
  std::mt19937 random(6);
  for (const std::uint64_t radius : {1U, 4U, 20U, 64U}) {
    CAPTURE(radius);
    const RasterInfo info = kernel_info(150, 330, SampleType::float64);
    KernelRaster raster(info);
    for (std::uint64_t row = 0; row < info.height; ++row)
      for (std::uint64_t col = 0; col < info.width; ++col)
        raster.set(row, col, 0,
                   random_sample<double>(random, true) * std::exp2(static_cast<double>(random() % 80)));
    FocalMean mean(FocalMeanOptions{radius, true, {}});
    const RasterInfo out = mean.describe(std::span(&info, 1));
    const KernelRaster whole = compute_whole(mean, {&raster}, out);
    for (int i = 0; i < 10; ++i) CHECK(has_same_bits_in_windows(mean, {&raster}, whole, random));
  }
}

TEST_CASE("the largest numbers of 64 bits sum up exactly at the largest radius") {
  for (const SampleType type : {SampleType::int64, SampleType::uint64}) {
    const RasterInfo info = kernel_info(140, 135, type);
    with_sample_type(type, [&](auto zero) {
      using Sample = decltype(zero);
      if constexpr (sizeof(Sample) == 8 && !std::is_floating_point_v<Sample>) {
        using Limits = std::numeric_limits<Sample>;
        for (const Sample base : {Limits::max(), Limits::min()}) {
          KernelRaster raster(info);
          for (std::uint64_t row = 0; row < info.height; ++row)
            for (std::uint64_t col = 0; col < info.width; ++col) raster.set(row, col, 0, base);
          FocalMean mean(FocalMeanOptions{64, true, {}});
          const RasterInfo out = mean.describe(std::span(&info, 1));
          const KernelRaster whole = compute_whole(mean, {&raster}, out);
          CHECK(whole.get<Sample>(70, 67) == base);
          CHECK(whole.get<Sample>(0, 0) == base);
        }
      }
    });
  }
}

TEST_CASE("ties are rounded to even") {
  KernelRaster raster(kernel_info(1, 2, SampleType::int8));
  const auto rounded = [&](int a, int b) {
    raster.set(0, 0, 0, static_cast<std::int8_t>(a));
    raster.set(0, 1, 0, static_cast<std::int8_t>(b));
    FocalMean mean(FocalMeanOptions{1, true, {}});
    const RasterInfo out = mean.describe(std::span(&raster.info, 1));
    return int{compute_whole(mean, {&raster}, out).get<std::int8_t>(0, 0)};
  };
  CHECK(rounded(1, 2) == 2);
  CHECK(rounded(2, 3) == 2);
  CHECK(rounded(-1, -2) == -2);
  CHECK(rounded(-2, -3) == -2);
  CHECK(rounded(-1, 0) == 0);
  CHECK(rounded(127, 127) == 127);
  CHECK(rounded(-128, -128) == -128);
}

TEST_CASE("holes are filled where a neighbour has data, and stay where none has") {
  KernelRaster raster(kernel_info(3, 6, SampleType::uint8, "0"));
  raster.set(1, 0, 0, std::uint8_t{12});
  FocalMean mean(FocalMeanOptions{1, false, {}});
  const RasterInfo out = mean.describe(std::span(&raster.info, 1));
  CHECK(out.nodata == "0");
  for (std::uint64_t row = 0; row < 3; ++row)
    for (std::uint64_t col = 0; col < 6; ++col)
      raster.set(row, col, 0, static_cast<std::uint8_t>(row == 1 && col == 0 ? 12 : 0));
  const KernelRaster whole = compute_whole(mean, {&raster}, out);
  CHECK(whole.get<float>(0, 1) == 12);
  CHECK(whole.get<float>(1, 0) == 12);
  CHECK(whole.get<float>(1, 2) == 0);
}

TEST_CASE(
    "the nodata value of a mean is the input's, or NaN where float32 cannot hold it, or the given one") {
  const auto nodata_for = [](SampleType type, const char* nodata, FocalMeanOptions options) {
    const RasterInfo info = kernel_info(2, 2, type, nodata);
    return FocalMean(options).describe(std::span(&info, 1)).nodata.value_or("none");
  };
  CHECK(nodata_for(SampleType::int16, "-9999", {}) == "-9999");
  CHECK(nodata_for(SampleType::float64, "1e300", {}) == "nan");
  CHECK(nodata_for(SampleType::float64, "1e300", {1, true, {}}) == "1e300");
  CHECK(nodata_for(SampleType::int16, "-9999", {1, false, "nan"}) == "nan");
  CHECK_THROWS_AS(nodata_for(SampleType::int16, "-9999", {1, true, "nan"}), Error);
}

TEST_CASE("a focal mean takes the scratch that it declares, and none too many columns") {
  const RasterInfo info = kernel_info(10, 10, SampleType::int64);
  FocalMean mean(FocalMeanOptions{64, false, {}});
  mean.describe(std::span(&info, 1));
  CHECK(mean.local_bytes(1) < 1100 << 10);
  CHECK(mean.halo() == 64);
}

TEST_CASE("a radius out of range is refused") {
  CHECK_THROWS_AS(FocalMean(FocalMeanOptions{0, false, {}}), Error);
  CHECK_THROWS_AS(FocalMean(FocalMeanOptions{65, false, {}}), Error);
  CHECK_THROWS_AS(Parameters(FocalMean::parameters(), {{"radius", "65"}}), Error);
  FocalMean made(
      Parameters(FocalMean::parameters(), {{"radius", "3"}, {"sample_type", "same"}, {"nodata", "5"}}));
  CHECK(made.halo() == 3);
  const RasterInfo info = kernel_info(10, 10, SampleType::uint16);
  CHECK(made.describe(std::span(&info, 1)).type == SampleType::uint16);
}
