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

}  // namespace
}  // namespace weir::command_test
