// What belongs to a file beside its pixels and place, and comes through a conversion.

#include <filesystem>

#include "nodes/tiff/tiff_source.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/run_command.hpp"

namespace weir::command_test {
namespace {

using pipeline_test::pixels_by_libtiff;
using test::raw_tag;
using test::tag_of;

/// Writes a raster with random pixels; returns them.
Bytes write_source(const RasterInfo& info, const std::string& path) {
  TiffOutputLayout layout = test::layout_of(info.height, info.width, info.samples, info.type);
  layout.info = info;
  const Bytes pixels = test::made_pixels(info);
  test::write_all(layout, path, test::all_tiles(layout, pixels));
  return pixels;
}

const std::vector<std::vector<std::string>> ways_to_write{{},
                                                          {"--compress", "none", "--strip", "9"},
                                                          {"--interleave", "band", "--bigtiff", "yes"},
                                                          {"--window", "3,2,20,30"}};

TEST_CASE("colour profile, XMP, IPTC, resolution and texts come through byte for byte") {
  const TemporaryFolder folder;
  RasterInfo info = test::layout_of(40, 50, 3, SampleType::uint8).info;
  info.photometric = 2;
  RawTag x = tag_of<std::uint32_t>(282, TiffType::rational, {300, 1}), y = x;
  x.count = y.count = 1;
  y.id = 283;
  info.tags = {tag_of<char>(270, TiffType::ascii, {'h', 'i', '\0'}),
               x,
               y,
               tag_of<std::uint16_t>(296, TiffType::short16, {2}),
               raw_tag(700, TiffType::byte, 3001, 1),
               raw_tag(33723, TiffType::undefined, 77, 1),
               raw_tag(34675, TiffType::undefined, 5000, 1),
               raw_tag(65000, TiffType::float64, 3, 8)};
  write_source(info, folder / "in.tif");
  for (const auto& way : ways_to_write) {
    std::vector<std::string> arguments{"convert", folder / "in.tif", folder / "out.tif", "--overwrite"};
    arguments.insert(arguments.end(), way.begin(), way.end());
    REQUIRE(weir(arguments).code == 0);
    const TiffSource after(folder / "out.tif");
    REQUIRE(after.info().tags.size() == info.tags.size());
    for (std::size_t i = 0; i < info.tags.size(); ++i) {
      CAPTURE(info.tags[i].id);
      CHECK(after.info().tags[i].id == info.tags[i].id);
      CHECK(after.info().tags[i].type == info.tags[i].type);
      CHECK(after.info().tags[i].count == info.tags[i].count);
      CHECK(after.info().tags[i].bytes == info.tags[i].bytes);
    }
    const test::LibTiff tiff(folder / "out.tif");
    CHECK(tiff.value<float>(TIFFTAG_XRESOLUTION) == 300);
    CHECK(tiff.value<std::uint16_t>(TIFFTAG_RESOLUTIONUNIT) == RESUNIT_INCH);
    CHECK(tiff.has(TIFFTAG_ICCPROFILE));
  }
}

TEST_CASE("alpha, premultiplied or not, other extra samples and the way values are shown come through") {
  struct Case {
    std::uint32_t samples;
    std::uint16_t photometric;
    std::vector<std::uint16_t> extra;
  };
  const TemporaryFolder folder;
  for (const Case& one : std::vector<Case>{{4, 2, {2}},
                                           {4, 2, {1}},
                                           {2, 1, {2}},
                                           {6, 2, {0, 0, 2}},
                                           {1, 0, {}},
                                           {3, 0, {0, 1}},
                                           {4, 5, {}},
                                           {5, 5, {2}}}) {
    RasterInfo info = test::layout_of(40, 50, one.samples, SampleType::uint8).info;
    info.photometric = one.photometric;
    info.extra_samples = one.extra;
    const Bytes pixels = write_source(info, folder / "in.tif");
    for (const auto& way : ways_to_write) {
      CAPTURE(one.samples);
      CAPTURE(one.photometric);
      std::vector<std::string> arguments{"convert", folder / "in.tif", folder / "out.tif", "--overwrite"};
      arguments.insert(arguments.end(), way.begin(), way.end());
      REQUIRE(weir(arguments).code == 0);
      const TiffSource after(folder / "out.tif");
      CHECK(after.info().photometric == one.photometric);
      CHECK(after.info().extra_samples == one.extra);
      if (way.empty()) CHECK(pixels_by_libtiff(folder / "out.tif", info) == pixels);
    }
  }
}

TEST_CASE("input and output may be one file under two names: whole it stays, and its sidecars go") {
  const TemporaryFolder folder;
  const RasterInfo info = test::layout_of(70, 90, 1, SampleType::uint16).info;
  const auto remake = [&] {
    for (const std::string& name : folder.names()) std::filesystem::remove(folder / name);
    const Bytes pixels = write_source(info, folder / "a.tif");
    std::filesystem::create_symlink("a.tif", folder / "link.tif");
    std::filesystem::create_hard_link(folder / "a.tif", folder / "hard.tif");
    for (const char* sidecar : {"a.tif.aux.xml", "a.tif.msk", "a.tif.msk.ovr", "link.tif.aux.xml"})
      std::ofstream(folder / sidecar) << "old";
    return pixels;
  };
  for (const auto& names : std::vector<std::pair<std::string, std::string>>{
           {"a.tif", "link.tif"}, {"link.tif", "a.tif"}, {"link.tif", "link.tif"}, {"a.tif", "hard.tif"}}) {
    CAPTURE(names.first);
    CAPTURE(names.second);
    const Bytes pixels = remake();
    const Bytes before = file_bytes(folder / "a.tif");
    const std::string in = folder / names.first, out = folder / names.second;
    // A mask that is none is not passed over; the link has none beside it.
    CHECK(weir({"convert", in, out, "--compress", "zstd"}).code == (names.first == "a.tif" ? 1 : 2));
    CHECK(weir({"convert", in, out, "--compress", "zstd", "--no-mask"}).code == 2);
    CHECK(file_bytes(folder / "a.tif") == before);
    REQUIRE(weir({"convert", in, out, "--overwrite", "--compress", "zstd", "--tile", "16", "--memory", "2M",
                  "--no-mask"})
                .code == 0);
    CHECK(pixels_by_libtiff(out, info) == pixels);
    CHECK(std::filesystem::is_symlink(folder / "link.tif"));
    CHECK(TiffSource(out).layout().codec == CodecId::zstd);
    // A hard link is a name of its own: the other one keeps the old file.
    const bool is_hard = names.second == "hard.tif";
    CHECK((file_bytes(folder / "a.tif") == before) == is_hard);
    CHECK(std::filesystem::exists(folder / "a.tif.msk") == is_hard);
    CHECK(std::filesystem::exists(folder / "a.tif.msk.ovr") == is_hard);
    CHECK(std::filesystem::exists(folder / "a.tif.aux.xml") == is_hard);
    CHECK(std::filesystem::exists(folder / "link.tif.aux.xml") == (names.second != "link.tif"));
  }
}

}  // namespace
}  // namespace weir::command_test
