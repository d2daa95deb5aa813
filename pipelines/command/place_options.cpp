#include "pipelines/command/place_options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

namespace weir::command {

void PlaceOptions::add_to(CLI::App& app) {
  app.add_option("--crs", crs, "CRS in place of the input's: EPSG:CODE, a name, WKT or a PROJ string")
      ->option_text("CRS");
  app.add_option("--vertical-crs", vertical_crs, "Vertical CRS, beside the CRS: EPSG:CODE, a name or WKT")
      ->option_text("CRS");
  app.add_option("--pixel-is", pixel_is, "area or point; every pixel stays where it is")
      ->option_text("P")
      ->check(CLI::IsMember({"area", "point"}));
  auto* transform = app.add_option("--geotransform", geotransform,
                                   "x = A + B col + C row, y = D + E col + F row, in place of the input's");
  transform->option_text("A,B,C,D,E,F");
  auto* box = app.add_option("--bounds", bounds, "Bounds of the output in its CRS, north-up");
  box->option_text("MINX,MINY,MAXX,MAXY")->excludes(transform);
  app.add_option("--gcp", gcps, "A ground control point; once for each")
      ->option_text("COL,ROW,X,Y[,Z]")
      ->allow_extra_args(false)
      ->excludes(transform)
      ->excludes(box);
}

GeoreferencingEdit PlaceOptions::edit() const {
  std::map<std::string, std::string> given;
  const auto add = [&](const char* name, const std::optional<std::string>& text) {
    if (text) given[name] = *text;
  };
  add("crs", crs);
  add("vertical_crs", vertical_crs);
  add("pixel_is", pixel_is);
  add("geotransform", geotransform);
  add("bounds", bounds);
  if (!gcps.empty()) given["gcps"] = fmt::format("{}", fmt::join(gcps, ";"));
  return georeferencing_edit(Parameters(georeferencing_parameters(), given));
}

}  // namespace weir::command
