#pragma once

// What the tests of COGs share: levels that are plainly right, and a look at each tile's frame.

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "nodes/raster/reduce_pixels.hpp"
#include "nodes/tiff/strile_array.hpp"
#include "nodes/tiff/tiff_directory.hpp"
#include "nodes/tiff/tiff_info.hpp"
#include "pipelines/write_cog.hpp"
#include "tests/pipeline_support.hpp"

namespace weir::pipeline_test {

/// The levels that a pyramid must have: each made from the whole one before it.
inline std::vector<Raster> reference_levels(Raster full, Resampling resampling,
                                            const std::vector<std::uint32_t>& factors) {
  std::vector<Raster> levels{std::move(full)};
  for (const std::uint32_t factor : factors) {
    const Raster& finer = levels.back();
    const ReducePixels reduce(resampling, finer.info, factor);
    Raster coarser;
    coarser.info = finer.info;
    coarser.info.height = reduce.coarse_height();
    coarser.info.width = reduce.coarse_width();
    coarser.pixels.resize(coarser.info.height * coarser.info.width * coarser.info.pixel_bytes());
    const auto view_of = [](const RasterInfo& info, auto* data) {
      const PixelStrides strides = interleaved_strides(info.width, info.samples, bytes_of(info.type));
      return BasicPixels<std::remove_pointer_t<decltype(data)>>{
          data,          {0, 0, info.height, info.width}, info.type, info.samples, strides.row, strides.pixel,
          strides.sample};
    };
    const PixelView from = view_of(finer.info, finer.pixels.data());
    reduce({from}, {view_of(coarser.info, coarser.pixels.data())});
    levels.push_back(std::move(coarser));
  }
  return levels;
}

inline Bytes pixels_of(const std::string& path, unsigned directory) {
  TiffReadOptions options;
  options.directory = directory;
  const auto source = std::make_shared<const TiffSource>(path, options);
  const RasterInfo& info = source->info();
  Bytes pixels(info.height * info.width * info.pixel_bytes());
  read_region(source, {0, 0, info.height, info.width},
              {pixels.data(), interleaved_strides(info.width, info.samples, bytes_of(info.type))});
  return pixels;
}

/// What is wrong with the frames and the order of the tiles; empty: nothing.
inline std::string problem_of(const std::string& path, unsigned levels) {
  const Bytes bytes = file_bytes(path);
  const InputFile file(path);
  std::uint64_t before = ~std::uint64_t{0};
  for (unsigned level = 0; level < levels; ++level) {
    const TiffImage image = read_tiff_image(file, level);
    StrileWindow offsets(file, image.layout.offsets), counts(file, *image.layout.byte_counts);
    std::uint64_t end = 0;
    for (std::uint64_t tile = 0; tile < image.layout.offsets.count; ++tile) {
      const std::uint64_t offset = offsets.at(tile), count = counts.at(tile);
      if (count == 0) continue;
      const std::string place = "level " + std::to_string(level) + ", tile " + std::to_string(tile) + ": ";
      if (end == 0 && (offset - 4) % CogWriter::level_alignment != 0)
        return place + "the level is not aligned";
      if (end != 0 && offset != end + 8) return place + "it is not behind the one before";
      if (offset + count + 4 > before) return place + "it is behind a larger level";
      std::uint32_t leader = 0;
      std::memcpy(&leader, &bytes[offset - 4], 4);
      if (leader != count) return place + "its leader is not its size";
      if (count >= 4 && std::memcmp(&bytes[offset + count], &bytes[offset + count - 4], 4) != 0)
        return place + "its trailer is not its end";
      end = offset + count;
    }
    if (level == 0 && end + 4 != bytes.size()) return "the file does not end with the full raster";
    const std::uint64_t first = offsets.at(0);
    if (first != 0) before = first - 4;
  }
  return "";
}

/// Factors from level to level of overviews 2, 4, 8 ...
inline std::vector<std::uint32_t> halvings(std::uint64_t height, std::uint64_t width,
                                           const CogOptions& options) {
  return automatic_factors({height, width, options.tile_height, options.tile_width, 1});
}

inline std::uint64_t smallest_budget(const std::shared_ptr<const ChunkSource>& source,
                                     WriteCogOptions options) {
  options.graph.memory = 1;
  return smallest_named(
      reason_of([&] { const CogWrite write(source, "never.tif", options); }, ErrorKind::usage));
}

}  // namespace weir::pipeline_test
