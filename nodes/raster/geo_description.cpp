#include "nodes/raster/geo_description.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "nodes/raster/geo_keys.hpp"
#include "nodes/raster/geo_transform.hpp"

namespace weir {
namespace {

/// One line of a citation, without what would move a terminal's cursor.
std::string one_line(std::string text) {
  constexpr std::size_t longest = 100;
  if (text.size() > longest) text = text.substr(0, longest) + "...";
  std::ranges::replace_if(
      text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

/// "EPSG:5773 (EGM96 height)", or what there is of it.
std::string name_of(std::optional<std::uint16_t> code, std::optional<std::string> citation) {
  // GDAL's and ours: "GCS Name = WGS 84|Datum = ...".
  constexpr std::string_view prefix = "GCS Name = ";
  if (citation && citation->starts_with(prefix))
    citation = citation->substr(prefix.size(), citation->find('|') - prefix.size());
  const bool has_name = citation && !citation->empty();
  if (code && *code != geo_key::user_defined)
    return fmt::format("EPSG:{}{}", *code, has_name ? fmt::format(" ({})", one_line(*citation)) : "");
  return has_name ? one_line(*citation) : "user-defined";
}

std::string unit_of(const GeoKeys& keys, std::uint16_t code_key, std::uint16_t size_key) {
  const std::optional<std::uint16_t> code = keys.code(code_key);
  if (!code) return "";
  switch (*code) {
    case 9001:
      return "metre";
    case 9002:
      return "foot";
    case 9003:
      return "US survey foot";
    case 9101:
      return "radian";
    case 9102:
      return "degree";
    case 9105:
      return "grad";
    case geo_key::user_defined:
      return fmt::format("unit of {}", keys.number(size_key).value_or(0));
    default:
      return fmt::format("EPSG unit {}", *code);
  }
}

std::string crs_of(const GeoKeys& keys) {
  if (keys.empty()) return "none";
  const auto projected = keys.code(geo_key::projected_crs), geodetic = keys.code(geo_key::geodetic_crs);
  // A citation that stands for a compound CRS names both parts.
  const auto citation = keys.text(geo_key::citation);
  const auto own = keys.text(projected ? geo_key::projected_citation : geo_key::geodetic_citation);
  std::string text = projected  ? name_of(projected, citation ? citation : own)
                     : geodetic ? name_of(geodetic, own ? own : citation)
                                : name_of({}, citation ? citation : own);
  const std::string unit = projected ? unit_of(keys, geo_key::linear_units, geo_key::linear_unit_size)
                                     : unit_of(keys, geo_key::angular_units, geo_key::angular_unit_size);
  if (!unit.empty()) text += ", unit: " + unit;
  return text;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> describe_place(const RasterInfo& info) {
  const Georeferencing& place = info.georeferencing;
  const GeoKeys keys = geo_keys_of(place);
  std::vector<std::pair<std::string, std::string>> lines;
  std::string crs = crs_of(keys);
  if (keys.empty() && !place.key_directory.empty()) crs = "broken (its GeoKey directory)";
  if (keys.broken > 0) crs += fmt::format(", {} broken GeoKeys", keys.broken);
  lines.emplace_back("CRS", crs);
  if (const auto vertical = keys.code(geo_key::vertical_crs)) {
    const std::string unit = unit_of(keys, geo_key::vertical_units, 0);
    lines.emplace_back("vertical", name_of(vertical, keys.text(geo_key::vertical_citation)) +
                                       (unit.empty() ? "" : ", unit: " + unit));
  }
  if (pixel_is(place) == PixelIs::point) lines.emplace_back("pixels are", "points");
  if (const auto transform = geo_transform_of(place)) {
    lines.emplace_back("transform", to_text(*transform));
    lines.emplace_back("bounds", to_text(bounds_of(*transform, info.height, info.width)));
  } else if (const std::size_t points = control_points_of(place).size(); points > 0) {
    lines.emplace_back("placed by", fmt::format("{} ground control point{}", points, points == 1 ? "" : "s"));
  } else if (!place.pixel_scale.empty() || !place.tiepoints.empty() || !place.transformation.empty()) {
    lines.emplace_back("transform", "none (its tags make none)");
  }
  return lines;
}

}  // namespace weir
