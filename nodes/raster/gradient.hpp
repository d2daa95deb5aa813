#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/parameters.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {

struct GradientOptions {
  double z_factor = 1;  ///< elevations are multiplied by it
  /// Width and height of a pixel; default: from the georeferencing, 1 where there is none.
  std::optional<double> cell_size;
  /// Elevation units in one horizontal unit, 111120 for metres on degrees, as in gdaldem -s. Required for
  /// rasters on degrees, unless there is a cell_size; 1 for others.
  std::optional<double> scale;
  /// Also at the raster's edge, and next to pixels without data.
  bool compute_edges = false;
};

/// The declarations of the four, and their values.
std::vector<Parameter> gradient_parameters();
GradientOptions gradient_options(const Parameters& parameters);

/// The gradient of an elevation model after Horn (1981): differences over three pixels, the middle one
/// weighted twice, on both axes. NaN (in one of the two components at least) where any of the nine pixels is
/// nodata, NaN or, in the centre, infinite, and at the raster's edge.
/// With compute_edges, as gdaldem does it: a neighbour without data counts as the centre, and rows and
/// columns outside of the raster go on linearly (NaN all the same in rasters of one row or one column).
///
/// Differences are taken in float for samples of up to 16 bits (exact) and float32, in double for the others;
/// the gradient is a float.
class HornGradient {
 public:
  static constexpr std::uint64_t halo = 1;  ///< pixels

  HornGradient() = default;
  /// Pixel sizes of the georeferencing are the lengths of the columns of its matrix: right for rotated
  /// rasters. `action`: "compute slope". Throws a usage Error where options or georeferencing are impossible,
  /// where the axes are not at right angles, or where the raster is on degrees and scale and cell_size are
  /// not given.
  HornGradient(const RasterInfo& input, const GradientOptions& options, const std::string& action);

  /// Rise per horizontal unit at `count` pixels of out's row from `col` on (counted from out's corner): to
  /// the east (to the right), and to the north (upwards, or downwards in rasters that are stored upside
  /// down).
  using Row = std::function<void(std::uint64_t row, std::uint64_t col, std::uint32_t sample,
                                 std::size_t count, const float* east, const float* north)>;
  /// Calls `give` for all of out.window, in runs of at most panel_width. Thread-safe, 40 KB of stack.
  void each_row(const PixelView& input, const PixelTarget& out, const Row& give) const;

 private:
  template <class Number>
  void each_row_of(const PixelView& input, const PixelTarget& out, const Row& give) const;

  std::uint64_t height_ = 0, width_ = 0;
  NodataSample nodata_;
  double east_factor_ = 0, north_factor_ = 0;  ///< from weighted differences to the gradient
  bool compute_edges_ = false;
};

}  // namespace weir
