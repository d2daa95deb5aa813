#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/crs.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/raster_attributes.hpp"

using namespace weir;

namespace {

RasterInfo utm_raster() {
  RasterInfo info;
  info.height = 100, info.width = 200, info.samples = 2, info.type = SampleType::float32;
  info.nodata = "-9999";
  set_geo_keys(info.georeferencing, crs_keys("projected:32725"));
  info.georeferencing = placed(info.georeferencing, GeoTransform{288776.5, 30, 0, 9120760.75, 0, -30});
  info.metadata =
      parse_metadata_lines("AREA=Olinda, Brazil",
                           "1:name=red\n2:name=near infrared\n1:scale=0.1,offset=-3\n2:scale=0.1,offset=-4");
  info.photometric = 2;
  info.extra_samples = {0, 1};
  info.tags.push_back({305, 2, 3, {std::byte{'a'}, std::byte{0xff}, std::byte{0}}});
  return info;
}

bool is_same_place(const Georeferencing& a, const Georeferencing& b) {
  return a.pixel_scale == b.pixel_scale && a.tiepoints == b.tiepoints &&
         a.transformation == b.transformation && a.key_directory == b.key_directory &&
         a.key_doubles == b.key_doubles && a.key_ascii == b.key_ascii;
}

RasterInfo blank(const RasterInfo& like) {
  RasterInfo info;
  info.height = like.height, info.width = like.width, info.samples = like.samples, info.type = like.type;
  return info;
}

void check_comes_back(const RasterInfo& info) {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    RasterInfo back = blank(info);
    CHECK(read_raster_attributes(back, raster_attributes(info, format, {"band", "y", "x"}), "a").empty());
    CHECK(is_same_place(back.georeferencing, info.georeferencing));
    CHECK(back.nodata == info.nodata);
    CHECK(back.metadata == info.metadata);
    CHECK(back.photometric == info.photometric);
    CHECK(back.extra_samples == info.extra_samples);
    REQUIRE(back.tags.size() == info.tags.size());
    for (std::size_t i = 0; i < info.tags.size(); ++i) {
      CHECK(back.tags[i].id == info.tags[i].id);
      CHECK(back.tags[i].type == info.tags[i].type);
      CHECK(back.tags[i].count == info.tags[i].count);
      CHECK(back.tags[i].bytes == info.tags[i].bytes);
    }
  }
}

JsonValue json(const std::string& text) {
  return parse_json(text, "attributes", 1 << 20, 64);
}

}  // namespace

TEST_CASE("a raster comes back from its attributes as it was") {
  RasterInfo info = utm_raster();
  check_comes_back(info);
  info.georeferencing = placed(info.georeferencing, GeoTransform{1841001.75, 1.5, -5, 1144003.25, -5, -1.5});
  check_comes_back(info);  // rotated
  info.georeferencing = with_pixel_is(info.georeferencing, PixelIs::point);
  check_comes_back(info);
  info.georeferencing =
      placed(info.georeferencing,
             std::vector<ControlPoint>{{0, 0, 1, 2, 0}, {10.5, 0, 3, 4, 5}, {0, 9, 0.1, 1e-300, 0}});
  check_comes_back(info);
  info.georeferencing.key_ascii = "not UTF-8: \xe4|";
  info.metadata.push_back({"b\xff", "\n\x01", 1, "", "XML:\"x\""});
  info.nodata = "nan";
  check_comes_back(info);
  check_comes_back(blank(info));
  info = utm_raster();
  info.type = SampleType::uint64, info.nodata = "18446744073709551615";
  check_comes_back(info);
}

TEST_CASE("conventions say where a raster lies") {
  const JsonValue v3 = json(raster_attributes(utm_raster(), 3, {"band", "y", "x"}));
  CHECK(*v3.find("proj:code") == JsonValue("EPSG:32725"));
  CHECK(*v3.find("spatial:dimensions") == json(R"(["y", "x"])"));
  CHECK(*v3.find("spatial:shape") == json("[100, 200]"));
  CHECK(*v3.find("spatial:transform") == json("[30.0, 0.0, 288776.5, 0.0, -30.0, 9120760.75]"));
  CHECK(*v3.find("spatial:bbox") == json("[288776.5, 9117760.75, 294776.5, 9120760.75]"));
  CHECK(v3.find("zarr_conventions")->array()->size() == 2);
  CHECK(*v3.find("scale_factor") == JsonValue(0.1));  // of both bands
  CHECK(v3.find("add_offset") == nullptr);            // each its own
  CHECK(*v3.find("_FillValue") == JsonValue("AAAAAICHw8A="));
  CHECK(v3.find("_CRS") == nullptr);
  RasterInfo with_others = utm_raster();
  with_others.attributes = {{"mine", "1"}};
  const JsonValue v2 = json(raster_attributes(with_others, 2, {"band", "y", "x"}));
  CHECK(*v2.find("mine") == JsonValue(1));
  CHECK(*v2.find("_ARRAY_DIMENSIONS") == json(R"(["band", "y", "x"])"));
  CHECK(*v2.find("_CRS") == json(R"({"url": "http://www.opengis.net/def/crs/EPSG/0/32725"})"));
}

TEST_CASE("what another program has changed is newer than our copy") {
  JsonValue attributes = json(raster_attributes(utm_raster(), 3, {"band", "y", "x"}));
  attributes.set("spatial:transform", json("[10.0, 0.0, 5.0, 0.0, -10.0, 7.0]"));
  attributes.set("_FillValue", JsonValue("AAAAAAAA+H8="));
  attributes.set("scale_factor", JsonValue(0.5));
  RasterInfo back = blank(utm_raster());
  CHECK(read_raster_attributes(back, to_text(attributes), "a").empty());
  CHECK(geo_transform_of(back.georeferencing) == GeoTransform{5, 10, 0, 7, 0, -10});
  CHECK(geo_keys_of(back.georeferencing).code(geo_key::projected_crs) == 32725);
  CHECK(back.nodata == "nan");
  std::size_t scales = 0;
  for (const MetadataItem& item : back.metadata)
    if (item.role == "scale") scales += item.text == "0.5";
  CHECK(scales == 2);
}

TEST_CASE("attributes of others are read without our own") {
  RasterInfo back;
  back.height = 3601, back.width = 3601, back.type = SampleType::int16;
  CHECK(read_raster_attributes(
            back,
            R"({"spatial:dimensions": ["y", "x"], "spatial:transform": [0.5, 0.0, -180.0, 0.0, -0.5, 90.0],
                                   "spatial:registration": "node", "_FillValue": -32768, "units": "m", "proj:code": null})",
            "a")
            .empty());
  CHECK(geo_transform_of(back.georeferencing) == GeoTransform{-180.25, 0.5, 0, 90.25, 0, -0.5});
  CHECK(pixel_is(back.georeferencing) == PixelIs::point);
  CHECK(back.nodata == "-32768");
  REQUIRE(back.metadata.size() == 1);
  CHECK(back.metadata[0].role == "unittype");
  CHECK(back.metadata[0].text == "m");
  // A CRS that cannot be said is a note, and the pixels are read.
  CHECK(read_raster_attributes(back, R"({"proj:code": "EPSG:1"})", "a").size() == 1);
  CHECK(read_raster_attributes(back, R"({"spatial:transform_type": "rpc", "spatial:transform": []})", "a")
            .size() == 1);
}

TEST_CASE("broken attributes are an Error that names the member") {
  const auto refusal = [](const std::string& attributes) {
    RasterInfo info;
    try {
      read_raster_attributes(info, attributes, "a");
      return std::string();
    } catch (const Error& error) {
      return error.reason();
    }
  };
  CHECK(refusal(R"({"spatial:transform": [1, 2]})") == "spatial:transform: has not 6 numbers");
  CHECK(refusal(R"({"spatial:transform": [0, 0, 0, 0, 0, 0]})") ==
        "spatial:transform: its pixels have no area");
  CHECK(refusal(R"({"weir": {"version": 2}})") == "weir.version: is not 1");
  CHECK(refusal(R"({"weir": {"version": 1, "geotiff": {"key_directory": [65536]}}})") ==
        "weir.geotiff.key_directory[0]: is 65536, and from 0 to 65535 is allowed");
  CHECK(
      refusal(R"({"weir": {"version": 1, "tags": [{"id": 1, "type": 12, "count": 9, "bytes": "AQ=="}]}})") ==
      "weir.tags[0]: 9 values of type 12 are not 1 bytes");
}

TEST_CASE("a pyramid's levels are read as they are written") {
  const std::vector<ZarrLevel> levels = {{"0", 100, 200}, {"1", 50, 100}, {"2", 25, 50}};
  const std::string text = multiscales_attributes(utm_raster(), levels, "average");
  CHECK(multiscales_of(text, "a") == levels);
  const JsonValue attributes = json(text);
  const auto& layout = *attributes.find("multiscales")->find("layout")->array();
  CHECK(*layout[1].find("derived_from") == JsonValue("0"));
  CHECK(*layout[1].find("transform")->find("scale") == json("[2.0, 2.0]"));
  CHECK(*layout[2].find("spatial:transform") == json("[120.0, 0.0, 288776.5, 0.0, -120.0, 9120760.75]"));
  CHECK(attributes.find("spatial:shape") == nullptr);
  CHECK(attributes.find("zarr_conventions")->array()->size() == 3);
  CHECK(multiscales_of("{}", "a").empty());
  CHECK(multiscales_of(R"({"multiscales": [{"version": "0.4"}]})", "a").empty());  // OME-Zarr's
  CHECK_THROWS_AS(multiscales_of(R"({"multiscales": {"layout": [{"asset": "../0"}]}})", "a"), Error);
}
