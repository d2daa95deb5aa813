#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "framework/file.hpp"
#include "nodes/raster/file_check.hpp"

namespace weir {

struct CogCheckOptions {
  /// Whether all tiles of all levels and masks are decoded.
  bool decode = false;
  /// How many problems of one name are listed of a directory; of the others there is a count.
  std::uint64_t listed = 10;
};

/// Whether a file is a sound Cloud Optimized GeoTIFF: all that is wrong with it, not only the first thing. Nothing is thrown for what
/// stands in the file, nor for reads that fail: those are errors of the list, too. Throws Error where a stop is asked for.
///
/// The checks are those of GDAL's validate_cloud_optimized_geotiff.py with its full check, those of rio-cogeo's cog_validate, and more
/// that a reader of tiles depends on. Sizes are width x height; "larger" is in either axis.
///
///   unreadable-file            directories that lie beyond the end, form a loop or overlap; what is no TIFF
///   unreadable-directory       a directory of the image says what cannot be true, or what Weir does not read; names the tag
///   ghost-area                 its text is damaged
///   known-incompatible-edition the ghost area says that an edit broke the layout
///   first-directory-offset     it is not right behind header and ghost area, or further away than rio-cogeo wants (300)
///   not-tiled                  strips, or tiles as wide as the picture: more than 512 wide or high, and more than 1024 wide (GDAL);
///                              strips, more than 512 wide and high (rio-cogeo)
///   external-overviews         they are in FILE.ovr
///   overview-larger            than the picture before it
///   overview-decimation        its size is, rounded, that of the image
///   directory-order            the directory of an overview stands before that of the larger picture
///   data-before-directories    the tiles of the smallest level, or all, do
///   data-order                 the tiles of a picture start before those of the next smaller one
///   tile-outside-file          it, or its trailer, ends beyond the end of the file
///   tile-byte-count            too few bytes for its pixels, or more than they can take; or an offset alone
///   tile-order, tile-leader, tile-trailer, mask-place, mask-tile-size
///                              not as the ghost area says
///   tiles-overlap, tile-over-directory
///                              bytes are shared with another tile (but not all of them), or with a directory or a tag
///   tile-decode                its pixels cannot be had, or its data, rows outside of the picture with it, has not the checksum or
///                              the end that it should (decode_whole_piece)
///
/// Warnings: no-overviews (more than 512 wide or high), one-tile-wide (rio-cogeo takes it for untiled), overview-shape (not that of the
/// image), overview-without-mask, overview-in-subifd, external-mask, mask-directory-after-data, tags-after-data, several-images,
/// stray-directory, too-many-directories (256 are looked at closely).
///
/// Overviews are taken in the order of the file's directories, as GDAL takes them. The file is read once, from its directories to its
/// last tile, of which only leader and trailer are looked at; decoding reads it again. Leaders and trailers of a remote file are not
/// looked at, as every one costs a request (GDAL's validator has the same default). Takes at most 96 MiB beside one decoded tile.
FileCheck check_cog(const std::shared_ptr<const ReadableFile>& file, const CogCheckOptions& options = {},
                    FileSystem& files = FileSystem::real(), const std::stop_token& stop = {});

}  // namespace weir
