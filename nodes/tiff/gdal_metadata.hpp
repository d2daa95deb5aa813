#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

/// GDAL_METADATA, TIFF tag 42112: text of the form
///
///   <GDALMetadata>
///     <Item name="TITLE">a title</Item>
///     <Item name="DESCRIPTION" sample="0" role="description">elevation</Item>
///     <Item name="BITS" domain="SENSOR">12</Item>
///   </GDALMetadata>
///
/// `sample`, `role` and `domain` where an item has them. GDAL escapes texts twice, and unescapes them twice when it reads
/// (GTiffDataset::WriteMDMetadata); attributes once.
inline constexpr std::uint16_t gdal_metadata_tag = 42112;

/// The items of such a text, in order; what follows a NUL must be NULs. Nothing where it has another form (an XML tree
/// inside an item, comments, a broken entity), or more than 100,000 items: then the tag can only be carried as it is.
/// Takes any bytes.
std::optional<std::vector<MetadataItem>> parse_gdal_metadata(std::string_view text);

/// The text of the items, as GDAL writes them: parse_gdal_metadata gives back the same ones, where they hold no NUL.
std::string print_gdal_metadata(const std::vector<MetadataItem>& items);

}  // namespace weir
