#include "nodes/raster/georeferencing_edit.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/geo_description.hpp"

using namespace weir;

namespace {

/// 200 x 300 pixels of 10 x 20 in UTM, with a vertical CRS; `raster_type` 2: pixels are points.
RasterInfo utm(std::uint16_t raster_type = 1) {
  RasterInfo info;
  info.height = 200;
  info.width = 300;
  Georeferencing& place = info.georeferencing;
  place.pixel_scale = {10, 20, 0.5};
  place.tiepoints = {0, 0, 0, 500000, 4000000, 7};
  place.key_directory = {1, 1, 1,    6, 1024, 0,     1,    1, 1025, 0,    1,    raster_type, 1026, 34737,
                         5, 0, 3072, 0, 1,    32633, 4096, 0, 1,    5773, 4098, 0,           1,    5171};
  place.key_ascii = "mine|";
  return info;
}

bool is_same(const Georeferencing& a, const Georeferencing& b) {
  return a.pixel_scale == b.pixel_scale && a.tiepoints == b.tiepoints &&
         a.transformation == b.transformation && a.key_directory == b.key_directory &&
         a.key_doubles == b.key_doubles && a.key_ascii == b.key_ascii;
}

GeoreferencingEdit edit_of(const std::map<std::string, std::string>& given) {
  return georeferencing_edit(Parameters(georeferencing_parameters(), given));
}

Georeferencing edited_by(const RasterInfo& info, const std::map<std::string, std::string>& given) {
  return edited(info, edit_of(given));
}

std::map<std::string, std::string> lines_of(const RasterInfo& info) {
  std::map<std::string, std::string> lines;
  for (const auto& [label, text] : describe_place(info)) lines[label] = text;
  return lines;
}

}  // namespace

TEST_CASE("without an edit nothing changes, broken values included") {
  RasterInfo info = utm();
  CHECK(GeoreferencingEdit{}.empty());
  CHECK(is_same(edited(info, {}), info.georeferencing));
  info.georeferencing.key_directory.resize(5);
  info.georeferencing.tiepoints.resize(4);
  info.georeferencing.transformation = {1, 2};
  CHECK(is_same(edited(info, {}), info.georeferencing));
}

TEST_CASE("a CRS replaces all keys but what pixels are, and no place") {
  for (const std::uint16_t raster_type : std::vector<std::uint16_t>{1, 2}) {
    const RasterInfo info = utm(raster_type);
    const Georeferencing place = edited_by(info, {{"crs", "geographic:4326"}});
    const GeoKeys keys = geo_keys_of(place);
    CHECK(keys.code(geo_key::geodetic_crs) == 4326);
    CHECK(keys.code(geo_key::raster_type) == raster_type);
    CHECK(!keys.code(geo_key::projected_crs));
    CHECK(!keys.code(geo_key::vertical_crs));
    CHECK(place.tiepoints == info.georeferencing.tiepoints);
    CHECK(place.pixel_scale == info.georeferencing.pixel_scale);
  }
}

TEST_CASE("a vertical CRS joins the horizontal one, given or the source's") {
  const Georeferencing joined = edited_by(utm(), {{"vertical_crs", "EPSG:5703"}});
  CHECK(geo_keys_of(joined).code(geo_key::projected_crs) == 32633);
  CHECK(geo_keys_of(joined).code(geo_key::vertical_crs) == 5703);
  CHECK(!geo_keys_of(joined).code(geo_key::vertical_datum));
  const Georeferencing both = edited_by(utm(), {{"crs", "geographic:4326"}, {"vertical_crs", "EPSG:5703"}});
  CHECK(geo_keys_of(both).code(geo_key::geodetic_crs) == 4326);
  CHECK(geo_keys_of(both).code(geo_key::vertical_crs) == 5703);
  CHECK_THROWS_WITH_AS(edited_by({}, {{"vertical_crs", "EPSG:5703"}}), doctest::Contains("no horizontal one"),
                       Error);
}

TEST_CASE("a transform, bounds and control points replace each other's tags") {
  const RasterInfo info = utm();
  const Georeferencing moved = edited_by(info, {{"geotransform", "1,2,0,3,0,-4"}});
  CHECK(moved.pixel_scale == std::vector<double>{2, 4, 0});
  CHECK(moved.tiepoints == std::vector<double>{0, 0, 0, 1, 3, 0});
  CHECK(moved.key_directory == info.georeferencing.key_directory);
  const Georeferencing turned = edited_by(info, {{"geotransform", "1,2,3,4,5,6"}});
  CHECK(turned.pixel_scale.empty());
  CHECK(turned.tiepoints.empty());
  CHECK(turned.transformation.size() == 16);
  const Georeferencing over = edited_by(info, {{"bounds", "0,0,300,400"}});
  CHECK(over.pixel_scale == std::vector<double>{1, 2, 0});
  CHECK(over.tiepoints == std::vector<double>{0, 0, 0, 0, 400, 0});
  const Georeferencing points = edited_by(info, {{"gcps", "0,0,1,2;300,200,3,4,5"}});
  CHECK(points.pixel_scale.empty());
  CHECK(points.tiepoints == std::vector<double>{0, 0, 0, 1, 2, 0, 300, 200, 0, 3, 4, 5});
}

TEST_CASE("places are given as corners, also where pixels become points") {
  const Georeferencing place =
      edited_by(utm(), {{"geotransform", "100,10,0,200,0,-10"}, {"pixel_is", "point"}});
  CHECK(place.tiepoints == std::vector<double>{0, 0, 0, 105, 195, 0});
  CHECK(geo_transform_of(place) == GeoTransform{100, 10, 0, 200, 0, -10});
}

TEST_CASE("edits that exclude each other, or do not read, are refused") {
  for (const std::map<std::string, std::string>& given : std::vector<std::map<std::string, std::string>>{
           {{"geotransform", "1,2,0,3,0,-4"}, {"bounds", "0,0,1,1"}},
           {{"geotransform", "1,2,0,3,0,-4"}, {"gcps", "0,0,1,2"}},
           {{"bounds", "0,0,1,1"}, {"gcps", "0,0,1,2"}},
           {{"geotransform", "1,2,3"}},
           {{"bounds", "1,1,0,0"}},
           {{"gcps", "0,0,1,2;"}},
           {{"gcps", ""}},
           {{"crs", ""}},
           {{"pixel_is", "line"}}})
    CHECK_THROWS_AS(edited_by(utm(), given), Error);
}

TEST_CASE("an edit written as parameters is read as the same edit") {
  GeoreferencingEdit edit;
  CHECK(to_parameters(edit).empty());
  edit.crs = "geographic:4326";
  edit.vertical_crs = "EPSG:5703";
  edit.pixel_is = PixelIs::point;
  const auto check_same = [&] {
    std::map<std::string, std::string> given;
    for (const auto& [name, value] : to_parameters(edit)) given[name] = value;
    CHECK(is_same(edited(utm(), edit_of(given)), edited(utm(), edit)));
  };
  check_same();
  edit.control_points = {{0.1, 1.0 / 3, 1e-7, 4, 5}, {1, 2, 3, 4, 0}};
  check_same();
  edit.control_points.clear();
  edit.bounds = Bounds{0.1, 0.2, 1.0 / 3, 7};
  check_same();
  edit.bounds.reset();
  edit.transform = GeoTransform{0.1, 2, 1e-9, 1.0 / 3, 0, -7};
  check_same();
}

TEST_CASE("where a raster lies is told in words") {
  std::map<std::string, std::string> lines = lines_of(utm(2));
  CHECK(lines["CRS"] == "EPSG:32633 (mine)");
  CHECK(lines["vertical"] == "EPSG:5773");
  CHECK(lines["pixels are"] == "points");
  CHECK(lines["transform"] == "499995,10,0,4000010,0,-20");
  CHECK(lines["bounds"] == "499995,3996010,502995,4000010");

  CHECK(lines_of({}) == std::map<std::string, std::string>{{"CRS", "none"}});
  RasterInfo info = utm();
  info.georeferencing = edited_by(info, {{"gcps", "0,0,1,2;300,200,3,4,5"}});
  CHECK(lines_of(info)["placed by"] == "2 ground control points");
  CHECK(!lines_of(info).contains("transform"));
}

TEST_CASE("what is broken about a place is told, and text from files moves no cursor") {
  RasterInfo info = utm();
  info.georeferencing.key_directory[3] = 60;
  CHECK(lines_of(info)["CRS"] == "broken (its GeoKey directory)");
  info = utm();
  info.georeferencing.key_directory[14] = 900;
  CHECK(lines_of(info)["CRS"] == "EPSG:32633, 1 broken GeoKeys");
  info.georeferencing = utm().georeferencing;
  info.georeferencing.key_ascii = "m\x1b[2|";
  CHECK(lines_of(info)["CRS"] == "EPSG:32633 (m [2)");
  info.georeferencing.pixel_scale = {0, 0, 0};
  info.georeferencing.tiepoints.resize(3);
  CHECK(lines_of(info)["transform"] == "none (its tags make none)");
}
