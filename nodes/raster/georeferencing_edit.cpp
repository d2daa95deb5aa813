#include "nodes/raster/georeferencing_edit.hpp"

#include <fmt/format.h>

#include <string_view>

#include "framework/error.hpp"
#include "nodes/raster/crs.hpp"

namespace weir {
namespace {

void add_keys(GeoKeys& keys, const GeoKeys& more) {
  for (const auto& [key, value] : more.values) keys.values[key] = value;
}

Georeferencing with_crs(const Georeferencing& place, const GeoreferencingEdit& edit) {
  const GeoKeys old = geo_keys_of(place);
  GeoKeys keys = old;
  if (!edit.crs.empty()) {
    keys = crs_keys(edit.crs);
    if (!edit.vertical_crs.empty() && keys.code(geo_key::vertical_crs))
      throw Error::usage("use", fmt::format("vertical CRS '{}'", edit.vertical_crs),
                         "the CRS has a vertical one already");
    // What pixels are is no matter of the CRS.
    keys.set(geo_key::raster_type, static_cast<std::uint16_t>(pixel_is(place) == PixelIs::point ? 2 : 1));
  }
  if (!edit.vertical_crs.empty()) {
    if (!keys.code(geo_key::model_type))
      throw Error::usage("use", fmt::format("vertical CRS '{}'", edit.vertical_crs),
                         "the raster has no horizontal one: give it, too");
    keys.values.erase(geo_key::vertical_datum);  // of another one
    add_keys(keys, vertical_crs_keys(edit.vertical_crs));
  }
  Georeferencing changed = place;
  set_geo_keys(changed, keys);
  return changed;
}

}  // namespace

Georeferencing edited(const RasterInfo& info, const GeoreferencingEdit& edit) {
  const int places =
      int{edit.transform.has_value()} + int{edit.bounds.has_value()} + int{!edit.control_points.empty()};
  if (places > 1)
    throw Error::usage("place", "the raster",
                       "a geotransform, bounds and ground control points exclude each other");
  Georeferencing place = info.georeferencing;
  if (!edit.crs.empty() || !edit.vertical_crs.empty()) place = with_crs(place, edit);
  if (edit.pixel_is) place = with_pixel_is(place, *edit.pixel_is);
  if (edit.transform) place = placed(place, *edit.transform);
  if (edit.bounds) place = placed(place, transform_over(*edit.bounds, info.height, info.width));
  if (!edit.control_points.empty()) place = placed(place, edit.control_points);
  return place;
}

std::vector<Parameter> georeferencing_parameters() {
  return {
      {.name = "crs", .help = "CRS in place of the source's: EPSG:CODE, a name, WKT or a PROJ string"},
      {.name = "vertical_crs", .help = "vertical CRS, to the CRS: EPSG:CODE, a name or WKT"},
      {.name = "pixel_is",
       .type = ParameterType::choice,
       .help = "what a pixel is; pixels stay where they are",
       .choices = {"area", "point"}},
      {.name = "geotransform",
       .help = "six numbers a,b,c,d,e,f: x = a + b col + c row, y = d + e col + f row"},
      {.name = "bounds", .help = "minx,miny,maxx,maxy of the raster, north-up", .unit = "of the CRS"},
      {.name = "gcps", .help = "ground control points col,row,x,y or col,row,x,y,z, with ; between them"},
  };
}

GeoreferencingEdit georeferencing_edit(const Parameters& parameters) {
  GeoreferencingEdit edit;
  const auto text = [&](const char* name) {
    if (!parameters.has(name)) return std::string();
    if (parameters.text(name).empty()) throw Error::usage("use", name, "it is empty");
    return parameters.text(name);
  };
  edit.crs = text("crs");
  edit.vertical_crs = text("vertical_crs");
  if (const std::string is = text("pixel_is"); !is.empty())
    edit.pixel_is = is == "point" ? PixelIs::point : PixelIs::area;
  if (parameters.has("geotransform"))
    edit.transform = parse_geo_transform(text("geotransform"), "the geotransform");
  if (parameters.has("bounds")) edit.bounds = parse_bounds(text("bounds"), "the bounds");
  if (parameters.has("gcps")) {
    const std::string all = text("gcps");
    for (std::string_view rest = all;;) {
      const std::size_t end = rest.find(';');
      edit.control_points.push_back(parse_control_point(rest.substr(0, end), "a ground control point"));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
  }
  return edit;
}

std::vector<std::pair<std::string, std::string>> to_parameters(const GeoreferencingEdit& edit) {
  std::vector<std::pair<std::string, std::string>> values;
  if (!edit.crs.empty()) values.emplace_back("crs", edit.crs);
  if (!edit.vertical_crs.empty()) values.emplace_back("vertical_crs", edit.vertical_crs);
  if (edit.pixel_is) values.emplace_back("pixel_is", *edit.pixel_is == PixelIs::point ? "point" : "area");
  if (edit.transform) values.emplace_back("geotransform", to_text(*edit.transform));
  if (edit.bounds) values.emplace_back("bounds", to_text(*edit.bounds));
  std::string points;
  for (const ControlPoint& point : edit.control_points)
    points += (points.empty() ? "" : ";") + to_text(point);
  if (!points.empty()) values.emplace_back("gcps", points);
  return values;
}

}  // namespace weir
