#include "nodes/raster/convert_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "framework/error.hpp"
#include "nodes/raster/block_mask.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

constexpr std::uint16_t palette = 3, min_is_black = 1;

bool is_scale(const MetadataItem& item) {
  return item.sample && (item.role == "scale" || item.role == "offset");
}

/// What the file's own metadata says of each sample.
std::vector<Scaling> scalings_of(const RasterInfo& info) {
  std::vector<Scaling> scalings(info.samples);
  for (const MetadataItem& item : info.metadata) {
    if (!is_scale(item) || *item.sample >= info.samples) continue;
    const std::optional<double> number = number_in<double>(item.text);
    if (!number || !std::isfinite(*number))
      throw Error::usage("undo", fmt::format("the {} of sample {}", item.role, *item.sample + 1),
                         fmt::format("'{}' is not a finite number", item.text));
    (item.role == "scale" ? scalings[*item.sample].scale : scalings[*item.sample].offset) = *number;
  }
  if (std::ranges::all_of(scalings, [&](const Scaling& each) { return each == scalings.front(); }))
    scalings.resize(1);
  return scalings;
}

/// A type that has room for fractions of the other's values.
SampleType unscaled_type(SampleType type) {
  return bytes_of(type) <= 2 || type == SampleType::float32 ? SampleType::float32 : SampleType::float64;
}

/// Tags about the range of values: Min- and MaxSampleValue, TransferFunction, SMin- and SMaxSampleValue.
bool is_about_values(std::uint16_t tag) {
  return tag == 280 || tag == 281 || tag == 301 || tag == 340 || tag == 341;
}

RasterInfo converted(const RasterInfo& from, const ConvertOptions& options, SampleType type,
                     bool keeps_values) {
  RasterInfo to = from;
  to.type = type;
  const bool keeps_colors = keeps_values && (type == SampleType::uint8 || type == SampleType::uint16);
  if (from.photometric == palette && !keeps_colors) to.photometric = min_is_black;
  std::erase_if(to.tags, [&](const RawTag& tag) {
    return is_about_values(tag.id) || (tag.id == 320 && !keeps_colors);
  });
  const bool is_scaled = options.scale != 1 || options.offset != 0;
  to.metadata = without_statistics(std::move(to.metadata));
  to.attributes =
      keeps_values ? without_statistics(std::move(to.attributes)) : without_values(std::move(to.attributes));
  std::erase_if(to.metadata, [&](const MetadataItem& item) {
    return ((options.unscale || is_scaled) && is_scale(item)) ||
           (is_scaled && item.sample && item.role == "unittype");
  });
  if (options.nodata || type != from.type)
    to.nodata = output_nodata(from, component_of(type), options.nodata, "cast");
  return to;
}

PixelTarget samples_of(Block& block, std::uint32_t first, std::uint32_t count) {
  return {block.at(0, 0, first), block.window,       block.type,         count,
          block.row_stride,      block.pixel_stride, block.sample_stride};
}
PixelView samples_of(const Block& block, std::uint32_t first, std::uint32_t count) {
  return {block.at(0, 0, first), block.window,       block.type,         count,
          block.row_stride,      block.pixel_stride, block.sample_stride};
}

/// Planes where the other has planes, so that rows stay packed.
Block block_like(const Block& from, SampleType type, Buffer data) {
  Block block = interleaved_block(from.window, type, from.samples, std::move(data));
  if (from.samples > 1 && from.pixel_stride == bytes_of(from.type)) {
    block.pixel_stride = bytes_of(type);
    block.row_stride = from.window.width * block.pixel_stride;
    block.sample_stride = from.window.height * block.row_stride;
  }
  return block;
}

}  // namespace

ConvertSource::ConvertSource(std::shared_ptr<const ChunkSource> whole, const ConvertOptions& options)
    : whole_(std::move(whole)), options_(options), scalings_{{options.scale, options.offset}} {
  const RasterInfo& from = whole_->info();
  if (!std::isfinite(options.scale) || !std::isfinite(options.offset))
    throw Error::usage("scale", fmt::format("by {} with offset {}", options.scale, options.offset),
                       "they are not finite");
  const bool is_scaled = !scalings_.front().is_identity();
  if (options.unscale && is_scaled)
    throw Error::usage("scale", "the values", "unscale has numbers of its own: give it, or scale and offset");
  if (options.unscale) scalings_ = scalings_of(from);
  const bool keeps_values =
      std::ranges::all_of(scalings_, [](const Scaling& each) { return each.is_identity(); });
  if (!keeps_values && is_complex(from.type))
    throw Error::usage("scale", fmt::format("{} samples", name_of(from.type)),
                       "scale and offset are for real numbers");
  const SampleType type =
      options.type.value_or(options.unscale && !keeps_values ? unscaled_type(from.type) : from.type);
  require_castable(from.type, type);
  if (type == from.type && keeps_values && (!options.nodata || options.nodata == from.nodata)) {
    info_ = from;
    if (options.unscale) std::erase_if(info_.metadata, is_scale);
    return;
  }
  info_ = converted(from, options, type, keeps_values);
  cast_.emplace(from, info_, NanRule::refuse);
}

std::uint64_t ConvertSource::block_bytes() const {
  return !cast_ || is_in_place() ? whole_->block_bytes() : ChunkSource::block_bytes();
}

std::uint64_t ConvertSource::excess_bytes() const {
  const std::uint64_t inner = whole_->excess_bytes();
  return !cast_ || is_in_place() ? inner : inner + BufferPool::charge(whole_->block_bytes());
}

Block ConvertSource::decode(ChunkIndex chunk, Buffer stored, Local* local, const Context& context) const {
  Block from = whole_->decode(chunk, std::move(stored), local, context);
  if (!cast_) return from;
  Block made;
  if (!is_in_place())
    made = block_like(from, info_.type,
                      context.buffer(from.window.height * from.window.width * info_.block_pixel_bytes()));
  Block& to = is_in_place() ? from : made;
  const Block& source = from;
  const SampleType type_before = whole_->info().type;
  const bool is_one = scalings_.size() == 1;
  const std::uint32_t count = is_one ? info_.samples : 1;
  for (std::uint32_t sample = 0; sample < info_.samples; sample += count) {
    PixelView in = samples_of(source, sample, count);
    PixelTarget out = samples_of(to, sample, count);
    in.type = type_before;
    out.type = info_.type;
    (*cast_)(in, out, scalings_[is_one ? 0 : sample]);
  }
  if (is_in_place()) {
    from.type = info_.type;
    return from;
  }
  copy_mask(from, made);
  return made;
}

std::shared_ptr<const ChunkSource> ConvertSource::with_samples(std::span<const std::uint32_t> samples) const {
  if (options_.unscale) return nullptr;
  auto whole = whole_->with_samples(samples);
  if (!whole) return nullptr;
  return std::make_shared<const ConvertSource>(std::move(whole), options_);
}

}  // namespace weir
