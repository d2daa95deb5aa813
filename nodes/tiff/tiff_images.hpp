#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/file.hpp"

namespace weir {

/// Where a directory stands.
struct TiffPlace {
  std::shared_ptr<const ReadableFile> file;
  std::uint64_t position = 0;
  std::optional<unsigned> number = std::nullopt;  ///< in the main chain; absent: a SubIFD
};

/// A picture of an image in one size, and the mask that says which of its pixels are valid.
struct TiffLevel {
  TiffPlace place;
  std::uint64_t height = 0, width = 0;
  std::optional<TiffPlace> mask = std::nullopt;
};

/// A directory that is neither an image nor one of its levels or masks.
struct TiffOther {
  TiffPlace place;
  std::uint64_t height = 0, width = 0;
  std::string
      what;  ///< "a thumbnail": a reduced picture of other samples or another shape; "a mask of no image"; "a SubIFD"
};

/// An image of a file: a page, and the same in smaller.
struct TiffPage {
  std::vector<TiffLevel> levels;  ///< full resolution, then the overviews, largest first
  std::vector<TiffOther> others;
};

/// The images of a file, in the order of its main chain. Never empty.
///
/// A directory is what its NewSubfileType (254) says: bit 0 a reduced picture, bit 2 a mask; the first of the chain is an
/// image whatever it says, as for GDAL. A reduced picture is an overview of the image before it in the chain, if it has
/// its samples and its shape to within a pixel; else a thumbnail. Where all reduced pictures of a file of several images
/// stand together at its end, they are of the first image: so gdaladdo appends them. A mask is that of the level of its
/// own size. SubIFDs (330) of an image are its levels and masks in the same way; SubIFDs of SubIFDs are not looked at.
///
/// GDAL's files beside a local one count for its first image: FILE.ovr, a chain of reduced pictures and their masks,
/// where the file has no overviews itself; FILE.msk, whose INTERNAL_MASK_FLAGS say that its first band masks all bands,
/// where the file has no mask itself, with the overviews of the mask inside it or in FILE.msk.ovr.
using TiffPages = std::vector<TiffPage>;

/// Looks at all directories of a file, and at those beside it. Throws Error where a directory is linked twice (a loop),
/// lies beyond the end of the file or overlaps others, and where there are more than 65536: so the time is bounded by the
/// file's size. Values of tags are not checked: that is for whoever reads the image. `overviews_beside`: whether FILE.ovr is
/// looked at; who reads full resolution need not care whether it is sound.
TiffPages read_tiff_pages(const std::shared_ptr<const ReadableFile>& file,
                          FileSystem& files = FileSystem::real(), bool overviews_beside = true);

/// The level that is directory `number` of the main chain; nullptr where that is no level of an image.
const TiffLevel* find_level(const TiffPages& pages, unsigned number);

}  // namespace weir
