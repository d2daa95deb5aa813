#pragma once

#include <cstdint>
#include <string>

#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/raster_info.hpp"
#include "nodes/zarr/zarr_metadata.hpp"
#include "nodes/zarr/zarr_output.hpp"

namespace weir {

/// A dataset as xarray and rioxarray open it, and GDAL 3.6 (format 2) sees where it lies: a group of the raster's array and, beside it, the
/// centres of its rows and columns (float64, called as its axes are; CF 1.11, 4.1, 4.2 and 5) and `spatial_ref`, of which the attributes
/// count: `crs_wkt`, `spatial_ref` and `GeoTransform` (as GDAL and rioxarray write them; CF's 5.6 wants parameters as well). What is there of it says the same as the array's own attributes.
struct RasterDataset {
  std::string name;        ///< of the raster's array in the group
  std::string rows, cols;  ///< its axes
  std::uint64_t height = 0, width = 0;
  GeoTransform transform;  ///< of one axis each
  std::string crs;         ///< attributes of spatial_ref: a JSON object
  std::string row_attributes, col_attributes;
};

/// `stored`: the raster as its array says it; `array`: that array. Throws a usage Error for a name that is none, or taken by what lies beside it, and for a
/// raster that has no transform, or one that is turned. A CRS that is no code of EPSG's is left out of spatial_ref, as is any in a build without PROJ.
RasterDataset raster_dataset(const std::string& name, const RasterInfo& stored,
                             const ZarrArrayMetadata& array);
/// What the raster's array says of it: the attributes, with `grid_mapping` and `coordinates`.
std::string with_dataset(const std::string& attributes);

/// Writes what lies beside the raster's array.
void put_beside(const ZarrOutput& output, const RasterDataset& dataset, int format);
/// Bytes that this takes.
std::uint64_t put_beside_bytes();

}  // namespace weir
