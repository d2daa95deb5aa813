#include "nodes/plugins/plugin_raster.hpp"

#include <fmt/format.h>

#include <cstring>

#include "nodes/plugins/plugin_call.hpp"
#include "nodes/raster/sample_rows.hpp"

namespace weir {
namespace {

static_assert(static_cast<int>(SampleType::uint8) == WEIR_UINT8 &&
                  static_cast<int>(SampleType::int16) == WEIR_INT16 &&
                  static_cast<int>(SampleType::int64) == WEIR_INT64 &&
                  static_cast<int>(SampleType::float64) == WEIR_FLOAT64,
              "plugins and Weir number the sample types alike");

// TIFF counts them in 16 bits; and arrays beyond any file's.
constexpr std::uint32_t most_samples = 65535;
constexpr std::uint64_t most_numbers = 1 << 16;
constexpr std::size_t longest_nodata = 64, longest_ascii = 1 << 16;

Error said_wrong(const PluginNode& node, const std::string& reason) {
  return plugin_error(node, "use", reason, ErrorKind::usage);
}

weir_numbers numbers_of(const std::vector<double>& numbers) {
  return {numbers.data(), numbers.size()};
}

template <class T>
std::vector<T> copied(const PluginNode& node, std::string_view what, const T* data, std::uint64_t count,
                      std::uint64_t multiple_of) {
  if (count > most_numbers || count % multiple_of != 0 || (count > 0 && data == nullptr))
    throw said_wrong(node, fmt::format("its raster has {} of {} numbers", what, count));
  return {data, data + count};
}

std::string copied_text(const PluginNode& node, std::string_view what, const char* text,
                        std::size_t longest) {
  const std::size_t length = ::strnlen(text, longest + 1);
  if (length > longest) throw said_wrong(node, fmt::format("its raster has a {} without an end", what));
  return {text, length};
}

}  // namespace

weir_raster c_raster(const RasterInfo& info) {
  weir_raster raster{};
  raster.size = sizeof raster;
  raster.type = static_cast<std::uint32_t>(info.type);
  raster.height = info.height;
  raster.width = info.width;
  raster.samples = info.samples;
  raster.photometric = info.photometric;
  raster.nodata = info.nodata ? info.nodata->c_str() : nullptr;
  const Georeferencing& where = info.georeferencing;
  raster.pixel_scale = numbers_of(where.pixel_scale);
  raster.tiepoints = numbers_of(where.tiepoints);
  raster.transformation = numbers_of(where.transformation);
  raster.key_doubles = numbers_of(where.key_doubles);
  raster.key_directory = where.key_directory.data();
  raster.key_directory_count = where.key_directory.size();
  raster.key_ascii = where.key_ascii.empty() ? nullptr : where.key_ascii.c_str();
  return raster;
}

RasterInfo raster_from_c(const PluginNode& node, const weir_raster& raster) {
  RasterInfo info;
  if (raster.type > WEIR_FLOAT64)
    throw said_wrong(node, fmt::format("its raster has sample type {}, which is none", raster.type));
  if (raster.samples == 0 || raster.samples > most_samples)
    throw said_wrong(node, fmt::format("its raster has {} samples per pixel", raster.samples));
  if (raster.height == 0 || raster.width == 0 || raster.height > (std::uint64_t{1} << 40) ||
      raster.width > (std::uint64_t{1} << 40))
    throw said_wrong(node, fmt::format("its raster has {} x {} pixels", raster.height, raster.width));
  info.type = static_cast<SampleType>(raster.type);
  info.samples = raster.samples;
  info.height = raster.height;
  info.width = raster.width;
  // TIFF 6.0 page 31: what goes beyond the samples of the photometric interpretation is extra; 0 is
  // unspecified.
  info.photometric = raster.photometric == 2 && raster.samples >= 3 ? 2 : 1;
  info.extra_samples.assign(raster.samples - (info.photometric == 2 ? 3 : 1), 0);
  if (raster.nodata != nullptr) {
    info.nodata = copied_text(node, "nodata value", raster.nodata, longest_nodata);
    check_nodata(fmt::format("use {} of {}", node.name, node.origin), *info.nodata, info.type);
  }
  Georeferencing& where = info.georeferencing;
  where.pixel_scale = copied(node, "a pixel scale", raster.pixel_scale.data, raster.pixel_scale.count, 3);
  where.tiepoints = copied(node, "tiepoints", raster.tiepoints.data, raster.tiepoints.count, 6);
  where.transformation =
      copied(node, "a transformation", raster.transformation.data, raster.transformation.count, 16);
  where.key_doubles = copied(node, "key doubles", raster.key_doubles.data, raster.key_doubles.count, 1);
  where.key_directory = copied(node, "a key directory", raster.key_directory, raster.key_directory_count, 4);
  if (raster.key_ascii != nullptr)
    where.key_ascii = copied_text(node, "key text", raster.key_ascii, longest_ascii);
  return info;
}

weir_pixels c_pixels(const PixelTarget& pixels) {
  const Window& window = pixels.window;
  return {reinterpret_cast<std::uint8_t*>(pixels.data),
          {window.row, window.col, window.height, window.width},
          static_cast<std::uint32_t>(pixels.type),
          pixels.samples,
          pixels.row_stride,
          pixels.pixel_stride,
          pixels.sample_stride};
}

weir_pixels c_pixels(const PixelView& pixels) {
  return c_pixels(PixelTarget{const_cast<std::byte*>(pixels.data), pixels.window, pixels.type, pixels.samples,
                              pixels.row_stride, pixels.pixel_stride, pixels.sample_stride});
}

}  // namespace weir
