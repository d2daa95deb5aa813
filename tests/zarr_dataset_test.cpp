// Rasters as datasets: coordinates beside the array, as other programs look for them (nodes/zarr/raster_dataset.hpp).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "nodes/raster/crs.hpp"
#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/proj_crs.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "nodes/zarr/json_value.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "nodes/zarr/zarr_hierarchy.hpp"
#include "pipelines/read_zarr.hpp"
#include "pipelines/write_zarr_raster.hpp"
#include "tests/file_support.hpp"
#include "tests/text_support.hpp"
#include "tests/zarr_raster_support.hpp"

namespace weir::pipeline_test {
namespace {

std::shared_ptr<const ChunkSource> olinda() {
  return open_tiff(std::string(WEIR_TEST_DATA) + "/olinda_dem_utm25s.tif");
}

std::vector<double> elements_of(const std::shared_ptr<const Store>& store, const std::string& path) {
  const auto array = open_zarr(store, path);
  const ZarrSelection all = everything(*array);
  std::vector<double> elements(all[0].count);
  read_zarr(array, all, {reinterpret_cast<std::byte*>(elements.data()), {sizeof(double)}});
  return elements;
}

JsonValue attributes_of(const std::shared_ptr<const Store>& store, const std::string& path) {
  return parse_json(open_zarr(store, path)->metadata().attributes, path, 1 << 20, 64);
}

std::string text_of(const JsonValue& attributes, const char* name) {
  const JsonValue* found = attributes.find(name);
  return found != nullptr && found->text() != nullptr ? *found->text() : "";
}

WriteZarrRasterOptions dataset_options(int format) {
  WriteZarrRasterOptions options;
  options.format = format;
  options.dataset = "dem";
  options.georeferencing.crs = "projected:32725";
  return options;
}

}  // namespace

TEST_CASE("a dataset has the centres of its rows and columns beside the raster, and where it lies") {
  for (const int format : {2, 3}) {
    CAPTURE(format);
    const auto source = olinda();
    const auto store = std::make_shared<const MemoryStore>();
    ZarrRasterWrite(source, store, "g", dataset_options(format)).run();
    const RasterInfo& info = source->info();
    const GeoTransform transform = *geo_transform_of(info.georeferencing);
    const auto rows = elements_of(store, "g/y"), cols = elements_of(store, "g/x");
    REQUIRE(rows.size() == info.height);
    REQUIRE(cols.size() == info.width);
    for (std::size_t i = 0; i < rows.size(); ++i)
      CHECK(rows[i] == transform.y_origin + (static_cast<double>(i) + 0.5) * transform.y_per_row);
    for (std::size_t i = 0; i < cols.size(); ++i)
      CHECK(cols[i] == transform.x_origin + (static_cast<double>(i) + 0.5) * transform.x_per_col);
    CHECK(text_of(attributes_of(store, "g/x"), "axis") == "X");
    CHECK(text_of(attributes_of(store, "g/y"), "standard_name") == "projection_y_coordinate");
    CHECK(text_of(attributes_of(store, "g/dem"), "grid_mapping") == "spatial_ref");
    CHECK(text_of(attributes_of(store, "g/dem"), "coordinates") == "spatial_ref");
    const JsonValue place = attributes_of(store, "g/spatial_ref");
    CHECK(text_of(place, "GeoTransform") == fmt::format("{} {} 0 {} 0 {}", transform.x_origin,
                                                        transform.x_per_col, transform.y_origin,
                                                        transform.y_per_row));
    const CrsText crs = crs_text(32725);
    CHECK(text_of(place, "crs_wkt") == crs.wkt2);
    CHECK(text_of(place, "spatial_ref") == crs.wkt1);
    CHECK(text_of(attributes_of(store, "g/x"), "units") == crs.unit);
    CHECK(crs.wkt2.empty() == !has_proj());
    if (!has_proj()) continue;
    CHECK(crs.wkt2.starts_with("PROJCRS[\"WGS 84 / UTM zone 25S\""));
    CHECK(crs.wkt1.starts_with("PROJCS[\"WGS 84 / UTM zone 25S\""));
    CHECK(crs.unit == "metre");
  }
}

TEST_CASE(
    "a dataset is the raster that it was made from, by what its array says and by what lies beside it") {
  const test::Folder folder;
  for (const int format : {2, 3}) {
    CAPTURE(format);
    const auto source = olinda();
    const std::string path = fmt::format("{}/{}.zarr", folder.path, format);
    write_zarr_raster(source, path, dataset_options(format));
    const auto same = [&] {
      const auto read = open_zarr_raster(path);
      CHECK(read->notes().empty());
      CHECK(geo_transform_of(read->info().georeferencing) == geo_transform_of(source->info().georeferencing));
      CHECK(geo_keys_of(read->info().georeferencing).code(geo_key::projected_crs) == std::uint16_t{32725});
      CHECK((read_back(read) == read_back(source)));
    };
    same();
    // As another program knows it: without what is ours, and what zarr-conventions say.
    const FolderStore store(path);
    ZarrArrayMetadata array = *open_zarr(store, "dem").array();
    JsonValue said = parse_json(array.attributes, "dem", 1 << 20, 64);
    for (const char* name : {"weir", "proj:code", "spatial:dimensions", "spatial:shape", "spatial:transform",
                             "spatial:bbox", "spatial:registration", "zarr_conventions", "_CRS"})
      said.erase(name);
    array.attributes = to_text(said);
    create_zarr(store, "dem", array);
    if (has_proj()) same();
  }
}

TEST_CASE("coordinates of a dataset lie in chunks of one size, however many there are") {
  const Raster raster = made_raster(3, 70'000, SampleType::uint8);
  const auto store = std::make_shared<const MemoryStore>();
  WriteZarrRasterOptions options = dataset_options(3);
  options.georeferencing.crs.clear();
  options.georeferencing.transform = GeoTransform{500'000, 0.25, 0, 9'000'000, 0, -0.25};
  options.graph.memory = 8 << 20;
  const RunReport report = ZarrRasterWrite(source_of(raster, 3, 1000), store, "g", options).run();
  CHECK(report.peak_payload <= report.memory_limit);
  const auto cols = elements_of(store, "g/x");
  REQUIRE(cols.size() == 70'000);
  CHECK(cols.front() == 500'000.125);
  CHECK(cols[40'000] == 500'000 + 40'000.5 * 0.25);
  CHECK(cols.back() == 500'000 + 69'999.5 * 0.25);
  CHECK(store->size("g/x/c/2"));
  CHECK_FALSE(store->size("g/x/c/3"));
  CHECK(text_of(attributes_of(store, "g/x"), "axis") == "X");
  CHECK(text_of(attributes_of(store, "g/x"), "standard_name").empty());  // it has no CRS
}

TEST_CASE(
    "axes of a dataset are called latitude and longitude where the CRS says so in degrees, and nowhere "
    "else") {
  const auto said = [](const std::string& crs, const char* name) {
    const auto store = std::make_shared<const MemoryStore>();
    WriteZarrRasterOptions options = dataset_options(3);
    options.georeferencing.crs = crs;
    options.georeferencing.transform = GeoTransform{-35, 0.01, 0, -7, 0, -0.01};
    ZarrRasterWrite(source_of(made_raster(10, 10), 10, 10), store, "g", options).run();
    return text_of(attributes_of(store, "g/x"), name);
  };
  CHECK(said("geographic:4326", "standard_name") == "longitude");
  CHECK(said("geographic:4326", "units") == "degrees_east");
  CHECK(said("projected:32725", "standard_name") == "projection_x_coordinate");
  CHECK(said("", "standard_name").empty());
  if (has_proj()) {
    CHECK(said("geographic:4807", "standard_name").empty());  // in grads
    CHECK(said("projected:2263", "units") == "US survey foot");
  }
}

TEST_CASE("chunks that pass through make the same dataset") {
  const auto store = std::make_shared<const MemoryStore>();
  const test::Folder folder;
  write_zarr_raster(olinda(), folder / "a.zarr", {});
  const auto source = open_zarr_raster(folder / "a.zarr");
  for (const bool passes : {false, true}) {
    WriteZarrRasterOptions options = dataset_options(3);
    options.pass_through = passes ? PassThrough::required : PassThrough::never;
    ZarrRasterWrite(source, store, passes ? "passed" : "encoded", options).run();
  }
  std::map<std::string, std::vector<std::byte>> passed, encoded;
  for (const auto& [key, bytes] : objects_of(*store)) {
    if (key.starts_with("passed/")) passed[key.substr(7)] = bytes;
    if (key.starts_with("encoded/")) encoded[key.substr(8)] = bytes;
  }
  CHECK(passed.size() > 5);
  CHECK((passed == encoded));
}

TEST_CASE("what is no dataset is refused before anything is written") {
  const auto store = std::make_shared<const MemoryStore>();
  const auto refusal = [&](const std::shared_ptr<const ChunkSource>& source,
                           const WriteZarrRasterOptions& options) {
    return test::error_of([&] { ZarrRasterWrite(source, store, "g", options).run(); });
  };
  WriteZarrRasterOptions options = dataset_options(3);
  const Raster plain = made_raster(10, 10);
  CHECK(test::contains(refusal(source_of(plain, 10, 10), options).what(), "has no transform"));
  options.georeferencing.transform = GeoTransform{0, 1, 0.5, 0, 0.5, -1};
  CHECK(test::contains(refusal(source_of(plain, 10, 10), options).what(), "is turned"));
  for (const std::string name : {"x", "y", "spatial_ref", "a/b", "..", ""}) {
    CAPTURE(name);
    options = dataset_options(3);
    options.dataset = name;
    CHECK(refusal(olinda(), options).kind() == ErrorKind::usage);
  }
  options = dataset_options(3);
  options.georeferencing.transform = GeoTransform{0, 1, 0, 0, 0, -1};
  options.dataset = "band";
  CHECK(test::contains(refusal(source_of(made_raster(10, 10, SampleType::uint8, 3), 10, 10), options).what(),
                       "an axis, is called so"));
  options = dataset_options(3);
  options.interleaved = true;
  options.pyramid = OverviewOptions{};
  CHECK(test::contains(refusal(olinda(), options).what(), "no dataset of one array"));
  CHECK(objects_of(*store).empty());
}

TEST_CASE(
    "a dataset that was not finished in a bucket makes place for the next one, and what is not of Zarr does "
    "not") {
  const auto store = std::make_shared<const MemoryStore>();
  WriteZarrRasterOptions options = dataset_options(2);
  ZarrRasterWrite(olinda(), store, "g", options).run();
  store->erase("g/.zgroup");  // which comes last
  store->erase("g/dem/.zarray");
  CHECK(test::error_of([&] { ZarrRasterWrite(olinda(), store, "g", options).run(); }).kind() ==
        ErrorKind::usage);
  options.overwrite = true;
  store->put("g/notes/7", {});
  CHECK(test::contains(test::error_of([&] { ZarrRasterWrite(olinda(), store, "g", options).run(); }).what(),
                       "nothing of a Zarr array"));
  store->erase("g/notes/7");
  ZarrRasterWrite(olinda(), store, "g", options).run();
  CHECK(store->size("g/.zgroup"));
  CHECK(elements_of(store, "g/x").size() == 111);
}

}  // namespace weir::pipeline_test
