// weir convert to Zarr and from it, weir read of it.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/run_command.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir::command_test {
namespace {

std::vector<std::string> files_below(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files.push_back(std::filesystem::relative(entry.path(), folder));
  std::ranges::sort(files);
  return files;
}

TEST_CASE("convert makes an array by the name of its output, in shards where they are wanted") {
  const TemporaryFolder folder;
  const std::string out = folder / "a.zarr";
  const std::vector<std::string> command = {
      "convert", "terrain:300x200:int16", out, "--tile", "32", "--shard", "128x160", "--memory", "8M"};
  std::vector<std::string> explain = command;
  explain.insert(explain.begin(), "explain");
  const Ended plan = weir(explain);
  CHECK(plan.code == 0);
  CHECK(contains(plan.out, "shards      of 20 chunks of 2.0 KiB; 2 open at once"));
  CHECK(folder.names().empty());
  const Ended ended = weir(command);
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(contains(ended.out, "1.00 reads per chunk"));
  CHECK(files_below(out) == std::vector<std::string>{"c/0/0", "c/0/1", "c/1/0", "c/1/1", "zarr.json"});
  const Ended again = weir(command);
  CHECK(again.code == 2);
  CHECK(contains(again.err, "it exists already"));
}

TEST_CASE("an array becomes the GeoTIFF that its raster would have become, and a window of it is read") {
  const TemporaryFolder folder;
  const auto run = [](const std::vector<std::string>& words) {
    const Ended ended = weir(words);
    CHECK_MESSAGE(ended.code == 0, ended.err);
  };
  for (const std::string format : {"2", "3"}) {
    run({"convert", "terrain:300x200:float32", folder / "b.zarr/dem", "--format", format, "--tile", "50x70",
         "--overwrite"});
    run({"convert", folder / "b.zarr/dem", folder / "b.tif", "--overwrite"});
    run({"convert", folder / "b.zarr", folder / "only.tif", "--overwrite"});  // the group's one array
    run({"convert", "terrain:300x200:float32", folder / "a.tif", "--overwrite"});
    CHECK(file_bytes(folder / "a.tif") == file_bytes(folder / "b.tif"));
    CHECK(file_bytes(folder / "a.tif") == file_bytes(folder / "only.tif"));
    for (const char* of : {"a.tif", "b.zarr/dem"})
      run({"read", folder / of, "--window", "33,44,100,80", "--output",
           folder / (std::string(of).substr(0, 1) + ".raw"), "--overwrite"});
    CHECK(file_bytes(folder / "a.raw") == file_bytes(folder / "b.raw"));
    std::filesystem::remove_all(folder / "b.zarr");
  }
}

TEST_CASE("overviews make a pyramid, whose levels are read, and the printed graph makes the same") {
  const TemporaryFolder folder;
  const std::vector<std::string> command = {"convert",
                                            "terrain:300x200:int16",
                                            folder / "a.zarr",
                                            "--tile",
                                            "64",
                                            "--overviews",
                                            "2,4",
                                            "--resampling",
                                            "mode"};
  const Ended ended = weir(command);
  CHECK_MESSAGE(ended.code == 0, ended.err);
  const Ended read = weir({"read", folder / "a.zarr", "--overview", "2", "--output", folder / "a.raw"});
  CHECK_MESSAGE(read.code == 0, read.err);
  CHECK(file_bytes(folder / "a.raw").size() == 75 * 50 * 2);
  const Ended info = weir({"info", folder / "a.zarr"});
  CHECK(contains(info.out, "size         300 x 200 pixels"));
  CHECK(contains(info.out, "codecs       bytes, zstd"));
  std::vector<std::string> print = command;
  print.push_back("--print-graph");
  const Ended graph = weir(print);
  CHECK(contains(graph.out, "overviews: "));
  std::ofstream(folder / "a.yaml") << graph.out;
  const std::vector<std::string> before = files_below(folder / "a.zarr");
  const Bytes level = file_bytes(folder / "a.zarr/1/c/0/0");
  std::filesystem::remove_all(folder / "a.zarr");
  const Ended run = weir({"run", folder / "a.yaml"});
  CHECK_MESSAGE(run.code == 0, run.err);
  CHECK(files_below(folder / "a.zarr") == before);
  CHECK(file_bytes(folder / "a.zarr/1/c/0/0") == level);
}

TEST_CASE("a chunk that is not there is fill in a graph file, or an error where the file says so") {
  const TemporaryFolder folder;
  const std::string array = folder / "a.zarr";
  const Ended made = weir({"convert", "terrain:300x200:int16", array, "--tile", "64"});
  CHECK_MESSAGE(made.code == 0, made.err);
  std::string graph = weir({"convert", array, folder / "a.tif", "--print-graph"}).out;
  const std::size_t place = graph.find("type: read_zarr,");
  REQUIRE(place != std::string::npos);
  std::filesystem::remove(array + "/c/1/2");
  for (const std::string missing : {"fill", "error"}) {
    std::string text = graph;
    text.insert(place, "missing: " + missing + ", ");
    std::ofstream(folder / "a.yaml") << text;
    const Ended run = weir({"run", folder / "a.yaml"});
    CHECK(run.code == (missing == "fill" ? 0 : 1));
    CHECK(contains(run.err, "c/1/2: there is no such key") == (missing == "error"));
    CHECK(std::filesystem::exists(folder / "a.tif") == (missing == "fill"));
    std::filesystem::remove(folder / "a.tif");
  }
}

TEST_CASE("options that the output has not are refused in one line") {
  const TemporaryFolder folder;
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"a.zarr", "--strip", "8"},
                                                {"a.zarr", "--sparse"},
                                                {"a.zarr", "--compress", "lzw"},
                                                {"a.zarr", "--pack", "copy"},
                                                {"a.zarr", "--resampling", "mode"},
                                                {"a.zarr", "--overviews", "2,3"},
                                                {"a.zarr", "--shard", "100"},
                                                {"a.zarr", "--format", "2", "--shard", "512"},
                                                {"a.zarr", "--to", "geotiff"},
                                                {"a.tif", "--shard", "512"},
                                                {"a.tif", "--format", "3"},
                                                {"a.tif", "--compress", "blosc"},
                                                {"a.tif", "--to", "zarr"}}) {
    CAPTURE(wrong.front());
    CAPTURE(wrong.back());
    std::vector<std::string> words = {"convert", "terrain:300x300", folder / wrong.front()};
    words.insert(words.end(), wrong.begin() + 1, wrong.end());
    const Ended ended = weir(words);
    CHECK(ended.code == 2);
    CHECK(says_one_line(ended));
    CHECK(folder.names().empty());
  }
}

}  // namespace
}  // namespace weir::command_test
