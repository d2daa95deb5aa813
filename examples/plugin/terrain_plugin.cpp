// A plugin of two nodes: a stencil, and a codec. Built outside of Weir, with one header and nothing to link:
//
//   cmake -S examples/plugin -B build/plugin -DCMAKE_PREFIX_PATH=/where/weir/is && cmake --build build/plugin
//   weir plugin-check build/plugin/terrain.so          # does it keep what it promises?
//   export WEIR_PLUGIN_PATH=$PWD/build/plugin          # a whole path
//   weir nodes ruggedness
//   weir run examples/plugin/ruggedness.yaml --set input=dem.tif --set output=ruggedness.tif
#include <algorithm>
#include <cmath>
#include <weir/framework/plugin.hpp>

using namespace weir::plugin;

/// Terrain ruggedness index (Riley, DeGloria and Elliot 1999): the root of the sum of squared differences to
/// the eight neighbours, in the units of the input. Where one of the nine has no data, or lies outside, there
/// is none.
class Ruggedness {
 public:
  explicit Ruggedness(const Parameters& parameters) : factor_(parameters.number("factor")) {}

  Raster describe(std::span<const Raster> inputs) {
    nodata_ = inputs[0].nodata_number();
    return inputs[0].with(SampleType::float32, "nan");
  }
  std::uint64_t halo() const { return 1; }

  void compute(std::span<const Pixels> inputs, const Target& out) const {
    with_sample_type(inputs[0].type, [&](auto zero) { each_pixel<decltype(zero)>(inputs[0], out); });
  }

 private:
  template <class Sample>
  void each_pixel(const Pixels& in, const Target& out) const {
    // Where out begins in the input, whose halo is cut off at the raster's edges.
    const std::uint64_t top = out.window.row - in.window.row, left = out.window.col - in.window.col;
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < out.window.height; ++row)
        for (std::uint64_t col = 0; col < out.window.width; ++col)
          out.set(row, col, ruggedness<Sample>(in, top + row, left + col, sample), sample);
  }
  template <class Sample>
  float ruggedness(const Pixels& in, std::uint64_t row, std::uint64_t col, std::uint32_t sample) const {
    const double here = value<Sample>(in, row, col, sample);
    double sum = 0;
    for (std::uint64_t y = 0; y < 3; ++y)
      for (std::uint64_t x = 0; x < 3; ++x) {
        const double step = value<Sample>(in, row + y - 1, col + x - 1, sample) - here;
        sum += step * step;
      }
    return static_cast<float>(factor_ * std::sqrt(sum));
  }
  /// NaN where there is none. Row and column -1 are the largest numbers, so they lie outside too.
  template <class Sample>
  double value(const Pixels& in, std::uint64_t row, std::uint64_t col, std::uint32_t sample) const {
    if (row >= in.window.height || col >= in.window.width) return std::nan("");
    const auto number = static_cast<double>(in.get<Sample>(row, col, sample));
    return number == nodata_ ? std::nan("") : number;
  }

  double factor_, nodata_ = std::nan("");
};

/// Runs of differences: each byte less the one before, and of these, runs of 1 to 128 equal ones as (length - 1, byte),
/// 1 to 128 different ones as (127 + length, bytes...).
class DeltaRuns {
 public:
  explicit DeltaRuns(const Parameters&) {}

  CodecPlan describe() const { return {.tiff_compression = 60001}; }
  std::uint64_t max_encoded_bytes(std::uint64_t raw) const { return raw + raw / 128 + 1; }

  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out) const {
    std::size_t used = 0;
    const auto delta = [&](std::size_t at) {
      const int before = at == 0 ? 0 : std::to_integer<int>(raw[at - 1]);
      return static_cast<std::byte>(std::to_integer<int>(raw[at]) - before);
    };
    const auto run_at = [&](std::size_t at) {
      std::size_t end = at + 1;
      while (end < raw.size() && end - at < 128 && delta(end) == delta(at)) ++end;
      return end - at;
    };
    for (std::size_t at = 0; at < raw.size();) {
      if (const std::size_t run = run_at(at); run > 2) {
        out[used++] = static_cast<std::byte>(run - 1);
        out[used++] = delta(at);
        at += run;
        continue;
      }
      const std::size_t first = at, head = used++;
      while (at < raw.size() && at - first < 128 && run_at(at) < 3) out[used++] = delta(at++);
      out[head] = static_cast<std::byte>(127 + (at - first));
    }
    return used;
  }

  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) const {
    std::size_t filled = 0;
    const auto put = [&](std::byte delta) {
      const int before = filled == 0 ? 0 : std::to_integer<int>(out[filled - 1]);
      out[filled++] = static_cast<std::byte>(before + std::to_integer<int>(delta));
    };
    for (std::size_t at = 0; at + 1 < encoded.size() && filled < out.size();) {
      const auto head = std::to_integer<std::size_t>(encoded[at++]);
      const bool is_run = head < 128;
      for (std::size_t left = is_run ? head + 1 : head - 127; left > 0 && filled < out.size(); --left) {
        if (at == encoded.size()) return filled;
        put(encoded[at]);
        if (!is_run || left == 1) ++at;
      }
    }
    return filled;
  }
};

WEIR_PLUGIN(
    "terrain", "1.0", "MIT",
    stencil<Ruggedness>({.name = "ruggedness",
                         .help = "how rough an elevation model is (terrain ruggedness index), as float32",
                         .bytes = "one tile of float32 per tile",
                         .parameters = {{.name = "factor",
                                         .type = Type::number,
                                         .help = "what the result is multiplied by",
                                         .default_value = "1"}}}),
    codec<DeltaRuns>({.name = "delta_runs",
                      .help = "runs of differences, byte by byte",
                      .bytes = "nothing beyond the encoded tile"}));
