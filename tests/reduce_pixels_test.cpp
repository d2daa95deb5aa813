#include "nodes/raster/reduce_pixels.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "framework/error.hpp"
#include "tests/kernel_support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// A raster with a mask, which is empty where there is none.
struct Level {
  KernelRaster raster;
  std::vector<std::byte> mask;

  MaskedView view(const Window& window) const {
    const std::byte* corner =
        mask.empty() ? nullptr : mask.data() + window.row * raster.info.width + window.col;
    return {raster.view(window), corner, raster.info.width};
  }
  MaskedTarget target(const Window& window) {
    std::byte* corner = mask.empty() ? nullptr : mask.data() + window.row * raster.info.width + window.col;
    return {raster.target(window), corner, raster.info.width};
  }
  bool is_masked(std::uint64_t row, std::uint64_t col) const {
    return !mask.empty() && mask[row * raster.info.width + col] == std::byte{0};
  }
};

Level made_level(RasterInfo info, bool has_mask, unsigned seed) {
  Level level{KernelRaster(info, seed % 3), {}};
  std::mt19937 random(seed);
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    for (std::uint64_t row = 0; row < info.height; ++row)
      for (std::uint64_t col = 0; col < info.width; ++col)
        for (std::uint32_t sample = 0; sample < info.samples; ++sample) {
          auto value = static_cast<Sample>(random() % 9 + row / 4);
          if (random() % 5 == 0) value = std::numeric_limits<Sample>::max();
          if (random() % 7 == 0) value = std::numeric_limits<Sample>::lowest();
          if (random() % 6 == 0) value = Sample{3};  // the nodata value of the tests
          if constexpr (std::is_floating_point_v<Sample>) {
            if (std::abs(value) > 1000) value = value < 0 ? Sample(-1.5e6) : Sample(2.25e5);
            if (random() % 11 == 0) value = std::numeric_limits<Sample>::quiet_NaN();
          }
          level.raster.set<Sample>(row, col, sample, value);
        }
  });
  if (has_mask) {
    level.mask.resize(info.height * info.width);
    for (std::byte& valid : level.mask) valid = random() % 3 == 0 ? std::byte{0} : std::byte{255};
  }
  return level;
}

RasterInfo coarser(const RasterInfo& info, const ReducePixels& reduce) {
  RasterInfo out = info;
  out.height = reduce.coarse_height();
  out.width = reduce.coarse_width();
  return out;
}

Level reduced(const Level& finer, const ReducePixels& reduce) {
  const RasterInfo info = coarser(finer.raster.info, reduce);
  Level out{KernelRaster(info, 1), {}};
  if (!finer.mask.empty()) out.mask.resize(info.height * info.width, std::byte{7});
  reduce(finer.view({0, 0, finer.raster.info.height, finer.raster.info.width}),
         out.target({0, 0, info.height, info.width}));
  return out;
}

double kernel_weight(Resampling resampling, double distance) {
  const double x = std::abs(distance);
  if (resampling == Resampling::bilinear) return x < 1 ? 1 - x : 0;
  if (x < 1) return 1.5 * x * x * x - 2.5 * x * x + 1;
  return x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0;
}

/// A number, rounded and clipped, as the header says; long double holds every sample and every sum of the tests.
template <class Sample>
Sample rounded_to(long double number) {
  using Limits = std::numeric_limits<Sample>;
  if constexpr (std::is_floating_point_v<Sample>) {
    return static_cast<Sample>(number);
  } else {
    return static_cast<Sample>(
        std::clamp<long double>(std::floor(number + 0.5L), Limits::min(), Limits::max()));
  }
}

/// One coarse pixel by the words of the header, nothing else.
template <class Sample>
Sample reference(const Level& finer, Resampling resampling, std::uint32_t factor, std::uint64_t row,
                 std::uint64_t col, std::uint32_t sample) {
  const RasterInfo& info = finer.raster.info;
  if (resampling == Resampling::nearest) return finer.raster.get<Sample>(row * factor, col * factor, sample);
  const bool has_nodata = info.nodata.has_value();
  const Sample nodata = has_nodata                         ? Sample{3}
                        : std::is_floating_point_v<Sample> ? std::numeric_limits<Sample>::quiet_NaN()
                                                           : Sample{0};
  const auto value_at = [&](std::uint64_t r, std::uint64_t c) -> std::optional<Sample> {
    const auto value = finer.raster.get<Sample>(r, c, sample);
    if (finer.is_masked(r, c) || value != value || (has_nodata && value == nodata)) return std::nullopt;
    return value;
  };
  std::vector<Sample> values;
  for (std::uint64_t r = row * factor; r < std::min((row + 1) * factor, info.height); ++r)
    for (std::uint64_t c = col * factor; c < std::min((col + 1) * factor, info.width); ++c)
      if (const auto value = value_at(r, c)) values.push_back(*value);
  if (values.empty()) return nodata;

  const auto kept = [&](Sample value) {
    if (!has_nodata || value != nodata) return value;
    if constexpr (std::is_floating_point_v<Sample>)
      return std::nextafter(value, std::numeric_limits<Sample>::lowest());
    else
      return static_cast<Sample>(value + 1);
  };
  const auto count = static_cast<long double>(values.size());
  const auto mean = [&] {
    if constexpr (std::is_integral_v<Sample>) {  // floor(2 sum + count) / (2 count), exactly
      __extension__ using Int128 = __int128;
      Int128 sum = 0;
      for (const Sample value : values) sum += value;
      const Int128 twice = 2 * sum + static_cast<Int128>(values.size()),
                   by = 2 * static_cast<Int128>(values.size());
      return kept(static_cast<Sample>(twice / by - (twice % by < 0 ? 1 : 0)));
    }
    long double sum = 0;
    for (const Sample value : values) sum += static_cast<long double>(value);
    return kept(rounded_to<Sample>(sum / count));
  };
  switch (resampling) {
    case Resampling::average:
      return mean();
    case Resampling::rms: {
      double sum = 0;
      for (const Sample value : values) sum += static_cast<double>(value) * static_cast<double>(value);
      return kept(rounded_to<Sample>(std::sqrt(sum / static_cast<double>(values.size()))));
    }
    case Resampling::minimum:
      return *std::ranges::min_element(values);
    case Resampling::maximum:
      return *std::ranges::max_element(values);
    case Resampling::median:
      std::ranges::sort(values);
      return values[(values.size() - 1) / 2];
    case Resampling::mode:
      return *std::ranges::max_element(values, {},
                                       [&](Sample value) { return std::ranges::count(values, value); });
    default: {
      const double middle_row = static_cast<double>(row * factor) + (factor - 1) / 2.0;
      const double middle_col = static_cast<double>(col * factor) + (factor - 1) / 2.0;
      double sum = 0, total = 0;
      const std::uint64_t reach = 2 * factor;  // no kernel has weights further from the cell
      for (std::uint64_t r = row * factor - std::min(row * factor, reach);
           r < std::min((row + 1) * factor + reach, info.height); ++r)
        for (std::uint64_t c = col * factor - std::min(col * factor, reach);
             c < std::min((col + 1) * factor + reach, info.width); ++c) {
          const auto value = value_at(r, c);
          if (!value) continue;
          const double weight = kernel_weight(resampling, (static_cast<double>(r) - middle_row) / factor) *
                                kernel_weight(resampling, (static_cast<double>(c) - middle_col) / factor);
          sum += weight * static_cast<double>(*value);
          total += weight;
        }
      return total < 0.1 * factor * factor ? mean() : kept(rounded_to<Sample>(sum / total));
    }
  }
}

/// Whether two samples are the same but for the rounding of sums in another order.
template <class Sample>
bool agree(Sample a, Sample b, bool is_exact) {
  if (a == b || (a != a && b != b)) return true;
  if (is_exact && !std::is_floating_point_v<Sample>) return false;
  const double difference = std::abs(static_cast<double>(a) - static_cast<double>(b));
  double size = std::max(std::abs(static_cast<double>(a)), std::abs(static_cast<double>(b)));
  // The largest values of 64 bits nearly cancel.
  if constexpr (sizeof(Sample) == 8 && !std::is_floating_point_v<Sample>) size = 1e10;
  return difference <= (std::is_floating_point_v<Sample> ? 0 : 1) + 1e-5 * size;
}

/// Makes the coarser level of a random one and compares each of its pixels.
void check_against_reference(const RasterInfo& info, Resampling resampling, std::uint32_t factor,
                             bool has_mask, unsigned seed) {
  const Level finer = made_level(info, has_mask, seed);
  const ReducePixels reduce(resampling, info, factor);
  const Level out = reduced(finer, reduce);
  REQUIRE(out.raster.info.height == (info.height + factor - 1) / factor);
  CAPTURE(name_of(info.type));
  CAPTURE(name_of(resampling));
  CAPTURE(factor);
  CAPTURE(info.nodata.has_value());
  CAPTURE(has_mask);
  const bool is_exact = resampling != Resampling::bilinear && resampling != Resampling::cubic &&
                        (resampling != Resampling::rms || bytes_of(info.type) < 8);
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    for (std::uint64_t row = 0; row < out.raster.info.height; ++row)
      for (std::uint64_t col = 0; col < out.raster.info.width; ++col)
        for (std::uint32_t sample = 0; sample < info.samples; ++sample) {
          const auto wanted = reference<Sample>(finer, resampling, factor, row, col, sample);
          const auto made = out.raster.get<Sample>(row, col, sample);
          CAPTURE(row);
          CAPTURE(col);
          CAPTURE(wanted);
          CAPTURE(made);
          REQUIRE(agree(made, wanted, is_exact));
        }
  });
}

}  // namespace

TEST_CASE("every overview kernel makes the pixels that its definition says") {
  unsigned seed = 0;
  for (const SampleType type : arithmetic_sample_types)
    for (const Resampling resampling : all_resamplings)
      for (const std::uint32_t factor : {2u, 3u, 7u})
        for (const bool has_nodata : {false, true})
          for (const bool has_mask : {false, true}) {
            ++seed;
            RasterInfo info =
                kernel_info(1 + seed % 23, 1 + seed % 29, type,
                            has_nodata ? std::optional<std::string>("3") : std::nullopt, 1 + seed % 3);
            check_against_reference(info, resampling, factor, has_mask, seed);
          }
}

TEST_CASE("and so they do where a row takes several runs, and with cells of many pixels") {
  unsigned seed = 1000;
  for (const SampleType type : {SampleType::uint8, SampleType::int16, SampleType::float32})
    for (const Resampling resampling : all_resamplings) {
      ++seed;
      const std::optional<std::string> nodata =
          seed % 2 != 0 ? std::optional<std::string>("3") : std::nullopt;
      for (const std::uint32_t factor : {2U, 4U, 9U, 64U}) {
        const RasterInfo info = kernel_info(factor + 1 + seed % 3, 1024 + factor, type, nodata);
        check_against_reference(info, resampling, factor, seed % 3 == 0, seed);
      }
    }
}

TEST_CASE("a coarse pixel is masked where its whole cell is, and with nearest where its pixel is") {
  for (const Resampling resampling : all_resamplings) {
    const RasterInfo info = kernel_info(21, 19, SampleType::uint16);
    const Level finer = made_level(info, true, 5);
    const Level out = reduced(finer, ReducePixels(resampling, info, 2));
    for (std::uint64_t row = 0; row < out.raster.info.height; ++row)
      for (std::uint64_t col = 0; col < out.raster.info.width; ++col) {
        bool is_valid = false;
        for (std::uint64_t r = 2 * row; r < std::min<std::uint64_t>(2 * row + 2, 21); ++r)
          for (std::uint64_t c = 2 * col; c < std::min<std::uint64_t>(2 * col + 2, 19); ++c)
            is_valid = is_valid || !finer.is_masked(r, c);
        if (resampling == Resampling::nearest) is_valid = !finer.is_masked(2 * row, 2 * col);
        CHECK(out.mask[row * out.raster.info.width + col] == (is_valid ? std::byte{255} : std::byte{0}));
      }
  }
}

TEST_CASE("overview pixels have the same bits however the level is cut into windows") {
  std::mt19937 random(9);
  for (const Resampling resampling : all_resamplings)
    for (const SampleType type :
         {SampleType::uint8, SampleType::int32, SampleType::float32, SampleType::float64}) {
      const RasterInfo info = kernel_info(75, 1301, type, "3", 2);
      const Level finer = made_level(info, true, static_cast<unsigned>(random()));
      const ReducePixels reduce(resampling, info, 2);
      const Level whole = reduced(finer, reduce);
      Level pieces = whole;
      std::ranges::fill(pieces.raster.bytes, std::byte{0xEE});
      std::ranges::fill(pieces.mask, std::byte{7});
      for (const Window& window : random_windows(whole.raster.info, random))
        reduce(finer.view(reduce.needed(window)), pieces.target(window));
      CHECK(pieces.mask == whole.mask);
      for (std::uint64_t row = 0; row < whole.raster.info.height; ++row)
        for (std::uint64_t col = 0; col < whole.raster.info.width; ++col)
          REQUIRE(std::memcmp(pieces.raster.at(row, col), whole.raster.at(row, col), info.pixel_bytes()) ==
                  0);
    }
}

TEST_CASE("a mean that is nodata by accident becomes the next value") {
  RasterInfo info = kernel_info(2, 2, SampleType::int16, "0");
  Level finer{KernelRaster(info), {}};
  for (unsigned i = 0; i < 4; ++i)
    finer.raster.set<std::int16_t>(i / 2, i % 2, 0, static_cast<std::int16_t>(i % 2 ? 5 : -5));
  CHECK(reduced(finer, ReducePixels(Resampling::average, info, 2)).raster.get<std::int16_t>(0, 0) == 1);
}

TEST_CASE("nearest carries samples that are not computed with, and the other kernels refuse them") {
  for (const SampleType type : {SampleType::float16, SampleType::complex128}) {
    const RasterInfo info = kernel_info(5, 5, type);
    Level finer{KernelRaster(info), {}};
    for (std::size_t i = 0; i < finer.raster.bytes.size(); ++i)
      finer.raster.bytes[i] = static_cast<std::byte>(i);
    const Level out = reduced(finer, ReducePixels(Resampling::nearest, info, 2));
    for (std::uint64_t row = 0; row < 3; ++row)
      for (std::uint64_t col = 0; col < 3; ++col)
        CHECK(std::memcmp(out.raster.at(row, col), finer.raster.at(2 * row, 2 * col), bytes_of(type)) == 0);
    CHECK_THROWS_AS(ReducePixels(Resampling::average, info, 2), Error);
  }
  CHECK_THROWS_AS(ReducePixels(Resampling::nearest, RasterInfo{}, 1), Error);
  CHECK_THROWS_AS(ReducePixels(Resampling::nearest, RasterInfo{}, 65), Error);
}
