#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

/// What is still true of a raster that has these samples of another, in this order: items of the whole, and those of the
/// samples under their new numbers. A sample that is taken twice has its items twice.
std::vector<MetadataItem> metadata_of_samples(const std::vector<MetadataItem>& items,
                                              const std::vector<std::uint32_t>& samples);

/// Without what was measured of the pixels (STATISTICS_MINIMUM ..., as GDAL names them): for rasters with other pixels.
std::vector<MetadataItem> without_statistics(std::vector<MetadataItem> items);
/// The same of attributes: GDAL's STATISTICS_..., and CF's actual_range.
std::vector<RawAttribute> without_statistics(std::vector<RawAttribute> attributes);
/// Without what rioxarray and xarray's readers say of each band, in lists: long_name, nodatavals, scales ... For other bands, or in another
/// order.
std::vector<RawAttribute> without_lists_of_bands(std::vector<RawAttribute> attributes);
/// Without what rasterio's readers say of the place: transform, bounds, bbox. For a part of the raster.
std::vector<RawAttribute> without_place(std::vector<RawAttribute> attributes);
/// Nor what CF and GDAL say of single values and their range: flag_values and flag_meanings, valid_range, missing_value ...
std::vector<RawAttribute> without_values(std::vector<RawAttribute> attributes);

/// `items` after `changes`: each takes the place of the one that says the same thing (role, or else name, of the same
/// sample and domain), or comes behind.
std::vector<MetadataItem> with_items(std::vector<MetadataItem> items,
                                     const std::vector<MetadataItem>& changes);

// As people write them, one line each. The readers throw a usage Error.

/// "KEY=VALUE", of the whole raster.
MetadataItem parse_metadata_item(std::string_view line);
/// "2:name=near infrared,unit=W/m2,scale=0.1,offset=-3": what GDAL shows as description, unit, scale and offset of
/// band 2, which is sample 1. A comma that begins none of these belongs to the text before it.
std::vector<MetadataItem> parse_band_items(std::string_view line);
/// The inverse, a line for each item: of the items of the whole raster, and of those with a role that parse_band_items
/// knows.
std::string metadata_lines(const std::vector<MetadataItem>& items);
std::string band_lines(const std::vector<MetadataItem>& items);
/// What both make of text of many lines; empty lines are skipped.
std::vector<MetadataItem> parse_metadata_lines(std::string_view items, std::string_view bands);

}  // namespace weir
