#include "nodes/raster/raster_info.hpp"

#include "nodes/raster/number_text.hpp"

namespace weir {

Georeferencing shifted(const Georeferencing& whole, std::uint64_t row, std::uint64_t col) {
  Georeferencing part = whole;
  const auto rows = static_cast<double>(row), cols = static_cast<double>(col);
  // GeoTIFF 1.1 section 7.1.3: a tiepoint is (I, J, K, X, Y, Z), I the column and J the row in the raster.
  // The model coordinates stay, so this is exact, and right for one tiepoint with a pixel scale as for many
  // control points.
  for (std::size_t i = 0; i + 6 <= part.tiepoints.size(); i += 6) {
    part.tiepoints[i] -= cols;
    part.tiepoints[i + 1] -= rows;
  }
  // The matrix maps (I, J, K, 1); the new origin is the image of (col, row, 0, 1).
  if (part.transformation.size() == 16)
    for (std::size_t i = 0; i < 12; i += 4)
      part.transformation[i + 3] += part.transformation[i] * cols + part.transformation[i + 1] * rows;
  return part;
}

std::optional<double> RasterInfo::nodata_value() const {
  if (!nodata) return std::nullopt;
  return number_in<double>(*nodata);
}

}  // namespace weir
