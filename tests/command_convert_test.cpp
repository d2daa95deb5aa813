#include <fmt/format.h>

#include <algorithm>

#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// weir convert and weir explain, as a user types them.

namespace weir::command_test {
namespace {

using pipeline_test::pixels_read_back;
using pipeline_test::smallest_named;

/// Runs a convert that must be refused or fail: one line that says why, and nothing new in the folder.
std::string refused(const TemporaryFolder& folder, int code, const std::vector<std::string>& arguments) {
  const std::vector<std::string> before = folder.names();
  const Ended ended = weir(arguments);
  CAPTURE(fmt::format("{}", fmt::join(arguments, " ")));
  CHECK(ended.code == code);
  CHECK_MESSAGE(says_one_line(ended), ended.err);
  CHECK(folder.names() == before);
  return ended.err;
}

TEST_CASE(
    "help fits a screen of 80 columns, and --help-all names every option, without the parser's own words") {
  for (const std::vector<std::string>& command : {std::vector<std::string>{"--help"},
                                                  {"convert", "--help"},
                                                  {"read", "--help"},
                                                  {"info", "--help"},
                                                  {"validate", "--help"},
                                                  {"compact", "--help"},
                                                  {"explain", "--help"},
                                                  {"explain", "convert", "--help"},
                                                  {"convert", "--help-all"},
                                                  {"read", "--help-all"}}) {
    CAPTURE(command.front());
    const Ended ended = weir(command);
    CHECK(ended.code == 0);
    CHECK(ended.err.empty());
    const std::vector<std::string> lines = lines_of(ended.out);
    CHECK(lines.size() > 4);
    if (command.back() == "--help") CHECK(lines.size() <= 50);
    for (const std::string& line : lines) CHECK_MESSAGE(line.size() <= 80, line);
    for (const char* word : {"TEXT", "UINT", "REQUIRED", "Excludes", " ..."})
      CHECK_MESSAGE(!contains(ended.out, word), word);
  }
  const std::string convert = weir({"convert", "--help-all"}).out;
  for (const char* option :
       {"--window",  "--chunk",  "--directory",  "--compress", "--level",   "--deflate-engine", "--predictor",
        "--tile",    "--strip",  "--interleave", "--nodata",   "--bigtiff", "--memory",         "--tokens",
        "--threads", "--engine", "--set",        "--progress", "--report",  "--trace",          "--overwrite",
        "--quiet",   "--sparse", "--statistics", "--metadata", "--band"})
    CHECK_MESSAGE(contains(convert, std::string("\n  ") + option + " "), option);
  const std::string all = weir({"--help"}).out;
  for (const char* command : {"convert", "read", "info", "validate", "explain"})
    CHECK(contains(all, std::string("\n  ") + command + " "));
}

TEST_CASE("the version says what it was built with") {
  const Ended ended = weir({"--version"});
  CHECK(ended.code == 0);
  for (const char* word : {"weir 0.", "oneTBB", "libtiff", "zstd", "zlib", "libdeflate", "ISA-L"})
    CHECK(contains(ended.out, word));
}

TEST_CASE("wrong usage is one sentence, exit 2, and creates nothing") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.tif";
  const auto convert = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"convert", in, out});
    return refused(folder, 2, more);
  };
  CHECK(contains(refused(folder, 2, {}), "no command is named"));
  CHECK(contains(refused(folder, 2, {"convrt"}), "convrt"));
  CHECK(contains(refused(folder, 2, {"convert", in}), "OUT"));
  CHECK(contains(refused(folder, 2, {"explain", "read", in}), "cannot explain read"));
  CHECK(contains(refused(folder, 2, {"explain"}), "name a command"));
  CHECK(contains(convert({"--frobnicate"}), "--frobnicate"));
  CHECK(contains(convert({"--compress", "jpeg2000"}), "jpeg2000"));
  CHECK(contains(convert({"--level", "99"}), "its levels are 1 to"));
  CHECK(contains(convert({"--compress", "zstd", "--level", "23"}), "its levels are 1 to 22"));
  CHECK(contains(convert({"--compress", "zstd", "--deflate-engine", "zlib"}), "the codec is not deflate"));
  CHECK(contains(convert({"--quality", "50"}), "the codec is deflate; jpeg and webp have a quality"));
  CHECK(contains(convert({"--compress", "jpeg"}), "6 samples per pixel"));
  CHECK(contains(convert({"--compress", "jpeg", "--quality", "101"}), "it goes from 1 to 100"));
  CHECK(contains(convert({"--compress", "webp", "--lossless", "--quality", "5"}), "lossless webp has none"));
  CHECK(contains(convert({"--compress", "zstd", "--lossless"}), "the codec is zstd"));
  CHECK(contains(convert({"--compress", "lerc", "--max-error", "-1"}), "it is a number from 0 on"));
  CHECK(contains(convert({"--compress", "lerc", "--level", "5"}), "lerc_deflate and lerc_zstd have"));
  CHECK(contains(convert({"--predictor", "3"}), "uint8"));
  for (const char* size : {"100", "0", "-16", "16x", "x16", "1x2x3", "256.5", "18446744073709551616", ""})
    CHECK(contains(convert({"--tile", size}), "tile"));
  for (const char* rows : {"0", "-1", "many"}) CHECK(contains(convert({"--strip", rows}), "--strip"));
  CHECK(contains(convert({"--strip", "16", "--tile", "16"}), "--strip"));
  for (const char* window : {"0,0,0,10", "0,0,10", "0,0,10,10,10", "a,b,c,d", "-1,0,10,10", "340,0,20,10",
                             "0,0,350,10", "18446744073709551615,0,2,2", "0,0,18446744073709551615,1"})
    CHECK(contains(convert({"--window", window}), "window"));
  CHECK(contains(convert({"--nodata", "nothing"}), "'nothing'"));
  CHECK(contains(convert({"--memory", "64Q"}), "64Q"));
  CHECK(contains(convert({"--memory", "0"}), "--memory"));
  for (const char* count : {"0", "-1", "few"}) {
    CHECK(contains(convert({"--tokens", count}), "--tokens"));
    CHECK(contains(convert({"--threads", count}), "--threads"));
  }
  CHECK(contains(convert({"--set", "compres.concurrency=2"}),
                 "there are plan, fetch, decode, assemble, cut, compress, tif"));
  CHECK(contains(convert({"--set", "compress=2"}), "NODE.concurrency=N"));
  CHECK(contains(convert({"--set", "compress.concurrency=0"}), "from 1"));
  CHECK(contains(convert({"--set", "tif.concurrency=2"}), "one item at a time"));
  CHECK(contains(convert({"--engine", "warp"}), "warp"));
  CHECK(contains(refused(folder, 2, {"convert", in, folder / "map.png"}), ".tif"));
  CHECK(contains(refused(folder, 2, {"convert", "terrain:0x10", out}), "no pixels"));
  CHECK(contains(refused(folder, 2, {"convert", "terrain:10", out}), "terrain:WIDTHxHEIGHT"));
  CHECK(contains(refused(folder, 2, {"convert", "terrain:10x10:float12", out}), "float12"));
}

TEST_CASE("input that is missing, a folder, no TIFF, or has no such image is one sentence, exit 1") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  CHECK(contains(refused(folder, 1, {"convert", folder / "none.tif", out}), "No such file"));
  CHECK(contains(refused(folder, 1, {"convert", folder / ".", out}), "folder"));
  CHECK(contains(refused(folder, 1, {"convert", data("README.md"), out}), "not a TIFF"));
  std::ofstream(folder / "empty.tif").close();
  CHECK(contains(refused(folder, 1, {"convert", folder / "empty.tif", out}), "not a TIFF"));
  CHECK(contains(refused(folder, 1, {"convert", data("L7_ETMs.tif"), out, "--directory", "7"}), "7"));
}

TEST_CASE("output that is a folder, or in a folder that is not there, is one sentence") {
  const TemporaryFolder folder;
  CHECK(contains(refused(folder, 2, {"convert", data("L7_ETMs.tif"), folder / ""}), "folder"));
  CHECK(contains(refused(folder, 2, {"convert", data("L7_ETMs.tif"), folder / "", "--overwrite"}), "folder"));
  CHECK(contains(refused(folder, 1, {"convert", data("L7_ETMs.tif"), folder / "none/out.tif"}),
                 "No such file"));
}

TEST_CASE("an output that exists is refused without --overwrite, exit 2, and replaced with it") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  std::ofstream(out) << "mine";
  CHECK(contains(refused(folder, 2, {"convert", data("L7_ETMs.tif"), out}), "exists already"));
  CHECK(text_of(out) == "mine");
  CHECK(weir({"convert", data("L7_ETMs.tif"), out, "--overwrite"}).code == 0);
  CHECK(pixels_read_back(out) == pixels_read_back(data("L7_ETMs.tif")));
}

TEST_CASE("a memory too small is refused, exit 2, with the smallest that works; that number works") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  for (const std::vector<std::string>& more : {std::vector<std::string>{},
                                               {"--compress", "zstd", "--threads", "3"},
                                               {"--compress", "none", "--strip", "10"},
                                               {"--engine", "serial"}}) {
    std::vector<std::string> words{"convert", data("L7_ETMs.tif"), out, "--overwrite", "--memory", "100K"};
    words.insert(words.end(), more.begin(), more.end());
    const std::uint64_t smallest = smallest_named(refused(folder, 2, words));
    words[5] = std::to_string(smallest - 1);
    CHECK(smallest_named(refused(folder, 2, words)) == smallest);
    words[5] = std::to_string(smallest);
    const Ended ended = weir(words);
    CHECK_MESSAGE(ended.code == 0, ended.err);
    CHECK(pixels_read_back(out) == pixels_read_back(data("L7_ETMs.tif")));
    std::filesystem::remove(out);
  }
}

TEST_CASE("explain runs nothing: it reads no pixels and writes no file") {
  const TemporaryFolder folder;
  make_terrain(folder / "in.tif", "1000x1000");
  // Without its last tiles: whoever reads pixels fails.
  std::filesystem::resize_file(folder / "in.tif", std::filesystem::file_size(folder / "in.tif") - 100000);
  CHECK(contains(refused(folder, 1, {"convert", folder / "in.tif", folder / "out.tif", "--progress", "none"}),
                 "in.tif"));
  const Ended ended = weir({"explain", "convert", folder / "in.tif", folder / "out.tif", "--memory", "16M",
                            "--compress", "zstd", "--recompress"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(ended.err.empty());
  CHECK(folder.names() == std::vector<std::string>{"in.tif"});
  for (const char* word : {"bands ", "segments ", "reads ", "is the smallest that works",
                           "multifunction_node", "sequencer", "compress"})
    CHECK_MESSAGE(contains(ended.out, word), word);
  const Ended drawn = weir({"explain", "convert", folder / "in.tif", folder / "out.tif", "--dot"});
  CHECK(drawn.code == 0);
  CHECK(drawn.out.starts_with("digraph"));
  CHECK(folder.names() == std::vector<std::string>{"in.tif"});
}

TEST_CASE("explain says how often chunks will be read, and the report says the same afterwards") {
  const TemporaryFolder folder;
  for (const std::string spool : {"auto", "none"}) {
    std::vector<std::string> words{"convert",
                                   "terrain:4000x2000:uint8",
                                   folder / "out.tif",
                                   "--chunk",
                                   "1024",
                                   "--tile",
                                   "128",
                                   "--spool",
                                   spool,
                                   "--report",
                                   folder / "run.json",
                                   "--overwrite",
                                   "--memory",
                                   "1K"};
    words.back() = std::to_string(smallest_named(weir(words).err));
    std::vector<std::string> explain = words;
    explain.insert(explain.begin(), "explain");
    const Ended plan = weir(explain);
    REQUIRE_MESSAGE(plan.code == 0, plan.err);
    const std::uint64_t reads = pipeline_test::said_number(plan.out, "reads");
    CHECK((reads > 8) == (spool == "none"));
    CHECK(contains(plan.out, "spool ") == (spool == "auto"));
    REQUIRE(weir(words).code == 0);
    const std::string json = text_of(folder / "run.json");
    CHECK(json_number(json, "source_reads") == static_cast<double>(reads));
    CHECK(json_number(json, "source_chunks") == 8);
    CHECK(folder.names() == std::vector<std::string>{"out.tif", "run.json"});
  }
}

TEST_CASE("convert onto itself works with --overwrite, and is refused without") {
  const TemporaryFolder folder;
  const std::string path = folder / "scene.tif";
  std::filesystem::copy_file(data("L7_ETMs.tif"), path);
  CHECK(contains(refused(folder, 2, {"convert", path, path}), "exists already"));
  const Ended ended = weir({"convert", path, path, "--overwrite", "--compress", "zstd"});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  CHECK(pixels_read_back(path) == pixels_read_back(data("L7_ETMs.tif")));
  CHECK(TiffSource(path).layout().codec == CodecId::zstd);
  CHECK(folder.names() == std::vector<std::string>{"scene.tif"});
}

void check_same_place(const Georeferencing& a, const Georeferencing& b) {
  CHECK(a.pixel_scale == b.pixel_scale);
  CHECK(a.tiepoints == b.tiepoints);
  CHECK(a.transformation == b.transformation);
  CHECK(a.key_directory == b.key_directory);
  CHECK(a.key_doubles == b.key_doubles);
  CHECK(a.key_ascii == b.key_ascii);
}

TEST_CASE("pixels, georeferencing, nodata and other tags of real files are carried over") {
  const TemporaryFolder folder;
  for (const char* name : {"L7_ETMs.tif", "olinda_dem_utm25s.tif", "lc.tif"})
    for (const char* interleave : {"pixel", "band"}) {
      CAPTURE(name);
      const Ended ended = weir({"convert", data(name), folder / "out.tif", "--overwrite", "--compress",
                                "zstd", "--tile", "128x256", "--interleave", interleave});
      REQUIRE_MESSAGE(ended.code == 0, ended.err);
      const TiffSource before(data(name)), after(folder / "out.tif");
      CHECK(!before.info().georeferencing.empty());
      check_same_place(after.info().georeferencing, before.info().georeferencing);
      CHECK(after.info().nodata == before.info().nodata);
      CHECK(after.info().type == before.info().type);
      CHECK(after.info().samples == before.info().samples);
      CHECK(after.info().photometric == before.info().photometric);
      CHECK(after.info().extra_samples == before.info().extra_samples);
      REQUIRE(after.info().tags.size() == before.info().tags.size());
      for (std::size_t i = 0; i < after.info().tags.size(); ++i) {
        CHECK(after.info().tags[i].id == before.info().tags[i].id);
        CHECK(after.info().tags[i].bytes == before.info().tags[i].bytes);
      }
      CHECK(pixels_read_back(folder / "out.tif") == pixels_read_back(data(name)));
    }
}

TEST_CASE("tags that nobody knows are carried over") {
  const TemporaryFolder folder;
  auto layout = test::layout_of(40, 50);
  layout.info.tags = {test::raw_tag(305, TiffType::ascii, 9, 1),
                      test::raw_tag(65000, TiffType::float64, 3, 8),
                      test::raw_tag(65001, TiffType::byte, 1000, 1)};
  layout.info.tags[0].bytes = Bytes(9, std::byte{'x'});
  layout.info.tags[0].bytes.back() = std::byte{0};
  test::write_all(layout, folder / "in.tif", test::all_tiles(layout, test::made_pixels(layout.info)));
  REQUIRE(weir({"convert", folder / "in.tif", folder / "out.tif"}).code == 0);
  const TiffSource after(folder / "out.tif");
  REQUIRE(after.info().tags.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(after.info().tags[i].id == layout.info.tags[i].id);
    CHECK(after.info().tags[i].type == layout.info.tags[i].type);
    CHECK(after.info().tags[i].bytes == layout.info.tags[i].bytes);
  }
}

TEST_CASE("--window cuts out pixels and moves the georeferencing with them") {
  const TemporaryFolder folder;
  REQUIRE(weir({"convert", data("L7_ETMs.tif"), folder / "out.tif", "--window", "100,37,120,200"}).code == 0);
  const auto whole = std::make_shared<const TiffSource>(data("L7_ETMs.tif"));
  const TiffSource part(folder / "out.tif");
  CHECK(part.info().width == 120);
  CHECK(part.info().height == 200);
  Georeferencing moved = whole->info().georeferencing;
  REQUIRE(moved.tiepoints.size() == 6);
  moved.tiepoints[0] -= 100;
  moved.tiepoints[1] -= 37;
  check_same_place(part.info().georeferencing, moved);
  Bytes pixels(200 * 120 * whole->info().pixel_bytes());
  read_region(whole, {37, 100, 200, 120},
              {pixels.data(), interleaved_strides(120, whole->info().samples, 1)});
  CHECK(pixels_read_back(folder / "out.tif") == pixels);
  // Another reader's opinion of where the corner is: X + 100 pixels of 28.5 m, Y - 37.
  const auto before = tool("gdalinfo", {data("L7_ETMs.tif")}), after = tool("gdalinfo", {folder / "out.tif"});
  if (!before || !after) return;
  const auto origin = [](const std::string& text) {
    const char* at = text.c_str() + text.find("Origin = (") + 10;
    char* end = nullptr;
    const double x = std::strtod(at, &end);
    return std::pair(x, std::strtod(end + 1, nullptr));
  };
  const auto [x, y] = origin(before->out);
  const auto [moved_x, moved_y] = origin(after->out);
  CHECK(moved_x == doctest::Approx(x + 100 * moved.pixel_scale[0]).epsilon(1e-12));
  CHECK(moved_y == doctest::Approx(y - 37 * moved.pixel_scale[1]).epsilon(1e-12));
}

TEST_CASE("--nodata is stored, and --bigtiff, --predictor and --strip do what they say") {
  const TemporaryFolder folder;
  const std::string out = folder / "out.tif";
  REQUIRE(weir({"convert", data("olinda_dem_utm25s.tif"), out, "--nodata", "-42.5", "--bigtiff", "yes",
                "--predictor", "2", "--strip", "33"})
              .code == 0);
  const TiffSource written(out);
  CHECK(written.info().nodata == "-42.5");
  CHECK(written.layout().predictor == Predictor::horizontal);
  CHECK(!written.layout().is_tiled);
  CHECK(written.layout().strile_height == 33);
  CHECK(test::number_at<std::uint16_t>(file_bytes(out), 2) == 43);
  REQUIRE(weir({"convert", data("olinda_dem_utm25s.tif"), out, "--overwrite"}).code == 0);
  CHECK(test::number_at<std::uint16_t>(file_bytes(out), 2) == 42);
}

TEST_CASE("the same bytes for any --threads, --tokens, --memory and --engine") {
  const TemporaryFolder folder;
  make_terrain(folder / "in.tif", "1500x1200");
  std::optional<Bytes> first;
  for (const std::vector<std::string>& more : {std::vector<std::string>{"--threads", "1"},
                                               {"--threads", "2"},
                                               {"--threads", "8"},
                                               {"--threads", "8", "--memory", "14M"},
                                               {"--tokens", "1"},
                                               {"--tokens", "100"},
                                               {"--engine", "serial", "--memory", "3M"},
                                               {"--memory", "1G"},
                                               {"--chunk", "700x300"}}) {
    std::vector<std::string> words{"convert", folder / "in.tif", folder / "out.tif", "--overwrite"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended ended = weir(words);
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    if (!first) first = file_bytes(folder / "out.tif");
    CAPTURE(more.front() + " " + more.back());
    CHECK(file_bytes(folder / "out.tif") == *first);
  }
}

}  // namespace
}  // namespace weir::command_test
