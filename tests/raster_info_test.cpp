#include "nodes/raster/raster_info.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "nodes/raster/number_text.hpp"

using namespace weir;

namespace {

struct Model {
  double x, y, z;
};

/// Where pixel corner (row, col) lies, by the book: GeoTIFF 1.1 section 7.
Model model_of(const Georeferencing& place, double row, double col) {
  if (!place.transformation.empty()) {
    const auto& m = place.transformation;
    return {m[0] * col + m[1] * row + m[3], m[4] * col + m[5] * row + m[7], m[8] * col + m[9] * row + m[11]};
  }
  const auto& tie = place.tiepoints;
  const auto& scale = place.pixel_scale;
  return {tie[3] + (col - tie[0]) * scale[0], tie[4] - (row - tie[1]) * scale[1], tie[5]};
}

void check_same_place(const Georeferencing& whole, std::uint64_t row, std::uint64_t col) {
  const Georeferencing part = shifted(whole, row, col);
  for (std::uint64_t r : {0U, 1U, 50U})
    for (std::uint64_t c : {0U, 3U, 70U}) {
      const Model expected = model_of(whole, static_cast<double>(row + r), static_cast<double>(col + c));
      const Model got = model_of(part, static_cast<double>(r), static_cast<double>(c));
      CHECK(got.x == doctest::Approx(expected.x).epsilon(1e-15));
      CHECK(got.y == doctest::Approx(expected.y).epsilon(1e-15));
      CHECK(got.z == doctest::Approx(expected.z).epsilon(1e-15));
    }
  CHECK(part.key_directory == whole.key_directory);
  CHECK(part.key_doubles == whole.key_doubles);
  CHECK(part.key_ascii == whole.key_ascii);
  CHECK(part.pixel_scale == whole.pixel_scale);
}

}  // namespace

TEST_CASE("a window with a tiepoint and a pixel scale lies where it lay in the whole") {
  Georeferencing whole;
  whole.pixel_scale = {10, 20, 0};
  whole.tiepoints = {0, 0, 0, 300000, 5300000, 12};
  whole.key_directory = {1, 1, 0, 1, 3072, 0, 1, 32633};
  whole.key_doubles = {6378137};
  whole.key_ascii = "WGS 84|";
  check_same_place(whole, 0, 0);
  check_same_place(whole, 512, 1024);
  whole.tiepoints[0] = 7.5;
  whole.tiepoints[1] = -3;
  check_same_place(whole, 33, 1);
}

TEST_CASE("a window with a rotated matrix lies where it lay in the whole") {
  Georeferencing whole;
  whole.transformation = {3, 4, 0, 1000, 5, -6, 0, 2000, 0.5, 0.25, 1, 70, 0, 0, 0, 1};
  check_same_place(whole, 0, 0);
  check_same_place(whole, 17, 300);
  CHECK(shifted(whole, 17, 300).transformation[15] == 1);
}

TEST_CASE("all control points move with the window, their places stay") {
  Georeferencing whole;
  whole.tiepoints = {0, 0, 0, 10, 50, 0, 100, 0, 0, 11, 50, 1, 0, 200, 5, 10, 49, 2};
  const Georeferencing part = shifted(whole, 20, 7);
  CHECK(part.tiepoints ==
        std::vector<double>{-7, -20, 0, 10, 50, 0, 93, -20, 0, 11, 50, 1, -7, 180, 5, 10, 49, 2});
}

TEST_CASE("a raster that lies nowhere stays nowhere") {
  CHECK(shifted({}, 5, 6).empty());
  Georeferencing broken;  // half a tiepoint, half a matrix: left as they are
  broken.tiepoints = {1, 2, 3};
  broken.transformation = {1, 2, 3, 4};
  CHECK(shifted(broken, 5, 6).tiepoints == broken.tiepoints);
  CHECK(shifted(broken, 5, 6).transformation == broken.transformation);
}

TEST_CASE("a nodata text is a number when all of it reads as one") {
  RasterInfo info;
  CHECK(!info.nodata_value());
  const auto value = [&](const std::string& text) {
    info.nodata = text;
    return info.nodata_value();
  };
  CHECK(value("-9999") == -9999);
  CHECK(value(" -9999.5 ") == -9999.5);
  CHECK(value("+3") == 3);
  CHECK(value("1e3") == 1000);
  CHECK(value("-3.4028234663852886e+38") == -3.4028234663852886e+38);
  CHECK(value(std::string("0\0", 2)) == 0);
  CHECK(value("inf") == INFINITY);
  for (const char* text : {"nan", "NaN", "NAN", "-nan"}) {
    REQUIRE(value(text));
    CHECK(std::isnan(*value(text)));
  }
  for (const char* text : {"", " ", "+", "-", "none", "12 13", "0,5", "1e999", "+-3"}) {
    CAPTURE(text);
    CHECK(!value(text));
  }
}

TEST_CASE("integers are read exactly, and only inside their range") {
  CHECK(number_in<std::uint64_t>("18446744073709551615") == 18446744073709551615U);
  CHECK(!number_in<std::uint64_t>("18446744073709551616"));
  CHECK(number_in<std::int64_t>("-9223372036854775807") == -9223372036854775807);
  CHECK(!number_in<std::uint8_t>("256"));
  CHECK(!number_in<std::uint8_t>("-1"));
  CHECK(!number_in<std::int16_t>("1.5"));
}
