#include "nodes/raster/statistics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <concepts>

namespace weir {
namespace {

/// Sums of every eighth pixel: independent of each other, so that a core works on several at once, and always
/// the same ones, so that the result is.
constexpr std::size_t lanes = 8;

template <class Sample>
struct Lanes {
  double sum[lanes] = {}, squares[lanes] = {};  // of the distances from the shift
  std::uint64_t count[lanes] = {};
  Sample least[lanes], most[lanes];
};

template <class Sample, bool can_lack_data>
void add_run(const Sample* __restrict samples, std::size_t count, bool has_nodata, Sample nodata,
             double shift, Lanes<Sample>& into) {
  // A copy that nothing else points to stays in registers.
  Lanes<Sample> all = into;
  const auto add = [&](Sample value, std::size_t lane) {
    const bool has_data = !can_lack_data || ((value == value) & !(has_nodata & (value == nodata)));
    const double distance = has_data ? static_cast<double>(value) - shift : 0;
    all.sum[lane] += distance;
    all.squares[lane] += distance * distance;
    all.least[lane] = (has_data & (value < all.least[lane])) ? value : all.least[lane];
    all.most[lane] = (has_data & (value > all.most[lane])) ? value : all.most[lane];
    all.count[lane] += has_data ? 1U : 0U;
  };
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes)
    for (std::size_t lane = 0; lane < lanes; ++lane) add(samples[i + lane], lane);
  for (std::size_t lane = 0; i + lane < count; ++lane) add(samples[i + lane], lane);
  into = all;
}

/// The numbers of a sample type that compare as any of its values would.
template <class Sample>
constexpr Sample above_all = std::floating_point<Sample> ? std::numeric_limits<Sample>::infinity()
                                                         : std::numeric_limits<Sample>::max();
template <class Sample>
constexpr Sample below_all = std::floating_point<Sample> ? -std::numeric_limits<Sample>::infinity()
                                                         : std::numeric_limits<Sample>::min();

template <class Sample>
SampleValue value_of(Sample sample) {
  if constexpr (std::floating_point<Sample>)
    return static_cast<double>(sample);
  else if constexpr (std::signed_integral<Sample>)
    return std::int64_t{sample};
  else
    return std::uint64_t{sample};
}

/// Moves the samples of valid pixels to the front; returns how many there are. `col`: the first one's place in `bits`.
template <class Sample>
std::size_t keep_valid(Sample* samples, std::size_t count, const std::byte* bits, std::uint64_t col) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t at = col + i;
    samples[kept] = samples[i];
    kept += std::to_integer<std::size_t>(bits[at / 8] >> (7 - at % 8) & std::byte{1});
  }
  return kept;
}

template <class Sample>
SampleStatistics measure(const PixelView& window, std::uint32_t sample, const NodataSample& nodata,
                         const ValidBits& valid) {
  const Sample none = nodata.as<Sample>();
  Sample samples[panel_width];
  Lanes<Sample> all;
  std::fill_n(all.least, lanes, above_all<Sample>);
  std::fill_n(all.most, lanes, below_all<Sample>);
  // Distances from a value in the midst of the data keep the digits that the squares of the values would
  // lose.
  bool has_shift = false;
  double shift = 0;

  for (std::uint64_t row = 0; row < window.window.height; ++row)
    for (std::uint64_t col = 0; col < window.window.width; col += panel_width) {
      auto count = static_cast<std::size_t>(std::min<std::uint64_t>(panel_width, window.window.width - col));
      copy_row(window, row, col, count, sample, samples);
      if (valid.data != nullptr) count = keep_valid(samples, count, valid.data + row * valid.row_bytes, col);
      if (!has_shift) {
        const Sample* const first = std::find_if(samples, samples + count, [&](Sample value) {
          return value == value && !(nodata.is_set && value == none) &&
                 std::isfinite(static_cast<double>(value));
        });
        has_shift = first != samples + count;
        if (has_shift) shift = static_cast<double>(*first);
      }
      if (std::floating_point<Sample> || nodata.is_set)
        add_run<Sample, true>(samples, count, nodata.is_set, none, shift, all);
      else
        add_run<Sample, false>(samples, count, false, none, shift, all);
    }

  SampleStatistics result;
  double sum = 0, squares = 0;
  for (std::size_t lane = 0; lane < lanes; ++lane) {
    result.count += all.count[lane];
    sum += all.sum[lane];
    squares += all.squares[lane];
  }
  result.nodata = window.window.height * window.window.width - result.count;
  result.least = value_of(*std::min_element(all.least, all.least + lanes));
  result.most = value_of(*std::max_element(all.most, all.most + lanes));
  if (result.count > 0) {
    const double mean = sum / static_cast<double>(result.count);
    result.mean = shift + mean;
    // Infinite values have no deviation.
    result.squares = std::isfinite(squares) ? std::max(0.0, squares - sum * mean)
                                            : std::numeric_limits<double>::quiet_NaN();
  }
  return result;
}

std::string number_text(double number) {
  return std::isfinite(number) ? fmt::format("{}", number) : "null";
}

}  // namespace

double SampleStatistics::standard_deviation() const {
  return std::sqrt(squares / static_cast<double>(count));
}

void SampleStatistics::merge(const SampleStatistics& other) {
  nodata += other.nodata;
  if (other.count == 0) return;
  if (count == 0) {
    const std::uint64_t missing = nodata;
    *this = other;
    nodata = missing;
    return;
  }
  least = std::min(least, other.least);
  most = std::max(most, other.most);
  const double here = static_cast<double>(count), there = static_cast<double>(other.count);
  const double distance = other.mean - mean, part = there / (here + there);
  mean += distance * part;
  squares += other.squares + distance * distance * here * part;
  count += other.count;
}

StatisticsPart MeasureStatistics::operator()(std::span<const PixelView> windows) const {
  StatisticsPart part;
  part.windows.resize(windows.size() * samples_);
  for (std::size_t i = 0; i < windows.size(); ++i)
    (*this)(windows[i], {}, std::span(part.windows).subspan(i * samples_, samples_));
  return part;
}

void MeasureStatistics::operator()(const PixelView& window, const ValidBits& valid,
                                   std::span<SampleStatistics> out) const {
  assert(window.type == type_ && window.samples == samples_ && out.size() == samples_);
  with_sample_type(type_, [&](auto zero) {
    for (std::uint32_t sample = 0; sample < samples_; ++sample)
      out[sample] = measure<decltype(zero)>(window, sample, nodata_, valid);
  });
}

void RasterStatistics::merge(const StatisticsPart& part) {
  assert(part.windows.size() % samples_.size() == 0);
  for (std::size_t i = 0; i < part.windows.size(); ++i) samples_[i % samples_.size()].merge(part.windows[i]);
}

std::string RasterStatistics::to_json() const {
  std::string json =
      fmt::format("{{\n  \"width\": {},\n  \"height\": {},\n  \"type\": \"{}\",\n  \"samples\": [",
                  info_.width, info_.height, name_of(info_.type));
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const SampleStatistics& sample = samples_[i];
    const bool has_data = sample.count > 0;
    const auto text_of = [&](const SampleValue& value) {
      if (!has_data) return std::string("null");
      if (const double* number = std::get_if<double>(&value)) return number_text(*number);
      if (const std::int64_t* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
      return fmt::format("{}", std::get<std::uint64_t>(value));
    };
    json += fmt::format(
        "{}\n    {{\"count\": {}, \"nodata\": {}, \"min\": {}, \"max\": {}, \"mean\": {}, \"stddev\": {}}}",
        i == 0 ? "" : ",", sample.count, sample.nodata, text_of(sample.least), text_of(sample.most),
        has_data ? number_text(sample.mean) : "null",
        has_data ? number_text(sample.standard_deviation()) : "null");
  }
  return json + "\n  ]\n}\n";
}

void WriteStatistics::open() {
  file_ = std::make_unique<AtomicFile>(path_, overwrite_, *files_);
}

void WriteStatistics::close() {
  const std::string json = statistics_.to_json();
  file_->write_at(0, std::as_bytes(std::span(json)));
  file_->commit();
  file_.reset();
}

}  // namespace weir
