#include <filesystem>
#include <fstream>

#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/proj_crs.hpp"
#include "nodes/raster/window_source.hpp"
#include "pipelines/read_geotiff.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// Where rasters lie, as a user says and sees it. GDAL's opinion: tests/foreign/crs_agree.py.

namespace weir::command_test {
namespace {

using pipeline_test::pixels_read_back;

/// olinda_dem_utm25s.tif: 111 x 111 pixels.
const std::string dem = data("olinda_dem_utm25s.tif");

std::string refused(std::vector<std::string> arguments) {
  const Ended ended = weir(arguments);
  CHECK(ended.code == 2);
  CHECK(says_one_line(ended));
  return ended.err;
}

Georeferencing place_of(const std::string& path) {
  return TiffSource(path).info().georeferencing;
}

/// The box of pixels [col, col_end) x [row, row_end), as an option's value.
std::string box_of(const std::string& path, double col, double row, double col_end, double row_end) {
  const GeoTransform transform = *geo_transform_of(place_of(path));
  const ModelPoint first = transform.at(col, row), last = transform.at(col_end, row_end);
  return to_text(Bounds{first.x, last.y, last.x, first.y});
}

TEST_CASE("--bbox is the window of the pixels in the box") {
  const TemporaryFolder folder;
  const std::string by_box = folder / "box.tif", by_window = folder / "window.tif";
  REQUIRE(weir({"convert", dem, by_box, "--bbox", box_of(dem, 10, 20, 60, 50)}).code == 0);
  REQUIRE(weir({"convert", dem, by_window, "--window", "10,20,50,30"}).code == 0);
  CHECK(file_bytes(by_box) == file_bytes(by_window));
  // Half pixels count whole.
  REQUIRE(weir({"convert", dem, by_box, "--overwrite", "--bbox", box_of(dem, 10.5, 20.5, 59.5, 49.5)}).code ==
          0);
  CHECK(file_bytes(by_box) == file_bytes(by_window));
  REQUIRE(weir({"read", dem, "--bbox", box_of(dem, 3, 4, 9, 8), "--output", folder / "box.npy"}).code == 0);
  REQUIRE(weir({"read", dem, "--window", "3,4,6,4", "--output", folder / "window.npy"}).code == 0);
  CHECK(file_bytes(folder / "box.npy") == file_bytes(folder / "window.npy"));
}

TEST_CASE("a read of a box prints itself as a graph, and that reads the same") {
  const TemporaryFolder folder;
  const std::string rows = folder / "rows.npy", file = folder / "graph.yaml";
  const std::vector<std::string> read{"read",     dem,  "--bbox",     box_of(dem, 3, 4, 9, 8),
                                      "--output", rows, "--overwrite"};
  REQUIRE(weir(read).code == 0);
  const Bytes right = file_bytes(rows);
  std::vector<std::string> print = read;
  print.push_back("--print-graph");
  std::ofstream(file) << weir(print).out;
  std::filesystem::remove(rows);
  REQUIRE(weir({"run", file}).code == 0);
  CHECK(file_bytes(rows) == right);
}

TEST_CASE("a failed read of a box names the window that fails again") {
  const TemporaryFolder folder;
  const std::string in = folder / "in.tif", report = folder / "run.json";
  make_terrain(in, "600x600");
  const std::string box = box_of(in, 300, 280, 590, 600);
  std::filesystem::resize_file(in, std::filesystem::file_size(in) - 10000);
  CHECK(weir({"convert", in, folder / "out.tif", "--bbox", box, "--report", report}).code == 1);
  const std::string json = text_of(report);
  const std::size_t window = json.find("--window ");
  REQUIRE(window != std::string::npos);
  const std::string numbers = json.substr(window + 9, json.find(' ', window + 9) - window - 9);
  const Window part = parse_window(numbers);
  CHECK(part.row >= 280);
  CHECK(part.col >= 300);
  CHECK(weir({"read", in, "--window", numbers, "--output", folder / "chunk.npy"}).code == 1);
}

TEST_CASE("a box that is none, or reaches out of the raster, is refused") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  CHECK(contains(refused({"convert", dem, out, "--bbox", "1,2,3"}), "minx,miny,maxx,maxy"));
  CHECK(contains(refused({"convert", dem, out, "--bbox", "0,0,1,1"}), "the raster's is 2"));
  CHECK(contains(refused({"convert", dem, out, "--bbox", "0,0,1,1", "--window", "0,0,1,1"}), "--bbox"));
  CHECK(contains(refused({"read", dem, "--output", folder / "o.npy", "--bbox", box_of(dem, 0, 0, 112, 5)}),
                 "the raster's is"));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("what is said of the place replaces what the input says, in the pipeline and in its graph") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif", file = folder / "graph.yaml";
  std::vector<std::vector<std::string>> ways{
      {"--crs", "projected:32633"},
      {"--crs", "geographic:4326", "--geotransform", "10,0.1,0,50,0,-0.1"},
      {"--geotransform", "500000,9,3.5,4000000,2,-8.25", "--pixel-is", "point"},
      {"--bounds", "-180,-90,180,90"},
      {"--gcp", "0,0,10,50", "--gcp", "20.5,30,11,51,7", "--pixel-is", "area"},
      {"--pixel-is", "point"},
      {"--bbox", box_of(dem, 10, 20, 60, 50)},
  };
  if (has_proj()) {
    ways.push_back(
        {"--crs", "+proj=laea +lat_0=52.5 +lon_0=-10 +datum=WGS84", "--vertical-crs", "EPSG:5773"});
    ways.push_back({"--crs",
                    "GEOGCS[\"it's mine\",DATUM[\"d\",SPHEROID[\"e\",6378000,298]],"
                    "PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.0174532925199433]]"});
  }
  const Bytes source_pixels = pixels_read_back(dem);
  for (const std::vector<std::string>& way : ways) {
    CAPTURE(way.front());
    std::vector<std::string> convert{"convert", dem, out, "--overwrite"};
    convert.insert(convert.end(), way.begin(), way.end());
    const Ended converted = weir(convert);
    REQUIRE_MESSAGE(converted.code == 0, converted.err);
    const Bytes right = file_bytes(out);
    const Georeferencing before = place_of(dem), after = place_of(out);
    CHECK((after.key_directory != before.key_directory || after.pixel_scale != before.pixel_scale ||
           after.tiepoints != before.tiepoints));
    if (way.front() != "--bbox") CHECK(pixels_read_back(out) == source_pixels);
    convert.push_back("--print-graph");
    const Ended printed = weir(convert);
    REQUIRE(printed.code == 0);
    std::filesystem::remove(out);
    std::ofstream(file) << printed.out;
    const Ended ended = weir({"run", file});
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(file_bytes(out) == right);
  }
}

TEST_CASE("places that exclude each other, or do not read, are refused before anything is written") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  const auto said = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"convert", dem, out});
    return refused(options);
  };
  CHECK(contains(said({"--geotransform", "1,2,3"}), "six numbers"));
  CHECK(contains(said({"--geotransform", "0,1,1,0,1,1"}), "no area"));
  CHECK(contains(said({"--bounds", "0,0,0,0"}), "minx,miny,maxx,maxy"));
  CHECK(contains(said({"--gcp", "1,2"}), "col,row,x,y"));
  CHECK(contains(said({"--gcp", "0,0,1,1", "--bounds", "0,0,1,1"}), "--gcp"));
  CHECK(contains(said({"--pixel-is", "line"}), "--pixel-is"));
  CHECK(contains(said({"--crs", ""}), "it is empty"));
  CHECK(contains(said({"--crs", "projected:1"}), "1024 to 32766"));
  CHECK(contains(said({"--crs", "geographic:4326", "--vertical-crs", "no such height"}), "no such height"));
  CHECK(!std::filesystem::exists(out));
}

TEST_CASE("info tells where a raster lies") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  const std::string info = weir({"info", dem}).out;
  CHECK(contains(info, "\n  CRS          UTM Zone 25, Southern Hemisphere, unit: metre\n"));
  CHECK(contains(info, "\n  transform    "));
  CHECK(contains(info, "\n  bounds       "));
  REQUIRE(weir({"convert", dem, out, "--crs", "geographic:4326", "--gcp", "0,0,1,2", "--gcp", "9,9,2,1",
                "--pixel-is", "point"})
              .code == 0);
  const std::string other = weir({"info", out}).out;
  CHECK(contains(other, "\n  CRS          EPSG:4326\n"));
  CHECK(contains(other, "\n  pixels are   points\n"));
  CHECK(contains(other, "\n  placed by    2 ground control points\n"));
}

}  // namespace
}  // namespace weir::command_test
