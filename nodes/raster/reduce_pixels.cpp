#include "nodes/raster/reduce_pixels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>

#include "framework/error.hpp"
#include "nodes/raster/reduce_rows.hpp"

namespace weir {
namespace {

struct ResamplingName {
  Resampling resampling;
  std::string_view name;
};
constexpr std::array names = {
    ResamplingName{Resampling::nearest, "nearest"}, ResamplingName{Resampling::average, "average"},
    ResamplingName{Resampling::rms, "rms"},         ResamplingName{Resampling::minimum, "min"},
    ResamplingName{Resampling::maximum, "max"},     ResamplingName{Resampling::median, "median"},
    ResamplingName{Resampling::mode, "mode"},       ResamplingName{Resampling::bilinear, "bilinear"},
    ResamplingName{Resampling::cubic, "cubic"},
};

/// A coarse pixel is valid where any of its cell is.
void reduce_mask(const Reduction& reduction) {
  const Window &coarse = reduction.to.pixels.window, &window = reduction.from.pixels.window;
  const std::uint64_t factor = reduction.factor;
  const std::uint64_t columns = std::min(coarse.col_end() * factor, reduction.width) - coarse.col * factor;
  for (std::uint64_t row = 0; row < coarse.height; ++row) {
    std::byte* out = reduction.to.mask + row * reduction.to.mask_row_stride;
    std::fill_n(out, coarse.width, std::byte{0});
    const std::uint64_t begin = (coarse.row + row) * factor, end = std::min(begin + factor, reduction.height);
    for (std::uint64_t r = begin; r < end; ++r) {
      const std::byte* in = reduction.from.mask + (r - window.row) * reduction.from.mask_row_stride +
                            (coarse.col * factor - window.col);
      for (std::uint64_t first = 0, cell = 0; first < columns; first += factor, ++cell)
        for (std::uint64_t i = first; i < std::min(first + factor, columns); ++i)
          out[cell] |= in[i] != std::byte{0} ? std::byte{255} : std::byte{0};
    }
  }
}

/// Whatever the samples are: they are carried.
void take_nearest(const MaskedView& from, const MaskedTarget& to, std::uint32_t factor) {
  const Window &coarse = to.pixels.window, &window = from.pixels.window;
  const std::size_t bytes = bytes_of(to.pixels.type);
  const std::uint64_t first = coarse.col * factor - window.col;
  for (std::uint64_t row = 0; row < coarse.height; ++row) {
    const std::uint64_t finer = (coarse.row + row) * factor - window.row;
    copy_pixels(from.pixels.at(finer, first),
                {from.pixels.row_stride, factor * from.pixels.pixel_stride, from.pixels.sample_stride},
                to.pixels.at(row, 0), {to.pixels.row_stride, to.pixels.pixel_stride, to.pixels.sample_stride},
                1, coarse.width, to.pixels.samples, bytes);
    if (to.mask == nullptr) continue;
    const std::byte* mask = from.mask + finer * from.mask_row_stride + first;
    for (std::uint64_t col = 0; col < coarse.width; ++col)
      to.mask[row * to.mask_row_stride + col] =
          mask[col * factor] != std::byte{0} ? std::byte{255} : std::byte{0};
  }
}

}  // namespace

std::string_view name_of(Resampling resampling) {
  for (const ResamplingName& each : names)
    if (each.resampling == resampling) return each.name;
  return "unknown";
}

std::optional<Resampling> resampling_named(std::string_view name) {
  for (const ResamplingName& each : names)
    if (each.name == name) return each.resampling;
  return std::nullopt;
}

ReducePixels::ReducePixels(Resampling resampling, const RasterInfo& finer, std::uint32_t factor)
    : resampling_(resampling),
      type_(finer.type),
      factor_(factor),
      finer_height_(finer.height),
      finer_width_(finer.width),
      nodata_(nodata_sample(finer)) {
  if (factor < 2 || factor > largest_factor)
    throw Error::usage("make overviews", fmt::format("with a factor of {} between two levels", factor),
                       fmt::format("it must be from 2 to {}", largest_factor));
  if (resampling != Resampling::nearest) require_arithmetic("make overviews", finer);
}

std::uint64_t ReducePixels::halo() const {
  const std::uint64_t half = (factor_ + 1) / 2;
  if (resampling_ == Resampling::bilinear) return factor_ - half;
  if (resampling_ == Resampling::cubic) return 2 * factor_ - half;
  return 0;
}

Window ReducePixels::needed(const Window& coarse) const {
  Window needed;
  needed.row = coarse.row * factor_ - std::min(coarse.row * factor_, halo());
  needed.col = coarse.col * factor_ - std::min(coarse.col * factor_, halo());
  needed.height = std::min(coarse.row_end() * factor_ + halo(), finer_height_) - needed.row;
  needed.width = std::min(coarse.col_end() * factor_ + halo(), finer_width_) - needed.col;
  return needed;
}

void ReducePixels::operator()(const MaskedView& from, const MaskedTarget& to) const {
  assert(intersect(from.pixels.window, needed(to.pixels.window)) == needed(to.pixels.window));
  assert(from.pixels.type == type_ && to.pixels.type == type_ && from.pixels.samples == to.pixels.samples);
  assert((from.mask == nullptr) == (to.mask == nullptr));
  if (resampling_ == Resampling::nearest) return take_nearest(from, to, factor_);
  const Reduction reduction{from, to, factor_, finer_height_, finer_width_, nodata_};
  if (resampling_ == Resampling::bilinear || resampling_ == Resampling::cubic)
    reduce_weighted(resampling_, reduction);
  else
    reduce_cells(resampling_, reduction);
  if (to.mask != nullptr) reduce_mask(reduction);
}

}  // namespace weir
