// Metadata, as a user carries, adds and sees it.

#include "nodes/tiff/tiff_source.hpp"
#include "tests/run_command.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir::command_test {
namespace {

using Items = std::vector<MetadataItem>;

const Items of_source{
    {"TITLE", "a \"title\"", {}, "", ""},          {"BITS", "12", {}, "", "SENSOR"},
    {"STATISTICS_MEAN", "3", 1, "", ""},           {"DESCRIPTION", "red", 0, "description", ""},
    {"DESCRIPTION", "blue", 1, "description", ""},
};

/// A raster of 40 x 50 pixels of two samples with these items.
std::string source_in(const TemporaryFolder& folder, const Items& items) {
  auto layout = test::layout_of(40, 50, 2);
  layout.info.metadata = items;
  const std::string path = folder / "in.tif";
  test::write_all(layout, path, test::all_tiles(layout, test::made_pixels(layout.info)));
  return path;
}

Items converted(const TemporaryFolder& folder, std::vector<std::string> options) {
  std::vector<std::string> arguments{"convert", folder / "in.tif", folder / "out.tif", "--overwrite"};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const Ended ended = weir(arguments);
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  return TiffSource(folder / "out.tif").info().metadata;
}

TEST_CASE("metadata is carried, and statistics only as long as the pixels and the nodata value stay") {
  const TemporaryFolder folder;
  source_in(folder, of_source);
  CHECK(converted(folder, {}) == of_source);
  CHECK(converted(folder, {"--window", "0,0,50,40"}) == of_source);
  Items others = of_source;
  others.erase(others.begin() + 2);
  CHECK(converted(folder, {"--window", "1,0,49,40"}) == others);
  CHECK(converted(folder, {"--nodata", "3"}) == others);
}

TEST_CASE("--metadata and --band add items, or replace those that say the same") {
  const TemporaryFolder folder;
  source_in(folder, of_source);
  Items wanted = of_source;
  wanted[0].text = "new = better";
  wanted[4].text = "near infrared, really";
  wanted.push_back({"SOURCE", "", {}, "", ""});
  wanted.push_back({"UNITTYPE", "K", 0, "unittype", ""});
  wanted.push_back({"SCALE", "0.1", 0, "scale", ""});
  CHECK(converted(folder, {"--metadata", "TITLE=new = better", "--metadata", "SOURCE=", "--band",
                           "2:name=near infrared, really", "--band", "1:unit=K,scale=0.1"}) == wanted);
  const std::string info = weir({"info", folder / "out.tif"}).out;
  for (const char* line :
       {"  metadata     TITLE = new = better\n", "  metadata     SENSOR: BITS = 12\n",
        "  band 2       description = near infrared, really\n", "  band 1       scale = 0.1\n"})
    CHECK_MESSAGE(contains(info, line), info);
}

TEST_CASE("metadata that cannot be is refused with the reason, and nothing is written") {
  const TemporaryFolder folder;
  const std::string in = source_in(folder, of_source), out = folder / "out.tif";
  const auto refused = [&](const std::string& option, const std::string& value) {
    const Ended ended = weir({"convert", in, out, option, value});
    CHECK(ended.code == 2);
    CHECK_FALSE(std::filesystem::exists(out));
    return ended.err;
  };
  CHECK(contains(refused("--metadata", "TITLE"), "'TITLE': it is not KEY=VALUE"));
  CHECK(contains(refused("--band", "3:name=x"), "metadata of band 3: the raster has 2"));
  CHECK(contains(refused("--band", "1:scale=x"), "its scale is not a number"));
}

}  // namespace
}  // namespace weir::command_test
