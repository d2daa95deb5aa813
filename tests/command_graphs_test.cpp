#include <filesystem>

#include "nodes/raster/normalized_difference.hpp"
#include "nodes/raster/slope.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// The bundled graphs, and the graphs that ready commands print, as a user runs them.

namespace weir::command_test {
namespace {

using pipeline_test::file_bytes;
using pipeline_test::pixels_read_back;

std::string graph(const std::string& name) {
  return std::string(WEIR_TEST_DATA) + "/../../examples/graphs/" + name;
}

/// Runs a bundled graph; each setting is one variable.
void run(const std::string& name, std::vector<std::string> settings) {
  std::vector<std::string> arguments{"run", graph(name)};
  for (const std::string& setting : settings) {
    arguments.push_back("--set");
    arguments.push_back(setting);
  }
  const Ended ended = weir(arguments);
  CHECK_MESSAGE(ended.code == 0, ended.err);
}

TEST_CASE("every bundled graph begins with a sentence and a drawing, and can be explained") {
  unsigned graphs = 0;
  for (const auto& file : std::filesystem::directory_iterator(graph(""))) {
    const std::string path = file.path().string(), text = text_of(path);
    CAPTURE(path);
    CHECK(path.ends_with(".yaml"));
    const std::vector<std::string> lines = lines_of(text);
    CHECK(lines.front().starts_with("# "));
    CHECK(lines.front().ends_with("."));
    CHECK(contains(text, "──►"));
    CHECK(contains(text, "weir run " + file.path().filename().string()));
    const std::string in = data("L7_ETMs.tif"), one = data("lc.tif");
    std::vector<std::string> arguments{"explain", path};
    for (const char* input : {"input", "red", "nir"})
      if (contains(text, std::string("  ") + input + ": {default")) {
        arguments.push_back("--set");
        arguments.push_back(std::string(input) + "=" + one);
      }
    const Ended ended = weir(arguments);
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(contains(ended.out, "is the smallest that works"));
    ++graphs;
  }
  CHECK(graphs >= 5);
}

TEST_CASE("the streaming write and the recompression keep every pixel") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.tif";
  run("streaming_write.yaml", {"input=" + in, "output=" + out});
  CHECK(pixels_read_back(out) == pixels_read_back(in));
  const std::string again = folder / "again.tif";
  run("recompress.yaml", {"input=" + out, "output=" + again, "codec=deflate", "level=9", "tile=128"});
  CHECK(pixels_read_back(again) == pixels_read_back(in));
  const std::string info = weir({"info", again}).out;
  CHECK(contains(info, "deflate"));
  CHECK(contains(info, "128"));
}

TEST_CASE("the slope of a terrain is that of Horn's formula on the whole terrain") {
  const TemporaryFolder folder;
  const std::string terrain = folder / "terrain.tif", out = folder / "slope.tif";
  make_terrain(terrain, "600x600");
  run("slope.yaml", {"size=600", "output=" + out});
  const Bytes elevations = pixels_read_back(terrain), slopes = pixels_read_back(out);
  const TiffSource source(terrain);
  Slope slope{SlopeOptions{}};
  const RasterInfo infos[] = {source.info()};
  const RasterInfo info = slope.describe(infos);
  Bytes right(600 * 600 * 4);
  const PixelView views[] = {{elevations.data(), {0, 0, 600, 600}, SampleType::float32, 1, 2400, 4, 4}};
  slope.compute(views, {right.data(), {0, 0, 600, 600}, info.type, 1, 2400, 4, 4}, nullptr, Context());
  CHECK(slopes == right);
}

TEST_CASE("the vegetation index is that of its two bands") {
  const TemporaryFolder folder;
  const std::string nir = folder / "nir.tif", red = folder / "red.tif", out = folder / "out.tif";
  make_terrain(nir, "500x300:uint16");
  REQUIRE(weir({"convert", "terrain:600x400:uint16", red, "--window", "50,60,500,300"}).code == 0);
  run("ndvi.yaml", {"nir=" + nir, "red=" + red, "output=" + out});
  const Bytes n = pixels_read_back(nir), r = pixels_read_back(red), index = pixels_read_back(out);
  REQUIRE(index.size() == 2 * n.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < n.size() / 2; ++i) {
    std::uint16_t a = 0, b = 0;
    float value = 0;
    std::memcpy(&a, n.data() + 2 * i, 2);
    std::memcpy(&b, r.data() + 2 * i, 2);
    std::memcpy(&value, index.data() + 4 * i, 4);
    if (a + b == 0) continue;  // nodata
    const double should = (double(a) - double(b)) / (double(a) + double(b));
    wrong += std::abs(static_cast<double>(value) - should) > 1e-6;
  }
  CHECK(wrong == 0);
}

TEST_CASE("one read makes two files and statistics, and reads each chunk once") {
  const TemporaryFolder folder;
  const std::string in = data("lc.tif"), out = folder / "out.tif", archive = folder / "archive.tif";
  run("fan_out.yaml",
      {"input=" + in, "output=" + out, "archive=" + archive, "statistics=" + (folder / "statistics.json")});
  CHECK(pixels_read_back(out) == pixels_read_back(in));
  CHECK(pixels_read_back(archive) == pixels_read_back(in));
  const std::string statistics = text_of(folder / "statistics.json");
  const TiffSource source(in);
  CHECK(json_number(statistics, "width") == static_cast<double>(source.info().width));
  CHECK(contains(statistics, "\"mean\""));
}

TEST_CASE("a command prints itself as a graph, and running that makes the same bytes") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.tif", file = folder / "graph.yaml";
  const std::vector<std::vector<std::string>> ways{
      {},
      {"--compress", "zstd", "--level", "7", "--tile", "128x64", "--memory", "32M", "--threads", "1"},
      {"--compress", "deflate", "--deflate-engine", "zlib", "--predictor", "none", "--strip", "13"},
      {"--compress", "lzw", "--interleave", "band", "--bigtiff", "yes", "--tokens", "3"},
      {"--window", "10,20,100,50", "--nodata", "7", "--chunk", "64", "--set", "decode.concurrency=1", "--set",
       "compress.concurrency=2"},
      {"--metadata", "TITLE=a \"title\"", "--metadata", "X=", "--band", "6:name=thermal, low,unit=K",
       "--band", "1:scale=0.1"},
      {"--sparse", "--statistics", "--nodata", "0", "--tile", "16"},
      {"--compress", "packbits", "--set", "fetch.concurrency=1"},
      {"--compress", "jpeg", "--quality", "60", "--interleave", "band"},
      {"--compress", "lerc_deflate", "--level", "2", "--max-error", "0.75"},
      {"--compress", "lzma", "--level", "0"},
  };
  for (const std::vector<std::string>& way : ways) {
    std::vector<std::string> convert{"convert", in, out, "--overwrite"};
    convert.insert(convert.end(), way.begin(), way.end());
    REQUIRE(weir(convert).code == 0);
    const Bytes right = file_bytes(out);
    convert.push_back("--print-graph");
    const Ended printed = weir(convert);
    REQUIRE(printed.code == 0);
    CHECK(file_bytes(out) == right);  // printing runs nothing
    std::filesystem::remove(out);
    std::ofstream(file) << printed.out;
    CAPTURE(printed.out);
    const Ended ended = weir({"run", file});
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(file_bytes(out) == right);
  }
  const std::string rgb = data("rgb-3c-8b.tiff");
  for (const std::vector<std::string>& way :
       std::vector<std::vector<std::string>>{{"--compress", "jpeg"},
                                             {"--compress", "webp", "--lossless"},
                                             {"--compress", "webp", "--quality", "9"}}) {
    std::vector<std::string> convert{"convert", rgb, out, "--overwrite"};
    convert.insert(convert.end(), way.begin(), way.end());
    REQUIRE(weir(convert).code == 0);
    const Bytes right = file_bytes(out);
    convert.push_back("--print-graph");
    std::ofstream(file) << weir(convert).out;
    REQUIRE(weir({"run", file}).code == 0);
    CHECK(file_bytes(out) == right);
  }
  const std::string rows = folder / "rows.npy";
  REQUIRE(weir({"read", in, "--window", "3,4,50,60", "--output", rows}).code == 0);
  const Bytes right = file_bytes(rows);
  std::ofstream(file)
      << weir({"read", in, "--window", "3,4,50,60", "--output", rows, "--overwrite", "--print-graph"}).out;
  REQUIRE(weir({"run", file}).code == 0);
  CHECK(file_bytes(rows) == right);
  // A terrain is a source without a file.
  std::ofstream(file) << weir({"convert", "terrain:300x200:int16", out, "--window", "20,10,100,90",
                               "--overwrite", "--print-graph"})
                             .out;
  REQUIRE(weir({"convert", "terrain:300x200:int16", out, "--window", "20,10,100,90", "--overwrite"}).code ==
          0);
  const Bytes terrain = file_bytes(out);
  REQUIRE(weir({"run", file}).code == 0);
  CHECK(file_bytes(out) == terrain);
}

}  // namespace
}  // namespace weir::command_test
