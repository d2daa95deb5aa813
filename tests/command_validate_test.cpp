#include <doctest/doctest.h>

#include "tests/run_command.hpp"
#ifdef WEIR_WITH_CURL
#include "tests/http_server.hpp"
#endif

// What weir validate prints and exits with.

namespace weir::command_test {
namespace {

/// A COG of four tiles and one overview.
std::string make_cog(const TemporaryFolder& folder, const std::string& name) {
  const std::string path = folder / name;
  const Ended made = weir({"convert", "terrain:600x500", path, "--to", "cog", "--tile", "512", "--quiet"});
  REQUIRE_MESSAGE(made.code == 0, made.err);
  return path;
}

void flip_last_byte(const std::string& path) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekg(-1, std::ios::end);
  const char last = static_cast<char>(file.get() ^ 1);
  file.seekp(-1, std::ios::end);
  file.put(last);
}

}  // namespace

TEST_CASE("validate says of a good COG that it is one, and exits with 0") {
  const TemporaryFolder folder;
  const std::string good = make_cog(folder, "a.tif");
  const Ended ended = weir({"validate", good});
  CHECK(ended.code == 0);
  CHECK(ended.out == good + ": a valid COG\n");
  CHECK(ended.err.empty());
}

TEST_CASE("validate lists what is wrong with each file, and exits with 1 where one is not valid") {
  const TemporaryFolder folder;
  const std::string good = make_cog(folder, "a.tif"), bad = make_cog(folder, "b.tif");
  flip_last_byte(bad);
  const Ended ended = weir({"validate", bad, good, folder / "none.tif"});
  CHECK(ended.code == 1);
  const std::vector<std::string> lines = lines_of(ended.out);
  REQUIRE(lines.size() == 5);
  CHECK(lines[0] == bad +
                        ": error: the image (directory 0), tile (row 0, col 1): the 4 bytes behind it do not "
                        "repeat its last 4 [tile-trailer]");
  CHECK(lines[1] == bad + ": not a valid COG: 1 error");
  CHECK(lines[2] == good + ": a valid COG");
  CHECK(lines[3] == (folder / "none.tif") + ": error: No such file or directory [unreadable-file]");
  CHECK(lines[4] == (folder / "none.tif") + ": not a valid COG: 1 error");
  CHECK(ended.err == "weir: cannot accept 2 of 3 files: what is wrong is listed above\n");
}

TEST_CASE("validate takes warnings for errors where it is told so") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.tif";
  REQUIRE(weir({"convert", "terrain:600x500", path, "--to", "cog", "--overviews", "none", "--quiet"}).code ==
          0);
  const Ended lenient = weir({"validate", path}), strict = weir({"validate", "--strict", path});
  CHECK(lenient.code == 0);
  CHECK(lenient.out == path +
                           ": warning: an image of 600 x 500 pixels should have overviews [no-overviews]\n" +
                           path + ": a valid COG: 1 warning\n");
  CHECK(strict.code == 1);
  CHECK(lines_of(strict.out).back() == path + ": not a valid COG: 1 warning");
}

TEST_CASE("validate prints JSON of all files, whole and with what the text has") {
  const TemporaryFolder folder;
  const std::string good = make_cog(folder, "a.tif"), bad = make_cog(folder, "b \"2\".tif");
  flip_last_byte(bad);
  const Ended ended = weir({"validate", "--json", good, bad});
  CHECK(ended.code == 1);
  CHECK(JsonCheck::is_whole(ended.out));
  CHECK(contains(ended.out, "\"kind\": \"COG\", \"valid\": true, \"errors\": 0, \"warnings\": 0"));
  CHECK(contains(ended.out, "b \\\"2\\\".tif\", \"kind\": \"COG\", \"valid\": false, \"errors\": 1"));
  CHECK(
      contains(ended.out,
               "{\"severity\": \"error\", \"name\": \"tile-trailer\", \"where\": \"the image (directory "
               "0)\", \"item\": \"tile (row 0, col 1)\", \"text\": \"the 4 bytes behind it do not repeat its "
               "last 4\", \"more\": 0}"));
}

TEST_CASE("validate decodes tiles where it is told so") {
  const TemporaryFolder folder;
  const std::string path = folder / "a.tif";
  REQUIRE(weir({"convert", "terrain:600x500", path, "--to", "cog", "--compress", "lzw", "--quiet"}).code ==
          0);
  CHECK(weir({"validate", "--decode", path}).out == path + ": a valid COG\n");
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-2000, std::ios::end);
  file << std::string(1000, 'x');
  file.close();
  CHECK(weir({"validate", path}).code == 0);
  const Ended ended = weir({"validate", "--decode", path});
  CHECK(ended.code == 1);
  CHECK(contains(ended.out, ": error: the image (directory 0), tile (row 0, col 1): "));
  CHECK(contains(ended.out, "[tile-decode]\n"));
}

TEST_CASE("a plain TIFF is told why it is no COG") {
  const Ended ended = weir({"validate", data("L7_ETMs.tif")});
  CHECK(ended.code == 1);
  CHECK(contains(ended.out, "not a valid COG: "));
}

#ifdef WEIR_WITH_CURL
TEST_CASE("validate takes URLs, and says that it does not look at the frames of their tiles") {
  const TemporaryFolder folder;
  test::HttpServer server;
  const std::string bad = make_cog(folder, "a.tif"), url = server.url("/a.tif");
  flip_last_byte(bad);
  server.serve("/a.tif", {file_bytes(bad)});
  const Ended ended = weir({"validate", url});
  CHECK(ended.code == 0);
  CHECK(ended.out == url + ": note: leaders and trailers of tiles were not looked at: the file is remote\n" +
                         url + ": a valid COG\n");
  CHECK(server.count() == 1);
  const Ended none = weir({"validate", server.url("/none.tif"), "--http-retries", "0"});
  CHECK(none.code == 1);
  CHECK(contains(none.out, "[unreadable-file]"));
}
#endif

}  // namespace weir::command_test
