#include "nodes/raster/masked_pixels.hpp"

#include <array>
#include <cstring>
#include <limits>
#include <optional>

#include "framework/error.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {
namespace {

/// A sample that says "no data"; nothing where the type has none.
std::optional<std::array<std::byte, 8>> no_data(const RasterInfo& info) {
  const NodataSample nodata = nodata_sample(info);
  if (nodata.is_set) return nodata.sample;
  if (!is_arithmetic(info.type) || !is_floating(info.type)) return std::nullopt;
  std::array<std::byte, 8> sample{};
  with_sample_type(info.type, [&](auto zero) {
    using Sample = decltype(zero);
    if constexpr (std::numeric_limits<Sample>::has_quiet_NaN) {
      const Sample nan = std::numeric_limits<Sample>::quiet_NaN();
      std::memcpy(sample.data(), &nan, sizeof nan);
    }
  });
  return sample;
}

}  // namespace

void require_value_for_masked(std::string_view action, const RasterInfo& info) {
  if (!info.has_mask || no_data(info)) return;
  throw Error::usage(
      action, "masked pixels",
      "the raster has a mask and no nodata value that masked pixels could have: read it without its mask "
      "(mask: false), or as floating-point numbers");
}

void fill_masked(const Band& band, const Window& window, const RasterInfo& info, std::byte* pixels) {
  const std::optional<std::array<std::byte, 8>> sample = no_data(info);
  const std::size_t sample_bytes = bytes_of(info.type), pixel_bytes = info.pixel_bytes();
  for (const auto& block : band.blocks) {
    const Window part = intersect(block->window, window);
    if (part.empty() || !block->has_mask() || !sample) continue;
    for (std::uint64_t row = part.row; row < part.row_end(); ++row) {
      const std::byte* mask = block->mask_at(row - block->window.row, part.col - block->window.col);
      std::byte* to = pixels + ((row - window.row) * window.width + part.col - window.col) * pixel_bytes;
      for (std::uint64_t col = 0; col < part.width; ++col, to += pixel_bytes)
        if (mask[col] == std::byte{0})
          for (std::uint32_t s = 0; s < info.samples; ++s)
            std::memcpy(to + s * sample_bytes, sample->data(), sample_bytes);
    }
  }
}

}  // namespace weir
