#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "framework/file.hpp"
#include "nodes/codecs/codec.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/tiff/strile_array.hpp"
#include "nodes/tiff/unpack_samples.hpp"

namespace weir {

/// How a TIFF directory stores its pixels.
struct TiffLayout {
  bool is_tiled = false;
  std::uint64_t strile_height = 0, strile_width = 0;  ///< of a tile or strip, in pixels; never 0
  std::uint32_t planes = 1;                           ///< planar-separate: the samples per pixel; else 1
  /// Of a planar file, the planes that are read, from 0, in the order of the blocks' samples; empty: all.
  std::vector<std::uint32_t> chosen_planes;
  std::uint32_t planes_read() const {
    return chosen_planes.empty() ? planes : static_cast<std::uint32_t>(chosen_planes.size());
  }
  std::uint32_t plane_of(std::uint32_t read) const {
    return chosen_planes.empty() ? read : chosen_planes[read];
  }
  CodecId codec = CodecId::none;
  std::shared_ptr<const CustomCodec> custom_codec;  ///< where the codec is not one of ours
  DecodeSpec decode;                                ///< what the codec has to know of the tiles or strips
  Predictor predictor = Predictor::none;
  bool is_swapped = false;       ///< samples are in the other byte order
  StoredSamples samples;         ///< where it is not plain, the rows of a tile or strip are unpacked
  bool is_bit_reversed = false;  ///< FillOrder 2: the bits of each stored byte, before anything is decoded
  /// By (plane * rows + row) * columns + column, in tiles or strips; as long as the raster needs.
  StrileArray offsets;
  /// Absent in some old files of one strip per plane.
  std::optional<StrileArray> byte_counts;
};

/// What one directory of a TIFF file says.
struct TiffImage {
  RasterInfo info;
  TiffLayout layout;
  /// Tags that a copy should not carry over: pointers to other directories (SubIFDs, EXIF, GPS), which hold
  /// places in this file, and values of an unknown type.
  std::vector<std::uint16_t> dropped_tags;
};

/// Reads directory `number`, through libtiff, without touching pixels or offset arrays. Throws Error naming
/// tag and value where the file is broken or says something that is not read: see the list in
/// tiff_source.hpp. Grey of less than 8 bits has a colour table of its shades (320) in its info's tags.
/// `codecs`: those known beside ours. `keep_half`: float16 stays, instead of becoming float32.
TiffImage read_tiff_image(const ReadableFile& file, unsigned number,
                          const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {},
                          bool keep_half = false);
/// The same of the directory at byte `position`, which may be a SubIFD.
TiffImage read_tiff_image_at(const ReadableFile& file, std::uint64_t position,
                             const std::vector<std::shared_ptr<const CustomCodec>>& codecs = {},
                             bool keep_half = false);

}  // namespace weir
