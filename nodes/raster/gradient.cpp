#include "nodes/raster/gradient.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/geo_keys.hpp"

namespace weir {
namespace {

constexpr std::size_t padded_width = panel_width + 2;

struct CellSize {
  double x = 1, y = 1;
  bool is_upside_down = false;  ///< rows go north
};

/// GTModelTypeGeoKey 1024 is 2: longitude and latitude (GeoTIFF 1.1 section 7.2).
bool is_geographic(const Georeferencing& place) {
  return geo_keys_of(place).code(geo_key::model_type) == 2;
}

/// Rows go north. A negative pixel scale says so by the book, and GDAL knows better: such files are north-up.
bool is_upside_down(const Georeferencing& place) {
  const std::vector<double>& m = place.transformation;
  return m.size() == 16 && m[0] * m[5] - m[1] * m[4] > 0;  // y goes north, rows usually south
}

CellSize cell_size_of(const Georeferencing& place, const std::string& action) {
  CellSize cell;
  if (place.transformation.size() == 16) {
    const std::vector<double>& m = place.transformation;
    cell.x = std::hypot(m[0], m[4]);
    cell.y = std::hypot(m[1], m[5]);
    cell.is_upside_down = is_upside_down(place);
    if (std::fabs(m[0] * m[1] + m[4] * m[5]) > 1e-6 * cell.x * cell.y)
      throw Error::usage(action, "of a sheared raster", "its axes are not at right angles; give cell_size");
  } else if (place.pixel_scale.size() >= 2) {
    cell.x = std::fabs(place.pixel_scale[0]);
    cell.y = std::fabs(place.pixel_scale[1]);
  }
  if (!(cell.x > 0 && cell.y > 0 && std::isfinite(cell.x) && std::isfinite(cell.y)))
    throw Error::usage(action, "without a cell size",
                       fmt::format("the raster's pixels are {} x {} large; give cell_size", cell.x, cell.y));
  return cell;
}

/// Weighted differences of one run. Rows have one pixel more on either side. Differences come before sums:
/// neighbours are near each other, so they lose nothing.
template <bool replaces_missing, class Number>
void differences(const Number* __restrict up, const Number* __restrict mid, const Number* __restrict down,
                 std::size_t count, Number east_factor, Number north_factor, float* __restrict east,
                 float* __restrict north) {
  for (std::size_t i = 0; i < count; ++i) {
    Number a = up[i], b = up[i + 1], c = up[i + 2], d = mid[i], e = mid[i + 1], f = mid[i + 2], g = down[i],
           h = down[i + 1], k = down[i + 2];
    if constexpr (replaces_missing) {
      a = a != a ? e : a;
      b = b != b ? e : b;
      c = c != c ? e : c;
      d = d != d ? e : d;
      f = f != f ? e : f;
      g = g != g ? e : g;
      h = h != h ? e : h;
      k = k != k ? e : k;
    }
    const Number to_east = ((c - a) + (k - g)) + 2 * (f - d);
    const Number to_north = ((a - g) + (c - k)) + 2 * (b - h);
    // The centre has no weight, but without it there is no data.
    const Number none = e - e;  // 0, or NaN
    const Number kept = none == none ? to_east : none;
    east[i] = static_cast<float>(kept * east_factor);
    north[i] = static_cast<float>(to_north * north_factor);
  }
}

}  // namespace

std::vector<Parameter> gradient_parameters() {
  constexpr double tiny = 1e-300;  // above 0
  return {
      {.name = "z_factor",
       .type = ParameterType::number,
       .help = "elevations are multiplied by it",
       .default_value = "1"},
      {.name = "cell_size",
       .type = ParameterType::number,
       .help = "width and height of a pixel, in place of what the georeferencing says",
       .unit = "horizontal units",
       .least = tiny},
      {.name = "scale",
       .type = ParameterType::number,
       .help = "elevation units in one horizontal unit; rasters on degrees need it: 111120 for metres",
       .least = tiny},
      {.name = "compute_edges",
       .type = ParameterType::flag,
       .help = "compute at the raster's edge and next to nodata, too",
       .default_value = "false"},
  };
}

GradientOptions gradient_options(const Parameters& parameters) {
  GradientOptions options;
  options.z_factor = parameters.number("z_factor");
  if (parameters.has("cell_size")) options.cell_size = parameters.number("cell_size");
  if (parameters.has("scale")) options.scale = parameters.number("scale");
  options.compute_edges = parameters.flag("compute_edges");
  return options;
}

HornGradient::HornGradient(const RasterInfo& input, const GradientOptions& options, const std::string& action)
    : height_(input.height),
      width_(input.width),
      nodata_(nodata_sample(input)),
      compute_edges_(options.compute_edges) {
  const auto refuse = [&](const char* name, double value, const char* wanted = "it is no positive number") {
    throw Error::usage(action, fmt::format("with {} {}", name, value), wanted);
  };
  if (!std::isfinite(options.z_factor)) refuse("z_factor", options.z_factor, "it is no finite number");
  if (options.scale && !(*options.scale > 0 && std::isfinite(*options.scale)))
    refuse("scale", *options.scale);
  CellSize cell;
  if (options.cell_size) {
    if (!(*options.cell_size > 0 && std::isfinite(*options.cell_size)))
      refuse("cell_size", *options.cell_size);
    cell.x = cell.y = *options.cell_size;
    cell.is_upside_down = is_upside_down(input.georeferencing);
  } else {
    if (is_geographic(input.georeferencing) && !options.scale)
      throw Error::usage(action, "of a raster on degrees",
                         "give scale, the elevation units in a degree (111120 for metres), or cell_size");
    cell = cell_size_of(input.georeferencing, action);
  }
  const double factor = options.z_factor / (8 * options.scale.value_or(1));
  east_factor_ = factor / cell.x;
  north_factor_ = (cell.is_upside_down ? -factor : factor) / cell.y;
}

template <class Number>
void HornGradient::each_row_of(const PixelView& input, const PixelTarget& out, const Row& give) const {
  constexpr Number nan = std::numeric_limits<Number>::quiet_NaN();
  const bool has_room = height_ >= 2 && width_ >= 2;
  const bool goes_on = compute_edges_ && has_room;
  Number rows[4][padded_width];
  float east[panel_width], north[panel_width];

  for (std::uint32_t sample = 0; sample < out.samples; ++sample)
    for (std::uint64_t first = 0; first < out.window.width; first += panel_width) {
      const auto count =
          static_cast<std::size_t>(std::min<std::uint64_t>(panel_width, out.window.width - first));
      const std::uint64_t col = out.window.col + first;  // of the raster
      const bool at_left = col == 0, at_right = col + count == width_;
      Number *up = rows[0], *mid = rows[1], *down = rows[2];
      const auto read = [&](std::uint64_t row, Number* to) {
        const std::uint64_t begin = at_left ? col : col - 1, end = at_right ? col + count : col + count + 1;
        read_row(input, nodata_, row - input.window.row, begin - input.window.col,
                 static_cast<std::size_t>(end - begin), sample, to + (at_left ? 1 : 0));
        if (at_left) to[0] = nan;
        if (at_right) to[count + 1] = nan;
      };
      // Columns outside of the raster: the outermost one again, or going on linearly.
      const auto pad = [&](Number* row, bool linearly) {
        if (at_left) row[0] = linearly ? 2 * row[1] - row[2] : row[1];
        if (at_right) row[count + 1] = linearly ? 2 * row[count] - row[count - 1] : row[count];
      };

      if (out.window.row > 0) read(out.window.row - 1, up);
      read(out.window.row, mid);
      for (std::uint64_t row = out.window.row; row < out.window.row_end(); ++row) {
        const bool at_top = row == 0, at_bottom = row + 1 == height_;
        if (!at_bottom) read(row + 1, down);
        Number *above = up, *below = down;
        if (goes_on) {
          const bool inside = !at_top && !at_bottom;
          if (!at_top) pad(up, inside);
          pad(mid, inside);
          if (!at_bottom) pad(down, inside);
          Number* missing = rows[3];
          const Number* opposite = at_top ? down : up;
          if (!inside)
            for (std::size_t i = 0; i < count + 2; ++i) missing[i] = 2 * mid[i] - opposite[i];
          if (at_top) above = missing;
          if (at_bottom) below = missing;
        } else if (at_top || at_bottom) {
          std::fill_n(rows[3], padded_width, nan);
          (at_top ? above : below) = rows[3];
        }
        const auto east_factor = static_cast<Number>(east_factor_),
                   north_factor = static_cast<Number>(north_factor_);
        if (goes_on)
          differences<true>(above, mid, below, count, east_factor, north_factor, east, north);
        else
          differences<false>(above, mid, below, count, east_factor, north_factor, east, north);
        give(row - out.window.row, first, sample, count, east, north);
        Number* const free = up;
        up = mid;
        mid = down;
        down = free;
      }
    }
}

void HornGradient::each_row(const PixelView& input, const PixelTarget& out, const Row& give) const {
  const bool fits_float = bytes_of(input.type) <= 2 || input.type == SampleType::float32;
  if (fits_float)
    each_row_of<float>(input, out, give);
  else
    each_row_of<double>(input, out, give);
}

}  // namespace weir
