#include "nodes/raster/geo_transform.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "tests/tiff_helpers.hpp"

using namespace weir;
using test::contains;

namespace {

Georeferencing north_up(double x, double y, double width, double height) {
  Georeferencing place;
  place.pixel_scale = {width, height, 0};
  place.tiepoints = {0, 0, 0, x, y, 0};
  return place;
}

Georeferencing rotated() {
  Georeferencing place;
  place.transformation = {3, 4, 0, 1000, 5, -6, 0, 2000, 0.5, 0.25, 1, 70, 0, 0, 0, 1};
  return place;
}

Georeferencing as_points(Georeferencing place) {
  place.key_directory = {1, 1, 0, 1, 1025, 0, 1, 2};
  return place;
}

RasterInfo raster(std::uint64_t height, std::uint64_t width, Georeferencing place) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.georeferencing = std::move(place);
  return info;
}

void check_near(const GeoTransform& got, const GeoTransform& wanted) {
  CHECK(to_text(got) == to_text(wanted));
}

std::string refusal(const Bounds& box, const RasterInfo& info) {
  try {
    window_of(box, info);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a pixel scale and a tiepoint are a north-up transform") {
  check_near(*geo_transform_of(north_up(500000, 4000000, 10, 20)), {500000, 10, 0, 4000000, 0, -20});
  Georeferencing inside = north_up(500100, 3999900, 10, 20);
  inside.tiepoints[0] = 10;
  inside.tiepoints[1] = 5;
  check_near(*geo_transform_of(inside), {500000, 10, 0, 4000000, 0, -20});
}

TEST_CASE("a matrix is a rotated transform") {
  check_near(*geo_transform_of(rotated()), {1000, 3, 4, 2000, 5, -6});
}

TEST_CASE("where pixels are points the origin is half a pixel before the first centre") {
  check_near(*geo_transform_of(as_points(north_up(500005, 3999990, 10, 20))),
             {500000, 10, 0, 4000000, 0, -20});
  check_near(*geo_transform_of(as_points(rotated())), {1000 - 3.5, 3, 4, 2000 + 0.5, 5, -6});
}

TEST_CASE("transforms are chosen as GDAL chooses them") {
  Georeferencing place = north_up(1, 2, 10, -10);
  CHECK(geo_transform_of(place)->y_per_row == -10);  // against the book, as GDAL
  place.transformation = rotated().transformation;
  CHECK(geo_transform_of(place)->x_origin == 1);
  place.pixel_scale = {0, 0, 0};
  CHECK(geo_transform_of(place)->x_origin == 1000);
  place = north_up(1, 2, 10, 10);
  place.tiepoints.clear();
  CHECK(!geo_transform_of(place));
  CHECK(!geo_transform_of({}));
}

TEST_CASE("numbers that are none make no transform") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), HUGE_VAL, -HUGE_VAL}) {
    CHECK(!geo_transform_of(north_up(bad, 2, 10, 10)));
    CHECK(!geo_transform_of(north_up(1, 2, bad, 10)));
    Georeferencing place = rotated();
    place.transformation[5] = bad;
    CHECK(!geo_transform_of(place));
  }
  CHECK(!geo_transform_of(north_up(1, 2, 1e308, 1e308))->is_invertible());
  CHECK(!GeoTransform{0, 1, 2, 0, 2, 4}.is_invertible());
}

TEST_CASE("any transform comes back from what is written of it") {
  for (const GeoTransform& transform :
       {GeoTransform{500000, 10, 0, 4000000, 0, -20}, GeoTransform{1000, 3, 4, 2000, 5, -6},
        GeoTransform{0, 1, 0, 0, 0, 1}, GeoTransform{0, -1, 0, 0, 0, -1}, GeoTransform{7, 0, 2, 9, 3, 0}})
    for (const Georeferencing& keys : {Georeferencing{}, as_points({}), as_points(rotated())}) {
      const Georeferencing place = placed(keys, transform);
      check_near(*geo_transform_of(place), transform);
      CHECK(place.transformation.empty() == transform.is_north_up());
      CHECK(place.pixel_scale.empty() == !transform.is_north_up());
      CHECK(place.key_directory == keys.key_directory);
    }
}

TEST_CASE("control points are tiepoints without a transform") {
  const std::vector<ControlPoint> points{{0, 0, 10, 50, 1}, {100.5, 0, 11, 50, 0}, {0, 200, 10, 49, -2}};
  for (const Georeferencing& keys : {north_up(1, 2, 3, 4), as_points(rotated())}) {
    const Georeferencing place = placed(keys, points);
    CHECK(control_points_of(place) == points);
    CHECK(!geo_transform_of(place));
    CHECK(place.tiepoints[0] == (pixel_is(keys) == PixelIs::point ? -0.5 : 0));
  }
  CHECK(control_points_of(north_up(1, 2, 3, 4)).empty());
}

TEST_CASE("changing what a pixel is moves no pixel") {
  Georeferencing points = placed({}, {ControlPoint{3, 4, 10, 50, 1}, {100.5, 0, 11, 50, 0}});
  for (const Georeferencing& area : {north_up(500000, 4000000, 10, 20), rotated(), points}) {
    const Georeferencing point = with_pixel_is(area, PixelIs::point);
    CHECK(pixel_is(point) == PixelIs::point);
    CHECK(geo_transform_of(point) == geo_transform_of(area));
    CHECK(control_points_of(point) == control_points_of(area));
    CHECK((point.tiepoints != area.tiepoints || point.transformation != area.transformation));
    const Georeferencing back = with_pixel_is(point, PixelIs::area);
    CHECK(pixel_is(back) == PixelIs::area);
    CHECK(back.tiepoints == area.tiepoints);
    CHECK(back.transformation == area.transformation);
  }
  CHECK(with_pixel_is(north_up(5, 5, 1, 1), PixelIs::point).tiepoints ==
        std::vector<double>{0, 0, 0, 5.5, 4.5, 0});
}

TEST_CASE("saying again what a pixel is changes nothing") {
  const Georeferencing area = north_up(1, 2, 3, 4);
  CHECK(with_pixel_is(area, PixelIs::area).key_directory.empty());
  CHECK(with_pixel_is(as_points(area), PixelIs::point).tiepoints == area.tiepoints);
}

TEST_CASE("an overview has its corners where the full raster has them") {
  const Georeferencing points = placed({}, {ControlPoint{0, 0, 10, 50, 1}, {1000, 600, 11, 50, 0}});
  for (const Georeferencing& full : {north_up(500000, 4000000, 10, 20), rotated(),
                                     as_points(north_up(500000, 4000000, 10, 20)), as_points(rotated())}) {
    const GeoTransform whole = *geo_transform_of(full);
    for (const auto& [height, width] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
             {300, 500}, {75, 125}, {38, 63}, {1, 1}, {600, 1000}, {1200, 2000}}) {
      const GeoTransform part = *geo_transform_of(scaled(full, 600, 1000, height, width));
      for (const double row : {0.0, 0.25, 1.0})
        for (const double col : {0.0, 0.5, 1.0}) {
          const ModelPoint wanted = whole.at(col * 1000, row * 600);
          const ModelPoint got = part.at(col * static_cast<double>(width), row * static_cast<double>(height));
          CHECK(got.x == doctest::Approx(wanted.x).epsilon(1e-14));
          CHECK(got.y == doctest::Approx(wanted.y).epsilon(1e-14));
        }
    }
  }
  const std::vector<ControlPoint> half = control_points_of(scaled(points, 600, 1000, 300, 500));
  CHECK(half == std::vector<ControlPoint>{{0, 0, 10, 50, 1}, {500, 300, 11, 50, 0}});
  CHECK(control_points_of(scaled(with_pixel_is(points, PixelIs::point), 600, 1000, 300, 500)) == half);
}

TEST_CASE("bounds are the box around all corners") {
  CHECK(to_text(bounds_of({100, 10, 0, 200, 0, -10}, 3, 2)) == "100,170,120,200");
  CHECK(to_text(bounds_of({0, 1, 1, 0, 1, -1}, 2, 2)) == "0,-2,4,2");
  const Bounds box{-10, 20, 30, 60};
  CHECK(bounds_of(transform_over(box, 7, 9), 7, 9) == box);
}

TEST_CASE("a bounding box has the pixels that it touches") {
  const RasterInfo info = raster(300, 200, north_up(1000, 5000, 10, 10));
  CHECK(window_of({1000, 2000, 3000, 5000}, info) == Window{0, 0, 300, 200});
  CHECK(window_of({1010, 4970, 1030, 4990}, info) == Window{1, 1, 2, 2});
  CHECK(window_of({1009, 4969, 1031, 4991}, info) == Window{0, 0, 4, 4});
  CHECK(window_of({1014, 4984, 1016, 4986}, info) == Window{1, 1, 1, 1});
  CHECK(window_of({2990, 2000, 3000, 2010}, info) == Window{299, 199, 1, 1});
}

TEST_CASE("a bounding box is not a pixel larger because its places are rounded") {
  const RasterInfo info = raster(300, 200, north_up(1000, 5000, 10, 10));
  CHECK(window_of({1009.995, 4969.995, 1030.005, 4990.005}, info) == Window{1, 1, 2, 2});
  CHECK(window_of({999.995, 1999.995, 3000.005, 5000.005}, info) == Window{0, 0, 300, 200});
  const double third = 1.0 / 3;
  const RasterInfo degrees = raster(180 * 3, 360 * 3, north_up(-180, 90, third, third));
  CHECK(window_of({10, 20, 11, 21}, degrees) == Window{69 * 3, 190 * 3, 3, 3});
  // On the line between two pixels, and narrower than the tolerance.
  CHECK(window_of({1019.999, 4980, 1020.001, 4990}, info) == Window{1, 2, 1, 1});
  CHECK(window_of({2999.999, 2000, 3000, 2000.001}, info) == Window{299, 199, 1, 1});
}

TEST_CASE("a bounding box of a south-up raster is found, and of one whose pixels are points") {
  Georeferencing south = placed({}, GeoTransform{1000, 10, 0, 2000, 0, 10});
  CHECK(window_of({1000, 2010, 1020, 2040}, raster(300, 200, south)) == Window{1, 0, 3, 2});
  CHECK(window_of({1010, 4970, 1030, 4990}, raster(300, 200, as_points(north_up(1005, 4995, 10, 10)))) ==
        Window{1, 1, 2, 2});
}

TEST_CASE("a bounding box of a rotated raster has the smallest window around it") {
  // Turned by 45 degrees: x = col + row, y = col - row.
  const RasterInfo info = raster(100, 100, placed({}, GeoTransform{0, 1, 1, 0, 1, -1}));
  CHECK(window_of({98, -2, 102, 2}, info) == Window{48, 48, 4, 4});
  CHECK(contains(refusal({0, -100, 200, 100}, info), "which is rotated: name a window in pixels"));
}

TEST_CASE("a bounding box that reaches out of the raster is refused, and the raster's is named") {
  const RasterInfo info = raster(300, 200, north_up(1000, 5000, 10, 10));
  for (const Bounds& box :
       {Bounds{999, 3000, 2000, 4000}, Bounds{2000, 3000, 3001, 4000}, Bounds{2000, 1999, 2500, 4000},
        Bounds{2000, 3000, 2500, 5001}, Bounds{0, 0, 10, 10}, Bounds{-1e300, -1e300, 1e300, 1e300}})
    CHECK(contains(refusal(box, info), "the raster's is 1000,2000,3000,5000"));
  CHECK(contains(refusal({0, 0, 1, 1}, raster(1, 1, {})), "no transform"));
  CHECK(contains(refusal({0, 0, 1, 1}, raster(1, 1, placed({}, GeoTransform{0, 1, 1, 0, 1, 1}))),
                 "no transform"));
}

TEST_CASE("places that people write are read, or refused with the form they should have") {
  CHECK(parse_bounds("-10, 20,3e1,60.5", "--bbox") == Bounds{-10, 20, 30, 60.5});
  check_near(parse_geo_transform("1,2,0,4,0,-6", "--geotransform"), {1, 2, 0, 4, 0, -6});
  CHECK(parse_control_point("1,2,3,4", "--gcp") == ControlPoint{1, 2, 3, 4, 0});
  CHECK(parse_control_point("1,2,3,4,5", "--gcp") == ControlPoint{1, 2, 3, 4, 5});
  for (const char* text : {"", ",", "1,2,3", "1,2,3,4,5", "1,2,3,4,", "1,2,x,4", "nan,2,3,4", "1,2,inf,4",
                           "3,2,1,4", "1,4,3,2", "1,1,1,2"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH_AS(parse_bounds(text, "--bbox"), doctest::Contains("minx,miny,maxx,maxy"), Error);
  }
  CHECK_THROWS_WITH_AS(parse_geo_transform("1,2,3,4,5", "g"), doctest::Contains("six numbers"), Error);
  CHECK_THROWS_WITH_AS(parse_geo_transform("0,1,1,0,1,1", "g"), doctest::Contains("no area"), Error);
  CHECK_THROWS_WITH_AS(parse_control_point("1,2,3", "--gcp"), doctest::Contains("col,row,x,y"), Error);
  CHECK_THROWS_WITH_AS(parse_control_point("1,2,3,4,5,6", "--gcp"), doctest::Contains("col,row,x,y"), Error);
}

TEST_CASE("places are written so that the same numbers are read again") {
  const Bounds box{1.0 / 3, -2e-17, 1e17, 4};
  CHECK(parse_bounds(to_text(box), "b") == box);
  const GeoTransform transform{0.1, 1.0 / 3, 0, 7, 0, -1e-9};
  CHECK(parse_geo_transform(to_text(transform), "g") == transform);
  const ControlPoint point{0.1, 0.2, 0.3, 1e-5, 5};
  CHECK(parse_control_point(to_text(point), "p") == point);
}
