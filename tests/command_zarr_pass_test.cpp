// weir convert where the chunks of an array, or the tiles of a TIFF, are those of the array that is wanted.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

std::map<std::string, Bytes> contents_below(const std::string& folder) {
  std::map<std::string, Bytes> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      files[std::filesystem::relative(entry.path(), folder)] = file_bytes(entry.path());
  return files;
}

/// Runs a conversion as it is, with `passed` chunks as they are (none: encoded anew), and encoded anew: the same files.
void check_same(const std::string& in, std::vector<std::string> options, const std::string& out,
                const std::string& passed) {
  CAPTURE(in);
  CAPTURE(out);
  std::vector<std::string> command{"convert", in, out};
  command.insert(command.end(), options.begin(), options.end());
  const Ended ended = weir(command);
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  if (passed.empty())
    CHECK(!contains(ended.out, "passed through"));
  else
    CHECK(contains(ended.out, "chunks passed through: " + passed + "\n"));
  command[2] = out + "-again.zarr";
  command.push_back("--recompress");
  const Ended again = weir(command);
  REQUIRE_MESSAGE(again.code == 0, again.err);
  CHECK(!contains(again.out, "passed through"));
  CHECK(contents_below(out) == contents_below(command[2]));
}

TEST_CASE(
    "chunks of an array pass into shards, out of them, and into format 2 and back: the same files as encoded "
    "anew") {
  const TemporaryFolder folder;
  REQUIRE(
      weir({"convert", "terrain:300x200:int16", folder / "a.zarr", "--tile", "32", "--level", "5"}).code ==
      0);
  const auto to = [&](const char* name) { return folder / name; };
  // The level is the one that the source says, where none is asked for: 70 chunks.
  const Ended first = weir({"convert", to("a.zarr"), to("b.zarr"), "--tile", "32", "--shard", "128"});
  REQUIRE(first.code == 0);
  CHECK(contains(first.out, "chunks passed through: 70\n"));
  CHECK(contains(text_of(to("b.zarr/zarr.json")), "\"level\": 5"));
  REQUIRE(weir({"convert", to("b.zarr"), to("c.zarr"), "--tile", "32"}).code == 0);
  CHECK(contents_below(to("a.zarr")) == contents_below(to("c.zarr")));

  for (const std::string codec : {"none", "zstd", "gzip"}) {
    const auto named = [&](const char* name) { return folder / (codec + name); };
    const std::vector<std::string> plain{"--tile", "32", "--compress", codec};
    const auto with = [&](std::vector<std::string> more) {
      more.insert(more.end(), plain.begin(), plain.end());
      return more;
    };
    check_same("terrain:300x200:int16", plain, named("1.zarr"), "");
    check_same(named("1.zarr"), with({"--shard", "96x128"}), named("2.zarr"), "70");
    check_same(named("2.zarr"), with({"--shard", "64"}), named("3.zarr"), "70");
    check_same(named("3.zarr"), with({"--format", "2"}), named("4.zarr"), "70");
    check_same(named("4.zarr"), plain, named("5.zarr"), "70");
    CHECK(contents_below(named("1.zarr")) == contents_below(named("5.zarr")));
  }
}

TEST_CASE(
    "tiles of a TIFF become chunks where codec, size and samples are the same, and no predictor is in "
    "between") {
  const TemporaryFolder folder;
  struct Way {
    std::vector<std::string> tiff, zarr;
    std::string passed;  // empty: it is encoded
    std::string why = "";
  };
  const std::vector<Way> ways{
      {{"--compress", "deflate", "--predictor", "1"}, {"--format", "2", "--compress", "zlib"}, "35"},
      {{"--compress", "zstd", "--predictor", "1"}, {}, "35"},
      {{"--compress", "zstd", "--predictor", "1"}, {"--shard", "96"}, "35"},
      {{"--compress", "none"}, {"--compress", "none", "--shard", "48x384"}, "35"},
      {{"--compress", "zstd", "--predictor", "2"}, {}, "", "the predictor is 2, and Zarr has none"},
      {{"--compress", "deflate"}, {"--compress", "gzip"}, "", "the codec is zlib, and gzip is wanted"},
      {{"--compress", "none", "--bigtiff", "yes"},
       {"--compress", "none", "--nodata", "5"},
       "",
       "another nodata value"},
      {{"--compress", "zstd", "--predictor", "1"}, {"--level", "7"}, "", "a level is asked for"},
      {{"--compress", "zstd", "--predictor", "1"},
       {"--overviews", "2"},
       "",
       "a pyramid is computed of its pixels"},
  };
  int number = 0;
  for (const Way& way : ways) {
    CAPTURE(number);
    const std::string name = folder / std::to_string(number++), out = name + ".zarr";
    std::vector<std::string> make{"convert", "terrain:300x200:uint16", name + ".tif", "--tile", "48"};
    make.insert(make.end(), way.tiff.begin(), way.tiff.end());
    REQUIRE(weir(make).code == 0);
    std::vector<std::string> options{"--tile", "48"};
    options.insert(options.end(), way.zarr.begin(), way.zarr.end());
    std::vector<std::string> explain{"explain", "convert", name + ".tif", out};
    explain.insert(explain.end(), options.begin(), options.end());
    const Ended plan = weir(explain);
    CHECK(contains(plan.out, way.passed.empty() ? "recompress  " + way.why
                                                : "35 tiles pass through as they are stored"));
    check_same(name + ".tif", options, out, way.passed);
  }
  const Ended other = weir({"explain", "convert", folder / "1.tif", folder / "x.zarr", "--tile", "64"});
  CHECK(contains(other.out, "recompress  its tiles are 48 x 48 pixels, and chunks of 64 x 64 are wanted"));
  CHECK(weir({"convert", folder / "0.tif", folder / "x.zarr", "--compress", "zlib"}).code == 2);
}

TEST_CASE(
    "planes and interleaved samples pass as chunks of their own kind, sparse tiles as chunks that are not "
    "there") {
  const TemporaryFolder folder;
  for (const std::string planes : {"band", "pixel"}) {
    // A model of three samples is made of one array with a band axis.
    const std::string one = folder / (planes + "1.tif"), in = folder / (planes + ".tif"),
                      out = folder / (planes + ".zarr");
    REQUIRE(weir({"convert", data("int16_rgb.tif"), in, "--tile", "32", "--compress", "zstd", "--predictor",
                  "1", "--interleave", planes})
                .code == 0);
    const Ended ended = weir({"convert", in, out, "--tile", "32", "--interleave", planes, "--shard", "64"});
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    CHECK(contains(ended.out, "chunks passed through: "));
    const Ended other = weir({"convert", in, folder / "other.zarr", "--tile", "32", "--overwrite",
                              "--interleave", planes == "band" ? "pixel" : "band"});
    CHECK(other.code == 0);
    CHECK(!contains(other.out, "passed through"));
    for (const std::string& path : {in, out, folder / "other.zarr"})
      REQUIRE(weir({"read", path, "--output", path + ".raw", "--overwrite"}).code == 0);
    CHECK(file_bytes(in + ".raw") == file_bytes(out + ".raw"));
    CHECK(file_bytes(in + ".raw") == file_bytes(folder / "other.zarr.raw"));
  }
  // A corner of data in a sea of nothing: of 100 tiles of fill none is stored.
  REQUIRE(weir({"convert", "terrain:320x320:uint8", folder / "all.tif", "--scale", "0", "--nodata", "9",
                "--tile", "32", "--compress", "zstd", "--predictor", "1", "--sparse"})
              .code == 0);
  for (const std::string format : {"2", "3"}) {
    const std::string out = folder / ("sparse" + format + ".zarr");
    const Ended ended = weir({"convert", folder / "all.tif", out, "--tile", "32", "--format", format});
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    CAPTURE(ended.out);
    CHECK(contains(ended.out, "chunks passed through: "));
    REQUIRE(weir({"read", out, "--output", out + ".raw"}).code == 0);
    REQUIRE(weir({"read", folder / "all.tif", "--output", out + ".tif.raw"}).code == 0);
    CHECK(file_bytes(out + ".raw") == file_bytes(out + ".tif.raw"));
  }
}

TEST_CASE("sparse tiles are chunks of format 2 only where its fill is no null: else all are stored") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", "terrain:320x320:uint8", folder / "all.tif", "--scale", "0", "--tile", "32",
                "--compress", "zstd", "--predictor", "1", "--sparse"})
              .code == 0);
  const Ended plan =
      weir({"explain", "convert", folder / "all.tif", folder / "2.zarr", "--tile", "32", "--format", "2"});
  CHECK(contains(plan.out, "recompress  it is sparse, and all chunks are to be stored"));
  check_same(folder / "all.tif", {"--tile", "32", "--format", "2"}, folder / "2.zarr", "");
  CHECK(contents_below(folder / "2.zarr").size() > 100);
  check_same(folder / "all.tif", {"--tile", "32"}, folder / "3.zarr", "0");
}

TEST_CASE(
    "an array whose axes are the other way round is turned, and so encoded anew, whatever its shape is") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", "terrain:64x64:int16", folder / "a.zarr", "--tile", "32"}).code == 0);
  std::string text = text_of(folder / "a.zarr/zarr.json");
  const std::size_t at = text.rfind("[\"y\", \"x\"]");  // dimension_names
  REQUIRE(at != std::string::npos);
  std::ofstream(folder / "a.zarr/zarr.json") << text.replace(at, 10, "[\"x\", \"y\"]");
  const Ended ended = weir({"convert", folder / "a.zarr", folder / "b.zarr", "--tile", "32"});
  REQUIRE_MESSAGE(ended.code == 0, ended.err);
  CHECK(!contains(ended.out, "passed through"));
  for (const char* name : {"a", "b"})
    REQUIRE(weir({"read", folder / (std::string(name) + ".zarr"), "--output",
                  folder / (std::string(name) + ".raw")})
                .code == 0);
  CHECK(file_bytes(folder / "a.raw") == file_bytes(folder / "b.raw"));
  CHECK(file_bytes(folder / "a.zarr/c/0/1") != file_bytes(folder / "b.zarr/c/0/1"));
}

TEST_CASE("an array of which a part, or some bands, or other values are wanted is encoded anew") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", data("int16_rgb.tif"), folder / "a.zarr", "--tile", "32"}).code == 0);
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"--window", "0,0,40,40"},
                                             {"--samples", "1,2"},
                                             {"--samples", "3,2,1"},
                                             {"--type", "float32"},
                                             {"--interleave", "pixel"},
                                             {"--compress", "gzip"},
                                             {"--nodata", "3"},
                                             {"--set", "decode.concurrency=1"},
                                             {"--tile", "64"}}) {
    CAPTURE(options.front());
    std::vector<std::string> command{"convert", folder / "a.zarr", folder / "b.zarr", "--overwrite"};
    if (options.front() != "--tile") command.insert(command.end(), {"--tile", "32"});
    command.insert(command.end(), options.begin(), options.end());
    const Ended ended = weir(command);
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(!contains(ended.out, "passed through"));
  }
  const Ended whole = weir(
      {"convert", folder / "a.zarr", folder / "b.zarr", "--overwrite", "--tile", "32", "--samples", "1,2,3"});
  CHECK(contains(whole.out, "chunks passed through: "));
}

}  // namespace
}  // namespace weir::command_test
