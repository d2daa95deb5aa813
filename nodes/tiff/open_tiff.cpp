#include "nodes/tiff/open_tiff.hpp"

#include <fmt/format.h>

#include <utility>

#include "framework/error.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/raster/rpc.hpp"
#include "nodes/stores/open_file.hpp"
#include "nodes/tiff/limited_file.hpp"
#include "nodes/tiff/masked_source.hpp"
#include "nodes/tiff/tiff_images.hpp"

namespace weir {
namespace {

const TiffLevel& overview_of(const TiffPages& pages, const std::string& path,
                             const TiffOpenOptions& options) {
  const TiffLevel* level = find_level(pages, options.directory);
  for (const TiffPage& page : pages) {
    if (&page.levels.front() != level) continue;
    const std::size_t overviews = page.levels.size() - 1;
    if (options.overview > overviews)
      throw Error::usage("read", fmt::format("overview {} of {}", options.overview, path),
                         fmt::format("the image has {} overview{}", overviews, overviews == 1 ? "" : "s"));
    return page.levels[options.overview];
  }
  throw Error::usage("read", fmt::format("overview {} of {}", options.overview, path),
                     fmt::format("its directory {} is {}", options.directory,
                                 level == nullptr ? "no image" : "an overview itself"));
}

/// The pixels of an overview, and everything else of the image that it is of.
TiffImage as_overview(TiffImage full, TiffImage overview, const TiffPlace& place) {
  if (overview.info.type != full.info.type || overview.info.samples != full.info.samples)
    throw Error("read", place.file->path(),
                fmt::format("the overview at byte {} has {} {} samples per pixel, and its image {} {}",
                            place.position, overview.info.samples, name_of(overview.info.type),
                            full.info.samples, name_of(full.info.type)));
  RasterInfo info = std::move(full.info);
  info.georeferencing =
      scaled(info.georeferencing, info.height, info.width, overview.info.height, overview.info.width);
  scale_rpcs(info, info.height, info.width, overview.info.height, overview.info.width);
  info.height = overview.info.height;
  info.width = overview.info.width;
  info.photometric = overview.info.photometric;
  info.metadata = without_statistics(std::move(info.metadata));
  overview.info = std::move(info);
  overview.dropped_tags = std::move(full.dropped_tags);
  return overview;
}

}  // namespace

std::shared_ptr<const ChunkSource> open_tiff(const std::string& path, const TiffOpenOptions& options,
                                             FileSystem& files) {
  return open_tiff(open_readable(path, options.http, files), options, files);
}

std::shared_ptr<const ChunkSource> open_tiff(const std::shared_ptr<const ReadableFile>& file,
                                             const TiffOpenOptions& given, FileSystem& files) {
  TiffOpenOptions options = given;
  const auto choose_part = [&](const RasterInfo& whole) {
    if (options.part) options.window = options.part(whole);
  };
  std::shared_ptr<ReadAllowance> allowance;
  if (options.max_fetched_bytes) allowance = std::make_shared<ReadAllowance>(*options.max_fetched_bytes);
  const auto limited = [&](std::shared_ptr<const ReadableFile> of) -> std::shared_ptr<const ReadableFile> {
    return allowance ? std::make_shared<const LimitedFile>(std::move(of), allowance) : of;
  };

  if (options.overview == 0 && !options.with_mask) {
    std::shared_ptr<const ReadableFile> bare = limited(file);
    TiffImage image = read_tiff_image(*bare, options.directory, options.codecs, options.keep_half);
    choose_part(image.info);
    return std::make_shared<const TiffSource>(std::move(bare), std::move(image), options);
  }
  TiffImage image = read_tiff_image(*file, options.directory, options.codecs, options.keep_half);
  const TiffPages pages = read_tiff_pages(file, files, options.overview > 0);
  const TiffLevel* level = options.overview > 0 ? &overview_of(pages, file->path(), options)
                                                : find_level(pages, options.directory);
  std::shared_ptr<const ReadableFile> pixels = file;
  if (options.overview > 0) {
    pixels = level->place.file;
    image = as_overview(std::move(image),
                        read_tiff_image_at(*pixels, level->place.position, options.codecs, options.keep_half),
                        level->place);
  }
  choose_part(image.info);
  if (!options.with_mask || level == nullptr || !level->mask)
    return std::make_shared<const TiffSource>(limited(pixels), std::move(image), options);

  image.info.has_mask = true;
  auto masked = std::make_unique<TiffSource>(limited(pixels), std::move(image), options);
  TiffReadOptions as_image = options;
  as_image.chunk_height = masked->chunk_height();
  as_image.chunk_width = masked->chunk_width();
  if (as_image.window) as_image.window = masked->covered();
  const TiffPlace& mask = *level->mask;
  auto of_mask = std::make_shared<const TiffSource>(
      limited(mask.file), read_tiff_image_at(*mask.file, mask.position, options.codecs, options.keep_half),
      as_image);
  return std::make_shared<const MaskedSource>(std::move(masked), std::move(of_mask));
}

}  // namespace weir
