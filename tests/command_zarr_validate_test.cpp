// What weir validate prints of arrays and groups, and exits with.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

std::string make_zarr(const TemporaryFolder& folder, const std::string& name,
                      const std::vector<std::string>& more = {}) {
  const std::string path = folder / name;
  std::vector<std::string> command{"convert", "terrain:300x200:int16", path, "--tile", "64", "--quiet"};
  command.insert(command.end(), more.begin(), more.end());
  const Ended made = weir(command);
  REQUIRE_MESSAGE(made.code == 0, made.err);
  return path;
}

TEST_CASE("validate says of sound arrays and pyramids of both formats that they are, and exits with 0") {
  const TemporaryFolder folder;
  for (const std::string& good :
       {make_zarr(folder, "a.zarr"), make_zarr(folder, "b.zarr", {"--shard", "128"}),
        make_zarr(folder, "c.zarr", {"--format", "2"}), make_zarr(folder, "d.zarr", {"--overviews", "2,4"}),
        make_zarr(folder, "e.zarr/in/it")}) {
    const Ended ended = weir({"validate", "--decode", "--strict", good});
    CHECK(ended.code == 0);
    CHECK(ended.out == good + ": a valid Zarr\n");
    CHECK(ended.err.empty());
  }
  CHECK(weir({"validate", folder / "e.zarr"}).code == 0);
}

TEST_CASE("validate lists the faults of arrays beside those of COGs, in text and in JSON, and exits with 1") {
  const TemporaryFolder folder;
  const std::string bad = make_zarr(folder, "a.zarr", {"--compress", "none"}),
                    cut = make_zarr(folder, "b.zarr", {"--shard", "128"});
  std::filesystem::resize_file(bad + "/c/0/1", 100);
  std::filesystem::rename(bad + "/c/0/2", bad + "/c/0.2");
  std::filesystem::resize_file(cut + "/c/1/1", 10);
  std::ofstream(cut + "/c/0/.0.weir-0123456789abcdef.tmp") << "x";
  const Ended ended = weir({"validate", bad, cut, folder / "none.zarr"});
  CHECK(ended.code == 1);
  CHECK(lines_of(ended.out) ==
        std::vector<std::string>{
            bad + ": warning: c/0.2: it is neither a chunk nor metadata [stray-object]",
            bad + ": error: c/0/1: it has 100 bytes, and its elements take 8192 [chunk-size]",
            bad + ": not a valid Zarr: 1 error, 1 warning",
            cut + ": error: c/1/1: the object has 10 bytes, and the index alone 68 [shard-index]",
            cut + ": warning: c/0/.0.weir-0123456789abcdef.tmp: a writer runs, or has died and left it "
                  "behind [leftover]",
            cut + ": not a valid Zarr: 1 error, 1 warning",
            (folder / "none.zarr") + ": error: No such file or directory [unreadable-store]",
            (folder / "none.zarr") + ": not a valid Zarr: 1 error"});
  CHECK(ended.err == "weir: cannot accept 3 of 3 files: what is wrong is listed above\n");
  const Ended json = weir({"validate", "--json", bad});
  CHECK(json.code == 1);
  CHECK(JsonCheck::is_whole(json.out));
  CHECK(contains(json.out, "\"kind\": \"Zarr\", \"valid\": false, \"errors\": 1, \"warnings\": 1"));
}

TEST_CASE(
    "times, texts, objects and structures of a group are noted and not judged; what is no type is an error") {
  const TemporaryFolder folder;
  const std::string group = folder / "g.zarr";
  const auto put_array = [&](const std::string& name, const std::string& type, const std::string& more) {
    std::filesystem::create_directories(group + "/" + name);
    std::ofstream(group + "/" + name + "/.zarray")
        << R"({"zarr_format": 2, "shape": [4], "chunks": [4], "compressor": null, "order": "C", "dtype": )"
        << type << ", " << more << "}";
    std::ofstream(group + "/" + name + "/0") << "anything";
  };
  std::filesystem::create_directory(group);
  std::ofstream(group + "/.zgroup") << R"({"zarr_format": 2})";
  const std::string plain = R"("fill_value": null, "filters": null)";
  put_array("time", R"("<M8[ns]")", R"("fill_value": "NaT", "filters": null)");
  put_array("span", R"("<m8[25s]")", plain);
  put_array("name", R"("|O")", R"("fill_value": "", "filters": [{"id": "vlen-utf8"}])");
  put_array("code", R"("<U5")", plain);
  put_array("word", R"("|S3")", plain);
  put_array("pair", R"([["x", "<f4"], ["y", "<i2"]])", plain);
  for (const std::vector<std::string>& more : {std::vector<std::string>{}, {"--decode", "--strict"}}) {
    std::vector<std::string> words{"validate", group};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = weir(words);
    CHECK(ended.code == 0);
    CHECK(ended.err == "");
    const std::vector<std::string> lines = lines_of(ended.out);
    REQUIRE(lines.size() == 7);
    CHECK(lines[0] ==
          group + ": note: code: its elements are <U5, which Weir does not read: chunks were not looked at");
    CHECK(contains(lines[2], "pair: its elements are a structure"));
    CHECK(contains(lines[4], "time: its elements are <M8[ns], "));
    CHECK(lines[6] == group + ": a valid Zarr");
  }
  std::filesystem::create_directory(folder / "t.zarr");
  std::ofstream(folder / "t.zarr/zarr.json")
      << R"({"zarr_format": 3, "node_type": "array", "shape": [4], "data_type": "string", "fill_value": "",)"
      << R"("chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},)"
      << R"("chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "vlen-utf8"}]})";
  CHECK(weir({"validate", folder / "t.zarr"}).code == 0);
  // Types of nobody's, and a fault beside one that is.
  put_array("none", R"("<M9")", plain);
  put_array("both", R"("<U5")", R"("fill_value": null, "filters": null, "dimension_separator": "x")");
  const Ended bad = weir({"validate", group});
  CHECK(bad.code == 1);
  CHECK(contains(bad.out, "none, .zarray: dtype: "));
  CHECK(contains(bad.out, "both, .zarray: dimension_separator: "));
  CHECK(contains(bad.out, "not a valid Zarr: 2 errors"));
}

}  // namespace
}  // namespace weir::command_test
