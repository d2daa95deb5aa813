#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace weir {

enum class ProjectionUnit : std::uint8_t { angle, length, scale };

/// A parameter of a map projection: EPSG's code of it, and the GeoKey that has its value.
struct ProjectionParameter {
  std::uint16_t epsg, key;
  ProjectionUnit unit;
};

/// How GeoTIFF says a map projection (GeoTIFF 1.1 annex C, and what GDAL 3.6 and libgeotiff 1.7 write and read where
/// that leaves a choice).
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): a table lists its columns in the order in which they are read
struct ProjectionMethod {
  std::uint16_t epsg;       ///< EPSG's code of the method; 0 where it has none
  std::string_view name;    ///< as PROJ calls it
  std::uint16_t transform;  ///< value of ProjMethodGeoKey 3075 (ProjCoordTransGeoKey in GeoTIFF 1.0)
  std::span<const ProjectionParameter> parameters;
  std::uint16_t fixed_key = 0;  ///< a key that readers want and the method has no parameter for, ...
  double fixed_value = 0;       ///< ... and its value
};

/// nullptr where GeoKeys have no word for the method. By EPSG's code where it is not 0, else by name.
const ProjectionMethod* projection_method(std::uint16_t epsg, std::string_view name);

}  // namespace weir
