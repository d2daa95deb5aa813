#include <doctest/doctest.h>
#include <malloc.h>

#include <array>
#include <atomic>
#include <cmath>
#include <thread>

#include "nodes/headers/lon_lat.hpp"
#include "nodes/raster/proj_crs.hpp"
#include "tests/header_support.hpp"

namespace weir {

using namespace test;

namespace {

HeaderRow row_with(std::vector<MadeEntry> more, bool is_little_endian = true) {
  HeaderMaker maker(is_little_endian);
  maker.add(maker.picture(std::move(more)));
  const HeaderRows rows = rows_of(maker.bytes());
  REQUIRE(rows.row);
  return *rows.row;
}

using Texts = std::vector<std::string>;
using Wholes = std::vector<std::int64_t>;
using Reals = std::vector<double>;

/// GeoKeys that are codes.
MadeEntry codes(const std::vector<std::pair<std::uint16_t, std::uint16_t>>& keys) {
  std::vector<std::uint16_t> directory = {1, 1, 0, static_cast<std::uint16_t>(keys.size())};
  for (const auto& [key, code] : keys) directory.insert(directory.end(), {key, 0, 1, code});
  return HeaderMaker().shorts(34735, directory);
}

/// A raster of 40 x 30 pixels of this size, from its upper left corner.
HeaderRow placed_row(std::uint16_t epsg, bool is_projected, double x, double y, double dx, double dy,
                     bool is_point = false) {
  const HeaderMaker maker;
  return row_with({maker.doubles(33550, {dx, dy, 0}), maker.doubles(33922, {0, 0, 0, x, y, 0}),
                   codes({{1024, static_cast<std::uint16_t>(is_projected ? 1 : 2)},
                          {1025, static_cast<std::uint16_t>(is_point ? 2 : 1)},
                          {static_cast<std::uint16_t>(is_projected ? 3072 : 2048), epsg}})});
}

/// Twice the area, more than 0 where it goes counter-clockwise.
double turn(const std::vector<double>& ring) {
  double sum = 0;
  for (std::size_t i = 0; i + 3 < ring.size(); i += 2)
    sum += ring[i] * ring[i + 3] - ring[i + 2] * ring[i + 1];
  return sum;
}

/// What GeoParquet wants of a footprint, and that it lies in its box.
void check_footprint(const HeaderRow& row) {
  REQUIRE(row.lon_lat);
  REQUIRE_FALSE(row.footprint.empty());
  const BoundingBox& box = *row.lon_lat;
  CHECK(box.south <= box.north);
  CHECK(box.south >= -90);
  CHECK(box.north <= 90);
  for (const std::vector<double>& ring : row.footprint) {
    REQUIRE(ring.size() >= 8);
    CHECK(ring.size() % 2 == 0);
    CHECK(ring[0] == ring[ring.size() - 2]);
    CHECK(ring[1] == ring[ring.size() - 1]);
    CHECK(turn(ring) > 0);
    for (std::size_t i = 0; i < ring.size(); i += 2) {
      const bool is_inside = box.west <= box.east ? ring[i] >= box.west && ring[i] <= box.east
                                                  : ring[i] >= box.west || ring[i] <= box.east;
      CHECK(is_inside);
      CHECK(ring[i + 1] >= box.south);
      CHECK(ring[i + 1] <= box.north);
    }
  }
}

doctest::Approx about(double value) {
  return doctest::Approx(value).epsilon(1e-9);
}

}  // namespace

TEST_CASE("every column of tiff-dumper has its tag") {
  const HeaderMaker maker;
  const auto text = [](std::uint16_t tag, std::string_view chars) { return HeaderMaker::text(tag, chars); };
  const HeaderRow row = row_with({
      maker.longs(254, {2}),
      maker.longs(256, {41}),
      maker.shorts(257, {31}),
      maker.shorts(258, {8, 8, 8, 8}),
      maker.shorts(259, {50000}),
      maker.shorts(262, {2}),
      text(269, "document"),
      text(270, "description"),
      maker.shorts(274, {3}),
      maker.shorts(277, {4}),
      maker.longs(278, {31}),
      maker.shorts(280, {0, 1, 2, 3}),
      maker.shorts(281, {252, 253, 254, 255}),
      maker.numbers<std::uint32_t>(282, 5, {300, 1}),
      maker.numbers<std::uint32_t>(283, 5, {1, 4}),
      maker.shorts(284, {1}),
      maker.shorts(296, {2}),
      text(305, "software"),
      text(306, "2026:01:02 03:04:05"),
      text(315, "artist"),
      text(316, "host"),
      maker.shorts(317, {2}),
      maker.shorts(322, {64}),
      maker.shorts(323, {48}),
      maker.longs(324, {8}),
      maker.longs(325, {99}),
      maker.shorts(338, {1}),
      maker.shorts(339, {1, 1, 1, 1}),
      maker.numbers<std::uint8_t>(347, 7, {0xff, 0xd8, 0xff, 0xd9, 0}),
      text(33432, "copyright"),
      maker.doubles(33550, {10, 20, 0}),
      maker.doubles(33922, {0, 0, 0, 500'000, 4'000'000, 0}),
      codes({{1024, 1}, {3072, 32633}}),
      text(42113, "-9999"),
      maker.shorts(320, {1, 2, 3}),
  });
  CHECK(row.new_subfile_type == 2);
  CHECK(row.image_width == 41);
  CHECK(row.image_height == 31);
  CHECK(row.bits_per_sample == Wholes{8, 8, 8, 8});
  CHECK(row.compression == 50000);
  CHECK(row.photometric_interpretation == 2);
  CHECK(row.document_name == "document");
  CHECK(row.image_description == "description");
  CHECK(row.orientation == 3);
  CHECK(row.samples_per_pixel == 4);
  CHECK(row.rows_per_strip == 31);
  CHECK(row.min_sample_value == Wholes{0, 1, 2, 3});
  CHECK(row.max_sample_value == Wholes{252, 253, 254, 255});
  CHECK(row.x_resolution == 300.0);
  CHECK(row.y_resolution == 0.25);
  CHECK(row.planar_configuration == 1);
  CHECK(row.resolution_unit == 2);
  CHECK(row.software == "software");
  CHECK(row.date_time == "2026:01:02 03:04:05");
  CHECK(row.artist == "artist");
  CHECK(row.host_computer == "host");
  CHECK(row.predictor == 2);
  CHECK(row.tile_width == 64);
  CHECK(row.tile_height == 48);
  CHECK(row.extra_samples == Wholes{1});
  CHECK(row.sample_format == Wholes{1, 1, 1, 1});
  REQUIRE(row.jpeg_tables);
  CHECK(row.jpeg_tables->size() == 5);
  CHECK(row.copyright == "copyright");
  CHECK(row.model_pixel_scale == Reals{10, 20, 0});
  CHECK(row.model_tiepoint == Reals{0, 0, 0, 500'000, 4'000'000, 0});
  CHECK(row.geokeys.code(geo_key::projected_crs) == 32633);
  CHECK(row.other_tags == std::map<std::uint16_t, std::string>{{320, "1, 2, 3"}, {42113, "-9999"}});
  CHECK(row.warnings == Texts{});
}

TEST_CASE("absent tags are what TIFF says of them, and else stay absent") {
  HeaderMaker maker;
  maker.add({maker.shorts(256, {4}), maker.shorts(257, {5}), maker.shorts(277, {3})});
  const HeaderRow row = *rows_of(maker.bytes()).row;
  CHECK(row.compression == 1);
  CHECK(row.bits_per_sample == Wholes{1});
  CHECK(row.samples_per_pixel == 3);
  CHECK(row.sample_format == Wholes{1, 1, 1});
  CHECK(row.planar_configuration == 1);
  CHECK_FALSE(row.new_subfile_type);
  CHECK_FALSE(row.photometric_interpretation);
  CHECK_FALSE(row.orientation);
  CHECK_FALSE(row.resolution_unit);
  CHECK_FALSE(row.rows_per_strip);
  CHECK_FALSE(row.predictor);
  CHECK_FALSE(row.epsg);
  CHECK_FALSE(row.bounds);
  CHECK(row.footprint.empty());
}

TEST_CASE("numbers of other types are converted where that is exact") {
  const HeaderMaker maker;
  CHECK(row_with({maker.numbers<std::uint8_t>(256, 1, {44})}).image_width == 44);
  CHECK(row_with({maker.doubles(256, {44})}).image_width == 44);
  CHECK(row_with({maker.numbers<std::uint32_t>(256, 5, {88, 2})}).image_width == 44);
  CHECK(row_with({maker.numbers<std::int16_t>(254, 8, {-1})}).new_subfile_type == -1);
  CHECK(row_with({maker.numbers<float>(282, 11, {72.5F})}).x_resolution == 72.5);
  CHECK(row_with({maker.numbers<float>(33550, 11, {0.5F, 0.5F, 0.F})}).model_pixel_scale ==
        Reals{0.5, 0.5, 0});
  for (const MadeEntry& wrong :
       {maker.doubles(256, {44.5}), maker.doubles(256, {1e300}), maker.doubles(256, {std::nan("")}),
        maker.numbers<std::uint64_t>(256, 16, {~0ULL})}) {
    const HeaderRow row = row_with({wrong});
    CHECK_FALSE(row.image_width);
    CHECK_FALSE(row.warnings.empty());
  }
  const HeaderRow no_number = row_with({maker.numbers<std::uint32_t>(282, 5, {1, 0})});
  CHECK_FALSE(no_number.x_resolution);
  CHECK(no_number.warnings == Texts{"tag 282 is no number, and was left out"});
}

TEST_CASE("text ends at its first NUL and is UTF-8, whatever the file has") {
  CHECK(row_with({HeaderMaker::text(270, "gr\xc3\xbc\xc3\x9f")}).image_description == "gr\xc3\xbc\xc3\x9f");
  const HeaderRow latin =
      row_with({HeaderMaker::text(270, "gr\xfc\xdf"), HeaderMaker::text(65000, "\xe9t\xe9")});
  CHECK(latin.image_description == "gr\xc3\xbc\xc3\x9f");
  CHECK(latin.other_tags.at(65000) == "\xc3\xa9t\xc3\xa9");
  CHECK(latin.warnings == Texts{"tag 270 is not UTF-8, and was read as Latin-1"});
  const HeaderRow two = row_with({HeaderMaker::text(33432, std::string("photographer\0editor", 19))});
  CHECK(two.copyright == "photographer");
  CHECK(two.warnings == Texts{"tag 33432 has more text behind a NUL, which was left out"});
  CHECK(row_with({HeaderMaker::text(270, "")}).image_description == "");
  CHECK(row_with({{270, 2, Bytes(8, std::byte{'a'})}}).image_description == "aaaaaaaa");  // without a NUL
  CHECK(row_with({{270, 1, Bytes(6, std::byte{'b'})}}).image_description == "bbbbbb");    // BYTE
  CHECK(row_with({{270, 2, Bytes(0)}}).image_description == "");
}

TEST_CASE("overviews and masks of the first picture are counted, not those of other pages") {
  HeaderMaker maker;
  const auto add = [&](std::uint32_t kind) { maker.add(maker.picture({maker.longs(254, {kind})})); };
  add(0), add(4), add(1), add(5), add(1), add(0), add(1);
  const HeaderRow row = *rows_of(maker.bytes()).row;
  CHECK(row.directories == 7);
  CHECK(row.overviews == 2);
  CHECK(row.masks == 2);
  HeaderMaker old;
  old.add(old.picture());
  old.add(old.picture({old.shorts(255, {2})}));  // SubfileType
  CHECK(rows_of(old.bytes()).row->overviews == 1);
}

TEST_CASE("transform and bounds are of corners, whether pixels are areas or points") {
  const HeaderRow area = placed_row(32633, true, 500'000, 4'000'000, 10, 20);
  CHECK(area.transform == Reals{500'000, 10, 0, 4'000'000, 0, -20});
  REQUIRE(area.bounds);
  CHECK(area.bounds->west == 500'000);
  CHECK(area.bounds->south == 4'000'000 - 600);
  CHECK(area.bounds->east == 500'400);
  CHECK(area.bounds->north == 4'000'000);
  const HeaderRow point = placed_row(32633, true, 500'000, 4'000'000, 10, 20, true);
  CHECK(point.transform == Reals{499'995, 10, 0, 4'000'010, 0, -20});
  const HeaderMaker maker;
  const HeaderRow matrix =
      row_with({maker.doubles(34264, {0, 2, 0, 100, 3, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1}),
                codes({{1024, 1}, {3072, 32633}})});
  CHECK(matrix.transform == Reals{100, 0, 2, 200, 3, 0});
  CHECK(matrix.bounds->east == 160);
  CHECK(matrix.bounds->north == 320);
  CHECK(matrix.other_tags.at(34264) == "0, 2, 0, 100, 3, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 1");
  const HeaderRow points = row_with({maker.doubles(33922, {0, 0, 0, 1, 2, 0, 5, 5, 0, 7, 8, 0})});
  CHECK_FALSE(points.transform);
  CHECK(points.model_tiepoint.value().size() == 12);
}

TEST_CASE("the EPSG code is that of the CRS the coordinates are in, or none") {
  const auto epsg = [](const std::vector<std::pair<std::uint16_t, std::uint16_t>>& keys) {
    return row_with({codes(keys)}).epsg;
  };
  CHECK(epsg({{1024, 1}, {3072, 32633}}) == 32633);
  CHECK(epsg({{1024, 1}, {2048, 4326}, {3072, 32633}}) == 32633);
  CHECK(epsg({{1024, 2}, {2048, 4326}}) == 4326);
  CHECK(epsg({{2048, 4326}}) == 4326);
  CHECK_FALSE(epsg({{1024, 1}, {2048, 4326}, {3072, 32767}}));  // put together from parameters
  CHECK_FALSE(epsg({{1024, 1}, {2048, 4326}}));                 // and those not said
  CHECK_FALSE(epsg({{1024, 2}, {2048, 32767}}));
  CHECK_FALSE(epsg({{1024, 1}}));
}

TEST_CASE("longitude and latitude need no PROJ where they are the coordinates") {
  const HeaderRow row = placed_row(4326, false, 10, 50, 0.1, 0.1);
  check_footprint(row);
  CHECK(row.lon_lat->west == 10);
  CHECK(row.lon_lat->south == about(47));
  CHECK(row.lon_lat->east == about(14));
  CHECK(row.lon_lat->north == 50);
  CHECK(row.footprint.size() == 1);
  CHECK(row.footprint.front().size() == 10);
}

TEST_CASE("a footprint that crosses the antimeridian is one polygon on each side") {
  for (const double west : {170.0, -190.0}) {
    const HeaderRow row = placed_row(4326, false, west, 10, 0.5, 0.5);
    check_footprint(row);
    CHECK(row.footprint.size() == 2);
    CHECK(row.lon_lat->west == about(170));
    CHECK(row.lon_lat->east == about(-170));
  }
  const HeaderRow pacific = placed_row(4326, false, 0, 90, 9, 6);  // 0 to 360
  check_footprint(pacific);
  CHECK(pacific.footprint.size() == 2);
  CHECK(pacific.lon_lat->west == -180);
  CHECK(pacific.lon_lat->east == 180);
  const HeaderRow far = placed_row(4326, false, 190, 10, 0.5, 0.5);
  check_footprint(far);
  CHECK(far.footprint.size() == 1);
  CHECK(far.lon_lat->west == about(-170));
  const HeaderRow touching = placed_row(4326, false, 160, 10, 0.5, 0.5);
  CHECK(touching.footprint.size() == 1);
  CHECK(touching.lon_lat->east == 180);
}

TEST_CASE("pixels that overhang the globe do not make a footprint larger than it") {
  const HeaderRow row = placed_row(4326, false, -180.5, 90.5, 9.05, 6.05);
  check_footprint(row);
  CHECK(row.footprint.size() == 1);
  CHECK(row.lon_lat->west == -180);
  CHECK(row.lon_lat->south == about(-90));
  CHECK(row.lon_lat->east == 180);
  CHECK(row.lon_lat->north == 90);
}

TEST_CASE("metres that are said to be degrees, and pixels without an area, have no footprint") {
  const HeaderRow metres = placed_row(4326, false, 500'000, 4'000'000, 10, 10);
  CHECK(metres.bounds);
  CHECK_FALSE(metres.lon_lat);
  CHECK(metres.warnings == Texts{"its edges reach out of what EPSG:4326 has on the globe"});
  for (const auto& [dx, dy] : {std::pair(1.0, 1e-300), std::pair(1e-300, 1.0), std::pair(12.0, 1e-300)}) {
    const HeaderRow flat = placed_row(4326, false, 10, 10, dx, dy);
    CHECK(flat.footprint.empty());
    CHECK_FALSE(flat.lon_lat);
  }
}

TEST_CASE("the outline of a way around a pole goes along it") {
  std::vector<ModelPoint> way;  // around the north pole to the west, the pole to the right
  for (int i = 0; i <= 36; ++i) way.push_back({-10.0 * i, 60});
  HeaderRow row;
  const LonLatOutline north = outline_of(way, true);
  row.lon_lat = north.box, row.footprint = north.rings;
  check_footprint(row);
  CHECK(north.box.north == 90);
  CHECK(north.box.south == 60);
  CHECK(north.box.west == -180);
  CHECK(north.box.east == 180);
  double area = 0;
  for (const auto& ring : north.rings) area += turn(ring) / 2;
  CHECK(area == about(360 * 30));
  const LonLatOutline south = outline_of(way, false);
  CHECK(south.box.south == -90);
  CHECK(south.box.north == 60);
}

TEST_CASE("footprints by PROJ are where other programs have them") {
  if (!has_proj()) return;
  // A Sentinel-2 tile in the middle of a zone, its corners by GDAL 3.6's gdaltransform.
  const HeaderRow tile = placed_row(32633, true, 499'980, 5'300'040, 109'800.0 / 40, 109'800.0 / 30);
  check_footprint(tile);
  CHECK(tile.lon_lat->west == doctest::Approx(14.9997326423).epsilon(1e-9));
  CHECK(tile.lon_lat->east == doctest::Approx(16.4672773767).epsilon(1e-9));
  CHECK(tile.lon_lat->north == doctest::Approx(47.8537018420).epsilon(1e-7));
  const std::vector<double>& outline = tile.footprint.front();
  CHECK(outline.size() < 40);
  bool has_corner = false;
  for (std::size_t i = 0; i < outline.size(); i += 2)
    has_corner = has_corner || (std::fabs(outline[i] - 14.9997375874) < 1e-9 &&
                                std::fabs(outline[i + 1] - 46.8656998729) < 1e-9);
  CHECK(has_corner);
  // The whole of web Mercator.
  const HeaderRow web = placed_row(3857, true, -20037508.342789244, 20037508.342789244,
                                   40075016.685578488 / 40, 40075016.685578488 / 30);
  check_footprint(web);
  CHECK(web.lon_lat->west == -180);
  CHECK(web.lon_lat->east == 180);
  CHECK(web.lon_lat->north == doctest::Approx(85.0511288).epsilon(1e-8));
  CHECK(web.lon_lat->south == doctest::Approx(-85.0511288).epsilon(1e-8));
}

TEST_CASE("rasters around a pole and across the antimeridian have footprints, too") {
  if (!has_proj()) return;
  const HeaderRow north = placed_row(3413, true, -3'000'000, 3'000'000, 6'000'000.0 / 40, 6'000'000.0 / 30);
  check_footprint(north);
  CHECK(north.lon_lat->north == 90);
  CHECK(north.lon_lat->south > 40);
  CHECK(north.lon_lat->south < 60);
  const HeaderRow south = placed_row(3031, true, -3'000'000, 3'000'000, 6'000'000.0 / 40, 6'000'000.0 / 30);
  check_footprint(south);
  CHECK(south.lon_lat->south == -90);
  CHECK(south.lon_lat->north < -40);
  const HeaderRow fiji =
      placed_row(32760, true, 700'000, 8'000'000, 5000, 5000);  // zone 60 south, beyond 180
  check_footprint(fiji);
  CHECK(fiji.footprint.size() == 2);
  CHECK(fiji.lon_lat->west > 178);
  CHECK(fiji.lon_lat->east < -179);
}

TEST_CASE("a CRS that PROJ does not know and edges off the globe are warnings") {
  if (!has_proj()) return;
  const HeaderRow unknown = placed_row(1999, true, 0, 0, 1, 1);
  CHECK_FALSE(unknown.lon_lat);
  CHECK(unknown.bounds);
  CHECK(unknown.warnings == Texts{"PROJ knows no way from EPSG:1999 to longitude and latitude"});
  const HeaderRow off = placed_row(3035, true, 1e12, 1e12, 1e9, 1e9);
  CHECK_FALSE(off.lon_lat);
  CHECK(off.warnings == Texts{"its edges reach out of what EPSG:3035 has on the globe"});
}

TEST_CASE("threads that make footprints side by side get the same ones, of more CRS than are kept") {
  if (!has_proj()) return;
  constexpr std::array<int, 7> codes = {3857, 3035, 32633, 3413, 2154, 5070, 32733};
  const GeoTransform transform{500'000, 10, 0, 4'000'000, 0, -10};
  std::vector<std::vector<double>> alone;
  for (const int code : codes) alone.push_back(lon_lat_outline(code, transform, 30, 40).rings.at(0));
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 6; ++t)
      threads.emplace_back([&, t] {
        for (std::size_t i = 0; i < codes.size(); ++i) {
          const std::size_t at = (i + t) % codes.size();
          if (lon_lat_outline(codes[at], transform, 30, 40).rings.at(0) != alone[at]) ++wrong;
        }
      });
  }
  CHECK(wrong == 0);
}

TEST_CASE("PROJ keeps no more than is declared of it, whatever the CRS") {
  if (!has_proj()) return;
  const auto held = [] {
    const struct ::mallinfo2 info = ::mallinfo2();  // 0 under a sanitizer, which has its own
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = held();
  const auto make = [] {  // the ones with the most transformations to choose from
    const GeoTransform transform{500'000, 10, 0, 4'000'000, 0, -10};
    const GeoTransform degrees{-100, 0.1, 0, 40, 0, -0.1};
    for (const int code : {4267, 4269, 3035, 27700, 31370, 28992, 26917, 5070, 4267})
      lon_lat_outline(code, code < 5000 && code > 4000 ? degrees : transform, 30, 40);
    for (int zone = 1; zone <= 60; ++zone) lon_lat_outline(32600 + zone, transform, 30, 40);
  };
  for (int t = 0; t < 8; ++t) std::jthread(make).join();
  const std::size_t grown = held() - std::min(before, held());
  CHECK(grown <= lon_lat_bytes());
}

TEST_CASE("GeoKeys come by their ids, text in UTF-8 and without the bar that ends it") {
  const HeaderMaker maker;
  const HeaderRow row =
      row_with({maker.shorts(34735, {1, 1, 0, 3, 1024, 0, 1, 1, 1026, 34737, 5, 0, 2059, 34736, 1, 1}),
                maker.doubles(34736, {1, 298.25}), HeaderMaker::text(34737, "na\xefv|")});
  CHECK(row.geokeys.code(1024) == 1);
  CHECK(row.geokeys.text(1026) == "na\xc3\xafv");
  CHECK(row.geokeys.number(2059) == 298.25);
}

}  // namespace weir
