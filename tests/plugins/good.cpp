// One node of each kind, as they should be.
#include <algorithm>
#include <cstdio>

#include "framework/plugin.hpp"

using namespace weir::plugin;

namespace {

/// A ramp: row * 7 + col, stored as the column numbers' rows.
class Ramp {
 public:
  explicit Ramp(const Parameters& parameters)
      : size_(parameters.size("size")), nodata_(parameters.has("nodata") ? parameters.text("nodata") : "") {
    if (size_.first == 13) throw Usage("13 rows bring bad luck");
  }
  SourcePlan describe() const {
    SourcePlan plan;
    plan.raster.height = size_.first;
    plan.raster.width = size_.second;
    plan.raster.type = SampleType::uint16;
    if (!nodata_.empty()) plan.raster.nodata = nodata_;
    plan.raster.pixel_scale = {10, 10, 0};
    plan.raster.tiepoints = {0, 0, 0, 500'000, 5'000'000, 0};
    plan.chunk_height = plan.chunk_width = 32;
    plan.fetch_bytes = 16;
    plan.scratch_bytes = block_bytes(64);
    return plan;
  }
  std::size_t fetch(const Window& chunk, std::span<std::byte> stored) const {
    const std::uint64_t corner[2] = {chunk.row, chunk.col};
    std::memcpy(stored.data(), corner, sizeof corner);
    return sizeof corner;
  }
  void read(std::span<const std::byte> stored, const Target& out, const Host& host) const {
    std::uint64_t corner[2];
    if (stored.size() != sizeof corner) throw std::runtime_error("the stored bytes are not its own");
    const Scratch kept = host.scratch(64);
    std::memcpy(kept.as().data(), stored.data(), stored.size());
    std::memcpy(corner, kept.as().data(), sizeof corner);
    for (std::uint64_t row = 0; row < out.window.height; ++row)
      for (std::uint64_t col = 0; col < out.window.width; ++col)
        out.set(row, col, static_cast<std::uint16_t>((corner[0] + row) * 7 + corner[1] + col));
  }

 private:
  std::pair<std::uint64_t, std::uint64_t> size_;
  std::string nodata_;
};

/// a + weight * b, of any types, by way of a row in scratch memory.
class WeightedSum {
 public:
  explicit WeightedSum(const Parameters& parameters) : weight_(parameters.number("weight")) {}
  Raster describe(std::span<const Raster> inputs) {
    if (inputs[0].samples != inputs[1].samples) throw Usage("the inputs have different numbers of samples");
    return inputs[0].with(SampleType::float64, std::nullopt);
  }
  std::uint64_t scratch_bytes(std::uint64_t pixels) const { return block_bytes(pixels * sizeof(double)); }
  void compute(std::span<const Pixels> inputs, const Target& out, const Host& host) const {
    const Scratch scratch = host.scratch(out.window.width * sizeof(double));
    const std::span<double> line = scratch.as<double>();
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < out.window.height; ++row) {
        for (std::uint64_t col = 0; col < out.window.width; ++col)
          line[col] = inputs[0].number(row, col, sample) + weight_ * inputs[1].number(row, col, sample);
        for (std::uint64_t col = 0; col < out.window.width; ++col) out.set(row, col, line[col], sample);
      }
  }

 private:
  double weight_;
};

/// The largest of the neighbours that are there.
class Largest {
 public:
  explicit Largest(const Parameters& parameters)
      : radius_(static_cast<std::uint64_t>(parameters.integer("radius"))) {}
  Raster describe(std::span<const Raster> inputs) {
    return inputs[0].with(SampleType::float32, std::nullopt);
  }
  std::uint64_t halo() const { return radius_; }
  void compute(std::span<const Pixels> inputs, const Target& out) const {
    const Pixels& in = inputs[0];
    const std::uint64_t top = out.window.row - in.window.row, left = out.window.col - in.window.col;
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < out.window.height; ++row)
        for (std::uint64_t col = 0; col < out.window.width; ++col) {
          double largest = in.number(top + row, left + col, sample);
          const std::uint64_t y0 = top + row - std::min(top + row, radius_),
                              x0 = left + col - std::min(left + col, radius_);
          for (std::uint64_t y = y0; y < std::min(top + row + radius_ + 1, in.window.height); ++y)
            for (std::uint64_t x = x0; x < std::min(left + col + radius_ + 1, in.window.width); ++x)
              largest = std::max(largest, in.number(y, x, sample));
          out.set(row, col, static_cast<float>(largest), sample);
        }
  }

 private:
  std::uint64_t radius_;
};

/// Each byte with `level` added to it, and the level in front; it keeps a table in scratch memory.
class Shift {
 public:
  explicit Shift(const Parameters&) {}
  CodecPlan describe() const { return {.tiff_compression = 60002, .levels = Levels{1, 9, 5}}; }
  std::uint64_t max_encoded_bytes(std::uint64_t raw) const { return raw + 1; }
  std::uint64_t encoder_scratch_bytes(std::uint64_t) const { return block_bytes(256); }
  std::size_t encode(std::span<const std::byte> raw, std::span<std::byte> out, int level,
                     const Host& host) const {
    const Scratch table = host.scratch(256);
    for (unsigned i = 0; i < 256; ++i)
      table.as()[i] = static_cast<std::byte>(i + static_cast<unsigned>(level));
    out[0] = static_cast<std::byte>(level);
    for (std::size_t i = 0; i < raw.size(); ++i) out[i + 1] = table.as()[std::to_integer<unsigned>(raw[i])];
    return raw.size() + 1;
  }
  std::size_t decode(std::span<const std::byte> encoded, std::span<std::byte> out) const {
    if (encoded.empty()) return 0;
    const std::size_t count = std::min(encoded.size() - 1, out.size());
    for (std::size_t i = 0; i < count; ++i)
      out[i] =
          static_cast<std::byte>(std::to_integer<int>(encoded[i + 1]) - std::to_integer<int>(encoded[0]));
    return count;
  }
};

/// Writes the sum of all samples to a file.
class SumFile {
 public:
  explicit SumFile(const Parameters& parameters) : path_(parameters.text("path")) {}
  std::uint64_t scratch_bytes() const { return block_bytes(8); }
  void open(const Raster& raster) {
    if (raster.samples != 1) throw Usage("it takes one sample per pixel");
  }
  void write(const Pixels& tile, const Host& host) {
    const Scratch scratch = host.scratch(8);
    for (std::uint64_t row = 0; row < tile.window.height; ++row)
      for (std::uint64_t col = 0; col < tile.window.width; ++col) sum_ += tile.number(row, col);
  }
  void close() {
    std::FILE* file = std::fopen(path_.c_str(), "w");
    if (file == nullptr) throw std::runtime_error("cannot write " + path_);
    std::fprintf(file, "%.0f\n", sum_);
    std::fclose(file);
  }

 private:
  std::string path_;
  double sum_ = 0;
};

}  // namespace

WEIR_PLUGIN(
    "good", "2.1", "MIT",
    source<Ramp>({.name = "ramp",
                  .help = "a ramp, row times 7 plus column",
                  .bytes = "16 stored bytes per chunk",
                  .parameters = {{.name = "size",
                                  .type = Type::size,
                                  .help = "of the raster",
                                  .default_value = "100x90",
                                  .unit = "pixels",
                                  .most = 100'000},
                                 {.name = "nodata", .type = Type::text, .help = "its nodata value"}}}),
    transform<WeightedSum>({.name = "weighted_sum",
                            .help = "one raster plus another, weighted",
                            .bytes = "a row of doubles per thread",
                            .parameters = {{.name = "weight",
                                            .type = Type::number,
                                            .help = "of the second raster",
                                            .default_value = "0.5",
                                            .least = -10,
                                            .most = 10}},
                            .inputs = {{"first", "the first raster"}, {"second", "the second raster"}}}),
    stencil<Largest>({.name = "largest",
                      .help = "the largest value around each pixel",
                      .bytes = "nothing beyond its tiles",
                      .parameters = {{.name = "radius",
                                      .type = Type::integer,
                                      .help = "how far it looks",
                                      .default_value = "2",
                                      .unit = "pixels",
                                      .least = 0,
                                      .most = 50}}}),
    codec<Shift>({.name = "shift", .help = "adds to each byte", .bytes = "256 bytes per thread"}),
    sink<SumFile>({.name = "sum_file",
                   .help = "writes the sum of all samples",
                   .bytes = "8 bytes",
                   .parameters = {
                       {.name = "path", .type = Type::text, .help = "the file", .is_required = true}}}));
