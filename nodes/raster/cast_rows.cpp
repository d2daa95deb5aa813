#include "nodes/raster/cast_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <concepts>
#include <limits>

#include "framework/error.hpp"
#include "nodes/raster/half.hpp"
#include "nodes/raster/number_text.hpp"

namespace weir {
namespace {

__extension__ using Int128 = __int128;

/// A sample of float16, told from uint16.
struct Half {
  std::uint16_t bits = 0;
};

constexpr double largest_half = 65504;

/// As if rounded once: the float in between is rounded to odd, which leaves no tie where there was none (Boldo and
/// Melquiond, "When double rounding is odd").
Half half_from_double(double number) {
  const float near = static_cast<float>(number);
  std::uint32_t bits = std::bit_cast<std::uint32_t>(near);
  if (static_cast<double>(near) != number && number == number) {
    if (std::fabs(static_cast<double>(near)) > std::fabs(number)) --bits;
    bits |= 1;
  }
  return {half_from_float(std::bit_cast<float>(bits))};
}

/// Clips finite numbers; infinities and NaN stay.
double clipped(double value, double most) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const double below = value > most && value < infinity ? most : value;
  return below < -most && below > -infinity ? -most : below;
}

template <class Out>
void scale_row(const double* __restrict from, std::size_t count, const Scaling& scaling, Out none,
               Out* __restrict to) {
  const double scale = scaling.scale;
  const double offset = scaling.offset == 0 ? -0.0 : scaling.offset;  // a negative zero stays one
  for (std::size_t i = 0; i < count; ++i) {
    const double value = from[i] * scale + offset;
    const bool has_data = value == value;
    if constexpr (std::same_as<Out, Half>) {
      to[i] = has_data ? half_from_double(clipped(value, largest_half)) : none;
    } else if constexpr (std::floating_point<Out>) {
      to[i] = has_data ? static_cast<Out>(clipped(value, std::numeric_limits<Out>::max())) : none;
    } else if constexpr (sizeof(Out) <= 4) {
      constexpr double least = std::numeric_limits<Out>::min(), most = std::numeric_limits<Out>::max();
      constexpr double rounder = 6755399441055744;  // 1.5 * 2^52: leaves no bits for a fraction, ties to even
      const double known = has_data ? value : 0;
      const double below = known > most ? most : known;
      const double inside = below < least ? least : below;
      const Out whole = static_cast<Out>((inside + rounder) - rounder);
      to[i] = has_data ? whole : none;
    } else {
      constexpr double least = static_cast<double>(std::numeric_limits<Out>::min());  // exact
      const double end = std::ldexp(1.0, std::numeric_limits<Out>::digits);  // the first too large, exact
      const double whole = std::nearbyint(value);
      to[i] = !has_data        ? none
              : whole >= end   ? std::numeric_limits<Out>::max()
              : whole <= least ? std::numeric_limits<Out>::min()
                               : static_cast<Out>(whole);
    }
  }
}

/// Integers to integers with a whole offset, and to floats with none: each value is rounded once at most.
template <class Sample, class Out>
void shift_row(const Sample* from, std::size_t count, std::int64_t offset, const NodataSample& nodata,
               Out none, Out* to) {
  const Sample missing = nodata.as<Sample>();
  for (std::size_t i = 0; i < count; ++i) {
    const bool has_data = !nodata.is_set || from[i] != missing;
    if constexpr (std::integral<Out>) {
      using Limits = std::numeric_limits<Out>;
      const Int128 value = static_cast<Int128>(from[i]) + offset;
      to[i] = has_data ? static_cast<Out>(std::clamp<Int128>(value, Limits::min(), Limits::max())) : none;
    } else {
      to[i] = has_data ? static_cast<Out>(from[i]) : none;
    }
  }
}

/// A double does not hold every value, or the target would be rounded to twice.
bool needs_shift(SampleType from, SampleType to, const Scaling& scaling) {
  if (is_floating(from) || scaling.scale != 1) return false;
  if (is_floating(to)) return to == SampleType::float32 && bytes_of(from) == 8 && scaling.offset == 0;
  return (bytes_of(from) == 8 || bytes_of(to) == 8) && scaling.offset == std::trunc(scaling.offset) &&
         std::fabs(scaling.offset) < 0x1p63;
}

void read_half_row(const PixelView& from, const NodataSample& nodata, std::uint64_t row, std::uint64_t col,
                   std::size_t count, std::uint32_t sample, double* __restrict to) {
  std::uint16_t halves[panel_width];
  copy_row(from, row, col, count, sample, halves);
  const float none = nodata.as<float>();
  for (std::size_t i = 0; i < count; ++i) {
    const float number = float_from_half(halves[i]);
    to[i] = nodata.is_set && number == none ? std::numeric_limits<double>::quiet_NaN() : number;
  }
}

/// Of the type that pixels are compared in: float16 as float, complex samples not at all.
NodataSample nodata_for_cast(const RasterInfo& info, SampleType type) {
  RasterInfo alike;
  alike.type = type;
  alike.nodata = info.nodata;
  if (type != SampleType::float16) return nodata_sample(alike);
  alike.type = SampleType::float32;
  NodataSample nodata = nodata_sample(alike);
  const float number = nodata.as<float>();
  nodata.is_set = nodata.is_set && (std::isnan(number) || float_from_half(half_from_float(number)) == number);
  return nodata;
}

/// Both sides as rows of one sample per pixel, where their pixels are packed: longer runs, no strides.
template <class Pixels>
bool is_packed(const Pixels& pixels) {
  return pixels.samples > 1 && pixels.sample_stride == bytes_of(pixels.type) &&
         pixels.pixel_stride == pixels.samples * pixels.sample_stride;
}
template <class Pixels>
Pixels flattened(Pixels pixels) {
  pixels.window.width *= pixels.samples;
  pixels.pixel_stride = pixels.sample_stride;
  pixels.samples = 1;
  return pixels;
}

/// The numbers of one complex sample: two samples of a pixel, or the first of them.
template <class Pixels>
Pixels parts_of(const Pixels& pixels, std::uint32_t sample, std::uint32_t parts) {
  Pixels part = pixels;
  part.type = component_of(pixels.type);
  part.data = pixels.at(0, 0, sample);
  part.sample_stride = bytes_of(part.type);
  part.samples = parts;
  return part;
}

}  // namespace

void require_castable(SampleType from, SampleType to) {
  if (is_complex(from) && !is_complex(to))
    throw Error::usage("cast", fmt::format("{} to {}", name_of(from), name_of(to)),
                       "a complex number has no one real value");
}

CastRows::CastRows(const RasterInfo& from, const RasterInfo& to, NanRule rule)
    : from_(from.type), to_(to.type), rule_(rule) {
  require_castable(from_, to_);
  if (is_complex(from_)) return;
  from_nodata_ = nodata_for_cast(from, from_);
  to_nodata_ = nodata_for_cast(to, component_of(to_));
}

void CastRows::operator()(const PixelView& in, const PixelTarget& out, const Scaling& scaling) const {
  assert(in.type == from_ && out.type == to_ && in.samples == out.samples);
  if (!is_complex(to_)) return cast_real(in, out, scaling);
  for (std::uint32_t sample = 0; sample < in.samples; ++sample) {
    if (is_complex(from_)) {
      assert(scaling.is_identity());
      cast_real(parts_of(in, sample, 2), parts_of(out, sample, 2), scaling);
      continue;
    }
    cast_real(parts_of(in, sample, 1), parts_of(out, sample, 1), scaling);
    const std::size_t bytes = bytes_of(component_of(to_));
    for (std::uint64_t row = 0; row < out.window.height; ++row)
      for (std::uint64_t col = 0; col < out.window.width; ++col)
        std::memset(out.at(row, col, sample) + bytes, 0, bytes);
  }
}

void CastRows::cast_real(const PixelView& in, const PixelTarget& out, const Scaling& scaling) const {
  if (is_packed(in) && is_packed(out)) return cast_real(flattened(in), flattened(out), scaling);
  if (out.type == SampleType::float16) return cast_to<Half>(in, out, scaling);
  with_sample_type(out.type, [&](auto zero) { cast_to<decltype(zero)>(in, out, scaling); });
}

template <class Out>
void CastRows::cast_to(const PixelView& in, const PixelTarget& out, const Scaling& scaling) const {
  Out none{};
  if constexpr (std::same_as<Out, Half>)
    none.bits =
        half_from_float(to_nodata_.is_set ? to_nodata_.as<float>() : std::numeric_limits<float>::quiet_NaN());
  else if constexpr (std::floating_point<Out>)
    none = to_nodata_.is_set ? to_nodata_.as<Out>() : std::numeric_limits<Out>::quiet_NaN();
  else
    none = to_nodata_.as<Out>();

  const auto each_run = [&](const auto& compute_run) {
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < out.window.height; ++row)
        for (std::uint64_t col = 0; col < out.window.width; col += panel_width)
          compute_run(row, col,
                      static_cast<std::size_t>(std::min<std::uint64_t>(panel_width, out.window.width - col)),
                      sample);
  };
  Out cast[panel_width];

  if constexpr (!std::same_as<Out, Half>)
    if (needs_shift(in.type, out.type, scaling))
      return with_sample_type(in.type, [&](auto zero) {
        using Sample = decltype(zero);
        if constexpr (std::integral<Sample>) {
          Sample samples[panel_width];
          each_run([&](std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample) {
            copy_row(in, row, col, count, sample, samples);
            shift_row(samples, count, static_cast<std::int64_t>(scaling.offset), from_nodata_, none, cast);
            put_row(out, row, col, count, sample, cast);
          });
        }
      });

  const bool refuses =
      std::integral<Out> && rule_ == NanRule::refuse && is_floating(in.type) && !to_nodata_.is_set;
  double samples[panel_width];
  each_run([&](std::uint64_t row, std::uint64_t col, std::size_t count, std::uint32_t sample) {
    if (in.type == SampleType::float16)
      read_half_row(in, from_nodata_, row, col, count, sample, samples);
    else
      read_row(in, from_nodata_, row, col, count, sample, samples);
    if (refuses)
      for (std::size_t i = 0; i < count; ++i)
        if (samples[i] != samples[i])
          throw Error("cast", fmt::format("NaN in row {} to {}", in.window.row + row, name_of(to_)),
                      "the type has no such value, and there is no nodata value; give one");
    scale_row(samples, count, scaling, none, cast);
    put_row(out, row, col, count, sample, cast);
  });
}

}  // namespace weir
