#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "nodes/raster/raster_info.hpp"

namespace weir {

/// GeoKeys by their ids in GeoTIFF 1.1 (OGC 19-008), annex B; the ones that are read or written here.
namespace geo_key {
inline constexpr std::uint16_t model_type = 1024, raster_type = 1025, citation = 1026;
inline constexpr std::uint16_t geodetic_crs = 2048, geodetic_citation = 2049, geodetic_datum = 2050,
                               prime_meridian = 2051, geodetic_linear_units = 2052,
                               geodetic_linear_unit_size = 2053, angular_units = 2054,
                               angular_unit_size = 2055, ellipsoid = 2056, semi_major_axis = 2057,
                               semi_minor_axis = 2058, inverse_flattening = 2059,
                               prime_meridian_longitude = 2061, to_wgs84 = 2062;
inline constexpr std::uint16_t projected_crs = 3072, projected_citation = 3073, projection = 3074,
                               projection_method = 3075, linear_units = 3076, linear_unit_size = 3077,
                               std_parallel_1 = 3078, std_parallel_2 = 3079, nat_origin_long = 3080,
                               nat_origin_lat = 3081, false_easting = 3082, false_northing = 3083,
                               false_origin_long = 3084, false_origin_lat = 3085, false_origin_easting = 3086,
                               false_origin_northing = 3087, center_long = 3088, center_lat = 3089,
                               scale_at_nat_origin = 3092, scale_at_center = 3093, azimuth_angle = 3094,
                               straight_vert_pole_long = 3095, rectified_grid_angle = 3096;
inline constexpr std::uint16_t vertical_crs = 4096, vertical_citation = 4097, vertical_datum = 4098,
                               vertical_units = 4099;

inline constexpr std::uint16_t user_defined = 32767;  ///< the value of keys that would be codes
}  // namespace geo_key

/// A code; numbers, almost always one; or text, without the '|' that ends it in the file.
using GeoKeyValue = std::variant<std::uint16_t, std::vector<double>, std::string>;

/// What a GeoKeyDirectory says, as values.
struct GeoKeys {
  std::map<std::uint16_t, GeoKeyValue> values;
  /// Entries that were read over: their values lie outside the tags, or are of no type.
  std::size_t broken = 0;

  bool empty() const { return values.empty(); }
  /// Nothing where the key is absent or has another type.
  std::optional<std::uint16_t> code(std::uint16_t key) const;
  std::optional<double> number(std::uint16_t key) const;
  std::optional<std::string> text(std::uint16_t key) const;

  void set(std::uint16_t key, std::uint16_t code) { values[key] = code; }
  void set(std::uint16_t key, double number) { values[key] = std::vector<double>{number}; }
  void set(std::uint16_t key, std::string text) { values[key] = std::move(text); }
};

/// Reads the three GeoKey tags. Never throws, and takes a few times the room of the tags at most. A directory without a
/// sound header (version 1, as many entries as it says) has no keys, as for libgeotiff; single entries that are broken,
/// or that share one long value with many others, are counted and left out. Of a key that comes twice the first counts.
GeoKeys geo_keys_of(const Georeferencing& place);

/// Puts the keys in place of those that are there, ascending, as GeoTIFF 1.0, or 1.1 where there are vertical keys
/// (GDAL shows those of 1.1 only). '|' in text, which separates texts in the file, becomes a space, but for the
/// citations in which GDAL itself writes it: GeogCitation. No keys: no tags. Throws Error where there are more values
/// than 16 bits count.
void set_geo_keys(Georeferencing& place, const GeoKeys& keys);

/// GTRasterTypeGeoKey: what the raster coordinate (0, 0) is.
enum class PixelIs : std::uint8_t {
  area,   ///< the corner of the first pixel; where nothing is said, too
  point,  ///< its centre
};
PixelIs pixel_is(const Georeferencing& place);

}  // namespace weir
