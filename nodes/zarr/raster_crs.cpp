#include "nodes/zarr/raster_crs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "framework/error.hpp"
#include "nodes/raster/crs.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/proj_crs.hpp"

namespace weir {

void set_crs(RasterInfo& info, const std::string& crs, std::vector<std::string>& notes) {
  try {
    const PixelIs pixels = pixel_is(info.georeferencing);
    const auto transform = geo_transform_of(info.georeferencing);
    const auto code = has_proj() ? std::nullopt : code_in_wkt(crs);
    set_geo_keys(info.georeferencing, crs_keys(code.value_or(crs)));
    info.georeferencing = with_pixel_is(info.georeferencing, pixels);
    if (transform) info.georeferencing = placed(info.georeferencing, *transform);
  } catch (const Error& error) {
    notes.emplace_back(error.what());
  }
}

std::optional<std::string> code_in_wkt(std::string_view wkt) {
  std::string text;  // without white space, which both kinds allow between all words
  for (const char c : wkt)
    if (c != ' ' && c != '\n' && c != '\r' && c != '\t') text += c;
  const auto begins = [&](std::string_view a, std::string_view b) {
    return text.starts_with(a) || text.starts_with(b);
  };
  const char* kind = begins("PROJCS[", "PROJCRS[")   ? "projected"
                     : begins("GEOGCS[", "GEOGCRS[") ? "geographic"
                                                     : nullptr;
  const bool is_whole = std::ranges::count(text, '[') == std::ranges::count(text, ']');
  if (kind == nullptr || !is_whole) return std::nullopt;
  for (const std::string_view before :
       {std::string_view("AUTHORITY[\"EPSG\",\""), std::string_view("ID[\"EPSG\",")}) {
    const std::size_t found = text.rfind(before);
    if (found == std::string::npos) continue;
    const std::string_view rest = std::string_view(text).substr(found + before.size());
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    // Of what lies deeper, more than the ID and the root end there.
    if (digits > 0 && rest.substr(digits) == (before.ends_with('"') ? "\"]]" : "]]"))
      return fmt::format("{}:{}", kind, rest.substr(0, digits));
  }
  return std::nullopt;
}

}  // namespace weir
