#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nodes/raster/raster_info.hpp"

// Which sample is red, which is alpha: what TIFF says by PhotometricInterpretation (262) and ExtraSamples (338) in fixed
// orders only, and GDAL, for any order, by metadata items with the role "colorinterp".

namespace weir {

/// The first samples of a pixel that a photometric interpretation takes for its colours; 0 where we do not know it.
std::uint32_t color_samples(std::uint16_t photometric);

/// A sample's value in ExtraSamples, whose values belong to the last samples; 0 where it has none.
std::uint16_t extra_sample(const RasterInfo& info, std::uint32_t sample);

/// Whether the first sample is shown by a colour table (ColorMap, 320) that its type can index: palettes, and greys
/// that have one, which GDAL takes for palettes, too.
bool has_color_table(const RasterInfo& info);

/// Whether that table is an even ramp of greys, up or down: what lies between two indices is the shade between them.
bool has_grey_ramp(const RasterInfo& info);

/// What each sample is, in GDAL's words: Red, Green, Blue, Cyan, Magenta, Yellow, Black, Alpha, or what an item says.
/// Empty where it is nothing of these, or Gray, Palette or Undefined, which need no item at any place.
std::vector<std::string> color_meanings(const RasterInfo& info);

/// Makes items say what samples are, one meaning for each, wherever the raster's interpretation and extra samples say
/// something else; all other items about it go. Not where the metadata could only be carried as a tag.
void say_color_meanings(RasterInfo& info, const std::vector<std::string>& meanings);

}  // namespace weir
