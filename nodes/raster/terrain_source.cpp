#include "nodes/raster/terrain_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>
#include <optional>

#include "framework/error.hpp"
#include "nodes/raster/chunk_grid.hpp"

namespace weir {
namespace {

constexpr std::uint64_t largest_extent = std::uint64_t{1} << 40;

// How it is fast without a hash or a branch per pixel. A chunk is computed in panels of `panel_width`
// columns, row by row. On one row, and inside one cell of an octave's lattice, gradient noise is
//     a + b x + s(x) (c + d x)
// where x in (0, 1) is the position in the cell, s the fade (Perlin's quintic), and a, b, c, d follow from
// the cell's four corner gradients and the row. x and s are tables, the coefficients are computed once per
// cell and row, the gradients hashed once per cell: three multiplications and four additions per pixel and
// octave, four pixels at a time in SSE2.
//
// Why the chunking cannot show: x, s and the gradients are functions of integer positions in the whole
// raster, and each pixel's sum is taken in one order. Panels begin at multiples of `step` columns, so inner
// loops always run over whole steps; the pixels left of the window are computed and not used.
constexpr std::uint64_t step = 16;
// The tables of a panel fit the first-level cache.
constexpr std::size_t panel_width = 256;
constexpr std::size_t octaves = TerrainSource::octaves;

/// How an octave enters the elevation. Base octaves say where mountains are; rough ones are scaled by the
/// height of the base. Ridged ones are folded: -|noise|.
enum class Role { rough, ridged, base };

constexpr unsigned shift_of(std::size_t octave) {
  return static_cast<unsigned>(octave) + 1;
}

constexpr Role role_of(std::size_t octave) {
  if (shift_of(octave) >= 10) return Role::base;   // 1024 pixels and more
  if (shift_of(octave) >= 6) return Role::ridged;  // 64 to 512
  return Role::rough;
}

/// Metres; noise of amplitude 1 has a standard deviation of about 0.25.
constexpr float amplitude_of(std::size_t octave) {
  float amplitude = 3600;  // at 4096 pixels
  // 0.57 per octave makes a surface of fractal dimension 3 + log2(0.57) = 2.2, that of real terrain.
  for (std::size_t i = octave; i + 1 < octaves; ++i) amplitude *= 0.57F;
  return role_of(octave) == Role::ridged ? 1.5F * amplitude : amplitude;
}

constexpr float mean_elevation = 2000;  // metres, before the ridges are taken off
constexpr float water_level = 1000;     // metres: about a tenth of the area lies below
constexpr float units_per_metre = 128;

/// The last steps of splitmix64 (Steele, Lea, Flood 2014): every bit of the result depends on every bit of
/// `v`.
std::uint64_t mixed(std::uint64_t v) {
  v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9;
  v = (v ^ (v >> 27)) * 0x94d049bb133111eb;
  return v ^ (v >> 31);
}

constexpr std::uint64_t golden = 0x9e3779b97f4a7c15;  // 2^64 over the golden ratio: splitmix64's increment

float fade(float x) {
  return x * x * x * (x * (x * 6 - 15) + 10);
}

/// Corner gradients along one row of an octave's lattice; metres per cell.
struct LatticeRow {
  static constexpr std::size_t most = panel_width / 2 + 1;  // of the octave with the smallest cells
  alignas(16) float x[most], y[most];
};

/// What one octave keeps for a panel. Each octave's lattice is shifted by its own offset, or all of them
/// would have their zeros on the same lines, which shows as a grid; columns by whole steps, so that steps
/// stay inside cells.
struct OctavePanel {
  alignas(16) float x[panel_width], s[panel_width];  // position in the cell at pixel centres, its fade
  LatticeRow rows[2];                                // above and below the row of pixels, in turn
  std::size_t upper = 0;                             // which of `rows` is the one above
  std::optional<std::uint64_t> cell_row;             // that `rows` enclose
  std::size_t points = 0;                            // lattice columns
  std::uint64_t col = 0, row_offset = 0;             // first column, in the shifted lattice
};

/// a, b, c, d for each cell of a row.
struct Coefficients {
  static constexpr std::size_t most = LatticeRow::most;
  alignas(16) float a[most], b[most], c[most], d[most];
};

void hash_lattice_row(LatticeRow& lattice, std::uint64_t key, std::uint64_t row, std::uint64_t first_col,
                      std::size_t points, float amplitude) {
  const std::uint64_t row_key = mixed(key + row * golden);
  const float scale = amplitude / 32768;
  for (std::size_t i = 0; i < points; ++i) {
    const std::uint64_t hash = mixed(row_key + (first_col + i) * golden);
    lattice.x[i] = static_cast<float>(static_cast<std::int16_t>(hash & 0xffff)) * scale;
    lattice.y[i] = static_cast<float>(static_cast<std::int16_t>(hash >> 48)) * scale;
  }
}

void start_panel(OctavePanel& panel, unsigned shift, std::uint64_t key, std::uint64_t col,
                 std::size_t width) {
  const std::uint64_t mask = (std::uint64_t{1} << shift) - 1;
  panel.row_offset = (key >> 32) & mask;
  panel.col = col + (key & mask & ~std::uint64_t{step - 1});
  const float per_pixel = 1 / static_cast<float>(mask + 1);  // a power of two: exact
  for (std::size_t i = 0; i < width; ++i) {
    panel.x[i] = (static_cast<float>(static_cast<std::int32_t>((panel.col + i) & mask)) + 0.5F) * per_pixel;
    panel.s[i] = fade(panel.x[i]);
  }
  panel.points = static_cast<std::size_t>(((panel.col + width - 1) >> shift) - (panel.col >> shift)) + 2;
}

/// The coefficients of every cell on a row of pixels; hashes a lattice row when the row enters new cells.
/// Called for one row after the other.
void start_row(OctavePanel& panel, Coefficients& k, unsigned shift, std::uint64_t key, std::uint64_t row,
               float amplitude) {
  row += panel.row_offset;
  const std::uint64_t cell_row = row >> shift, first = panel.col >> shift;
  if (!panel.cell_row)
    hash_lattice_row(panel.rows[panel.upper], key, cell_row, first, panel.points, amplitude);
  else if (cell_row != *panel.cell_row)
    panel.upper = 1 - panel.upper;
  if (!panel.cell_row || cell_row != *panel.cell_row)
    hash_lattice_row(panel.rows[1 - panel.upper], key, cell_row + 1, first, panel.points, amplitude);
  panel.cell_row = cell_row;
  const std::uint64_t mask = (std::uint64_t{1} << shift) - 1;
  const float y = (static_cast<float>(row & mask) + 0.5F) / static_cast<float>(mask + 1);
  const float s = fade(y);
  const LatticeRow& upper = panel.rows[panel.upper];
  const LatticeRow& lower = panel.rows[1 - panel.upper];
  // On this row, the lattice column j alone gives p[j] * (x from the column) + q[j].
  alignas(16) float p[LatticeRow::most], q[LatticeRow::most];
  for (std::size_t j = 0; j < panel.points; ++j) {
    p[j] = upper.x[j] + (lower.x[j] - upper.x[j]) * s;
    const float above = upper.y[j] * y, below = lower.y[j] * (y - 1);
    q[j] = above + (below - above) * s;
  }
  for (std::size_t j = 0; j + 1 < panel.points; ++j) {
    k.a[j] = q[j];
    k.b[j] = p[j];
    k.c[j] = (q[j + 1] - p[j + 1]) - q[j];
    k.d[j] = p[j + 1] - p[j];
  }
}

/// Adds an octave whose cells hold a whole number of steps.
template <bool ridged>
void add_coarse(const OctavePanel& panel, const Coefficients& k, unsigned shift, std::size_t width,
                float* __restrict sum) {
  const std::uint64_t first = panel.col >> shift;
  for (std::size_t begin = 0; begin < width; begin += step) {
    const auto cell = static_cast<std::size_t>(((panel.col + begin) >> shift) - first);
    const float a = k.a[cell], b = k.b[cell], c = k.c[cell], d = k.d[cell];
    const float* __restrict x = panel.x + begin;
    const float* __restrict s = panel.s + begin;
    float* __restrict to = sum + begin;
    for (std::size_t i = 0; i < step; ++i) {
      const float noise = (a + b * x[i]) + s[i] * (c + d * x[i]);
      to[i] += ridged ? -std::fabs(noise) : noise;
    }
  }
}

/// Adds an octave with several cells in a step.
template <std::size_t cell_width>
void add_fine(const OctavePanel& panel, const Coefficients& k, std::size_t width, float* __restrict sum) {
  static_assert(step % cell_width == 0);
  float x[cell_width], s[cell_width];
  std::copy_n(panel.x, cell_width, x);  // panels begin where a cell begins
  std::copy_n(panel.s, cell_width, s);
  for (std::size_t cell = 0; cell < width / cell_width; ++cell) {
    const float a = k.a[cell], b = k.b[cell], c = k.c[cell], d = k.d[cell];
    float* __restrict to = sum + cell * cell_width;
    for (std::size_t i = 0; i < cell_width; ++i) to[i] += (a + b * x[i]) + s[i] * (c + d * x[i]);
  }
}

/// A panel's elevations, row after row. About 60 KB; lives on the stack of the decoding thread.
class Panel {
 public:
  Panel(const std::array<std::uint64_t, octaves>& keys, std::uint64_t col, std::size_t width)
      : keys_(keys), width_(width) {
    for (std::size_t octave = 0; octave < octaves; ++octave)
      start_panel(panels_[octave], shift_of(octave), keys[octave], col, width);
  }

  /// Elevations of the row in 1/units_per_metre, whole numbers below 2^22. Rows are asked for one after the
  /// other.
  const float* row(std::uint64_t row) {
    std::fill_n(base_, width_, 0.0F);
    std::fill_n(rough_, width_, 0.0F);
    for (std::size_t octave = octaves; octave-- > 0;) {
      const unsigned shift = shift_of(octave);
      OctavePanel& panel = panels_[octave];
      start_row(panel, k_, shift, keys_[octave], row, amplitude_of(octave));
      switch (shift) {
        case 1:
          add_fine<2>(panel, k_, width_, rough_);
          break;
        case 2:
          add_fine<4>(panel, k_, width_, rough_);
          break;
        case 3:
          add_fine<8>(panel, k_, width_, rough_);
          break;
        default:
          if (role_of(octave) == Role::base) add_coarse<false>(panel, k_, shift, width_, base_);
          if (role_of(octave) == Role::ridged) add_coarse<true>(panel, k_, shift, width_, rough_);
          if (role_of(octave) == Role::rough) add_coarse<false>(panel, k_, shift, width_, rough_);
      }
    }
    // Adding 1.5 * 2^23 leaves no bits for a fraction: rounds to nearest, in any float32 unit, without
    // SSE4.1.
    constexpr float rounder = 12582912;
    for (std::size_t i = 0; i < width_; ++i) {
      const float high = 0.7F + base_[i] * (1 / 2400.0F);
      const float capped = high > 1.5F ? 1.5F : high;
      const float weight = capped < 0.2F ? 0.2F : capped;
      const float metres = (mean_elevation + base_[i]) + weight * rough_[i];
      base_[i] = (metres * units_per_metre + rounder) - rounder;
    }
    return base_;
  }

 private:
  const std::array<std::uint64_t, octaves>& keys_;
  std::size_t width_;
  OctavePanel panels_[octaves];
  Coefficients k_;
  alignas(16) float base_[panel_width], rough_[panel_width];
};

/// Elevation in the unit of the type: a shift of 1/128 m, rounded, clipped.
template <class Sample>
Sample sample_of(float units) {
  if constexpr (std::floating_point<Sample>) {
    return static_cast<Sample>(units) * (1 / static_cast<Sample>(units_per_metre));
  } else {
    const auto whole = static_cast<std::int32_t>(units);
    if constexpr (sizeof(Sample) >= 4) {
      if constexpr (std::unsigned_integral<Sample>) return static_cast<Sample>(whole < 0 ? 0 : whole);
      return static_cast<Sample>(whole);
    } else {
      constexpr int shift = sizeof(Sample) == 1 ? (std::signed_integral<Sample> ? 12 : 11)
                                                : (std::signed_integral<Sample> ? 7 : 4);
      constexpr std::int32_t low = std::numeric_limits<Sample>::min(),
                             high = std::numeric_limits<Sample>::max();
      const std::int32_t scaled = (whole + (1 << (shift - 1))) >> shift;
      const std::int32_t capped = scaled > high ? high : scaled;
      return static_cast<Sample>(capped < low ? low : capped);
    }
  }
}

template <class Sample>
void write_row(const float* __restrict units, std::size_t count, Sample* __restrict to) {
  for (std::size_t i = 0; i < count; ++i) to[i] = sample_of<Sample>(units[i]);
}

template <class Sample>
void write_row_with_holes(const float* __restrict units, std::size_t count, Sample hole,
                          Sample* __restrict to) {
  constexpr float water = water_level * units_per_metre;
  for (std::size_t i = 0; i < count; ++i) {
    const Sample sample = sample_of<Sample>(units[i]);
    to[i] = units[i] < water ? hole : sample;
  }
}

}  // namespace

TerrainSource::TerrainSource(const TerrainOptions& options) : holes_(options.holes) {
  if (options.height > largest_extent || options.width > largest_extent)
    throw Error::usage("compute", fmt::format("a terrain of {} x {} pixels", options.height, options.width),
                       "an axis has at most 2^40 pixels");
  if (!is_arithmetic(options.type))
    throw Error::usage("compute", fmt::format("a terrain of {}", name_of(options.type)),
                       "its samples are integers, float32 or float64");
  info_.height = options.height;
  info_.width = options.width;
  info_.type = options.type;
  info_.nodata = options.nodata;
  if (holes_ && !info_.nodata) {
    const bool is_unsigned = !is_floating(info_.type) && !is_signed_integer(info_.type);
    info_.nodata = is_unsigned ? "0" : info_.type == SampleType::int8 ? "-128" : "-9999";
  }
  grid_ = even_chunks(info_, options.chunk_height, options.chunk_width);

  Georeferencing& place = info_.georeferencing;
  place.pixel_scale = {10, 10, 0};
  place.tiepoints = {0, 0, 0, 300000, 5300000, 0};  // the Alps, at the western end of the zone
  // GeoTIFF 1.1 section 7.1.2: version 1.1.0, three keys, their values in place.
  place.key_directory = {1,    1, 0, 3,       //
                         1024, 0, 1, 1,       // GTModelType: projected
                         1025, 0, 1, 1,       // GTRasterType: pixel is area
                         3072, 0, 1, 32633};  // ProjectedCSType: WGS 84 / UTM zone 33N

  with_sample_type(info_.type, [&](auto sample_type) {
    using Sample = decltype(sample_type);
    hole_ = fill_for(info_);
    if constexpr (std::floating_point<Sample>) {
      const Sample nan = std::numeric_limits<Sample>::quiet_NaN();
      std::memcpy(hole_.sample.data(), &nan, sizeof(Sample));
    }
  });
  for (std::size_t octave = 0; octave < octaves; ++octave)
    keys_[octave] = mixed(mixed(options.seed + golden) + (octave + 1) * golden);
}

Block TerrainSource::decode(ChunkIndex chunk, Buffer, Local*, const Context& context) const {
  const Window window = grid_.window(chunk);
  Block block = interleaved_block(window, info_.type, 1,
                                  context.buffer(window.height * window.width * info_.pixel_bytes()));
  with_sample_type(info_.type, [&](auto sample_type) {
    using Sample = decltype(sample_type);
    Sample hole;
    std::memcpy(&hole, hole_.sample.data(), sizeof(Sample));
    for (std::uint64_t col = window.col; col < window.col_end();) {
      const std::uint64_t begin = col / step * step;
      const std::uint64_t end = std::min<std::uint64_t>(begin + panel_width, window.col_end());
      const std::size_t skipped = col - begin, count = end - col;
      Panel panel(keys_, begin, (skipped + count + step - 1) / step * step);
      for (std::uint64_t row = 0; row < window.height; ++row) {
        const float* units = panel.row(window.row + row) + skipped;
        // Buffers are page-aligned, and rows whole samples: the pointer is aligned.
        auto* to = reinterpret_cast<Sample*>(block.at(row, col - window.col));
        if (holes_)
          write_row_with_holes(units, count, hole, to);
        else
          write_row(units, count, to);
      }
      col = end;
    }
  });
  return block;
}

}  // namespace weir
