#pragma once

#include <cstdint>
#include <string>

#include "nodes/raster/geo_keys.hpp"

namespace weir {

/// The GeoKeys of a coordinate reference system, all but GTRasterType. `crs` is a code ("EPSG:32725"), a name
/// ("WGS 84 / UTM zone 25S"), WKT of any kind, a PROJ string or PROJJSON; also "projected:32725" and
/// "geographic:4326", EPSG codes whose kind the caller says and nobody looks up: all that works in a build without PROJ.
///
/// A CRS that EPSG has is written as its code (a shift to WGS 84 that came with it is then left out, as readers know
/// their own), any other as parameters, which GDAL reads as the same CRS. Throws a usage Error for what is none, for
/// what GeoKeys cannot say, and where PROJ's database is missing. Never asks the network. Any thread.
GeoKeys crs_keys(const std::string& crs);

/// A CRS of EPSG's in words: WKT as ISO 19162:2019 has it, as GDAL has it (WKT 1), and the unit of its first axis ("metre"). Empty in
/// a build without PROJ, and where PROJ's database has no such code. Never asks the network. Any thread.
struct CrsText {
  std::string wkt2, wkt1, unit;
};
CrsText crs_text(std::uint16_t epsg);

/// The same for a vertical CRS: VerticalGeoKey and what belongs to it. "EPSG:5773" works without PROJ, too.
GeoKeys vertical_crs_keys(const std::string& crs);

}  // namespace weir
