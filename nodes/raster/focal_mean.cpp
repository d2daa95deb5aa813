#include "nodes/raster/focal_mean.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <concepts>

#include "framework/error.hpp"
#include "framework/scratch_block.hpp"
#include "nodes/raster/metadata.hpp"

namespace weir {
namespace {

__extension__ using Int128 = __int128;

/// Output pixels of a run; with a halo of 64 on either side, half as many again are read.
constexpr std::size_t run_width = 256;

/// Sums over boxes of side x side values, one row of boxes after the other.
///
/// Downwards: rows are dealt into blocks of `side` rows, counted from the raster's top. A box spans the end
/// of one block and the beginning of the next one, so its sum is one partial sum from the end of the former
/// backwards plus one from the beginning of the latter onwards: three additions for any side. Across: sums of
/// 1, 2, 4 ... columns, each from two of the ones before, put together after the binary digits of `side`.
/// Both orders depend only on where the box is, so floating-point sums have the same bits for any cut.
template <class Sum>
class BoxSums {
 public:
  /// Values of memory for boxes over `columns` columns.
  static constexpr std::size_t values(std::size_t columns, std::size_t side) { return columns * (side + 3); }

  BoxSums(void* memory, std::size_t columns, std::size_t side)
      : columns_(columns),
        side_(side),
        ends_(static_cast<Sum*>(memory)),
        begin_(ends_ + side * columns),
        box_(begin_ + columns),
        sums_(box_ + columns) {}

  /// The sums of the boxes whose upper row is `top`, columns - side + 1 of them; `top` grows by 1 from call
  /// to call. add(row, to) adds a row of values to to[0, columns).
  template <class Add>
  const Sum* next(std::uint64_t top, bool is_first, const Add& add) {
    const std::size_t place = static_cast<std::size_t>(top % side_);
    if (is_first || place == 0) {
      for (std::size_t i = side_; i-- > place;) {
        Sum* const end = ends_ + i * columns_;
        if (i + 1 == side_)
          std::fill_n(end, columns_, Sum{});
        else
          std::copy_n(end + columns_, columns_, end);
        add(top - place + i, end);
      }
      std::fill_n(begin_, columns_, Sum{});
      for (std::size_t i = 0; i + 1 < place; ++i) add(top - place + side_ + i, begin_);
    }
    if (place > 0) add(top + side_ - 1, begin_);
    const Sum* __restrict end = ends_ + place * columns_;
    const Sum* __restrict begin = begin_;
    Sum* __restrict box = box_;
    for (std::size_t i = 0; i < columns_; ++i) box[i] = end[i] + begin[i];
    sum_across();
    return sums_;
  }

 private:
  void sum_across() {
    const std::size_t count = columns_ - side_ + 1;
    std::size_t offset = 0;
    for (std::size_t length = 1;; length *= 2) {
      if ((side_ & length) != 0) {
        const Sum* __restrict from = box_ + offset;
        Sum* __restrict to = sums_;
        if (offset == 0)
          std::copy_n(from, count, to);
        else
          for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
        offset += length;
      }
      if (2 * length > side_) return;
      for (std::size_t i = 0; i + length < columns_; ++i) box_[i] += box_[i + length];
    }
  }

  std::size_t columns_, side_;
  Sum* ends_;   ///< row i of a block: the sum from there to the block's end
  Sum* begin_;  ///< the sum from the next block's beginning to the box's last row
  Sum* box_;
  Sum* sums_;
};

/// Whole numbers in [-2^51, 2^51], ties to even, without a call: adding 1.5 * 2^52 leaves no bits for a
/// fraction.
inline double rounded(double number) {
  constexpr double rounder = 6755399441055744;
  return (number + rounder) - rounder;
}

/// The mean in the output's type. An integer is the exact quotient, rounded: in doubles, a quotient of a sum
/// below 2^46 and a count below 2^15 that is no tie is further from a tie than its rounding error.
template <class Out>
Out mean_of(double sum, std::uint32_t count) {
  const double mean = sum / static_cast<double>(count);
  if constexpr (std::integral<Out>)
    return static_cast<Out>(rounded(mean));
  else
    return static_cast<Out>(mean);
}
template <class Out>
Out mean_of(Int128 sum, std::uint32_t count) {
  if constexpr (std::integral<Out>) {
    Int128 quotient = sum / count, rest = sum % count;
    if (rest < 0) {
      rest += count;
      --quotient;
    }
    if (2 * rest > count || (2 * rest == count && quotient % 2 != 0)) ++quotient;
    return static_cast<Out>(quotient);
  } else {
    return static_cast<Out>(static_cast<double>(sum) / static_cast<double>(count));
  }
}

template <class Sample>
bool has_data(Sample sample, bool has_nodata, Sample nodata) {
  return sample == sample && !(has_nodata && sample == nodata);
}

}  // namespace

class FocalMean::Workspace : public TileKernel::Local {
 public:
  Workspace(const Scratch& scratch, std::size_t bytes) : block_(scratch, bytes, "the sums of a focal mean") {}
  std::byte* data() const { return static_cast<std::byte*>(block_.data()); }

 private:
  ScratchBlock block_;
};

std::vector<Parameter> FocalMean::parameters() {
  return {
      {.name = "radius",
       .type = ParameterType::integer,
       .help = "the mean is over a square of 2 radius + 1 pixels",
       .default_value = "1",
       .unit = "pixels",
       .least = 1,
       .most = static_cast<double>(largest_radius)},
      {.name = "sample_type",
       .type = ParameterType::choice,
       .help = "of the output; same: the input's, integers rounded to nearest even",
       .default_value = "float32",
       .choices = {"float32", "same"}},
      {.name = "nodata",
       .type = ParameterType::text,
       .help = "of the output, a number or nan; default: the input's where the type can hold it, else nan"},
  };
}

FocalMean::FocalMean(const FocalMeanOptions& options) : options_(options) {
  if (options.radius < 1 || options.radius > largest_radius)
    throw Error::usage("compute the focal mean", fmt::format("with radius {}", options.radius),
                       fmt::format("it is not from 1 to {} pixels", largest_radius));
}

FocalMean::FocalMean(const Parameters& parameters)
    : FocalMean(FocalMeanOptions{
          static_cast<std::uint64_t>(parameters.integer("radius")), parameters.text("sample_type") == "same",
          parameters.has("nodata") ? std::optional(parameters.text("nodata")) : std::nullopt}) {}

RasterInfo FocalMean::describe(std::span<const RasterInfo> inputs) {
  assert(inputs.size() == 1);
  input_ = inputs[0];
  const SampleType type = options_.keeps_type ? input_.type : SampleType::float32;
  output_ = computed_from(input_, type);
  output_.metadata = without_statistics(input_.metadata);  // a mean has its samples' names and units
  output_.nodata = output_nodata(input_, type, options_.nodata, "compute the focal mean");
  return output_;
}

std::size_t FocalMean::workspace_bytes() const {
  const std::size_t columns = run_width + 2 * options_.radius, side = 2 * options_.radius + 1;
  return BoxSums<std::byte>::values(columns, side) * (sum_bytes() + sizeof(std::uint32_t));
}

std::uint64_t FocalMean::local_bytes(std::uint64_t) const {
  return scratch_block_bytes(workspace_bytes());
}

std::unique_ptr<TileKernel::Local> FocalMean::make_local(const Scratch& scratch) const {
  return std::make_unique<Workspace>(scratch, workspace_bytes());
}

template <class Sample, class Out>
void FocalMean::compute_as(const PixelView& input, const PixelTarget& out, Workspace& workspace) const {
  using Sum = std::conditional_t<std::integral<Sample> && sizeof(Sample) == 8, Int128, double>;
  assert(sizeof(Sum) == sum_bytes());
  const std::size_t radius = options_.radius, side = 2 * radius + 1;
  const NodataSample nodata_in = nodata_sample(input_);
  const bool has_nodata = nodata_in.is_set, counts = can_lack_data(input_);
  const Sample none = nodata_in.as<Sample>();
  const Out none_out = nodata_of<Out>(output_);

  for (std::uint32_t sample = 0; sample < out.samples; ++sample)
    for (std::uint64_t first = 0; first < out.window.width; first += run_width) {
      const std::size_t count =
          static_cast<std::size_t>(std::min<std::uint64_t>(run_width, out.window.width - first));
      const std::size_t columns = count + 2 * radius;
      // Column i of the sums is the raster's column left + i - radius. Those outside of the raster count 0.
      const std::uint64_t left = out.window.col + first;
      const std::size_t skipped = left < radius ? radius - left : 0;
      const std::uint64_t begin = left + skipped - radius;
      const std::size_t inside =
          static_cast<std::size_t>(std::min<std::uint64_t>(left + count + radius, input_.width) - begin);

      // Row i of the sums is the raster's row i - radius.
      Sample samples[run_width + 2 * largest_radius];
      const auto read = [&](std::uint64_t row) {
        if (row < radius || row - radius >= input_.height) return false;
        copy_row(input, row - radius - input.window.row, begin - input.window.col, inside, sample, samples);
        return true;
      };
      const auto add_values = [&](std::uint64_t row, Sum* sums) {
        if (!read(row)) return;
        Sum* __restrict to = sums + skipped;
        if (!counts)
          for (std::size_t i = 0; i < inside; ++i) to[i] += static_cast<Sum>(samples[i]);
        else
          for (std::size_t i = 0; i < inside; ++i)
            to[i] += has_data(samples[i], has_nodata, none) ? static_cast<Sum>(samples[i]) : Sum{0};
      };
      const auto add_counts = [&](std::uint64_t row, std::uint32_t* sums) {
        if (!read(row)) return;
        std::uint32_t* __restrict to = sums + skipped;
        for (std::size_t i = 0; i < inside; ++i) to[i] += has_data(samples[i], has_nodata, none) ? 1U : 0U;
      };
      BoxSums<Sum> values(workspace.data(), columns, side);
      BoxSums<std::uint32_t> numbers(workspace.data() + BoxSums<Sum>::values(columns, side) * sizeof(Sum),
                                     columns, side);

      std::uint32_t all[run_width];  // where all pixels have data
      Out means[run_width];
      for (std::uint64_t r = 0; r < out.window.height; ++r) {
        const std::uint64_t row = out.window.row + r;
        const Sum* sums = values.next(row, r == 0, add_values);
        const std::uint32_t* found = all;
        if (counts) {
          found = numbers.next(row, r == 0, add_counts);
        } else {
          const auto length = [radius](std::uint64_t at, std::uint64_t extent) {
            return std::min<std::uint64_t>(at + radius + 1, extent) - (at < radius ? 0 : at - radius);
          };
          const std::uint64_t rows = length(row, input_.height);
          for (std::size_t i = 0; i < count; ++i)
            all[i] = static_cast<std::uint32_t>(rows * length(left + i, input_.width));
        }
        for (std::size_t i = 0; i < count; ++i) {
          const std::uint32_t n = found[i];
          const Out mean = mean_of<Out>(sums[i], n == 0 ? 1 : n);
          means[i] = n == 0 ? none_out : mean;
        }
        put_row(out, r, first, count, sample, means);
      }
    }
}

void FocalMean::compute(std::span<const PixelView> inputs, const PixelTarget& out, Local* local,
                        const Context&) const {
  with_sample_type(input_.type, [&](auto zero) {
    using Sample = decltype(zero);
    auto& workspace = *static_cast<Workspace*>(local);
    if (options_.keeps_type)
      compute_as<Sample, Sample>(inputs[0], out, workspace);
    else
      compute_as<Sample, float>(inputs[0], out, workspace);
  });
}

}  // namespace weir
