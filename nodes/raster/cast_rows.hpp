#pragma once

#include <cstdint>

#include "nodes/raster/raster_info.hpp"
#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// value * scale + offset, in double.
struct Scaling {
  double scale = 1, offset = 0;  ///< finite
  bool operator==(const Scaling&) const = default;
  bool is_identity() const { return scale == 1 && offset == 0; }
};

/// What a NaN becomes in an integer type that has no nodata value.
enum class NanRule : std::uint8_t {
  zero,
  refuse,  ///< an Error that names the pixel
};

/// Throws a usage Error for complex to real.
void require_castable(SampleType from, SampleType to);

/// Casts pixels from one sample type to another, the one home of that arithmetic. Any type to any other, but complex to real.
///
/// Values are rounded to the nearest, ties to even, and clipped to what the type can hold; in floating types infinite
/// values stay infinite. Computed in double; between integers with a whole offset at scale 1, and from 64-bit integers
/// to float32 at scale 1, exact. float16 comes out as if rounded once. Nodata and NaN become the target's nodata, and
/// where there is none, NaN, or what the rule says. A value that comes out equal to the nodata value is not moved away
/// from it. A real number becomes a complex one without an imaginary part; the two parts of a complex one are cast each,
/// without scaling, and neither is compared with a nodata value.
class CastRows {
 public:
  /// Types and nodata values of both sides. Throws a usage Error for complex to real.
  CastRows(const RasterInfo& from, const RasterInfo& to, NanRule rule);

  /// `in` and `out` have the same window and number of samples, and the two types. They are the same memory where types
  /// of one size are cast in place, with the same strides on both sides; else they do not overlap. Thread-safe.
  void operator()(const PixelView& in, const PixelTarget& out, const Scaling& scaling) const;

 private:
  void cast_real(const PixelView& in, const PixelTarget& out, const Scaling& scaling) const;
  template <class Out>
  void cast_to(const PixelView& in, const PixelTarget& out, const Scaling& scaling) const;

  SampleType from_, to_;
  NanRule rule_;
  NodataSample from_nodata_, to_nodata_;  // of the real part; float16: as float
};

}  // namespace weir
