// weir convert from Zarr to Zarr: what is nobody's but the user's.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

/// Puts `with` in the place of `what` in a text file.
void replace(const std::string& path, const std::string& what, const std::string& with) {
  std::string text = text_of(path);
  const std::size_t found = text.find(what);
  REQUIRE(found != std::string::npos);
  text.replace(found, what.size(), with);
  std::ofstream(path) << text;
}

TEST_CASE(
    "a user's attributes and names of axes are there after weir convert, and after the graph it prints") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", "terrain:300x200:int16", folder / "a.zarr", "--tile", "64"}).code == 0);
  replace(folder / "a.zarr/zarr.json", "\"attributes\": {", "\"attributes\": {\n    \"title\": \"Mine\",");
  replace(folder / "a.zarr/zarr.json", "\"dimension_names\": [\"y\", \"x\"]",
          "\"dimension_names\": [\"lat\", \"lon\"]");
  const auto check_kept = [&](const std::string& array) {
    const std::string text = text_of(folder / (array + "/zarr.json"));
    CHECK(contains(text, "\"title\": \"Mine\""));
    CHECK(contains(text, "\"dimension_names\": [\"lat\", \"lon\"]"));
  };
  for (const std::vector<std::string>& options : {std::vector<std::string>{"--tile", "64"},
                                                  {"--recompress"},
                                                  {"--window", "10,20,100,100"},
                                                  {"--type", "float32", "--scale", "0.5"},
                                                  {"--overviews", "2"}}) {
    CAPTURE(options.front());
    std::vector<std::string> command{"convert", folder / "a.zarr", folder / "b.zarr", "--overwrite"};
    command.insert(command.end(), options.begin(), options.end());
    const Ended ended = weir(command);
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    const std::string written = options.front() == "--overviews" ? "b.zarr/0" : "b.zarr";
    check_kept(written);
    command.push_back("--print-graph");
    std::ofstream(folder / "a.yaml") << weir(command).out;
    std::filesystem::remove_all(folder / "b.zarr");
    const Ended run = weir({"run", folder / "a.yaml"});
    REQUIRE_MESSAGE(run.code == 0, run.err);
    check_kept(written);
  }
}

TEST_CASE("attributes of bands go where other bands are chosen, those of the place with a window") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", data("int16_rgb.tif"), folder / "a.zarr", "--tile", "64"}).code == 0);
  replace(folder / "a.zarr/zarr.json", "\"attributes\": {",
          "\"attributes\": {\n \"long_name\": [\"red\", \"green\", \"blue\"], \"transform\": [10, 0, 5, 0, "
          "-10, 7], \"title\": \"Mine\",");
  const auto written = [&](const std::vector<std::string>& options) {
    std::vector<std::string> command{"convert", folder / "a.zarr", folder / "b.zarr", "--overwrite"};
    command.insert(command.end(), options.begin(), options.end());
    const Ended ended = weir(command);
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    const std::string text = text_of(folder / "b.zarr/zarr.json");
    CHECK(contains(text, "\"title\": \"Mine\""));
    return std::pair(contains(text, "\"long_name\""), contains(text, "\"transform\": ["));
  };
  CHECK(written({"--recompress"}) == std::pair(true, true));
  CHECK(written({"--samples", "1,2,3"}) == std::pair(true, true));
  CHECK(written({"--samples", "1,1,3"}) == std::pair(false, true));
  CHECK(written({"--samples", "3,2,1"}) == std::pair(false, true));
  CHECK(written({"--samples", "2"}) == std::pair(false, true));
  CHECK(written({"--window", "1,1,8,8"}) == std::pair(true, false));
}

TEST_CASE(
    "a dataset of weir convert is the one of the graph that it prints, and becomes the GeoTIFF that it was") {
  const TemporaryFolder folder;
  const std::vector<std::string> options{"--dataset", "dem", "--format", "2", "--tile", "64"};
  std::vector<std::string> command{"convert", data("olinda_dem_utm25s.tif"), folder / "a.zarr"};
  command.insert(command.end(), options.begin(), options.end());
  REQUIRE(weir(command).code == 0);
  for (const char* document : {".zgroup", "dem/.zarray", "x/.zattrs", "y/0", "spatial_ref/.zattrs"})
    CHECK(std::filesystem::exists(folder / ("a.zarr/" + std::string(document))));
  command[2] = folder / "b.zarr";
  command.push_back("--print-graph");
  const Ended printed = weir(command);
  CHECK(contains(printed.out, "dataset: dem"));
  std::ofstream(folder / "b.yaml") << printed.out;
  const Ended run = weir({"run", folder / "b.yaml"});
  REQUIRE_MESSAGE(run.code == 0, run.err);
  for (const char* object : {"dem/.zattrs", "dem/0.0", "x/0", "x/.zattrs", "spatial_ref/.zattrs"})
    CHECK(text_of(folder / ("a.zarr/" + std::string(object))) ==
          text_of(folder / ("b.zarr/" + std::string(object))));
  REQUIRE(weir({"convert", data("olinda_dem_utm25s.tif"), folder / "direct.tif"}).code == 0);
  REQUIRE(weir({"convert", folder / "a.zarr", folder / "back.tif"}).code == 0);
  CHECK(text_of(folder / "back.tif") == text_of(folder / "direct.tif"));

  const Ended again = weir({"convert", data("olinda_dem_utm25s.tif"), folder / "a.zarr", "--dataset", "dem"});
  CHECK(again.code == 2);
  CHECK(weir({"convert", data("olinda_dem_utm25s.tif"), folder / "d.zarr", "--dataset", ""}).code == 2);
  for (const char* made : {"a.zarr", "b.zarr"}) {
    const Ended checked = weir({"validate", "--decode", folder / made});
    CHECK_MESSAGE(checked.code == 0, checked.out);
  }
  const Ended tiff = weir({"convert", data("olinda_dem_utm25s.tif"), folder / "c.tif", "--dataset", "dem"});
  CHECK(tiff.code == 2);
  CHECK_MESSAGE(contains(tiff.err, "--dataset"), tiff.err);
}

TEST_CASE("weir convert and weir run say which coordinates are no place") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", data("minisblack-1c-8b.tiff"), folder / "g.zarr/t"}).code == 0);
  std::filesystem::create_directories(folder / "g.zarr/y");
  std::ofstream(folder / "g.zarr/y/zarr.json") << "{";
  const Ended told = weir({"convert", folder / "g.zarr/t", folder / "t.tif"});
  CHECK(told.code == 0);
  CHECK_MESSAGE(contains(told.out, "  note: the array y beside it says no place: "), told.out);
  CHECK_FALSE(contains(weir({"convert", folder / "g.zarr/t", folder / "q.tif", "--quiet"}).out, "note"));

  std::ofstream(folder / "g.yaml")
      << weir({"convert", folder / "g.zarr/t", folder / "r.tif", "--print-graph"}).out;
  const Ended ran = weir({"run", folder / "g.yaml"});
  CHECK(ran.code == 0);
  CHECK_MESSAGE(contains(ran.out, "  note: in: the array y beside it says no place: "), ran.out);
  CHECK_FALSE(contains(weir({"run", folder / "g.yaml", "--quiet", "--overwrite"}).out, "note"));
}

}  // namespace
}  // namespace weir::command_test
