#include "nodes/raster/crs.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "framework/error.hpp"
#include "nodes/raster/number_text.hpp"
#include "nodes/raster/proj_crs.hpp"

namespace weir {
namespace {

/// The code behind "EPSG:" or another word, upper or lower case; nothing where the text is something else.
std::optional<std::uint16_t> code_after(std::string_view word, const std::string& text) {
  if (text.size() <= word.size()) return std::nullopt;
  for (std::size_t i = 0; i < word.size(); ++i)
    if ((text[i] | 0x20) != (word[i] | 0x20)) return std::nullopt;
  const auto code = number_in<std::uint16_t>(std::string_view(text).substr(word.size()));
  // GeoTIFF 1.1 annex B: 1024 to 32766 are EPSG's.
  if (!code || *code < 1024 || *code >= geo_key::user_defined)
    throw Error::usage("use", fmt::format("CRS '{}'", text), "codes are whole numbers from 1024 to 32766");
  return code;
}

}  // namespace

GeoKeys crs_keys(const std::string& crs) {
  GeoKeys keys;
  if (const auto projected = code_after("projected:", crs)) {
    keys.set(geo_key::model_type, std::uint16_t{1});
    keys.set(geo_key::projected_crs, *projected);
    return keys;
  }
  if (const auto geographic = code_after("geographic:", crs)) {
    keys.set(geo_key::model_type, std::uint16_t{2});
    keys.set(geo_key::geodetic_crs, *geographic);
    return keys;
  }
  return proj_crs_keys(crs);
}

CrsText crs_text(std::uint16_t epsg) {
  return proj_crs_text(epsg);
}

GeoKeys vertical_crs_keys(const std::string& crs) {
  if (!has_proj())
    if (const auto code = code_after("EPSG:", crs)) {
      GeoKeys keys;
      keys.set(geo_key::vertical_crs, *code);
      return keys;
    }
  return proj_vertical_crs_keys(crs);
}

}  // namespace weir
