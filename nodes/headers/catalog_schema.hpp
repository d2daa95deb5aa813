#pragma once

namespace weir {

/// The columns of a catalog's parts, the same in every part of every catalog of one version: no column's type depends on what is in it.
/// Types as Arrow names them; a list's elements and a map's values are never null. The version is in each file's key-value metadata, as
/// "weir:schema" (weir or tiff-dumper) and "weir:schema_version". It goes up with each change here.
///
/// tiff-dumper's 33, with its names and meanings. `schema: tiff-dumper` has exactly these, in this order. All but path may be null: the
/// directory has no such tag. Numbers are int64 whatever the file has. Two types differ from tiff-dumper's, where they depend on the
/// data: other_tags is a struct with one field for each tag that any file of the part has, and a column without a value is of type null.
///
///   artist                      string         tag 315
///   bits_per_sample             list<int64>    258
///   compression                 int64          259
///   copyright                   string         33432
///   date_time                   string         306
///   document_name               string         269
///   extra_samples               list<int64>    338
///   host_computer               string         316
///   image_description           string         270
///   image_height                int64          257
///   image_width                 int64          256
///   jpeg_tables                 binary         347
///   max_sample_value            list<int64>    281
///   min_sample_value            list<int64>    280
///   model_pixel_scale           list<double>   33550: x, y, z
///   model_tiepoint              list<double>   33922: column, row, 0, x, y, z of each
///   new_subfile_type            int64          254
///   orientation                 int64          274
///   other_tags                  map<uint16, string>  all other tags by number; numbers joined by ", ", bytes as hexadecimal
///   photometric_interpretation  int64          262
///   planar_configuration        int64          284
///   predictor                   int64          317
///   resolution_unit             int64          296
///   rows_per_strip              int64          278
///   sample_format               list<int64>    339
///   samples_per_pixel           int64          277
///   software                    string         305
///   tile_height                 int64          323
///   tile_width                  int64          322
///   x_resolution                double         282
///   y_resolution                double         283
///   geokeys                     struct         the GeoKeys by name, see geokey_columns.cpp: codes int64, numbers double, texts string
///   path                        string         the object's key
///
/// Our own, behind them. What says "or null" may be null.
///
///   etag                        string         as the store gives it, without quotation marks; or null
///   size                        int64          bytes of the object
///   last_modified               timestamp[ms, tz=UTC]  or null
///   byte_order                  string         little, big
///   is_bigtiff                  bool
///   directories                 int64          that were read, SubIFDs included
///   overviews                   int64          directories of reduced resolution that belong to the first
///   masks                       int64          directories that are masks
///   header_end                  int64          the byte after the last one of directories and values that were read
///   warnings                    list<string>   what was wrong and did not keep the header from being read
///   transform                   list<double>   six numbers in GDAL's order, of pixel corners; or null
///   epsg                        int64          of the projected CRS, else the geographic one; or null
///   bounds                      struct<xmin: double, ymin: double, xmax: double, ymax: double>  in the raster's CRS; or null
///   bbox                        struct<xmin: double, ymin: double, xmax: double, ymax: double>  in longitude and latitude (OGC:CRS84); or null. xmin > xmax: it crosses the antimeridian
///   footprint                   binary         the outline in longitude and latitude, as WKB: a polygon, or several; or null
///
/// GeoParquet 1.1 ("geo" in the key-value metadata): footprint is the geometry, bbox covers it.
///
/// errors.parquet: path string, stage string, code string, reason string, offset int64 or null, http_status int64 or null, tries int64.
/// vanished.parquet: path, etag, size, last_modified as above.
inline constexpr int catalog_schema_version = 1;

}  // namespace weir
