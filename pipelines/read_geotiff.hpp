#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/convert_source.hpp"
#include "nodes/raster/copy_pixels.hpp"
#include "nodes/stores/http_options.hpp"

namespace weir {

/// Memory of the caller that a region is read into: sample s of pixel (r, c) of the region goes to data + r * row + c * pixel
/// + s * sample. The caller owns it; it is not counted in the budget.
struct ReadTarget {
  std::byte* data = nullptr;
  PixelStrides strides;
  /// Where not nullptr: a byte per pixel, 255 where it is valid, 0 where it is masked; all valid where the raster has no
  /// mask.
  std::byte* mask = nullptr;
  std::size_t mask_row_stride = 0;
};

struct ReadOptions {
  /// Samples and their type, as the target has them. The window is that of the call.
  std::vector<std::uint32_t> samples;  ///< from 0, in this order; empty: all
  ConvertOptions convert;
  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, fetch, decode, scatter
  HttpOptions http = {};                        ///< for read_geotiff, where the path is a URL
};

/// Reads a window of a raster into memory: every chunk that it touches is fetched, decoded on every core and scattered,
/// without locks, for the parts are disjoint. All samples in the source's sample type, unless the options say otherwise.
/// `window` lies inside the raster, else a usage Error. Nothing may be relied on in the target after an Error.
RunReport read_region(std::shared_ptr<const ChunkSource> source, const Window& window,
                      const ReadTarget& target, const ReadOptions& options = {}, const RunOptions& run = {});

/// The same for a TIFF file, local or behind http(s)://, with its mask where the target wants one (open_tiff); just the
/// tiles that the window touches are looked up and read. Its float16 samples are read as float32, or as they are where
/// convert.type says float16.
RunReport read_geotiff(const std::string& path, const Window& window, const ReadTarget& target,
                       const ReadOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
