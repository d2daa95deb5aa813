#include "nodes/raster/crs.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/proj_crs.hpp"
#include "nodes/raster/projection_keys.hpp"
#include "tests/tiff_helpers.hpp"

// What GDAL makes of the keys: tests/foreign/crs_agree.py.

using namespace weir;
using test::contains;

namespace {

std::string refusal(const std::string& crs, bool is_vertical = false) {
  try {
    is_vertical ? vertical_crs_keys(crs) : crs_keys(crs);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "";
}

/// An environment variable of this process, as long as it lives.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value, 1);
  }
  ~Environment() {
    if (before_.empty())
      ::unsetenv(name_);
    else
      ::setenv(name_, before_.c_str(), 1);
  }

 private:
  const char* name_;
  std::string before_;
};

}  // namespace

TEST_CASE("a code whose kind the caller says needs no database") {
  const GeoKeys projected = crs_keys("projected:32725");
  CHECK(projected.values.size() == 2);
  CHECK(projected.code(geo_key::model_type) == 1);
  CHECK(projected.code(geo_key::projected_crs) == 32725);
  const GeoKeys geographic = crs_keys("Geographic:4326");
  CHECK(geographic.code(geo_key::model_type) == 2);
  CHECK(geographic.code(geo_key::geodetic_crs) == 4326);
  for (const char* text : {"projected:0", "projected:1023", "projected:32767", "projected:65536",
                           "geographic:x", "geographic:-4326", "geographic:4326.5"}) {
    CAPTURE(text);
    CHECK(contains(refusal(text), "1024 to 32766"));
  }
}

TEST_CASE("a build without PROJ says so, and what it takes instead") {
  if (has_proj()) return;
  CHECK(contains(refusal("EPSG:32725"), "this build has no PROJ"));
  CHECK(contains(refusal("EPSG:32725"), "projected:CODE"));
  CHECK(vertical_crs_keys("EPSG:5773").code(geo_key::vertical_crs) == 5773);
  CHECK(contains(refusal("EGM96 height", true), "this build has no PROJ"));
}

TEST_CASE("map projections are found by EPSG's code, or by name where there is none") {
  CHECK(projection_method(9807, "anything")->transform == 1);
  CHECK(projection_method(0, "Sinusoidal")->transform == 24);
  CHECK(projection_method(0, "Transverse Mercator") == nullptr);
  CHECK(projection_method(1024, "Popular Visualisation Pseudo Mercator") == nullptr);
  CHECK(projection_method(0, "") == nullptr);
}

TEST_CASE("an EPSG code, a name and a PROJ string of one CRS have the same keys") {
  if (!has_proj()) return;
  const GeoKeys keys = crs_keys("EPSG:32725");
  CHECK(keys.code(geo_key::model_type) == 1);
  CHECK(keys.code(geo_key::projected_crs) == 32725);
  CHECK(keys.code(geo_key::linear_units) == 9001);
  CHECK(keys.code(geo_key::angular_units) == 9102);
  CHECK(keys.text(geo_key::citation) == "WGS 84 / UTM zone 25S");
  CHECK(keys.text(geo_key::geodetic_citation) == "WGS 84");
  CHECK(!keys.code(geo_key::raster_type));
  CHECK(crs_keys("WGS 84 / UTM zone 25S").values == keys.values);
  CHECK(crs_keys("epsg:32725").values == keys.values);
  CHECK(crs_keys("+proj=utm +zone=25 +south +datum=WGS84").code(geo_key::projected_crs) == 32725);
}

TEST_CASE("an ellipsoid alone is no datum, and so no code") {
  if (!has_proj()) return;
  const GeoKeys keys = crs_keys("+proj=utm +zone=33 +ellps=GRS80");
  CHECK(keys.code(geo_key::projected_crs) == geo_key::user_defined);
  CHECK(keys.code(geo_key::geodetic_crs) == geo_key::user_defined);
  CHECK(keys.number(3080) == 15);
  CHECK(keys.number(3092) == 0.9996);
}

TEST_CASE("an EPSG code that WKT gives to something else does not count") {
  if (!has_proj()) return;
  const std::string wkt =
      "GEOGCS[\"mine\",DATUM[\"mine\",SPHEROID[\"mine\",6378000,298]],PRIMEM[\"Greenwich\",0],"
      "UNIT[\"degree\",0.0174532925199433],AUTHORITY[\"EPSG\",\"4326\"]]";
  CHECK(crs_keys(wkt).code(geo_key::geodetic_crs) == geo_key::user_defined);
  CHECK(crs_keys(wkt).number(geo_key::semi_major_axis) == 6378000);
}

TEST_CASE("lengths are in the CRS's unit and angles in degrees") {
  if (!has_proj()) return;
  const GeoKeys feet = crs_keys("+proj=tmerc +lon_0=9 +x_0=304.8 +ellps=bessel +units=ft");
  CHECK(feet.code(geo_key::linear_units) == 9002);
  CHECK(std::fabs(*feet.number(3082) - 1000) < 1e-9);
  const GeoKeys grads = crs_keys(
      "PROJCS[\"x\",GEOGCS[\"b\",DATUM[\"d\",SPHEROID[\"e\",6378249.2,293.5]],PRIMEM[\"Paris\",2.5969213],"
      "UNIT[\"grad\",0.015707963267949]],PROJECTION[\"Transverse_Mercator\"],PARAMETER[\"latitude_of_"
      "origin\",52],"
      "PARAMETER[\"central_meridian\",0],PARAMETER[\"scale_factor\",1],PARAMETER[\"false_easting\",0],"
      "PARAMETER[\"false_northing\",0],UNIT[\"chain\",20.1168]]");
  CHECK(grads.code(geo_key::angular_units) == 9105);
  CHECK(std::fabs(*grads.number(3081) - 46.8) < 1e-9);
  CHECK(std::fabs(*grads.number(geo_key::prime_meridian_longitude) - 2.5969213) < 1e-9);
  CHECK(grads.code(geo_key::linear_units) == geo_key::user_defined);
  CHECK(grads.number(geo_key::linear_unit_size) == 20.1168);
}

TEST_CASE("compound and vertical CRSs have vertical keys") {
  if (!has_proj()) return;
  const GeoKeys both = crs_keys("EPSG:5698");
  CHECK(both.code(geo_key::projected_crs) == 2154);
  CHECK(both.code(geo_key::vertical_crs) == 5720);
  CHECK(both.code(geo_key::vertical_units) == 9001);
  CHECK(vertical_crs_keys("EPSG:6360").code(geo_key::vertical_units) == 9003);
  CHECK(vertical_crs_keys("EGM96 height").code(geo_key::vertical_crs) == 5773);
  CHECK(contains(refusal("EPSG:5773"), "it is a vertical CRS"));
  CHECK(contains(refusal("EPSG:4326", true), "it is no vertical CRS"));
  CHECK(contains(refusal("VERT_CS[\"h\",VERT_DATUM[\"d\",2005],UNIT[\"metre\",1],AXIS[\"Up\",UP]]", true),
                 "neither it nor its datum"));
}

TEST_CASE("what is no CRS, or one that GeoKeys cannot say, is refused with the reason") {
  if (!has_proj()) return;
  CHECK(contains(refusal("EPSG:99999"), "crs not found"));
  CHECK(contains(refusal("utm zone 25 south please"), "cannot use CRS"));
  CHECK(contains(refusal("WGS 84 / UTM zone 25"), "WGS 84 / UTM zone 25N"));
  CHECK(contains(refusal("+proj=moll +datum=WGS84"), "cannot say its projection, Mollweide"));
  CHECK(contains(refusal("+proj=cart +ellps=GRS80"), "cannot use CRS"));
  CHECK(contains(refusal("GEOGCS["), "cannot use CRS 'GEOGCS['"));
  CHECK(refusal(std::string(100000, '[')).size() < 400);
}

TEST_CASE("a missing database is an error that says so") {
  if (!has_proj()) return;
  const Environment lib("PROJ_LIB", "/nowhere"), data("PROJ_DATA", "/nowhere");
  CHECK(contains(refusal("EPSG:32725"), "PROJ finds no proj.db"));
  CHECK(contains(refusal("EPSG:5773", true), "PROJ finds no proj.db"));
}

TEST_CASE("many threads may ask at once") {
  if (!has_proj()) return;
  std::vector<GeoKeys> keys(8);
  {
    std::vector<std::jthread> threads;
    for (GeoKeys& slot : keys)
      threads.emplace_back([&slot] {
        for (int i = 0; i < 4; ++i) slot = crs_keys("+proj=utm +zone=33 +datum=WGS84");
      });
  }
  for (const GeoKeys& slot : keys) CHECK(slot.code(geo_key::projected_crs) == 32633);
}
