#include <fmt/format.h>

#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

// weir read and weir info.

namespace weir::command_test {
namespace {

std::string refused(const TemporaryFolder& folder, int code, const std::vector<std::string>& arguments) {
  const std::vector<std::string> before = folder.names();
  const Ended ended = weir(arguments);
  CAPTURE(fmt::format("{}", fmt::join(arguments, " ")));
  CHECK(ended.code == code);
  CHECK_MESSAGE(says_one_line(ended), ended.err);
  CHECK(folder.names() == before);
  return ended.err;
}

TEST_CASE("read writes a window's pixels, raw or as .npy") {
  const TemporaryFolder folder;
  const auto source = std::make_shared<const TiffSource>(data("L7_ETMs.tif"));
  Bytes right(50 * 60 * source->info().pixel_bytes());
  read_region(source, {20, 10, 50, 60}, {right.data(), interleaved_strides(60, source->info().samples, 1)});
  REQUIRE(
      weir({"read", data("L7_ETMs.tif"), "--window", "10,20,60,50", "--output", folder / "part.raw"}).code ==
      0);
  CHECK(file_bytes(folder / "part.raw") == right);
  REQUIRE(
      weir({"read", data("L7_ETMs.tif"), "--window", "10,20,60,50", "--output", folder / "part.npy"}).code ==
      0);
  const std::string npy = text_of(folder / "part.npy");
  CHECK(contains(npy.substr(0, 128), "'descr': '|u1', 'fortran_order': False, 'shape': (50, 60, 6), "));
  CHECK(npy.size() == 128 + right.size());
  CHECK(std::memcmp(npy.data() + 128, right.data(), right.size()) == 0);
  if (const auto python =
          tool("python3",
               {"-c", "import sys, numpy; a = numpy.load(sys.argv[1]); print(a.shape, a.dtype, a.sum())",
                folder / "part.npy"});
      python && python->code == 0) {
    std::uint64_t sum = 0;
    for (const std::byte byte : right) sum += static_cast<std::uint64_t>(byte);
    CHECK(python->out == fmt::format("(50, 60, 6) uint8 {}\n", sum));
  }
}

TEST_CASE("read without a window is the whole raster, at the smallest memory as with much") {
  const TemporaryFolder folder;
  const Bytes right = pipeline_test::pixels_read_back(data("olinda_dem_utm25s.tif"));
  std::vector<std::string> words{
      "read", data("olinda_dem_utm25s.tif"), "--output", folder / "all.raw", "--memory", "1K"};
  const std::uint64_t smallest = pipeline_test::smallest_named(refused(folder, 2, words));
  words.push_back("--overwrite");
  for (const std::uint64_t memory : {smallest, 64 * pipeline_test::mebibyte}) {
    words[5] = std::to_string(memory);
    const Ended ended = weir(words);
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    CHECK(file_bytes(folder / "all.raw") == right);
  }
}

TEST_CASE("wrong usage of read is one sentence, exit 2; input that is missing exit 1") {
  const TemporaryFolder folder;
  const std::string in = data("L7_ETMs.tif"), out = folder / "out.npy";
  CHECK(contains(refused(folder, 2, {"read", in}), "--output"));
  CHECK(contains(refused(folder, 2, {"read", in, "--output", folder / "out.png"}), ".npy or .raw"));
  CHECK(contains(refused(folder, 2, {"read", in, "--output", out, "--window", "0,0,400,1"}), "349 x 352"));
  CHECK(contains(refused(folder, 2, {"read", in, "--output", out, "--window", "0,0,4"}), "x,y,w,h"));
  CHECK(contains(refused(folder, 2, {"read", in, "--output", out, "--set", "compress.concurrency=1"}),
                 "there is no node of that name"));
  CHECK(contains(refused(folder, 1, {"read", folder / "none.tif", "--output", out}), "No such file"));
  std::ofstream(out) << "mine";
  CHECK(contains(refused(folder, 2, {"read", in, "--output", out}), "exists already"));
  CHECK(text_of(out) == "mine");
}

TEST_CASE("info says what is in a file, and fails in one sentence where it is none") {
  const Ended ended = weir({"info", data("L7_ETMs.tif")});
  CHECK(ended.code == 0);
  for (const char* words : {"349 x 352", "6 x uint8", "EPSG:", "transform", "bounds", "strips"})
    CHECK_MESSAGE(contains(ended.out, words), words);
  const TemporaryFolder folder;
  CHECK(contains(refused(folder, 1, {"info", data("README.md")}), "not a TIFF"));
  CHECK(contains(refused(folder, 1, {"info", folder / "none.tif"}), "No such file"));
  CHECK(contains(refused(folder, 2, {"info"}), "FILE"));
}

}  // namespace
}  // namespace weir::command_test
