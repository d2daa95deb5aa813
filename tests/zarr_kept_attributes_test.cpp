// From Zarr to Zarr: what Weir does not know of an array stays, and so do the names of its axes.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "nodes/raster/convert_source.hpp"
#include "nodes/raster/select_source.hpp"
#include "nodes/raster/window_source.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "pipelines/write_zarr_raster.hpp"
#include "tests/zarr_raster_support.hpp"
#include "tests/zarr_support.hpp"

namespace weir::pipeline_test {
namespace {

constexpr const char* user_attributes =
    R"({"title": "Sea surface", "history": {"made": [1, 2.50, "x"], "by": null}, "big": 18446744073709551615,
        "cell_methods": "time: mean", "valid_range": [0, 9], "actual_range": [1, 8], "STATISTICS_MAXIMUM": 8,
        "flag_values": [1, 2], "units": 7, "long_name": "temperature", "scale_factor": 0.5, "add_offset": "none",
        "missing_value": 200, "_FillValue": 255, "grid_mapping": "crs", "coordinates": "lat lon",
        "_ARRAY_DIMENSIONS": ["old"], "_CRS": {"url": "http://www.opengis.net/def/crs/EPSG/0/32725"},
        "zarr_conventions": [{"uuid": "theirs"}, {"uuid": "d35379db-88df-4056-af3a-620245f8e347"}],
        "spatial:transform": [2.0, 0.0, 5.0, 0.0, -2.0, 7.0]})";

JsonValue json(const std::string& text) {
  return parse_json(text, "attributes", 1 << 20, 64);
}

/// An array of bytes in a store of its own.
std::shared_ptr<const ZarrArray> array_of(const std::vector<std::uint64_t>& shape,
                                          const std::vector<std::string>& names,
                                          const std::string& attributes = user_attributes) {
  const auto store = std::make_shared<MemoryStore>();
  ZarrArrayMetadata array = zarr_array(shape, shape, {}, {ZarrType::Kind::unsigned_integer, 1});
  array.dimension_names.assign(names.begin(), names.end());
  array.attributes = attributes;
  create_zarr(*store, "", array);
  return open_zarr(std::shared_ptr<const Store>(store), "");
}

/// The array that a source becomes.
ZarrArrayMetadata written(const std::shared_ptr<const ChunkSource>& source,
                          const WriteZarrRasterOptions& options = {}) {
  const auto store = std::make_shared<MemoryStore>();
  ZarrRasterWrite(source, store, "", options).run();
  return *open_zarr(*store, "").array();
}

std::vector<std::string> missing(const JsonValue& attributes, const std::vector<std::string>& names) {
  std::vector<std::string> lacking;
  for (const std::string& name : names)
    if (attributes.find(name) == nullptr) lacking.push_back(name);
  return lacking;
}

const std::vector<std::string> names{"time", "lat", "lon"};
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("attributes that are nobody's, and names of axes, stay as they are from Zarr to Zarr") {
  const JsonValue before = json(user_attributes);
  for (const int format : {3, 2})
    for (const PassThrough pass : {PassThrough::automatic, PassThrough::never})
      for (const bool interleaved : {false, true}) {
        CAPTURE(format);
        CAPTURE(interleaved);
        WriteZarrRasterOptions options;
        options.format = format;
        options.pass_through = pass;
        options.interleaved = interleaved;
        options.compressor = "none";
        const auto source = std::make_shared<const ZarrSource>(array_of({3, 8, 9}, names));
        const ZarrArrayMetadata array = written(source, options);
        CHECK(dimensions_of(array) == (interleaved ? Names{"lat", "lon", "time"} : names));
        const JsonValue after = json(array.attributes);
        for (const char* name :
             {"title", "history", "big", "cell_methods", "valid_range", "actual_range", "STATISTICS_MAXIMUM",
              "flag_values", "missing_value", "units", "add_offset", "long_name", "scale_factor"}) {
          CAPTURE(name);
          REQUIRE(after.find(name) != nullptr);
          CHECK(*after.find(name) == *before.find(name));
        }
        CHECK(missing(after, {"grid_mapping", "coordinates"}) == Names{"grid_mapping", "coordinates"});
        CHECK((after.find("_FillValue") == nullptr) == (format == 2));  // v2's is the array's fill
        CHECK(to_text(*after.find("spatial:dimensions")) == R"(["lat", "lon"])");
        const auto& conventions = *after.find("zarr_conventions")->array();
        REQUIRE(conventions.size() == 3);
        CHECK(*conventions[0].find("uuid") == JsonValue("theirs"));
        // Once more is the same.
        const auto store = std::make_shared<MemoryStore>();
        create_zarr(*store, "", array);
        const auto again =
            std::make_shared<const ZarrSource>(open_zarr(std::shared_ptr<const Store>(store), ""));
        CHECK(again->axes() == (interleaved ? RasterAxes{0, 1, 2} : RasterAxes{1, 2, 0}));
        CHECK(written(again, options) == array);
      }
}

TEST_CASE("attributes of a kind that CF does not mean stay, but where ours say it") {
  // Members that ours take the place of do not leave it to them: what is written of what was written is the same.
  const auto source = std::make_shared<const ZarrSource>(array_of(
      {8, 9}, {"y", "x"},
      R"({"_FillValue": [1], "units": 7, "add_offset": "none", "zarr_conventions": 3, "title": "Mine",
                   "weir": {"version": 1, "nodata": "5", "metadata": [
                     {"name": "u", "text": "m", "sample": 0, "role": "unittype"}]},
                   "spatial:transform": [2.0, 0.0, 5.0, 0.0, -2.0, 7.0]})"));
  const ZarrArrayMetadata array = written(source);
  const JsonValue after = json(array.attributes);
  CHECK(*after.find("units") == JsonValue("m"));
  CHECK(*after.find("_FillValue") == JsonValue(5));
  CHECK(*after.find("add_offset") == JsonValue("none"));
  CHECK(after.find("zarr_conventions")->array()->size() == 1);
  const auto store = std::make_shared<MemoryStore>();
  create_zarr(*store, "", array);
  const auto again = std::make_shared<const ZarrSource>(open_zarr(std::shared_ptr<const Store>(store), ""));
  CHECK(written(again) == array);
}

TEST_CASE("of a part, of chosen samples and of other values, what is still true stays") {
  const auto whole = std::make_shared<const ZarrSource>(array_of({3, 8, 9}, names));
  const Names statistics{"actual_range", "STATISTICS_MAXIMUM"};
  const Names values{"flag_values", "missing_value", "units", "valid_range", "add_offset"};
  const auto lacks = [&](const std::shared_ptr<const ChunkSource>& source, const Names& gone) {
    const ZarrArrayMetadata array = written(source);
    const JsonValue after = json(array.attributes);
    CHECK(missing(after, {"title", "history", "big", "cell_methods"}).empty());
    CHECK(missing(after, gone) == gone);
    return array;
  };
  const auto part = std::make_shared<const WindowSource>(whole, Window{1, 2, 4, 5});
  ZarrArrayMetadata array = lacks(part, statistics);
  CHECK(dimensions_of(array) == names);
  CHECK(missing(json(array.attributes), values).empty());
  array = written(std::make_shared<const WindowSource>(whole, Window{0, 0, 8, 9}));
  CHECK(missing(json(array.attributes), statistics).empty());

  array = lacks(std::make_shared<const SelectSource>(whole, std::vector<std::uint32_t>{1}), statistics);
  CHECK(dimensions_of(array) == Names{"lat", "lon"});
  CHECK(missing(json(array.attributes), values).empty());

  ConvertOptions wider;
  wider.type = SampleType::uint16;
  array = lacks(std::make_shared<const ConvertSource>(whole, wider), statistics);
  CHECK(missing(json(array.attributes), values).empty());
  ConvertOptions other;
  other.scale = 2;
  lacks(std::make_shared<const ConvertSource>(whole, other), statistics);
  lacks(std::make_shared<const ConvertSource>(whole, other), values);
}

TEST_CASE("axes are called y, x and band where a reader would take other names for other axes") {
  const auto dimensions = [](const std::vector<std::uint64_t>& shape, const Names& named,
                             const std::string& axes, bool interleaved) {
    WriteZarrRasterOptions options;
    options.interleaved = interleaved;
    const auto source =
        std::make_shared<const ZarrSource>(array_of(shape, named, "{}"), ZarrRasterOptions{.axes = axes});
    return dimensions_of(written(source, options));
  };
  CHECK(dimensions({4, 5}, {"v", "u"}, "auto", false) == Names{"v", "u"});
  CHECK(dimensions({4, 5}, {"Y", "X"}, "auto", false) == Names{"Y", "X"});
  CHECK(dimensions({4, 5}, {"x", "y"}, "y,x", false) == Names{"y", "x"});
  CHECK(dimensions({4, 5}, {"x", "y"}, "auto", false) == Names{"y", "x"});  // turned round
  CHECK(dimensions({3, 4, 5}, {"b", "v", "u"}, "auto", false) == Names{"b", "v", "u"});
  CHECK(dimensions({3, 4, 5}, {"b", "v", "u"}, "auto", true) == Names{"y", "x", "band"});
  CHECK(dimensions({3, 4, 5}, {"", "lat", "lon"}, "auto", true) == Names{"lat", "lon", "band"});
  CHECK(dimensions({3, 4, 5}, {}, "auto", true) == Names{"y", "x", "band"});
}

TEST_CASE("the full level of a pyramid keeps the attributes, and all levels the names of axes") {
  const TemporaryFolder folder;
  WriteZarrRasterOptions options;
  options.pyramid = OverviewOptions{};
  options.chunk_height = options.chunk_width = 16;
  write_zarr_raster(std::make_shared<const ZarrSource>(array_of({40, 50}, {"lat", "lon"})), folder / "a.zarr",
                    options);
  for (unsigned level = 0; level < 2; ++level) {
    ZarrRasterOpenOptions open;
    open.overview = level;
    const ZarrArrayMetadata array = open_zarr_raster(folder / "a.zarr", open)->array().metadata();
    CHECK(dimensions_of(array) == Names{"lat", "lon"});
    CHECK((json(array.attributes).find("title") != nullptr) == (level == 0));
  }
  const Bytes bytes = file_bytes(folder / "a.zarr/zarr.json");
  const JsonValue group = json({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  CHECK(to_text(*group.find("attributes")->find("spatial:dimensions")) == R"(["lat", "lon"])");
}

}  // namespace weir::pipeline_test
