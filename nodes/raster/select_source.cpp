#include "nodes/raster/select_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>

#include "framework/error.hpp"
#include "nodes/raster/block_mask.hpp"
#include "nodes/raster/color_meanings.hpp"
#include "nodes/raster/copy_pixels.hpp"
#include "nodes/raster/metadata.hpp"

namespace weir {
namespace {

// Values of PhotometricInterpretation (TIFF 6.0).
constexpr std::uint16_t min_is_black = 1, rgb = 2;
constexpr std::uint16_t color_map = 320;
constexpr std::uint16_t unassociated_alpha =
    2;  // of ExtraSamples; what GDAL, too, takes for alpha of no kind

/// MinSampleValue, MaxSampleValue, SMinSampleValue, SMaxSampleValue: a value for each sample.
bool has_value_per_sample(std::uint16_t tag) {
  return tag == 280 || tag == 281 || tag == 340 || tag == 341;
}

RawTag of_samples(const RawTag& whole, std::span<const std::uint32_t> samples) {
  RawTag part{whole.id, whole.type, samples.size(), {}};
  const std::size_t each = whole.bytes.size() / whole.count;
  for (const std::uint32_t sample : samples) {
    const auto from = whole.bytes.begin() + static_cast<std::ptrdiff_t>(sample * each);
    part.bytes.insert(part.bytes.end(), from, from + static_cast<std::ptrdiff_t>(each));
  }
  return part;
}

void check_samples(const RasterInfo& whole, std::span<const std::uint32_t> samples) {
  if (samples.empty()) throw Error::usage("read", "samples", "none are asked for");
  if (samples.size() > 65535)
    throw Error::usage("read", fmt::format("{} samples", samples.size()), "a pixel has 65535 at most");
  for (const std::uint32_t sample : samples)
    if (sample >= whole.samples)
      throw Error::usage("read", fmt::format("sample {}, counted from 1", std::uint64_t{sample} + 1),
                         fmt::format("the raster has {} per pixel", whole.samples));
}

bool is_alpha(std::string_view meaning) {
  return meaning == "Alpha";
}

/// The one that is true of the chosen samples. Colours in another order are grey for those who know TIFF alone, rather
/// than wrong colours.
std::uint16_t photometric_of(const RasterInfo& whole, std::span<const std::uint32_t> samples,
                             std::span<const std::string> meanings) {
  const auto begins_with = [&](std::initializer_list<std::string_view> names) {
    return meanings.size() >= names.size() && std::equal(names.begin(), names.end(), meanings.begin());
  };
  if (begins_with({"Red", "Green", "Blue"})) return rgb;
  if (whole.photometric == rgb || is_alpha(meanings.front())) return min_is_black;
  const std::uint32_t colors = std::min(color_samples(whole.photometric), whole.samples);
  if (colors == 0 || samples.size() < colors) return min_is_black;
  for (std::uint32_t i = 0; i < colors; ++i)
    if (samples[i] != i) return min_is_black;
  return whole.photometric;
}

/// Alpha keeps its kind.
std::uint16_t extra_of(const RasterInfo& whole, std::uint32_t sample, std::string_view meaning) {
  if (!is_alpha(meaning)) return 0;
  const bool is_color = sample < std::min(color_samples(whole.photometric), whole.samples);
  const std::uint16_t extra = is_color ? std::uint16_t{0} : extra_sample(whole, sample);
  return extra == 0 ? unassociated_alpha : extra;
}

/// The step between samples that a stride can express, or 0.
std::uint32_t even_step(std::span<const std::uint32_t> samples) {
  if (samples.size() == 1) return 1;
  if (samples[1] <= samples[0]) return 0;
  const std::uint32_t step = samples[1] - samples[0];
  for (std::size_t i = 1; i < samples.size(); ++i)
    if (samples[i] != samples[i - 1] + step) return 0;
  return step;
}

}  // namespace

std::vector<std::uint32_t> parse_samples(std::string_view text) {
  std::vector<std::uint32_t> samples;
  const char *at = text.data(), *const end = at + text.size();
  while (true) {
    std::uint32_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number == 0 || (next != end && *next != ','))
      throw Error::usage("read", "the samples",
                         fmt::format("'{}' is not numbers from 1 with commas between: 3,1,2", text));
    samples.push_back(number - 1);
    if (next == end) return samples;
    at = next + 1;
  }
}

RasterInfo info_of_samples(const RasterInfo& whole, std::span<const std::uint32_t> samples) {
  check_samples(whole, samples);
  RasterInfo info = whole;
  info.samples = static_cast<std::uint32_t>(samples.size());
  const std::vector<std::string> meanings_before = color_meanings(whole);
  std::vector<std::string> meanings;
  for (const std::uint32_t sample : samples) meanings.push_back(meanings_before[sample]);
  info.photometric = photometric_of(whole, samples, meanings);
  const bool keeps_table = info.photometric == whole.photometric && samples.front() == 0;
  info.extra_samples.clear();
  for (std::uint32_t i = std::min(color_samples(info.photometric), info.samples); i < info.samples; ++i)
    info.extra_samples.push_back(extra_of(whole, samples[i], meanings[i]));
  info.metadata = metadata_of_samples(whole.metadata, {samples.begin(), samples.end()});
  if (info.samples != whole.samples) info.attributes = without_statistics(std::move(info.attributes));
  std::vector<std::uint32_t> all(whole.samples);
  std::iota(all.begin(), all.end(), 0U);
  if (!std::ranges::equal(samples, all)) info.attributes = without_lists_of_bands(std::move(info.attributes));
  say_color_meanings(info, meanings);
  info.tags.clear();
  for (const RawTag& tag : whole.tags) {
    if (tag.id == color_map && !keeps_table) continue;
    const bool follows =
        has_value_per_sample(tag.id) && tag.count == whole.samples && tag.bytes.size() % tag.count == 0;
    info.tags.push_back(follows ? of_samples(tag, samples) : tag);
  }
  return info;
}

std::shared_ptr<const ChunkSource> select_samples(std::shared_ptr<const ChunkSource> whole,
                                                  std::vector<std::uint32_t> samples) {
  check_samples(whole->info(), samples);
  if (samples.size() == whole->info().samples && samples.front() == 0 && even_step(samples) == 1)
    return whole;
  if (auto less = whole->with_samples(samples)) return less;
  return std::make_shared<const SelectSource>(std::move(whole), std::move(samples));
}

SelectSource::SelectSource(std::shared_ptr<const ChunkSource> whole, std::vector<std::uint32_t> samples)
    : whole_(std::move(whole)),
      samples_(std::move(samples)),
      info_(info_of_samples(whole_->info(), samples_)) {
  step_ = even_step(samples_);
  excess_bytes_ = whole_->excess_bytes();
  const std::uint64_t pixels = grid().rows.largest() * grid().cols.largest();
  const std::uint64_t all = whole_->info().block_pixel_bytes(), chosen = info_.block_pixel_bytes();
  if (step_ == 0)
    excess_bytes_ += BufferPool::charge(whole_->block_bytes());
  else if (all >
           chosen)  // what the view holds beside its pixels, and a page that the charge of both may differ by
    excess_bytes_ += BufferPool::charge(pixels * (all - chosen)) + BufferPool::charge(1);
}

std::uint64_t SelectSource::block_bytes() const {
  return step_ == 0 ? ChunkSource::block_bytes() : whole_->block_bytes();
}

Block SelectSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  Block block = whole_->decode(chunk, std::move(stored), local, context);
  if (step_ > 0) {
    block.offset += samples_.front() * block.sample_stride;
    block.sample_stride *= step_;
    block.samples = info_.samples;
    return block;
  }
  const Window& window = block.window;
  const std::size_t sample_bytes = bytes_of(info_.type), pixels = window.height * window.width;
  Block chosen = interleaved_block(window, info_.type, info_.samples,
                                   context.buffer(pixels * info_.block_pixel_bytes()));
  for (std::uint32_t i = 0; i < info_.samples; ++i)
    copy_pixels(block.at(0, 0, samples_[i]), {block.row_stride, block.pixel_stride, 0}, chosen.at(0, 0, i),
                {chosen.row_stride, chosen.pixel_stride, 0}, window.height, window.width, 1, sample_bytes);
  copy_mask(block, chosen);
  return chosen;
}

}  // namespace weir
