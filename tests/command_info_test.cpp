#include <doctest/doctest.h>
#include <tiffio.h>

#include <fstream>

#include "tests/run_command.hpp"
#include "tests/tiff_recipes.hpp"

// What weir info says of samples, against what is known of the files.

namespace weir::command_test {
namespace {

std::string line_of(const std::string& path, const std::string& word) {
  const Ended ended = weir({"info", path});
  CHECK_MESSAGE(ended.code == 0, ended.err);
  for (const std::string& line : lines_of(ended.out))
    if (line.starts_with("  " + word + " ")) return line;
  return {};
}

void write_to(const std::string& path, const test::Recipe& recipe) {
  const Bytes bytes = test::make_tiff(recipe);
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace

TEST_CASE("info says how samples are stored where that is not their type") {
  CHECK(line_of(data("12bit.cropped.rgb.tiff"), "samples") ==
        "  samples      3 x uint16 per pixel, stored in 12 bits");
  CHECK(line_of(data("miniswhite-1c-1b.tiff"), "samples") ==
        "  samples      1 x uint8 per pixel, stored in 1 bit");
  CHECK(line_of(data("white-fp16.tiff"), "samples") ==
        "  samples      1 x float32 per pixel, stored as float16");
  CHECK(line_of(data("L7_ETMs.tif"), "samples") == "  samples      6 x uint8 per pixel");
  const TemporaryFolder folder;
  test::Recipe recipe;
  recipe.type = SampleType::uint32;
  recipe.bits = 24;
  write_to(folder / "a.tif", recipe);
  CHECK(line_of(folder / "a.tif", "samples") == "  samples      1 x uint32 per pixel, stored in 24 bits");
}

TEST_CASE("info says what the samples mean") {
  CHECK(line_of(data("miniswhite-1c-1b.tiff"), "photometric") == "  photometric  0, grey, 0 is white");
  CHECK(line_of(data("palette-1c-4b.tiff"), "photometric") == "  photometric  3, a palette of 16 colours");
  CHECK(line_of(data("cmyk-3c-8b.tiff"), "photometric") == "  photometric  5, separated inks (CMYK)");
  CHECK(line_of(data("minisblack-2c-8b-alpha.tiff"), "photometric") ==
        "  photometric  1, grey, 0 is black, and premultiplied alpha");
  CHECK(line_of(data("geo-5b.tif"), "photometric") ==
        "  photometric  1, grey, 0 is black, and 4 x another sample");
}

TEST_CASE("info names a fill order that is not the usual one") {
  const TemporaryFolder folder;
  test::Recipe recipe;
  write_to(folder / "a.tif", recipe);
  CHECK(line_of(folder / "a.tif", "fill order").empty());
  recipe.fill_order = FILLORDER_LSB2MSB;
  write_to(folder / "b.tif", recipe);
  CHECK(line_of(folder / "b.tif", "fill order") == "  fill order   2, bits of each byte turned around");
}

TEST_CASE("a graph file keeps half precision where read_tiff is told so") {
  const TemporaryFolder folder;
  const std::string in = data("random-fp16-pred2.tiff");
  for (const bool keeps : {false, true}) {
    const std::string graph = folder / "graph.yaml", out = folder / "out.tif";
    std::ofstream(graph) << "weir: 1\nnodes:\n  in: {type: read_tiff, path: " << in
                         << (keeps ? ", keep_half: true" : "")
                         << "}\n  assemble: {type: assemble_bands, input: in}\n"
                            "  cut: {type: cut_tiles, input: assemble, tile: 16x16}\n"
                            "  compress: {type: compress_tiles, input: cut, codec: deflate}\n"
                            "  tif: {type: write_tiff, input: compress, overwrite: true, path: "
                         << out << "}\n";
    const Ended ended = weir({"run", graph});
    REQUIRE_MESSAGE(ended.code == 0, ended.err);
    CHECK(line_of(out, "samples") ==
          std::string("  samples      1 x float32 per pixel") + (keeps ? ", stored as float16" : ""));
    CHECK(test::read_all(file_bytes(out)) == test::read_all(file_bytes(in)));
  }
}

}  // namespace weir::command_test
