#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

// What a raster says beside its pixels, as attributes of a Zarr array, by zarr-conventions: `proj:code` (geo-proj v1), `spatial:` (v1;
// positions are those of corners, so pixels are where they are for readers that know no registration); CF's `scale_factor`,
// `add_offset`, `units` and `long_name` where they hold for the whole array, `_FillValue` as xarray writes it in v3 (reading: else `missing_value`); on v2 also
// `_ARRAY_DIMENSIONS` (xarray) and `_CRS` (GDAL). What none of them can carry (GeoKeys value for value, control points, names of
// bands, tags) goes under `weir`, and is taken back from there as long as the others still say the same: where another program has
// changed them, theirs is newer. All other attributes are RasterInfo::attributes, but for those that tell of arrays which a new array
// has not beside it: `grid_mapping`, `coordinates`.

/// EPSG's code of the horizontal CRS, where it is one.
std::optional<std::uint16_t> epsg_code_of(const Georeferencing& place);

/// The attributes (a JSON object) of an array of these dimensions, of which `rows` and `cols` are the raster's: first info.attributes, then
/// ours.
std::string raster_attributes(const RasterInfo& info, int format, const std::vector<std::string>& dimensions,
                              const std::string& rows = "y", const std::string& cols = "x");

/// Sets what the attributes say: georeferencing, nodata, metadata, photometric, extra samples, tags, and what others are there; of `info`, the sizes and the type are
/// there. Returns what is there and could not be taken over (a CRS that GeoKeys cannot say), a line each. Throws an Error about
/// `name` for what is broken.
std::vector<std::string> read_raster_attributes(RasterInfo& info, const std::string& attributes,
                                                const std::string& name);

/// An array of a pyramid: its path below the group, and its size.
struct ZarrLevel {
  std::string path;
  std::uint64_t height = 0, width = 0;
  bool operator==(const ZarrLevel&) const = default;
};
/// The attributes of the group of a pyramid, full resolution first: `multiscales` v1, with `spatial:` and `proj:` of every level.
std::string multiscales_attributes(const RasterInfo& full, const std::vector<ZarrLevel>& levels,
                                   const std::string& resampling, const std::string& rows = "y",
                                   const std::string& cols = "x");
/// The levels of a group, in their order; sizes are 0 where they are not said. Empty where it is no pyramid. Throws an Error about `name`
/// for what is broken; paths are those of a store.
std::vector<ZarrLevel> multiscales_of(const std::string& attributes, const std::string& name);

}  // namespace weir
