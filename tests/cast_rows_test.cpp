#include "nodes/raster/cast_rows.hpp"

#include "framework/error.hpp"
#include "nodes/raster/half.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// A value of any real type.
template <class Function>
void with_real_type(SampleType type, Function function) {
  with_sample_type(type, function);
}

KernelRaster cast(const KernelRaster& from, const RasterInfo& to, const Scaling& scaling = {},
                  NanRule rule = NanRule::refuse) {
  KernelRaster out(to);
  const Window all{0, 0, to.height, to.width};
  CastRows(from.info, to, rule)(from.view(all), out.target(all), scaling);
  return out;
}

template <class Sample>
KernelRaster row_of(SampleType type, const std::vector<Sample>& values,
                    std::optional<std::string> nodata = {}) {
  KernelRaster raster(kernel_info(1, values.size(), type, std::move(nodata)));
  for (std::size_t i = 0; i < values.size(); ++i) raster.set(0, i, 0, values[i]);
  return raster;
}

RasterInfo like(const RasterInfo& info, SampleType type, std::optional<std::string> nodata = {}) {
  RasterInfo to = info;
  to.type = type;
  to.nodata = std::move(nodata);
  return to;
}

/// The half that is nearest to a number, the even one of two, by looking at all of them.
std::uint16_t nearest_half(double number) {
  if (number != number) return 0x7e00;
  const bool is_negative = std::signbit(number);
  const double size = std::fabs(number);
  if (std::isinf(size)) return is_negative ? 0xfc00 : 0x7c00;
  std::uint16_t low = 0, high = 0x7bff;  // 65504
  while (low < high) {                   // the largest that is not above
    const auto middle = static_cast<std::uint16_t>((low + high + 1) / 2);
    if (static_cast<double>(float_from_half(middle)) <= size)
      low = middle;
    else
      high = static_cast<std::uint16_t>(middle - 1);
  }
  std::uint16_t best = low;
  if (low < 0x7bff) {
    const double below = size - static_cast<double>(float_from_half(low));
    const double above = static_cast<double>(float_from_half(static_cast<std::uint16_t>(low + 1))) - size;
    if (above < below || (above == below && low % 2 == 1)) best = static_cast<std::uint16_t>(low + 1);
  }
  return static_cast<std::uint16_t>(best | (is_negative ? 0x8000 : 0));
}

}  // namespace

TEST_CASE("doubles become the nearest half, ties to even, rounded once") {
  std::vector<double> numbers{0.0,
                              -0.0,
                              1,
                              65504,
                              65519,
                              65520,
                              1e300,
                              -1e300,
                              0x1p-24,
                              0x1p-25,
                              0x1.8p-25,
                              0x1p-26,
                              std::numeric_limits<double>::infinity()};
  // Ties of halves, and the next doubles on both sides, which a float between them cannot tell from the tie.
  std::mt19937 random(3);
  for (int i = 0; i < 20000; ++i) {
    const auto half = static_cast<std::uint16_t>(random() % 0x7bff);
    const double tie = (static_cast<double>(float_from_half(half)) +
                        static_cast<double>(float_from_half(static_cast<std::uint16_t>(half + 1)))) /
                       2;
    for (const double number : {tie, std::nextafter(tie, 1e9), std::nextafter(tie, -1e9)})
      numbers.push_back(random() % 2 == 0 ? number : -number);
  }
  const KernelRaster from = row_of(SampleType::float64, numbers);
  const KernelRaster to = cast(from, like(from.info, SampleType::float16));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    wrong += to.get<std::uint16_t>(0, i) != nearest_half(numbers[i]);
  CHECK(wrong == 0);
}

TEST_CASE("every half becomes its value in every real type, and comes back") {
  std::vector<std::uint16_t> halves;
  for (std::uint32_t half = 0; half < 65536; ++half)
    if ((half & 0x7fff) <= half_infinity) halves.push_back(static_cast<std::uint16_t>(half));  // no NaN
  const KernelRaster from = row_of(SampleType::float16, halves);
  for (const SampleType type : arithmetic_sample_types)
    with_real_type(type, [&](auto zero) {
      using Out = decltype(zero);
      const KernelRaster to = cast(from, like(from.info, type));
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < halves.size(); ++i) {
        const auto number = static_cast<long double>(float_from_half(halves[i]));
        if constexpr (std::is_floating_point_v<Out>) {
          wrong += static_cast<long double>(to.get<Out>(0, i)) != number ||
                   std::signbit(to.get<Out>(0, i)) != std::signbit(number);
        } else {
          const long double inside =
              std::clamp(std::nearbyint(number), static_cast<long double>(std::numeric_limits<Out>::min()),
                         static_cast<long double>(std::numeric_limits<Out>::max()));
          wrong += static_cast<long double>(to.get<Out>(0, i)) != inside;
        }
      }
      CHECK_MESSAGE(wrong == 0, name_of(type));
      if constexpr (std::is_floating_point_v<Out>) CHECK(cast(to, from.info).bytes == from.bytes);
    });
}

TEST_CASE("64-bit integers become the nearest float, rounded once") {
  std::mt19937_64 random(5);
  std::vector<std::int64_t> numbers{std::numeric_limits<std::int64_t>::min(),
                                    std::numeric_limits<std::int64_t>::max(), 0};
  for (int i = 0; i < 20000; ++i) {
    // Half a float's last place, and one more or less: a double loses the one.
    const std::int64_t tie =
        (static_cast<std::int64_t>(random() >> 40 | 1u << 23) << 39) + (std::int64_t{1} << 38);
    for (const std::int64_t near : {tie, tie + 1, tie - 1})
      numbers.push_back(random() % 2 == 0 ? near : -near);
  }
  const KernelRaster from = row_of(SampleType::int64, numbers);
  const KernelRaster to = cast(from, like(from.info, SampleType::float32));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    wrong += to.get<float>(0, i) != static_cast<float>(static_cast<long double>(numbers[i]));
  CHECK(wrong == 0);
}

TEST_CASE("a negative zero stays one where nothing is added, and NaN and infinity stay what they are") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const KernelRaster from = row_of<float>(SampleType::float32, {-0.0f, nan, infinity, -infinity});
  const KernelRaster to = cast(from, like(from.info, SampleType::float64));
  CHECK(std::signbit(to.get<double>(0, 0)));
  CHECK(std::isnan(to.get<double>(0, 1)));
  CHECK(to.get<double>(0, 2) == std::numeric_limits<double>::infinity());
  const KernelRaster half = cast(from, like(from.info, SampleType::float16));
  CHECK(half.get<std::uint16_t>(0, 0) == 0x8000);
  CHECK((half.get<std::uint16_t>(0, 1) & 0x7fff) > half_infinity);
  CHECK(half.get<std::uint16_t>(0, 3) == 0xfc00);
}

TEST_CASE("NaN and nodata become the nodata value; an integer type without one refuses NaN and says where") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  KernelRaster from(kernel_info(3, 700, SampleType::float32, {}, 2));
  for (std::uint64_t row = 0; row < 3; ++row)
    for (std::uint64_t col = 0; col < 700; ++col)
      for (std::uint32_t sample = 0; sample < 2; ++sample) from.set(row, col, sample, 5.0f);
  from.set(2, 600, 1, nan);
  try {
    cast(from, like(from.info, SampleType::uint8));
    FAIL("NaN was taken");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) ==
          "cannot cast NaN in row 2 to uint8: the type has no such value, and there is no nodata value; give "
          "one");
    CHECK(error.kind() == ErrorKind::failed);
  }
  CHECK(cast(from, like(from.info, SampleType::uint8), {}, NanRule::zero).get<std::uint8_t>(2, 600, 1) == 0);
  CHECK(cast(from, like(from.info, SampleType::uint8, "255")).get<std::uint8_t>(2, 600, 1) == 255);
  from.info.nodata = "5";
  CHECK(cast(from, like(from.info, SampleType::int16, "-1")).get<std::int16_t>(0, 0, 0) == -1);
  CHECK(cast(from, like(from.info, SampleType::int16, "-1")).get<std::int16_t>(2, 600, 1) == -1);
  CHECK(cast(from, like(from.info, SampleType::float16, "-1")).get<std::uint16_t>(0, 0, 0) == 0xbc00);
  const KernelRaster halves = row_of<std::uint16_t>(SampleType::float16, {0x4500, 0x3c00}, "5");  // 5 and 1
  const KernelRaster bytes = cast(halves, like(halves.info, SampleType::uint8, "9"));
  CHECK(bytes.get<std::uint8_t>(0, 0) == 9);
  CHECK(bytes.get<std::uint8_t>(0, 1) == 1);
}

TEST_CASE(
    "a real number gets no imaginary part, complex parts are cast each, and complex to real is refused") {
  KernelRaster from(kernel_info(2, 3, SampleType::float32, {}, 2), 5);
  for (std::uint64_t row = 0; row < 2; ++row)
    for (std::uint64_t col = 0; col < 3; ++col)
      for (std::uint32_t sample = 0; sample < 2; ++sample)
        from.set(row, col, sample, static_cast<float>(row * 100 + col * 10 + sample) + 0.5f);
  const KernelRaster complex = cast(from, like(from.info, SampleType::complex_int16), {2, 1});
  for (std::uint64_t row = 0; row < 2; ++row)
    for (std::uint64_t col = 0; col < 3; ++col)
      for (std::uint32_t sample = 0; sample < 2; ++sample) {
        const std::uint32_t bits = complex.get<std::uint32_t>(row, col, sample);
        CHECK(bits ==
              (row * 100 + col * 10 + sample) * 2 + 2);  // little-endian: the real part is the low one
      }
  KernelRaster parts(kernel_info(1, 2, SampleType::complex128, "3"));
  const double numbers[] = {3, -7.5, 1e9, 2.5};
  std::memcpy(parts.at(0, 0), numbers, sizeof numbers);
  const KernelRaster small = cast(parts, like(parts.info, SampleType::complex_int16, "3"));
  std::int16_t found[4];
  std::memcpy(found, small.at(0, 0), sizeof found);
  CHECK(found[0] == 3);  // a part is no value: it is not compared with nodata
  CHECK(found[1] == -8);
  CHECK(found[2] == 32767);
  CHECK(found[3] == 2);
  for (const SampleType real : {SampleType::float32, SampleType::float16, SampleType::int64})
    CHECK_THROWS_WITH_AS(CastRows(parts.info, like(parts.info, real), NanRule::zero),
                         doctest::Contains("complex number has no one real value"), Error);
}
