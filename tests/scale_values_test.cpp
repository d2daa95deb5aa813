#include "nodes/raster/scale_values.hpp"

#include "framework/error.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

ScaleValuesOptions options_for(double scale, double offset, std::optional<SampleType> type = {},
                               std::optional<std::string> nodata = {}) {
  return {scale, offset, type, std::move(nodata)};
}

/// What the kernel makes of one value.
template <class Out, class Sample>
Out scaled(Sample value, const ScaleValuesOptions& options, std::optional<std::string> nodata = {}) {
  SampleType type{};
  for (const SampleType each : arithmetic_sample_types)
    with_sample_type(each, [&](auto zero) {
      if (std::is_same_v<decltype(zero), Sample>) type = each;
    });
  KernelRaster raster(kernel_info(1, 1, type, std::move(nodata)));
  raster.set(0, 0, 0, value);
  ScaleValues scale(options);
  const RasterInfo out = scale.describe(std::span(&raster.info, 1));
  REQUIRE(bytes_of(out.type) == sizeof(Out));
  return compute_whole(scale, {&raster}, out).template get<Out>(0, 0);
}

}  // namespace

TEST_CASE("scaled values of every type agree with the plain ones in every other type, in any windows") {
  std::mt19937 random(8);
  const std::optional<std::string> none, seven = "7";
  for (const SampleType from : arithmetic_sample_types)
    for (const SampleType to : arithmetic_sample_types)
      for (const auto& nodata : {none, seven})
        for (const double scale : {1.0, 0.5, -3.7, 1e-3}) {
          CAPTURE(name_of(from));
          CAPTURE(name_of(to));
          CAPTURE(scale);
          CAPTURE(nodata.has_value());
          const double offset = random() % 2 == 0 ? 0 : 12.25;
          const std::uint64_t width = random() % 2 == 0 ? 3 : 600;
          const RasterInfo info = kernel_info(6, width, from, nodata, 2);
          const KernelRaster raster = random_raster(info, random, random() % 2 == 0, 5);
          ScaleValues kernel(options_for(scale, offset, to));
          const RasterInfo out = kernel.describe(std::span(&info, 1));
          CHECK(out.nodata == nodata);
          const KernelRaster whole = compute_whole(kernel, {&raster}, out);
          std::size_t wrong = 0;
          with_sample_type(to, [&](auto zero) {
            using Out = decltype(zero);
            using Limits = std::numeric_limits<Out>;
            for (std::uint64_t row = 0; row < 6; ++row)
              for (std::uint64_t col = 0; col < width; ++col)
                for (std::uint32_t sample = 0; sample < 2; ++sample) {
                  const Out found = whole.get<Out>(row, col, sample);
                  const auto value = value_at(raster, row, col, sample);
                  if (!value) {
                    if (nodata)
                      wrong += found != Out{7};
                    else if constexpr (std::is_floating_point_v<Out>)
                      wrong += !std::isnan(found);
                    else
                      wrong += found != 0;
                    continue;
                  }
                  if constexpr (std::is_floating_point_v<Out>) {
                    wrong += found != static_cast<Out>(static_cast<double>(*value) * scale + offset);
                  } else {
                    const bool is_exact = scale == 1 && offset == 0;
                    const long double number =
                        is_exact ? *value
                                 : static_cast<long double>(static_cast<double>(*value) * scale + offset);
                    const long double clipped =
                        std::clamp(std::nearbyint(number), static_cast<long double>(Limits::min()),
                                   static_cast<long double>(Limits::max()));
                    wrong += static_cast<long double>(found) != clipped;
                  }
                }
          });
          CHECK(wrong == 0);
          CHECK(has_same_bits_in_windows(kernel, {&raster}, whole, random));
        }
}

TEST_CASE("ties go to the even number, and what does not fit is clipped") {
  const auto to_int8 = options_for(1, 0, SampleType::int8);
  CHECK(scaled<std::int8_t>(0.5, to_int8) == 0);
  CHECK(scaled<std::int8_t>(1.5, to_int8) == 2);
  CHECK(scaled<std::int8_t>(-2.5, to_int8) == -2);
  CHECK(scaled<std::int8_t>(127.5, to_int8) == 127);
  CHECK(scaled<std::int8_t>(1e300, to_int8) == 127);
  CHECK(scaled<std::int8_t>(-1e300, to_int8) == -128);
  CHECK(scaled<std::int8_t>(std::numeric_limits<float>::infinity(), to_int8) == 127);
  CHECK(scaled<std::uint32_t>(-1.0, options_for(1, 0, SampleType::uint32)) == 0);
  CHECK(scaled<std::uint32_t>(5e9, options_for(1, 0, SampleType::uint32)) == 4294967295U);
  CHECK(scaled<std::uint32_t>(4294967294.5, options_for(1, 0, SampleType::uint32)) == 4294967294U);
  CHECK(scaled<float>(1e300, options_for(1, 0, SampleType::float32)) == std::numeric_limits<float>::max());
  CHECK(scaled<float>(-1e300, options_for(1, 0, SampleType::float32)) ==
        std::numeric_limits<float>::lowest());
  CHECK(std::isinf(
      scaled<float>(-std::numeric_limits<double>::infinity(), options_for(1, 0, SampleType::float32))));
}

TEST_CASE("64-bit integers are exact at scale 1, and clipped at their own ends") {
  using Signed = std::numeric_limits<std::int64_t>;
  using Unsigned = std::numeric_limits<std::uint64_t>;
  const auto to_signed = options_for(1, 0, SampleType::int64),
             to_unsigned = options_for(1, 0, SampleType::uint64);
  CHECK(scaled<std::int64_t>(Signed::max() - 1, to_signed) == Signed::max() - 1);
  CHECK(scaled<std::int64_t>(Signed::max() - 1, options_for(1, 5, SampleType::int64)) == Signed::max());
  CHECK(scaled<std::int64_t>(Signed::min() + 9, options_for(1, -8, SampleType::int64)) == Signed::min() + 1);
  CHECK(scaled<std::uint64_t>(Unsigned::max() - 1, to_unsigned) == Unsigned::max() - 1);
  CHECK(scaled<std::int64_t>(Unsigned::max(), to_signed) == Signed::max());
  CHECK(scaled<std::uint64_t>(Signed::min(), to_unsigned) == 0);
  CHECK(scaled<std::int32_t>(Signed::max(), options_for(1, 0, SampleType::int32)) ==
        std::numeric_limits<std::int32_t>::max());
  // Through a double: the ends, not beyond.
  CHECK(scaled<std::int64_t>(1e19, to_signed) == Signed::max());
  CHECK(scaled<std::int64_t>(0x1p63, to_signed) == Signed::max());
  CHECK(scaled<std::uint64_t>(0x1p64, to_unsigned) == Unsigned::max());
  CHECK(scaled<std::int64_t>(-1e19, to_signed) == Signed::min());
  CHECK(scaled<std::uint64_t>(1e20, to_unsigned) == Unsigned::max());
  CHECK(scaled<std::uint64_t>(-1.0, to_unsigned) == 0);
  CHECK(scaled<std::uint64_t>(0x1p63, to_unsigned) == std::uint64_t{1} << 63);
  CHECK(scaled<std::int64_t>(Signed::max(), options_for(0.5, 0)) == std::int64_t{1} << 62);
}

TEST_CASE("nodata keeps its meaning") {
  // Kept as it is: not scaled.
  CHECK(scaled<std::int16_t>(std::int16_t{-9999}, options_for(2, 1), "-9999") == -9999);
  CHECK(scaled<std::uint8_t>(std::int16_t{-9999}, options_for(2, 1, SampleType::uint8, "255"), "-9999") ==
        255);
  CHECK(scaled<float>(std::numeric_limits<double>::quiet_NaN(), options_for(2, 1, SampleType::float32),
                      "-1") == -1);
  CHECK(scaled<std::int64_t>(std::int64_t{(1LL << 53) + 1}, options_for(1, 0),
                             std::to_string((1LL << 53) + 2)) == (1LL << 53) + 1);

  const auto describe = [](SampleType from, const char* nodata, SampleType to) {
    const RasterInfo info = kernel_info(1, 1, from, nodata);
    return ScaleValues(options_for(1, 0, to)).describe(std::span(&info, 1)).nodata.value_or("none");
  };
  CHECK(describe(SampleType::float64, "-1e300", SampleType::float32) == "nan");
  CHECK(describe(SampleType::uint8, "-9999", SampleType::uint16) == "none");  // no pixel has it
  CHECK_THROWS_WITH_AS(describe(SampleType::int16, "-9999", SampleType::uint8),
                       "cannot scale values with nodata -9999: uint8 has no such value; give another nodata",
                       Error);
  CHECK_THROWS_AS(describe(SampleType::float32, "nan", SampleType::uint8), Error);
}

TEST_CASE("scaling is made from parameters, and keeps colours") {
  ScaleValues kernel(
      Parameters(ScaleValues::parameters(),
                 {{"scale", "2"}, {"offset", "-1"}, {"sample_type", "int32"}, {"nodata", "0"}}));
  RasterInfo info = kernel_info(1, 1, SampleType::uint8, {}, 4);
  info.photometric = 2;
  info.extra_samples = {2};
  const RasterInfo out = kernel.describe(std::span(&info, 1));
  CHECK(out.type == SampleType::int32);
  CHECK(out.nodata == "0");
  CHECK(out.photometric == 2);
  CHECK(out.extra_samples == std::vector<std::uint16_t>{2});
  CHECK_THROWS_AS(ScaleValues(options_for(std::numeric_limits<double>::infinity(), 0)), Error);
}
