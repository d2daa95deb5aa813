#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "nodes/raster/sample_rows.hpp"
#include "nodes/raster/tile_kernel.hpp"

namespace weir {

struct FunctionKernelOptions {
  std::uint64_t halo = 0;                  ///< pixels that the function needs around each pixel
  SampleType type = SampleType::float32;   ///< of the output
  std::optional<std::string> nodata = {};  ///< of the output, a number or "nan"; default: none
};

/// A stencil, or a transform of each pixel, out of a function of the caller's.
class FunctionKernel : public TileKernel {
 public:
  /// Fills `out`; `in` is TileKernel::compute's: out.window grown by the halo, smaller at the raster's edge. Called for
  /// many windows at once, from many threads; what it throws ends the run.
  using Function = std::function<void(const PixelView& in, const PixelTarget& out)>;

  FunctionKernel(FunctionKernelOptions options, Function function)
      : options_(std::move(options)), function_(std::move(function)) {}

  /// Throws a usage Error for samples that are not arithmetic, and for a nodata value that the type has not.
  RasterInfo describe(std::span<const RasterInfo> inputs) override;
  std::uint64_t halo() const override { return options_.halo; }
  void compute(std::span<const PixelView> inputs, const PixelTarget& out, Local*,
               const Context&) const override {
    function_(inputs.front(), out);
  }

 private:
  FunctionKernelOptions options_;
  Function function_;
};

inline std::shared_ptr<TileKernel> function_kernel(FunctionKernelOptions options,
                                                   FunctionKernel::Function function) {
  return std::make_shared<FunctionKernel>(std::move(options), std::move(function));
}

/// The pixels around one, as doubles: at(-1, 0) is the one above. Beyond the raster's edge lies its last pixel, again
/// and again. Beyond the kernel's halo there is nothing to ask for.
template <class Sample>
class Around {
 public:
  Around(const PixelView& view, std::uint64_t row, std::uint64_t col, std::uint32_t sample)
      : view_(view), row_(row), col_(col), sample_(sample) {}

  double operator()(std::int64_t down, std::int64_t right) const {
    Sample value;
    std::memcpy(&value,
                view_.at(clamped(row_ - view_.window.row, down, view_.window.height),
                         clamped(col_ - view_.window.col, right, view_.window.width), sample_),
                sizeof value);
    return static_cast<double>(value);
  }
  std::uint64_t row() const { return row_; }  ///< in pixels of the whole raster
  std::uint64_t col() const { return col_; }
  std::uint32_t sample() const { return sample_; }

 private:
  static std::uint64_t clamped(std::uint64_t at, std::int64_t by, std::uint64_t size) {
    return static_cast<std::uint64_t>(
        std::clamp<std::int64_t>(static_cast<std::int64_t>(at) + by, 0, static_cast<std::int64_t>(size) - 1));
  }
  const PixelView& view_;
  const std::uint64_t row_, col_;
  const std::uint32_t sample_;
};

/// The function that FunctionKernel wants, out of one of a pixel: `value(const auto& at)`, at(down, right) being the
/// pixels around it; its result is converted to the output's sample type.
template <class Value>
FunctionKernel::Function each_pixel(Value value) {
  return [value](const PixelView& in, const PixelTarget& out) {
    const Window& window = out.window;
    for (std::uint32_t sample = 0; sample < out.samples; ++sample)
      for (std::uint64_t row = 0; row < window.height; ++row)
        for (std::uint64_t col = 0; col < window.width; col += panel_width) {
          const std::size_t count = std::min<std::uint64_t>(panel_width, window.width - col);
          double values[panel_width];
          with_sample_type(in.type, [&](auto zero) {
            for (std::size_t i = 0; i < count; ++i)
              values[i] = static_cast<double>(
                  value(Around<decltype(zero)>(in, window.row + row, window.col + col + i, sample)));
          });
          with_sample_type(out.type, [&](auto zero) {
            using Sample = decltype(zero);
            Sample samples[panel_width];
            for (std::size_t i = 0; i < count; ++i) samples[i] = static_cast<Sample>(values[i]);
            put_row(out, row, col, count, sample, samples);
          });
        }
  };
}

}  // namespace weir
