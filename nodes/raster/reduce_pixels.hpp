#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

/// How a coarser level of a pyramid is made from the finer one. A coarse pixel stands for a cell of factor x factor finer
/// ones, at the raster's right and lower edge for as many as there are (level sizes round up).
///
///   nearest    the upper left pixel of the cell, with data or without
///   average    the mean of the cell's pixels with data; integers: the exact mean, halves up
///   rms        the root of the mean of the squares; integers: rounded, halves up
///   minimum, maximum
///   median     the middle one of the values in order, of two middle ones the smaller: a value that is there
///   mode       the value that is there most often, of several the one that comes first, row by row
///   bilinear   weighted mean around the cell's centre, by a triangle that ends `factor` pixels away
///   cubic      the same with Keys' kernel (a = -1/2), which ends 2 x `factor` pixels away, clipped to the type's range
///
/// Pixels without data (nodata, NaN, masked) take no part: the others' weights count alone. A coarse pixel is without data
/// where no pixel of its cell has any (cubic and bilinear look beyond the cell for its value, never for whether it has one). A value that would
/// come out as nodata by accident becomes the type's next one.
///
/// Where GDAL's overviews are others (3.6.2; found by comparing, factor 2, and average and nearest are compared in
/// tests/foreign/cog_agree.py). Without any of these the two agree in every pixel:
///
///   odd sizes       GDAL spreads its cells over the whole size (201 pixels to 101: cells of 1.99), so all pixels shift a
///                   little; here cells keep their size and their place, and the last one is smaller
///   halves          of negative integers go away from zero in GDAL; here up, as those of positive ones do, so that a
///                   raster and the same raster plus 100 have the same overviews
///   float32         is added up in float32 there, in double here: up to 2 units in the last place
///   nodata by       GDAL asks before a mean is rounded whether it is the nodata value, so one that becomes it by
///   accident        rounding turns into nodata; here the rounded value is asked
///   bilinear,       GDAL weighs each row first and then the column of results, each by its own weights with data; here
///   cubic           all pixels are weighed together. It has a value wherever the kernel meets data (bilinear), or none
///                   where too much of the kernel has none (cubic: a quarter of whole cells among 20 % of nodata pixels)
///   mode            of several, GDAL takes the one whose last pixel comes first: in cells of a b / b a it is b, here a
///   rms             of uint8 and int16, GDAL rounds halves and roots a little above them down (73.5017 to 73)
enum class Resampling : std::uint8_t {
  nearest,
  average,
  rms,
  minimum,
  maximum,
  median,
  mode,
  bilinear,
  cubic
};

inline constexpr Resampling all_resamplings[] = {
    Resampling::nearest, Resampling::average, Resampling::rms,      Resampling::minimum, Resampling::maximum,
    Resampling::median,  Resampling::mode,    Resampling::bilinear, Resampling::cubic,
};
std::string_view name_of(Resampling resampling);  ///< "average"
std::optional<Resampling> resampling_named(std::string_view name);

/// Pixels with their mask: a byte per pixel, 0 where it is masked; nullptr where nothing is.
struct MaskedView {
  PixelView pixels;
  const std::byte* mask = nullptr;
  std::size_t mask_row_stride = 0;
};
struct MaskedTarget {
  PixelTarget pixels;
  std::byte* mask = nullptr;  ///< gets 0 and 255; needed where the view has one
  std::size_t mask_row_stride = 0;
};

/// Makes a window of a level from the pixels of the finer one. Pure; many threads at once. The same pixels whatever the
/// windows are.
class ReducePixels {
 public:
  static constexpr std::uint32_t largest_factor = 64;

  /// `finer` describes the finer level; `factor` is 2 to largest_factor. Throws a usage Error for other factors and for
  /// samples that are not arithmetic (nearest takes all).
  ReducePixels(Resampling resampling, const RasterInfo& finer, std::uint32_t factor);

  /// Height and width of the coarser level.
  std::uint64_t coarse_height() const { return (finer_height_ + factor_ - 1) / factor_; }
  std::uint64_t coarse_width() const { return (finer_width_ + factor_ - 1) / factor_; }
  std::uint32_t factor() const { return factor_; }
  /// Pixels that are looked at on every side of a cell.
  std::uint64_t halo() const;
  /// The window of the finer level that a window of the coarser one needs, clipped to the raster.
  Window needed(const Window& coarse) const;

  /// Fills `to`; `from`'s window covers needed(to's window).
  void operator()(const MaskedView& from, const MaskedTarget& to) const;

 private:
  Resampling resampling_;
  SampleType type_;
  std::uint32_t factor_;
  std::uint64_t finer_height_, finer_width_;
  NodataSample nodata_;
};

}  // namespace weir
