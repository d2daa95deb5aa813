#include <fmt/format.h>

#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// Samples, types and scales of weir convert, weir read and their graphs.

namespace weir::command_test {
namespace {

TEST_CASE("convert and read take samples, a type and a scale, and so does the graph that they print") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.tif", rows = folder / "rows.npy",
                    file = folder / "graph.yaml";
  const std::vector<std::vector<std::string>> ways{
      {"--samples", "3,1,2"},
      {"--samples", "6", "--type", "int16", "--scale", "-2", "--offset", "0.5", "--window", "10,20,100,50"},
      {"--type", "float32", "--nodata", "0"},
      {"--unscale"},
      {"--scale", "0.1"},
      {"--type", "complex_int16", "--samples", "2,2"},
  };
  for (const std::vector<std::string>& way : ways)
    for (const bool converts : {true, false}) {
      std::vector<std::string> words =
          converts ? std::vector<std::string>{"convert", in, out, "--overwrite"}
                   : std::vector<std::string>{"read", in, "--output", rows, "--overwrite"};
      const std::string& made = converts ? out : rows;
      words.insert(words.end(), way.begin(), way.end());
      CAPTURE(fmt::format("{}", fmt::join(words, " ")));
      const Ended ended = weir(words);
      REQUIRE_MESSAGE(ended.code == 0, ended.err);
      const Bytes right = file_bytes(made);
      words.push_back("--print-graph");
      const Ended printed = weir(words);
      REQUIRE_MESSAGE(printed.code == 0, printed.err);
      std::filesystem::remove(made);
      std::ofstream(file) << printed.out;
      CAPTURE(printed.out);
      const Ended ran = weir({"run", file});
      CHECK_MESSAGE(ran.code == 0, ran.err);
      CHECK(file_bytes(made) == right);
    }
}

TEST_CASE("a terrain is cast and scaled as a file is") {
  const TemporaryFolder folder;
  const std::string plain = folder / "plain.raw", cast = folder / "cast.raw";
  REQUIRE(weir({"read", "terrain:90x70:float32", "--output", plain}).code == 0);
  REQUIRE(weir({"read", "terrain:90x70:float32", "--type", "int16", "--scale", "2", "--output", cast}).code ==
          0);
  const Bytes from = file_bytes(plain), to = file_bytes(cast);
  REQUIRE(from.size() == 2 * to.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < to.size() / 2; ++i) {
    float value = 0;
    std::int16_t found = 0;
    std::memcpy(&value, from.data() + 4 * i, 4);
    std::memcpy(&found, to.data() + 2 * i, 2);
    wrong += found != static_cast<std::int16_t>(std::nearbyint(static_cast<double>(value) * 2));
  }
  CHECK(wrong == 0);
}

TEST_CASE(
    "tiles that fit pass through: convert says how many, explain why not, and the printed graph does the "
    "same") {
  const TemporaryFolder folder;
  const std::string first = folder / "first.tif", out = folder / "out.tif", file = folder / "graph.yaml";
  make_terrain(first, "700x500:int16");
  const std::vector<std::string> words{"convert", first, out, "--compress", "zstd", "--overwrite"};
  const auto with = [&](std::vector<std::string> more) {
    std::vector<std::string> all = words;
    all.insert(all.end(), more.begin(), more.end());
    return weir(all);
  };
  Ended ended = with({"--bigtiff", "yes"});
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  CHECK(contains(ended.out, "tiles passed through: 6\n"));
  CHECK(pipeline_test::pixels_read_back(out) == pipeline_test::pixels_read_back(first));
  const Bytes right = file_bytes(out);
  const Ended printed = with({"--bigtiff", "yes", "--print-graph"});
  CHECK(contains(printed.out, "copy_tiles"));
  std::ofstream(file) << printed.out;
  std::filesystem::remove(out);
  ended = weir({"run", file});
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  CHECK(file_bytes(out) == right);

  for (const std::vector<std::string>& more : {std::vector<std::string>{"--recompress"},
                                               {"--level", "5"},
                                               {"--tile", "128"},
                                               {"--window", "0,0,700,500"},
                                               {"--set", "compress.concurrency=1"}}) {
    ended = with(more);
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    CHECK(!contains(ended.out, "passed through"));
    const Bytes encoded = file_bytes(out);
    std::vector<std::string> print = more;
    print.push_back("--print-graph");
    std::ofstream(file) << with(print).out;
    REQUIRE(weir({"run", file}).code == 0);
    CHECK(file_bytes(out) == encoded);
  }
  CHECK(contains(weir({"explain", "convert", first, out, "--compress", "zstd"}).out, "6 pass through"));
  CHECK(contains(weir({"explain", "convert", first, out}).out,
                 "recompress  the codec is zstd, and deflate is wanted"));
}

TEST_CASE("samples, types and scales that do not fit are one sentence, exit 2") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.tif";
  const auto refused = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"convert", in, out};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = weir(words);
    CHECK(ended.code == 2);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(folder.names().empty());
    return ended.err;
  };
  CHECK(contains(refused({"--samples", "0"}), "numbers from 1"));
  CHECK(contains(refused({"--samples", "1,7"}), "sample 7, counted from 1: the raster has 6"));
  CHECK(contains(refused({"--type", "int12"}), "--type"));
  CHECK(contains(refused({"--scale", "2", "--unscale"}), "--unscale"));
  CHECK(contains(refused({"--scale", "inf"}), "not finite"));
  CHECK(contains(refused({"--type", "int8", "--nodata", "200"}), "int8 has no such value"));
}

TEST_CASE("options that mean nothing of an input are refused, and so is a time that is none") {
  const TemporaryFolder folder;
  const std::string array = folder / "a.zarr", tiff = data("geomatrix.tif"), out = folder / "o.npy";
  REQUIRE(weir({"convert", "terrain:20x20", array, "--quiet"}).code == 0);
  using Words = std::vector<std::string>;
  for (const auto& each : std::vector<std::pair<Words, std::string>>{
           {{"read", tiff, "--output", out, "--axes", "y,x"}, "cannot use --axes: it is for Zarr arrays"},
           {{"read", "terrain:9x9", "--output", out, "--axes", "y,x"}, "cannot use --axes: it is for Zarr"},
           {{"read", "terrain:9x9", "--output", out, "--directory", "1"},
            "cannot use --directory: it is for TIFF"},
           {{"read", array, "--output", out, "--directory", "1"}, "cannot use --directory: it is for TIFF"},
           {{"info", array, "--directory", "1"}, "cannot use --directory: it is for TIFF"},
           {{"info", tiff, "--http-timeout", "nan"}, "--http-timeout: it is no number"},
           {{"info", tiff, "--http-timeout", "inf"}, "--http-timeout: "},
           {{"info", tiff, "--http-timeout", "-1"}, "--http-timeout: "},
           // Inside of the box around the raster's corners, and outside of the raster.
           {{"read", tiff, "--output", out, "--bbox", "1840902,1143874,1840903,1143875"},
            "which is rotated"}}) {
    CAPTURE(each.second);
    const Ended ended = weir(each.first);
    CHECK(ended.code == 2);
    CHECK_MESSAGE(says_one_line(ended), ended.err);
    CHECK(contains(ended.err, each.second));
  }
  CHECK(folder.names() == std::vector<std::string>{"a.zarr"});
}

}  // namespace
}  // namespace weir::command_test
