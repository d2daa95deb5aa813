#include "nodes/raster/geo_keys.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "framework/error.hpp"

using namespace weir;

namespace {

Georeferencing utm_place() {
  Georeferencing place;
  place.key_directory = {1,  1, 0,    6,     1024, 0,  1,    1, 1025, 0,     1,    1,     1026, 34737,
                         22, 0, 2049, 34737, 7,    22, 3072, 0, 1,    32725, 2057, 34736, 1,    1};
  place.key_doubles = {0, 6378137};
  place.key_ascii = "WGS 84 / UTM zone 25S|WGS 84|";
  return place;
}

}  // namespace

TEST_CASE("keys are codes, numbers and text") {
  const GeoKeys keys = geo_keys_of(utm_place());
  CHECK(keys.broken == 0);
  CHECK(keys.values.size() == 6);
  CHECK(keys.code(geo_key::projected_crs) == 32725);
  CHECK(keys.number(geo_key::semi_major_axis) == 6378137);
  CHECK(keys.text(geo_key::citation) == "WGS 84 / UTM zone 25S");
  CHECK(keys.text(geo_key::geodetic_citation) == "WGS 84");
  CHECK(!keys.code(geo_key::citation));
  CHECK(!keys.text(geo_key::projected_crs));
  CHECK(!keys.number(geo_key::projected_crs));
  CHECK(!keys.code(geo_key::vertical_crs));
}

TEST_CASE("keys that are written are read again") {
  GeoKeys keys = geo_keys_of(utm_place());
  Georeferencing place;
  set_geo_keys(place, keys);
  CHECK(place.key_directory[2] == 0);
  CHECK(geo_keys_of(place).values == keys.values);
  keys.set(geo_key::vertical_crs, std::uint16_t{5773});
  keys.values[geo_key::to_wgs84] = std::vector<double>{1, 2, 3, 4, 5, 6, 7};
  set_geo_keys(place, keys);
  CHECK(place.key_directory[2] == 1);  // GeoTIFF 1.1: GDAL shows vertical keys of 1.0 only when asked
  CHECK(geo_keys_of(place).values == keys.values);
  set_geo_keys(place, {});
  CHECK(place.key_directory.empty());
  CHECK(place.key_doubles.empty());
  CHECK(place.key_ascii.empty());
}

TEST_CASE("the sign between texts stays out of them, but where GDAL puts it") {
  GeoKeys keys;
  keys.set(geo_key::citation, std::string("a|b"));
  keys.set(geo_key::geodetic_citation, std::string("GCS Name = a|Datum = b"));
  Georeferencing place;
  set_geo_keys(place, keys);
  CHECK(place.key_ascii == "a b|GCS Name = a|Datum = b|");
  CHECK(geo_keys_of(place).text(geo_key::geodetic_citation) == "GCS Name = a|Datum = b");
}

TEST_CASE("a key directory without a sound header has no keys") {
  for (std::vector<std::uint16_t> directory :
       std::vector<std::vector<std::uint16_t>>{{},
                                               {1},
                                               {1, 1, 0},
                                               {2, 1, 0, 1, 1024, 0, 1, 1},
                                               {1, 1, 0, 2, 1024, 0, 1, 1},
                                               {1, 1, 0, 65535, 1024, 0, 1, 1},
                                               {1, 1, 0, 1, 1024, 0, 1}}) {
    Georeferencing place;
    place.key_directory = directory;
    CHECK(geo_keys_of(place).empty());
    CHECK(pixel_is(place) == PixelIs::area);
  }
}

TEST_CASE("broken entries are counted and left out, the others count") {
  const auto keys_of = [](std::vector<std::uint16_t> entry) {
    Georeferencing place = utm_place();
    place.key_directory[3] = 7;
    place.key_directory.insert(place.key_directory.end(), entry.begin(), entry.end());
    return geo_keys_of(place);
  };
  for (const std::vector<std::uint16_t>& entry :
       std::vector<std::vector<std::uint16_t>>{{2059, 34736, 1, 2},      // behind the doubles
                                               {2059, 34736, 65535, 1},  // more than there are
                                               {2059, 34736, 0, 0},      // none
                                               {3073, 34737, 2, 30},     // behind the text
                                               {3073, 34737, 65535, 0},  // more than there is
                                               {3076, 34735, 1, 40},     // behind the directory
                                               {3076, 256, 1, 0}}) {     // a tag that holds no keys
    const GeoKeys keys = keys_of(entry);
    CHECK(keys.broken == 1);
    CHECK(keys.values.size() == 6);
  }
  CHECK(keys_of({3076, 34735, 1, 3}).code(geo_key::linear_units) == 7);
  CHECK(keys_of({3072, 0, 1, 4326}).code(geo_key::projected_crs) == 32725);  // twice: the first
  // The NUL that ends all text may have been cut off with those that pad it.
  CHECK(keys_of({3073, 34737, 8, 22}).text(3073) == "WGS 84");
}

TEST_CASE("keys that all share one long value do not take its room many times") {
  Georeferencing place;
  constexpr std::uint16_t entries = 16000, values = 60000;
  place.key_directory = {1, 1, 0, entries};
  for (std::uint16_t i = 0; i < entries; ++i)
    place.key_directory.insert(place.key_directory.end(),
                               {i, static_cast<std::uint16_t>(i % 2 == 0 ? 34736 : 34737), values, 0});
  place.key_doubles.resize(values);
  place.key_ascii.resize(values, 'x');
  const GeoKeys keys = geo_keys_of(place);
  CHECK(keys.values.size() == 8);
  CHECK(keys.broken == entries - 8);
  CHECK_THROWS_WITH_AS(set_geo_keys(place, keys), doctest::Contains("more than 65535"), Error);
}

TEST_CASE("what pixels are is read from any directory with a sound header") {
  Georeferencing place;
  place.key_directory = {1, 1, 0, 1, 1025, 0, 1, 2};
  CHECK(pixel_is(place) == PixelIs::point);
  place.key_directory[5] = 34735;
  CHECK(pixel_is(place) == PixelIs::area);
  CHECK(pixel_is({}) == PixelIs::area);
}

TEST_CASE("key directories of any content are read without harm") {
  std::mt19937 random(4);
  for (int i = 0; i < 20000; ++i) {
    Georeferencing place = utm_place();
    for (std::uint16_t& word : place.key_directory)
      if (random() % 8 == 0) word = static_cast<std::uint16_t>(random() % 3 == 0 ? random() : random() % 40);
    if (random() % 4 == 0) place.key_directory.resize(random() % (place.key_directory.size() + 1));
    if (random() % 4 == 0) place.key_doubles.resize(random() % 3);
    if (random() % 4 == 0) place.key_ascii.resize(random() % 30);
    const GeoKeys keys = geo_keys_of(place);
    CHECK(keys.values.size() + keys.broken <= place.key_directory.size() / 4);
    set_geo_keys(place, keys);
    CHECK(geo_keys_of(place).values.size() == keys.values.size());
  }
}
