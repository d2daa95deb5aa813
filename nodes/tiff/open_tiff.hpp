#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "framework/file.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/tiff/tiff_source.hpp"

namespace weir {

struct TiffOpenOptions : TiffReadOptions {
  /// 0: full resolution; k: the k-th overview, largest first, in the file or in FILE.ovr.
  unsigned overview = 0;
  /// Whether to look for a mask, in the file and in FILE.msk, and give it with the pixels (RasterInfo::has_mask).
  bool with_mask = true;
  /// The most bytes to read from the file, its overviews and masks, as long as the source lives; a read beyond it is an
  /// Error.
  std::optional<std::uint64_t> max_fetched_bytes = std::nullopt;
  /// Where set, gives `window` when the raster is known: a bounding box, say.
  std::function<std::optional<Window>(const RasterInfo& whole)> part = {};
};

/// An image of a TIFF file as it is meant: with its mask, in full resolution or as an overview. tiff_images.hpp says
/// which directories these are.
///
/// An overview has the place of the image, scaled to its size as GDAL does it, and the image's nodata value, tags and
/// metadata but for statistics; its samples, layout and mask are its own. Where an image has a mask and the overview has none, the
/// overview's pixels are all valid, as they are to GDAL.
///
/// Throws a usage Error that says how many there are where the overview does not exist; else as TiffSource and
/// read_tiff_pages. Without mask and overview no other directory is looked at.
std::shared_ptr<const ChunkSource> open_tiff(const std::string& path, const TiffOpenOptions& options = {},
                                             FileSystem& files = FileSystem::real());
/// The same of a file that is open already; files beside it are looked for where it is local.
std::shared_ptr<const ChunkSource> open_tiff(const std::shared_ptr<const ReadableFile>& file,
                                             const TiffOpenOptions& options = {},
                                             FileSystem& files = FileSystem::real());

}  // namespace weir
