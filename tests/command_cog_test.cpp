// weir convert --to cog, and graph files that end in a COG.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "nodes/tiff/tiff_info.hpp"
#include "tests/run_command.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir::command_test {
namespace {

using test::contains;
using test::TemporaryFolder;

TEST_CASE("convert makes a COG, whose plan explain shows") {
  const TemporaryFolder folder;
  const std::string out = folder / "a.tif";
  const Ended plan =
      weir({"explain", "convert", "terrain:700x500:uint16", out, "--to", "cog", "--tile", "128"});
  CHECK(plan.code == 0);
  CHECK(contains(plan.out, "overviews   350 x 250 pixels, 6 tiles"));
  CHECK(contains(plan.out, "gather1"));
  CHECK(folder.names().empty());
  const Ended ended =
      weir({"convert", "terrain:700x500:uint16", out, "--to", "cog", "--tile", "128", "--memory", "16M"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(contains(ended.out, "1.00 reads per chunk"));
  const InputFile file(out);
  for (unsigned level = 0; level < 4; ++level)
    CHECK(read_tiff_image(file, level).info.width == (700u + (1u << level) - 1) >> level);
  CHECK_THROWS_AS(read_tiff_image(file, 4), Error);
}

TEST_CASE("overviews, kernel and packing of a COG can be said, and are refused where there is none") {
  const TemporaryFolder folder;
  const std::string out = folder / "a.tif";
  const auto convert = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"convert", "terrain:300x300", out, "--overwrite"});
    return weir(more);
  };
  CHECK(convert(
            {"--to", "cog", "--overviews", "2,6", "--resampling", "cubic", "--pack", "copy", "--tile", "64"})
            .code == 0);
  CHECK(read_tiff_image(InputFile(out), 2).info.width == 50);
  CHECK(convert({"--to", "cog", "--overviews", "none"}).code == 0);
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--overviews", "2"},
                                                {"--resampling", "nearest"},
                                                {"--pack", "copy"},
                                                {"--to", "cog", "--overviews", "2,x"},
                                                {"--to", "cog", "--overviews", "3,4"},
                                                {"--to", "cog", "--strip", "8"},
                                                {"--to", "cog", "--interleave", "band"},
                                                {"--to", "png"}}) {
    CAPTURE(wrong.back());
    const Ended ended = convert(wrong);
    CHECK(ended.code == 2);
    CHECK(says_one_line(ended));
  }
}

TEST_CASE("convert prints itself as a graph that makes the same COG") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.tif", file = folder / "graph.yaml";
  const std::vector<std::vector<std::string>> ways{
      {},
      {"--compress", "zstd", "--level", "7", "--tile", "128x64", "--memory", "48M", "--threads", "1"},
      {"--overviews", "none", "--compress", "none"},
      {"--overviews", "2,6", "--resampling", "cubic", "--pack", "copy", "--tile", "64"},
      {"--window", "10,20,200,150", "--nodata", "7", "--tile", "32", "--set", "decode.concurrency=1", "--set",
       "compress.concurrency=2", "--set", "reduce2.concurrency=1", "--spool", "none"},
      {"--sparse", "--statistics", "--tile", "16", "--bigtiff", "yes", "--metadata", "TITLE=a b", "--band",
       "2:name=b,scale=2", "--crs", "EPSG:32618", "--bounds", "0,0,10,10"},
      {"--compress", "lerc", "--max-error", "2", "--resampling", "mode", "--tile", "64"},
  };
  for (const std::vector<std::string>& way : ways) {
    std::vector<std::string> convert{"convert", in, out, "--to", "cog", "--overwrite"};
    convert.insert(convert.end(), way.begin(), way.end());
    const Ended made = weir(convert);
    REQUIRE_MESSAGE(made.code == 0, made.err);
    const Bytes right = file_bytes(out);
    convert.push_back("--print-graph");
    const Ended printed = weir(convert);
    REQUIRE_MESSAGE(printed.code == 0, printed.err);
    std::filesystem::remove(out);
    std::ofstream(file) << printed.out;
    CAPTURE(printed.out);
    const Ended ended = weir({"run", file});
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(file_bytes(out) == right);
  }
  const Ended wrong =
      weir({"convert", in, out, "--to", "cog", "--set", "tif.concurrency=1", "--print-graph"});
  CHECK(wrong.code == 2);
  CHECK(says_one_line(wrong));
}

TEST_CASE("a graph file fans one read into two COGs, a GeoTIFF and statistics, each as if it were alone") {
  const TemporaryFolder folder;
  const std::string graph = folder / "graph.yaml";
  const std::string nodes =
      "  dem: {type: terrain, size: 500x700, chunk: 96, holes: true}\n"
      "  bands: {type: assemble_bands, input: dem}\n"
      "  large: {type: cut_tiles, input: bands, tile: 96}\n"
      "  small: {type: cut_tiles, input: bands, tile: 64}\n";
  const std::string cog = std::string() +
                          "  cog: {type: write_cog, input: large, path: " + (folder / "cog.tif") +
                          ", codec: zstd, resampling: cubic}\n",
                    slope = std::string() +
                            "  slope: {type: slope, input: small}\n"
                            "  steep: {type: write_cog, input: slope, path: " +
                            (folder / "steep.tif") + ", codec: lzw, statistics: true}\n",
                    plain = std::string() +
                            "  packed: {type: compress_tiles, input: small}\n"
                            "  tif: {type: write_tiff, input: packed, path: " +
                            (folder / "plain.tif") + "}\n",
                    measured = std::string() + "  numbers: {type: statistics, input: small, path: " +
                               (folder / "numbers.json") + "}\n";
  const auto run = [&](const std::string& sinks, std::vector<std::string> more) {
    std::ofstream(graph) << "weir: 1\nnodes:\n" << nodes << sinks;
    std::vector<std::string> words{"run", graph, "--overwrite"};
    words.insert(words.end(), more.begin(), more.end());
    return weir(words);
  };
  const auto alone = [&](std::string sinks, bool uses_large) {
    // An output that nobody takes is refused.
    const std::string kept = nodes;
    std::string only = kept.substr(0, kept.find("  large"));
    only += uses_large ? kept.substr(kept.find("  large"), kept.find("  small") - kept.find("  large"))
                       : kept.substr(kept.find("  small"));
    std::ofstream(graph) << "weir: 1\nnodes:\n" << only << sinks;
    const Ended ended = weir({"run", graph, "--overwrite"});
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
  };
  alone(cog, true);
  alone(slope, false);
  alone(plain, false);
  alone(measured, false);
  const std::vector<std::string> files{"cog.tif", "steep.tif", "plain.tif", "numbers.json"};
  std::vector<Bytes> right;
  for (const std::string& file : files) right.push_back(file_bytes(folder / file));

  const std::string all = cog + slope + plain + measured;
  const Ended refused = run(all, {"--memory", "1K"});
  CHECK(refused.code == 2);
  const std::size_t end = refused.err.rfind(" bytes");
  REQUIRE(end != std::string::npos);
  const std::size_t begin = refused.err.find_last_not_of("0123456789", end - 1) + 1;
  const std::string smallest = refused.err.substr(begin, end - begin);
  for (const std::vector<std::string>& way :
       {std::vector<std::string>{}, {"--memory", smallest}, {"--threads", "1"}, {"--engine", "serial"}}) {
    CAPTURE(smallest);
    const Ended ended = run(all, way);
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(contains(ended.out, "1.00 reads per chunk"));
    for (std::size_t i = 0; i < files.size(); ++i) CHECK(file_bytes(folder / files[i]) == right[i]);
  }
  CHECK(run(all, {"--memory", std::to_string(std::stoull(smallest) - 1)}).code == 2);
}

TEST_CASE("the drawing of a graph with a COG shows the nodes that run, and their concurrency can be set") {
  const TemporaryFolder folder;
  const std::string graph = folder / "graph.yaml";
  std::ofstream(graph)
      << "weir: 1\n"
         "nodes:\n"
         "  in: {type: terrain, size: 300x400}\n"
         "  bands: {type: assemble_bands, input: in}\n"
         "  tiles: {type: cut_tiles, input: bands, tile: 128}\n"
         "  cog: {type: write_cog, input: tiles, path: out.tif, concurrency: {reduce2: 1}}\n";
  const Ended dot = weir({"explain", graph, "--dot"}), plan = weir({"explain", graph});
  for (const char* node :
       {"cog.take", "cog.compress", "cog.level0", "cog.gather1", "cog.reduce2", "cog.level2"}) {
    CAPTURE(node);
    CHECK(contains(dot.out, node));
    CHECK(contains(plan.out, node));
  }
  CHECK(contains(plan.out, "overviews   200 x 150 pixels, 4 tiles"));
  for (const char* wrong : {"cog.reduce7.concurrency=1", "cog.reduce.concurrency=1",
                            "cog.gather1.concurrency=2", "cog.resampling=best", "cog.overviews=2,3",
                            "tiles.tile=24", "tiles.strip=8", "tiles.interleave=strip"}) {
    CAPTURE(wrong);
    CHECK(weir({"explain", graph, "--set", wrong}).code == 2);
  }
  CHECK(weir({"explain", graph, "--set", "cog.reduce1.concurrency=1", "--set", "cog.concurrency=2"}).code ==
        0);
  // What no file can hold is the COG's fault, not the source's.
  CHECK(contains(weir({"explain", graph, "--set", "tiles.tile=1048576"}).err,
                 "node cog: cannot write TIFF tiles"));
}

}  // namespace
}  // namespace weir::command_test
