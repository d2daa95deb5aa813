#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/geo_keys.hpp"

namespace weir {

/// An object as a listing says it.
struct ListedObject {
  std::string path;  ///< the key, without the store's name
  std::uint64_t size = 0;
  std::string etag = {};                           ///< as sent, without quotation marks; empty: not known
  std::optional<std::int64_t> last_modified = {};  ///< milliseconds since 1970, UTC
};

/// West, south, east, north; in degrees west may be larger than east: the box crosses the antimeridian.
struct BoundingBox {
  double west = 0, south = 0, east = 0, north = 0;
};

/// One TIFF header, as a row of the catalog. The tags are those of the first directory, as TIFF 6.0 defines them; numbers of
/// other types than usual are converted where that is exact, else they stay absent with a warning. What a column is called in
/// Parquet, and its type there: nodes/headers/catalog_schema.hpp.
struct HeaderRow {
  ListedObject object;

  // The columns of tiff-dumper ---------------------------------------------------------------------------------------
  std::optional<std::string> artist, copyright, date_time, document_name, host_computer, image_description,
      software;
  std::optional<std::vector<std::int64_t>> bits_per_sample, extra_samples, max_sample_value, min_sample_value,
      sample_format;
  std::optional<std::int64_t> compression, image_height, image_width, new_subfile_type, orientation,
      photometric_interpretation, planar_configuration, predictor, resolution_unit, rows_per_strip,
      samples_per_pixel, tile_height, tile_width;
  std::optional<std::vector<std::byte>> jpeg_tables;
  std::optional<std::vector<double>> model_pixel_scale, model_tiepoint;
  std::optional<double> x_resolution, y_resolution;
  /// The GeoKeys by id, see nodes/raster/geo_keys.hpp; empty: there are none.
  GeoKeys geokeys;
  /// All other tags of the directory, as text: numbers joined by ", ", text as it is, bytes (UNDEFINED) as lower-case hexadecimal.
  std::map<std::uint16_t, std::string> other_tags;

  // What tiff-dumper does not say ------------------------------------------------------------------------------------
  bool is_little_endian = true, is_bigtiff = false;
  std::int64_t directories = 0;  ///< that were read, SubIFDs included
  std::int64_t overviews = 0;    ///< directories of reduced resolution that belong to the first
  std::int64_t masks = 0;        ///< directories that are masks
  std::uint64_t header_end = 0;  ///< the byte after the last one of directories and the values that were read
  std::vector<std::string> warnings;  ///< what was wrong and did not keep the header from being read
  std::optional<std::vector<double>>
      transform;  ///< six numbers in GDAL's order; of pixel corners, whatever RasterType says
  std::optional<std::int64_t> epsg;    ///< of the projected CRS, else the geographic one
  std::optional<BoundingBox> bounds;   ///< in the raster's CRS
  std::optional<BoundingBox> lon_lat;  ///< in degrees, WGS 84
  /// The outline in longitude and latitude, densified, closed, counter-clockwise: x, y, x, y ...; empty: unknown. Where it crosses
  /// the antimeridian, several rings, each its own polygon.
  std::vector<std::vector<double>> footprint;

  /// Memory that it takes, this struct included: what the budget is charged.
  std::uint64_t bytes() const;
};

/// What went wrong with one object: a row of errors.parquet.
struct HeaderError {
  std::string path;                     ///< percent-encoded where the key is no UTF-8 ("bad_key")
  std::string stage;                    ///< "list", "fetch", "parse"
  std::string code;                     ///< a stable word: "not_found", "not_a_tiff", "directory_cycle" ...
  std::string reason;                   ///< a sentence, without credentials
  std::optional<std::uint64_t> offset;  ///< where in the object
  std::optional<std::int64_t> http_status;
  std::int64_t tries = 1;

  std::uint64_t bytes() const;
};

}  // namespace weir
