#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nodes/tiff/tiff_output_layout.hpp"

namespace weir {

/// All that lies before the tiles of a TIFF of one or several images, whose sizes are known up front:
///
///   header | ghost text | directory and its values, image by image | zeros | offset and byte-count arrays, image by image
///
/// The arrays end where the tiles start, at a multiple of Form::alignment; they are filled in later (StrileEntries), as are texts that
/// were given their place. Directories form one chain, in the order of the images.
class TiffFront {
 public:
  struct Image {
    TileLayout tiles;
    std::uint64_t max_tile_bytes = 0;
    TiffDirectoryBuilder directory;  ///< placed
    TiffDirectoryBuilder::Array offsets, byte_counts;
  };

  struct Form {
    std::string ghost = {};        ///< text between header and first directory
    std::uint64_t alignment = 16;  ///< of the tiles' start
  };

  /// Throws a usage Error where a layout cannot be written (see check), or no file can be as large.
  TiffFront(std::span<const TiffOutputLayout> layouts, bool big, Form form);
  TiffFront(std::span<const TiffOutputLayout> layouts, bool big) : TiffFront(layouts, big, Form()) {}

  bool is_big() const { return is_big_; }
  const std::vector<Image>& images() const { return images_; }
  std::uint64_t bytes() const { return bytes_; }      ///< from 0 to the first array
  std::uint64_t data() const { return data_; }        ///< where the tiles start
  std::uint64_t largest() const { return largest_; }  ///< of the file: every tile at its bound
  /// Header and directories; the arrays that fit into their entries are 0.
  std::vector<std::byte> encode() const;

 private:
  bool is_big_;
  std::string ghost_;
  std::vector<Image> images_;
  std::uint64_t bytes_ = 0, data_ = 0, largest_ = 0;
};

}  // namespace weir
