#include <fmt/format.h>

#include <fstream>

#include "tests/made_images.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// Overviews, masks and limits on the command line and in graph files.

namespace weir::command_test {
namespace {

using test::make_images;
using test::Picture;
using test::write_file;

const Picture full{60, 81, 0, 3}, mask{60, 81, 4}, half{30, 41, 1, 3, 9}, quarter{15, 20, 1, 3, 5};

std::string refusal(int code, const std::vector<std::string>& arguments) {
  const Ended ended = weir(arguments);
  CHECK(ended.code == code);
  CHECK_MESSAGE(says_one_line(ended), ended.err);
  return ended.err;
}

TEST_CASE("read and convert take an overview; a graph file that is printed makes the same bytes") {
  const TemporaryFolder folder;
  const std::string in = folder / "in.tif", raw = folder / "out.raw", tif = folder / "out.tif";
  write_file(in, make_images({full, mask, half, quarter}));
  for (const auto& each : {std::pair("0", full), std::pair("1", half), std::pair("2", quarter)}) {
    const auto& number = each.first;  // no structured bindings: clang 14 does not capture them
    const auto& picture = each.second;
    CAPTURE(number);
    REQUIRE(weir({"read", in, "--overview", number, "--output", raw, "--overwrite"}).code == 0);
    CHECK(file_bytes(raw) == test::pixels_of(picture));
    const std::vector<std::string> words{
        "convert",     in,   tif,           "--overview", number,         "--no-mask",
        "--tile",      "16", "--compress",  "zstd",       "--max-pixels", "4860",
        "--max-chunk", "1M", "--max-fetch", "1M",         "--overwrite"};
    REQUIRE(weir(words).code == 0);
    const Bytes right = file_bytes(tif);
    std::vector<std::string> print = words;
    print.push_back("--print-graph");
    const std::string graph = weir(print).out;
    for (const char* parameter : {"mask: false", "max_pixels: 4860", "max_chunk: 1M", "max_fetch: 1M"})
      CHECK_MESSAGE(contains(graph, parameter), graph);
    std::ofstream(folder / "g.yaml") << graph;
    std::filesystem::remove(tif);
    const Ended ran = weir({"run", folder / "g.yaml"});
    REQUIRE_MESSAGE(ran.code == 0, ran.err);
    CHECK(file_bytes(tif) == right);
  }
  CHECK(contains(refusal(2, {"read", in, "--overview", "3", "--output", raw, "--overwrite"}),
                 "cannot read overview 3 of " + in + ": the image has 2 overviews"));
}

TEST_CASE("limits refuse what reads more, with the number") {
  const TemporaryFolder folder;
  const std::string in = folder / "in.tif", raw = folder / "out.raw";
  write_file(in, make_images({full}));
  const auto with = [&](const std::string& limit, const std::string& value) {
    return std::vector<std::string>{"read", in, "--output", raw, "--overwrite", limit, value};
  };
  CHECK(contains(refusal(2, with("--max-pixels", "4859")),
                 "81 x 60 pixels (width x height) are more than the limit, 4859 pixels"));
  CHECK(weir(with("--max-pixels", "4860")).code == 0);
  std::vector<std::string> window = with("--max-pixels", "6");
  window.insert(window.end(), {"--window", "1,2,3,2"});
  CHECK(weir(window).code == 0);  // of the part alone
  CHECK(contains(refusal(1, with("--max-chunk", "100")),
                 "each of its tiles takes 768 bytes, and the limit for a chunk is 100 bytes"));
  CHECK(contains(refusal(1, with("--max-fetch", "1K")), "the limit for what is fetched, 1024 bytes"));
}

TEST_CASE("info lists overviews, the mask, thumbnails and pages") {
  const TemporaryFolder folder;
  const std::string in = folder / "in.tif";
  Picture first = full;
  first.below = {quarter};
  write_file(in, make_images({first, mask, half, {30, 41, 5}, {10, 10, 1, 3}, {5, 6}}));
  const Ended ended = weir({"info", in});
  CHECK(ended.code == 0);
  for (const char* line :
       {"  images       2 in this file\n", "  overview 1   41 x 30 pixels (width x height), with a mask\n",
        "  overview 2   20 x 15 pixels (width x height) (a SubIFD)\n",
        "  mask         81 x 60 pixels (width x height)\n",
        "  also         a thumbnail, 10 x 10 pixels (width x height)\n"})
    CHECK_MESSAGE(contains(ended.out, line), ended.out);
}

}  // namespace
}  // namespace weir::command_test
