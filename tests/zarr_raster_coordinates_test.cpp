// Rasters as xarray, rioxarray and GDAL leave them: their place is in arrays beside them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "nodes/raster/crs.hpp"
#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "nodes/zarr/raster_coordinates.hpp"
#include "nodes/zarr/raster_crs.hpp"
#include "pipelines/write_zarr.hpp"
#include "tests/faulty_store.hpp"
#include "tests/file_support.hpp"
#include "tests/http_server.hpp"
#include "tests/tiff_helpers.hpp"
#include "tests/zarr_raster_support.hpp"
#include "tests/zarr_support.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;
using test::Bytes;
using test::contains;
using test::HttpServer;

constexpr ZarrType float64_type{ZarrType::Kind::floating, 8};
constexpr const char* utm_wkt =
    R"(PROJCS["WGS 84 / UTM zone 25S", GEOGCS["WGS 84", DATUM["WGS_1984", SPHEROID["WGS 84", 6378137, 298.257223563]],
       PRIMEM["Greenwich", 0], UNIT["degree", 0.0174532925199433], AUTHORITY["EPSG", "4326"]],
       PROJECTION["Transverse_Mercator"], PARAMETER["latitude_of_origin", 0], PARAMETER["central_meridian", -33],
       PARAMETER["scale_factor", 0.9996], PARAMETER["false_easting", 500000], PARAMETER["false_northing", 10000000],
       UNIT["metre", 1], AUTHORITY["EPSG", "32725"]])";

/// A group "g" with the raster "g/t" of 4 x 5 pixels, which has the dimensions that `names` says, and coordinates y and x.
struct Dataset {
  explicit Dataset(int of_format = 3, std::vector<std::string> of_names = {"y", "x"})
      : format(of_format), names(std::move(of_names)) {
    ZarrGroupMetadata group;
    group.format = format;
    create_zarr(*store, "g", group);
    put("t", zarr_array({4, 5}, {4, 5}, {}, {ZarrType::Kind::unsigned_integer, 1}), names, "{}");
  }

  /// As each format says what dimensions are called.
  void put(const std::string& name, ZarrArrayMetadata array, const std::vector<std::string>& dimensions,
           const std::string& attributes) const {
    JsonValue said = parse_json(attributes, "attributes", 1 << 20, 64);
    array.format = format;
    if (format == 2) {
      array.keys = {false, '.'};
      JsonValue::Array list(dimensions.begin(), dimensions.end());
      said.set("_ARRAY_DIMENSIONS", std::move(list));
    }
    for (const std::string& dimension : dimensions)
      if (format == 3) array.dimension_names.emplace_back(dimension);
    array.attributes = to_text(said);
    create_zarr(*store, "g/" + name, array);
  }
  void put_raster(const std::string& attributes) const {
    put("t", zarr_array({4, 5}, {4, 5}, {}, {ZarrType::Kind::unsigned_integer, 1}), names, attributes);
  }
  /// A grid mapping: only its attributes count.
  void put_mapping(const std::string& name, const std::string& attributes) const {
    put(name, zarr_array({}, {}, {}, {ZarrType::Kind::integer, 8}), {}, attributes);
  }
  template <class Number = double>
  void put_centres(const std::string& name, const std::vector<double>& centres, ZarrArrayMetadata array = {},
                   const std::string& attributes = "{}") const {
    if (array.shape.empty())
      array =
          zarr_array({centres.size()}, {centres.size()}, {},
                     {std::is_floating_point_v<Number> ? ZarrType::Kind::floating : ZarrType::Kind::integer,
                      sizeof(Number)});
    put(name, array, {name}, attributes);
    const std::vector<Number> elements(centres.begin(), centres.end());
    write_zarr(open_zarr(std::shared_ptr<const Store>(store), "g/" + name), {{0, centres.size(), 1}},
               {reinterpret_cast<const std::byte*>(elements.data()), {sizeof(Number)}});
  }
  std::shared_ptr<const ZarrSource> open() const {
    counts->take();
    return std::make_shared<const ZarrSource>(open_zarr(std::shared_ptr<const Store>(counts), "g/t"));
  }
  std::optional<GeoTransform> transform() const { return geo_transform_of(open()->info().georeferencing); }
  std::string note() const {
    const auto source = open();
    CHECK_FALSE(geo_transform_of(source->info().georeferencing));
    return source->notes().size() == 1 ? source->notes().front()
                                       : fmt::format("{} notes", source->notes().size());
  }

  int format;
  std::vector<std::string> names;
  std::shared_ptr<const MemoryStore> store = std::make_shared<MemoryStore>();
  std::shared_ptr<const CountingStore> counts = std::make_shared<CountingStore>(store);
};

const std::vector<double> ys{1030, 1010, 990, 970}, xs{205, 215, 225, 235, 245};
constexpr GeoTransform place{200, 10, 0, 1040, 0, -20};

}  // namespace

TEST_CASE("coordinates beside a raster, which are centres, say where its pixels lie") {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    const Dataset data(format);
    CHECK_FALSE(data.transform());
    data.put_centres("y", ys);
    CHECK_FALSE(data.transform());
    data.put_centres("x", xs);
    CHECK(data.transform() == place);
    CHECK(data.open()->notes().empty());
    CHECK(pixel_is(data.open()->info().georeferencing) == PixelIs::area);
    data.put_centres("y", {970, 990, 1010, 1030});
    CHECK(data.transform() == GeoTransform{200, 10, 0, 960, 0, 20});  // south-up, as it is
    data.put_centres<std::int16_t>("y", ys);
    data.put_centres<float>("x", xs);
    CHECK(data.transform() == place);
  }
}

TEST_CASE("coordinates are read whatever their chunks, shards and codecs") {
  const ZarrCodecSpec big = [] {
    ZarrCodecSpec codec;
    codec.big_endian = true;
    return codec;
  }();
  ZarrCodecSpec gzip = codec_of(Id::gzip);
  gzip.level = 1;
  for (const ZarrArrayMetadata& array :
       {zarr_array({5}, {2}, {}, float64_type), zarr_array({5}, {9}, {}, float64_type, {big, gzip}),
        zarr_array({5}, {4}, {2}, float64_type, {ZarrCodecSpec{}, gzip})}) {
    const Dataset data;
    data.put_centres("y", ys);
    data.put_centres("x", xs, array);
    CHECK(data.transform() == place);
  }
  const Dataset data;  // a chunk that is not stored is fill
  data.put_centres("y", ys);
  data.put_centres("x", {0, 10, 20, 30, 40}, zarr_array({5}, {1}, {}, float64_type));
  CHECK_FALSE(data.store->size("g/x/c/0"));
  CHECK(data.transform() == GeoTransform{-5, 10, 0, 1040, 0, -20});
  data.put_centres("x", {1, 2, 3, 4, 5}, {}, R"({"scale_factor": 10, "add_offset": 195})");  // CF's packing
  CHECK(data.transform() == place);
}

TEST_CASE("coordinates are told by usual names, or by what CF says of them") {
  for (const auto& [row, col] : {std::pair("lat", "lon"), std::pair("Latitude", "LONGITUDE"),
                                 std::pair("northing", "easting"), std::pair("Y", "X")}) {
    const Dataset data(3, {row, col});
    data.put_centres(row, ys);
    data.put_centres(col, xs);
    CHECK(data.transform() == place);
  }
  const auto named = [](const std::string& of_rows, const std::string& of_cols) {
    const Dataset data(3, {"v", "u"});
    data.put_centres("v", ys, {}, of_rows);
    data.put_centres("u", xs, {}, of_cols);
    return data.transform();
  };
  CHECK(named(R"({"axis": "Y"})", R"({"axis": "X"})") == place);
  CHECK(named(R"({"standard_name": "latitude"})", R"({"standard_name": "longitude"})") == place);
  CHECK(named(R"({"standard_name": "projection_y_coordinate"})",
              R"({"standard_name": "projection_x_coordinate"})") == place);
  CHECK_FALSE(named("{}", "{}"));
  CHECK_FALSE(named(R"({"axis": "T"})", R"({"axis": "X"})"));
  CHECK_FALSE(named(R"({"axis": "X"})", R"({"axis": "Y"})"));
  const Dataset turned(3, {"x", "y"});  // columns first: 5 rows of 4
  turned.put_centres("x", ys);
  turned.put_centres("y", xs);
  CHECK(turned.transform() == GeoTransform{1040, -20, 0, 200, 0, 10});
}

TEST_CASE("uneven coordinates are no transform, and the note says so") {
  const Dataset data;
  data.put_centres("y", ys);
  data.put_centres("x", {205, 215, 225.2, 235, 245});
  CHECK(data.note() == "the array x beside it says no place: its coordinates are not evenly spaced");
  data.put_centres("x", {205, 215, std::nan(""), 235, 245});
  CHECK(contains(data.note(), "not evenly spaced"));
  data.put_centres("x", {205, 205, 205, 205, 205});
  CHECK(contains(data.note(), "not evenly spaced"));
  data.put_centres("x", {205, 215.09, 224.91, 235, 245});  // a hundredth of a pixel is nothing
  CHECK(data.transform() == place);
  data.put_centres("x", {205, 215, 225, 235, 245, 255});
  CHECK(contains(data.note(), "it has 6 coordinates of 5 pixels"));
}

TEST_CASE("spacing is even to a hundredth of a pixel, and to what float32 can hold of it") {
  std::vector<double> exact, rounded, drifting, fine;
  for (int i = 0; i < 4000; ++i) {
    exact.push_back(-170 + i / 120.0);
    rounded.push_back(static_cast<float>(exact.back()));
    drifting.push_back(i + i * i * 1e-6);  // steps that differ by 2e-6, and 4 pixels in the middle
    fine.push_back(static_cast<float>(9120760 + i * 0.5));
  }
  REQUIRE(even_centres(exact));
  CHECK(even_centres(exact)->first == -170);
  CHECK(even_centres(exact)->step == doctest::Approx(1 / 120.0));
  CHECK(even_centres(rounded));
  CHECK_FALSE(even_centres(drifting));
  CHECK_FALSE(even_centres(fine));
  CHECK_FALSE(even_centres(fine, 9120760 * 0x1p-23));  // more than a tenth of a pixel is lost
  const std::vector<double> metres{9120760, 9120784, 9120806, 9120830};  // 23 1/3 apart, a metre lost
  CHECK_FALSE(even_centres(metres));
  CHECK(even_centres(metres, 9120830 * 0x1p-23));
  CHECK_FALSE(even_centres(std::vector<double>{1}));
  CHECK_FALSE(even_centres({}));
  CHECK_FALSE(even_centres(std::vector<double>{1, std::numeric_limits<double>::infinity()}));
}

TEST_CASE("a grid mapping says the CRS, and its GeoTransform is taken where it fits the coordinates") {
  const auto attributes = [](const char* member, const std::string& transform) {
    JsonValue said = JsonValue::Object{{member, utm_wkt}};
    if (!transform.empty()) said.set("GeoTransform", transform);
    return to_text(said);
  };
  for (const int format : {2, 3})
    for (const char* member : {"crs_wkt", "spatial_ref"}) {
      const Dataset data(format);
      data.put_raster(R"({"grid_mapping": "spatial_ref"})");
      data.put_mapping("spatial_ref", attributes(member, "200 10 0 1040 0 -20 "));
      const auto alone = data.open();  // without coordinates
      CHECK(geo_transform_of(alone->info().georeferencing) == place);
      CHECK(geo_keys_of(alone->info().georeferencing).code(geo_key::projected_crs) == 32725);
      data.put_centres("y", ys);
      data.put_centres("x", xs);
      CHECK(data.transform() == place);
      data.put_mapping("spatial_ref", attributes(member, "200.25 10 0 1040 0 -20"));
      CHECK(data.transform()->x_origin == 200.25);  // nearer than a tenth of a pixel: it is the exact one
      data.put_mapping("spatial_ref",
                       attributes(member, "210 10 0 1040 0 -20"));  // of what was cut off since
      const auto cut = data.open();
      CHECK(geo_transform_of(cut->info().georeferencing) == place);
      REQUIRE(cut->notes().size() == 1);
      CHECK(cut->notes()[0] ==
            "the GeoTransform of spatial_ref does not fit the coordinates y and x: these are taken");
      data.put_mapping("spatial_ref", attributes(member, "200 10 3 1040 0 -20"));  // rotated
      CHECK(data.transform() == place);
    }
  const Dataset data;
  data.put_mapping("crs", attributes("crs_wkt", "not six numbers"));
  data.put_centres("y", ys);
  data.put_centres("x", xs);
  for (const char* said : {R"({"grid_mapping": "crs"})", R"({"grid_mapping": "crs: x y"})"}) {
    data.put_raster(said);
    CHECK(geo_keys_of(data.open()->info().georeferencing).code(geo_key::projected_crs) == 32725);
    CHECK(data.transform() == place);
  }
  data.put_mapping("spatial_ref", attributes("crs_wkt", ""));
  data.put_raster(R"({"coordinates": "band spatial_ref"})");
  CHECK(geo_keys_of(data.open()->info().georeferencing).code(geo_key::projected_crs) == 32725);
  data.put_mapping("spatial_ref", R"({"crs_wkt": "PROJCS[nonsense"})");
  CHECK(data.open()->notes().size() == 1);
  CHECK(data.transform() == place);
}

TEST_CASE("what the array says itself is not asked for beside it") {
  const Dataset data;
  data.put_mapping("m", R"({"GeoTransform": "1 1 0 1 0 -1"})");
  data.put_centres("y", ys);
  data.put_centres("x", xs);
  data.put_raster(R"({"grid_mapping": "m", "spatial:transform": [2.0, 0.0, 5.0, 0.0, -2.0, 7.0]})");
  CHECK(data.transform() == GeoTransform{5, 2, 0, 7, 0, -2});
}

TEST_CASE("the identity without a CRS is no place, and one with a CRS is") {
  const Dataset data;
  data.put_raster(R"({"grid_mapping": "spatial_ref"})");
  data.put_centres("y", {0.5, 1.5, 2.5, 3.5});
  data.put_centres("x", {0.5, 1.5, 2.5, 3.5, 4.5});
  data.put_mapping("spatial_ref", R"({"GeoTransform": "0.0 1.0 0.0 0.0 0.0 1.0"})");
  CHECK_FALSE(data.transform());
  data.put_mapping("spatial_ref", to_text(JsonValue::Object{{"crs_wkt", utm_wkt}}));
  CHECK(data.transform() == GeoTransform());
}

TEST_CASE("missing_value is nodata where nothing else says so") {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    Dataset data(format);
    ZarrArrayMetadata array = zarr_array({4, 5}, {4, 5}, {}, {ZarrType::Kind::floating, 4});
    array.fill = format == 2 ? std::vector<std::byte>{} : array.fill;
    data.put("t", array, {"y", "x"}, R"({"missing_value": -9999.0})");
    CHECK(data.open()->info().nodata == "-9999.0");
    // xarray's _FillValue is v2's fill.
    array.fill = {std::byte{0}, std::byte{0}, std::byte{0xc0}, std::byte{0x7f}};
    data.put("t", array, {"y", "x"},
             format == 2 ? R"({"missing_value": -9999.0})"
                         : R"({"missing_value": -9999.0, "_FillValue": "AAAAAAAA+H8="})");
    CHECK(data.open()->info().nodata == "nan");
  }
}

TEST_CASE("a raster without coordinates costs one request more, one in the root or with its own place none") {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    const std::uint64_t metadata = format == 2 ? 2 : 1;
    const Dataset data(format);
    const auto requests = [&](const Dataset& of) {
      of.open();
      return of.counts->take().read_requests() - (format == 2 ? 3 : 1);  // beside those for the array
    };
    CHECK(requests(data) == 1);
    data.put_raster(R"({"grid_mapping": "m"})");
    CHECK(requests(data) == 2);
    data.put_centres("y", ys);
    data.put_centres("x", xs);
    data.put_mapping("m", "{}");
    CHECK(requests(data) == 2 * metadata + 3);  // of the grid mapping, one document
    data.put_raster(R"({"proj:code": "EPSG:32725", "grid_mapping": "m",
                        "spatial:transform": [2.0, 0.0, 5.0, 0.0, -2.0, 7.0]})");
    CHECK(requests(data) == 0);
    // A group that says what is in it leaves the coordinates themselves.
    data.put_raster(R"({"grid_mapping": "m"})");
    consolidate_zarr(*data.store, "g");
    ZarrRasterOptions options;
    options.group = std::make_shared<const ZarrNode>(open_zarr(*data.store, "g"));
    const auto array = open_zarr(std::shared_ptr<const Store>(data.counts), "g/t");
    data.counts->take();
    const ZarrSource source(array, options);
    CHECK(geo_transform_of(source.info().georeferencing) == place);
    CHECK(data.counts->take().read_requests() == 2);
  }
  const auto store = std::make_shared<CountingStore>(std::make_shared<MemoryStore>());
  ZarrArrayMetadata root = zarr_array({4, 5}, {4, 5}, {}, {ZarrType::Kind::unsigned_integer, 1});
  root.dimension_names = {"y", "x"};
  create_zarr(*store, "", root);
  const auto array = open_zarr(std::shared_ptr<const Store>(store), "");
  store->take();
  CHECK_FALSE(geo_transform_of(ZarrSource(array).info().georeferencing));
  CHECK(store->take().read_requests() == 0);
}

TEST_CASE("hostile coordinates are a note, and take no memory of the size that they claim") {
  const Dataset data;
  data.put_centres("y", ys);
  const auto refused = [&](const ZarrArrayMetadata& array) {
    data.put("x", array, {"x"}, "{}");
    return data.note();
  };
  CHECK(
      contains(refused(zarr_array({1ull << 40}, {1ull << 20}, {}, float64_type)), "coordinates of 5 pixels"));
  CHECK(contains(refused(zarr_array({5}, {1ull << 27}, {}, float64_type)), "bytes"));
  CHECK(contains(refused(zarr_array({5}, {1ull << 40}, {1ull << 27}, float64_type)), "bytes"));
  CHECK(contains(refused(zarr_array({5}, {5}, {}, {ZarrType::Kind::complex, 16})), "no numbers"));
  CHECK(
      contains(refused(zarr_array({5}, {5}, {}, {ZarrType::Kind::raw, 3})), "pixels of rasters are numbers"));
  data.put("x", zarr_array({5, 5}, {5, 5}, {}, float64_type), {"x", "z"}, "{}");
  CHECK(data.note() == "0 notes");
  data.put("x", zarr_array({5}, {5}, {}, float64_type), {"x"}, "{}");
  data.store->put("g/x/c/0", Bytes(39));
  CHECK(contains(data.note(), "it has 39 bytes, and its elements take 40"));
  data.store->put("g/x/zarr.json", std::as_bytes(std::span("{\"zarr_format\": 3", 17)));
  CHECK(contains(data.note(), "the array x beside it says no place"));

  // A raster so wide that reading its coordinates is not worth it.
  const Dataset wide(3, {"y", "x"});
  wide.put("t", zarr_array({4, 1ull << 40}, {4, 5}, {}, {ZarrType::Kind::unsigned_integer, 1}), {"y", "x"},
           "{}");
  wide.put_centres("y", ys);
  wide.put("x", zarr_array({1ull << 40}, {1 << 20}, {}, float64_type), {"x"}, "{}");
  CHECK(contains(wide.note(), "and 4194304 are the most"));
  wide.put("t", zarr_array({4, 1000}, {4, 5}, {}, {ZarrType::Kind::unsigned_integer, 1}), {"y", "x"}, "{}");
  wide.put("x", zarr_array({1000}, {3}, {}, float64_type), {"x"}, "{}");
  CHECK(contains(wide.note(), "more than 256 chunks"));

  // Names are keys of the store, and those of neighbours.
  for (const char* name : {"../y", "", ".", "a/b", "/", "g//x"}) {
    const Dataset named(3, {name, "x"});
    named.put_raster(to_text(JsonValue::Object{{"grid_mapping", name}}));
    CHECK(named.note() == "0 notes");
    CHECK(named.counts->take().read_requests() == 1);  // for the array itself
  }
}

TEST_CASE("a store that fails beside a raster is an error, never a raster without a place") {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    const Dataset data(format);
    data.put_raster(R"({"grid_mapping": "m"})");
    data.put_mapping("m", to_text(JsonValue::Object{{"crs_wkt", utm_wkt}}));
    data.put_centres("y", ys);
    data.put_centres("x", xs);
    const auto store = std::make_shared<test::FaultyStore>(data.store);
    const auto open = [&] { return ZarrSource(open_zarr(std::shared_ptr<const Store>(store), "g/t")); };
    CHECK(geo_transform_of(open().info().georeferencing) == place);
    const std::size_t calls = store->log().size();
    CHECK(calls == (format == 2 ? 10 : 6));
    for (std::size_t call = 1; call <= calls; ++call) {
      CAPTURE(call);
      store->fail_at = store->log().size() + call;
      CHECK_THROWS_WITH_AS(open(), doctest::Contains("a planted fault"), Error);
    }
  }
}

TEST_CASE("a grid mapping says the CRS, whatever its elements are") {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    const Dataset data(format);
    data.put_raster(R"({"grid_mapping": "m"})");
    data.put_mapping("m", to_text(JsonValue::Object{{"crs_wkt", utm_wkt}}));
    const std::string key = format == 2 ? "g/m/.zarray" : "g/m/zarr.json";
    const Bytes stored = pipeline_test::objects_of(*data.store)[key];
    std::string document(reinterpret_cast<const char*>(stored.data()), stored.size());
    const std::string type = format == 2 ? "<i8" : "int64";
    document.replace(document.find(type), type.size(), format == 2 ? "|S1" : "string");
    data.store->put(key, std::as_bytes(std::span(document)));
    const auto source = data.open();
    CHECK(geo_keys_of(source->info().georeferencing).code(geo_key::projected_crs) == 32725);
    CHECK_MESSAGE(source->notes().empty(), source->notes().front());
  }
}

TEST_CASE("kilometres and radians are not taken for metres and degrees") {
  const Dataset data;
  data.put_centres("y", ys);
  for (const char* unit : {"km", "rad"}) {
    data.put_centres("x", xs, {}, to_text(JsonValue::Object{{"units", unit}}));
    CHECK(contains(data.note(),
                   fmt::format("the array x beside it says no place: its coordinates are in {}", unit)));
  }
  data.put_centres("x", xs, {}, R"({"units": "m"})");
  CHECK(data.transform() == place);
}

TEST_CASE("WKT says its code without PROJ where its root has one") {
  CHECK(code_in_wkt(utm_wkt) == "projected:32725");
  CHECK(code_in_wkt(R"(GEOGCRS["WGS 84",DATUM["x",ELLIPSOID["y",6378137,298.2]],CS[ellipsoidal,2],
                       USAGE[SCOPE["all"],BBOX[-90,-180,90,180]],ID["EPSG",4326]] )") == "geographic:4326");
  CHECK_FALSE(code_in_wkt(
      R"(GEOGCRS["mine",DATUM["x",ELLIPSOID["y",1,2]],CS[ellipsoidal,2],UNIT["degree",1,ID["EPSG",9122]]])"));
  CHECK_FALSE(code_in_wkt(R"(GEOGCS["mine",UNIT["degree",1,AUTHORITY["EPSG","9122"]]])"));
  CHECK_FALSE(code_in_wkt(R"(COMPD_CS["both",AUTHORITY["EPSG","1234"]])"));
  CHECK_FALSE(code_in_wkt(""));
  for (std::size_t bytes = 0; bytes < std::strlen(utm_wkt) - 1; ++bytes)
    CHECK_FALSE(code_in_wkt(std::string_view(utm_wkt).substr(0, bytes)));
}

#ifdef WEIR_WITH_CURL

TEST_CASE("coordinates are read over http, and a window is found by them") {
  const Dataset data;
  data.put_centres("y", ys);
  data.put_centres("x", xs);
  HttpServer server;
  for (const auto& [key, bytes] : pipeline_test::objects_of(*data.store))
    server.serve("/a.zarr/" + key, {.bytes = bytes});
  ZarrRasterOpenOptions options;
  Window part{};
  options.part = [&](const RasterInfo& whole) {
    part = window_of({210, 980, 230, 1020}, whole);
    return part;
  };
  const auto source = open_zarr_raster(server.url("/a.zarr/g/t"), options);
  CHECK(geo_transform_of(source->info().georeferencing) == place);
  CHECK(part == Window{1, 1, 2, 2});
  CHECK(server.count() == 5);  // three documents, two chunks
}

#endif

}  // namespace weir
