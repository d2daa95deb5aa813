// weir convert --to cog.
#include <doctest/doctest.h>

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
                                                {"--to", "cog", "--print-graph"},
                                                {"--to", "png"}}) {
    CAPTURE(wrong.back());
    const Ended ended = convert(wrong);
    CHECK(ended.code == 2);
    CHECK(says_one_line(ended));
  }
}

}  // namespace
}  // namespace weir::command_test
