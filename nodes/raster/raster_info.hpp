#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/sample_type.hpp"

namespace weir {

/// Where a raster lies, in the terms of GeoTIFF 1.1 (OGC 19-008), which every other way of saying it can be
/// turned into. Empty vectors: absent.
struct Georeferencing {
  std::vector<double> pixel_scale;           ///< ModelPixelScaleTag 33550: 3 doubles
  std::vector<double> tiepoints;             ///< ModelTiepointTag 33922: 6 doubles each
  std::vector<double> transformation;        ///< ModelTransformationTag 34264: 16 doubles, row-major
  std::vector<std::uint16_t> key_directory;  ///< GeoKeyDirectoryTag 34735
  std::vector<double> key_doubles;           ///< GeoDoubleParamsTag 34736
  std::string key_ascii;                     ///< GeoAsciiParamsTag 34737, with its '|' separators

  bool empty() const {
    return pixel_scale.empty() && tiepoints.empty() && transformation.empty() && key_directory.empty();
  }
};

/// Moves the origin to pixel (row, col) of the same raster: what a window of it needs.
Georeferencing shifted(const Georeferencing& whole, std::uint64_t row, std::uint64_t col);

/// A TIFF tag that is carried as it is: `bytes` holds `count` values of `type` (TIFF 6.0 field types, plus
/// BigTIFF's 16 to 18) in the byte order of the machine.
struct RawTag {
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  std::uint64_t count = 0;
  std::vector<std::byte> bytes;
};

/// A piece of text about a raster or one of its samples, as GDAL keeps it in a file's GDAL_METADATA (42112): band names
/// (role "description"), "scale", "offset", "unittype", statistics, anything else.
struct MetadataItem {
  std::string name, text;
  std::optional<std::uint32_t> sample = std::nullopt;  ///< of the whole raster where absent
  std::string role = {}, domain = {};
  bool operator==(const MetadataItem&) const = default;
};

/// An attribute of a Zarr array that is nothing of what follows here, as JSON.
struct RawAttribute {
  std::string name, json;
  bool operator==(const RawAttribute&) const = default;
};

/// What a Zarr array calls the axes of a raster; empty where it does not say.
struct AxisNames {
  std::string rows, cols, samples;
  bool operator==(const AxisNames&) const = default;
};

/// Everything about a raster but its pixels.
struct RasterInfo {
  std::uint64_t height = 0, width = 0;
  std::uint32_t samples = 1;  ///< per pixel
  SampleType type = SampleType::uint8;
  std::optional<std::string> nodata;  ///< as written, GDAL_NODATA 42113: a number or "nan"
  Georeferencing georeferencing;
  std::uint16_t photometric = 1;             ///< TIFF PhotometricInterpretation: 1 is MinIsBlack, 2 RGB
  std::vector<std::uint16_t> extra_samples;  ///< TIFF ExtraSamples 338
  /// Whether blocks have a mask plane beside the samples: which pixels are valid. TIFF's transparency mask.
  bool has_mask = false;
  std::vector<MetadataItem> metadata;
  std::vector<RawTag> tags;              ///< all else that a copy should keep, ascending ids
  std::vector<RawAttribute> attributes;  ///< the same from Zarr to Zarr; no other format has a place for them
  AxisNames axis_names;                  ///< from Zarr to Zarr, too

  /// Of all samples of a pixel, without the mask.
  std::uint64_t pixel_bytes() const { return std::uint64_t{samples} * bytes_of(type); }
  /// What a pixel takes in a Block.
  std::uint64_t block_pixel_bytes() const { return pixel_bytes() + (has_mask ? 1 : 0); }
  /// The nodata value as a number, if there is one and it reads as one.
  std::optional<double> nodata_value() const;
};

}  // namespace weir
