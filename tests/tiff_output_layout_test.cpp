#include "nodes/tiff/tiff_output_layout.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <initializer_list>
#include <map>
#include <set>
#include <string>

#include "framework/error.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir {
namespace {

using namespace test;

// Writes a raster of one tile with these tags and gives its entries.
std::map<std::uint16_t, Entry> written_entries(const TiffOutputLayout& layout) {
  const TemporaryFolder folder;
  write_all(layout, folder / "a.tif", all_tiles(layout, made_pixels(layout.info)));
  LibTiff(folder / "a.tif").pixels(layout.info);
  return entries_of(file_bytes(folder / "a.tif"));
}

TEST_CASE("tags of every type are carried over, in entries and behind them") {
  for (const bool big : {false, true}) {
    TiffOutputLayout layout = layout_of(16, 32);
    layout.big = big ? TiffOutputLayout::BigTiff::yes : TiffOutputLayout::BigTiff::no;
    const std::map<TiffType, std::size_t> sizes{
        {TiffType::byte, 1},      {TiffType::sbyte, 1},   {TiffType::undefined, 1}, {TiffType::short16, 2},
        {TiffType::sshort16, 2},  {TiffType::long32, 4},  {TiffType::slong32, 4},   {TiffType::rational, 8},
        {TiffType::srational, 8}, {TiffType::float32, 4}, {TiffType::float64, 8},
    };
    std::uint16_t id = 60000;
    for (const auto& [type, size] : sizes)
      for (const std::uint64_t count : {1u, 2u, 3u, 9u})
        layout.info.tags.push_back(raw_tag(id++, type, count, size));
    const auto entries = written_entries(layout);
    for (const RawTag& tag : layout.info.tags) {
      REQUIRE(entries.contains(tag.id));
      CHECK(entries.at(tag.id).type == tag.type);
      CHECK(entries.at(tag.id).count == tag.count);
      CHECK(entries.at(tag.id).bytes == tag.bytes);
    }
  }
}

TEST_CASE("libtiff gives carried tags their meaning") {
  const TemporaryFolder folder;
  TiffOutputLayout layout = layout_of(16, 32);
  RawTag resolution = tag_of<std::uint32_t>(282, TiffType::rational, {300, 4});
  resolution.count = 1;
  layout.info.tags = {tag_of<char>(270, TiffType::ascii, {'h', 'i'}),  // its NUL is missing
                      resolution, tag_of<double>(60000, TiffType::float64, {1.5, -2, 3}),
                      tag_of<std::int16_t>(60001, TiffType::sshort16, {-5, 6})};
  write_all(layout, folder / "a.tif", all_tiles(layout, made_pixels(layout.info)));
  const LibTiff tiff(folder / "a.tif");
  CHECK(std::string(tiff.value<const char*>(TIFFTAG_IMAGEDESCRIPTION)) == "hi");
  CHECK(tiff.value<float>(TIFFTAG_XRESOLUTION) == 75);
  CHECK(tiff.values<double>(60000) == std::vector<double>{1.5, -2, 3});
  CHECK(tiff.values<std::int16_t>(60001) == std::vector<std::int16_t>{-5, 6});
}

TEST_CASE("64-bit tags become 32-bit ones in a classic file, and ask for BigTIFF where they do not fit") {
  TiffOutputLayout layout = layout_of(16, 32);
  layout.info.tags = {tag_of<std::uint64_t>(60000, TiffType::long64, {7, 0xFFFFFFFF}),
                      tag_of<std::int64_t>(60001, TiffType::slong64, {-7})};
  auto entries = written_entries(layout);
  CHECK(entries.at(60000).type == 4);
  CHECK(numbers(entries.at(60000)) == std::vector<std::uint64_t>{7, 0xFFFFFFFF});
  CHECK(entries.at(60001).type == 9);
  CHECK(numbers(entries.at(60001)) == std::vector<std::uint64_t>{0xFFFFFFF9});

  layout.info.tags.push_back(tag_of<std::uint64_t>(60002, TiffType::long64, {0x100000000}));
  entries = written_entries(layout);
  CHECK(entries.at(60002).type == 16);
  CHECK(entries.at(324).type == 16);
  layout.big = TiffOutputLayout::BigTiff::no;
  CHECK(contains(reason_of([&] { TiffWriter::standing_bytes(layout); }, ErrorKind::usage), "tag 60002"));
}

TEST_CASE("tags that belong to the source's bytes are not carried over") {
  TiffOutputLayout layout = layout_of(16, 32);
  const std::set<std::uint16_t> dropped{254, 255, 256, 258, 259, 273, 279, 284,   317,   324,
                                        325, 330, 338, 339, 347, 513, 530, 34665, 34853, 42113};
  for (const std::uint16_t id : dropped) layout.info.tags.push_back(raw_tag(id, TiffType::long32, 2, 4));
  layout.info.tags.push_back(raw_tag(60000, TiffType::ifd, 1, 4));
  layout.info.photometric = 2;
  layout.info.tags.push_back(raw_tag(320, TiffType::short16, 768, 2));  // no palette
  layout.info.tags.push_back(
      raw_tag(340, TiffType::short16, 3, 2));  // one value per sample of another raster
  const auto entries = written_entries(layout);
  for (const std::uint16_t id : std::initializer_list<std::uint16_t>{254, 255, 273, 279, 317, 320, 330, 338,
                                                                     340, 347, 513, 530, 34665, 42113, 60000})
    CHECK_FALSE(entries.contains(id));
  CHECK(entries.size() == 12);
}

TEST_CASE("metadata is written as GDAL writes it, once, and refused where it cannot be") {
  TiffOutputLayout layout = layout_of(16, 32, 2);
  add_metadata(layout.info, {{"TITLE", "a & b", {}, "", ""}, {"DESCRIPTION", "x", 1, "description", ""}});
  add_metadata(layout.info, {{"TITLE", "c", {}, "", ""}});
  const std::string wanted =
      "<GDALMetadata>\n  <Item name=\"TITLE\">c</Item>\n"
      "  <Item name=\"DESCRIPTION\" sample=\"1\" role=\"description\">x</Item>\n</GDALMetadata>\n";
  const Bytes bytes = written_entries(layout).at(42112).bytes;
  CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == wanted + '\0');

  const auto refused = [&](const std::vector<MetadataItem>& items) {
    return reason_of([&] { add_metadata(layout.info, items); }, ErrorKind::usage);
  };
  CHECK(contains(refused({{"K", "v", 2, "", ""}}), "metadata of band 3: the raster has 2"));
  layout.info.tags = {tag_of<char>(42112, TiffType::ascii, {'x', '\0'})};
  CHECK(contains(refused({{"K", "v", {}, "", ""}}), "tag 42112"));
  layout.info.tags.clear();
  layout.info.metadata = {{"K", std::string("a\0b", 3), {}, "", ""}};
  CHECK(contains(reason_of([&] { TiffWriter::standing_bytes(layout); }, ErrorKind::usage), "NUL"));
}

TEST_CASE("extra samples and photometric interpretation agree with the samples") {
  struct Case {
    std::uint32_t samples;
    std::uint16_t photometric;
    std::vector<std::uint16_t> extra, wanted_extra;
    std::uint16_t wanted_photometric;
  };
  for (const Case& one : std::vector<Case>{{1, 1, {}, {}, 1},
                                           {2, 1, {}, {0}, 1},
                                           {2, 2, {}, {0}, 1},  // no colour without three samples
                                           {4, 2, {2}, {2}, 2},
                                           {5, 2, {2}, {0, 2}, 2},  // the known one is the last
                                           {3, 2, {2}, {}, 2},
                                           {4, 1, {}, {0, 0, 0}, 1},
                                           {1, 3, {}, {}, 1},  // no colour table
                                           {4, 5, {}, {}, 5},
                                           {3, 6, {}, {}, 6},
                                           {1, 4, {}, {}, 1},
                                           {3, 32845, {}, {0, 0}, 1}}) {
    CAPTURE(one.samples);
    CAPTURE(one.photometric);
    TiffOutputLayout layout = layout_of(16, 32, one.samples);
    layout.info.photometric = one.photometric;
    layout.info.extra_samples = one.extra;
    const auto entries = written_entries(layout);
    CHECK(numbers(entries.at(262)) == std::vector<std::uint64_t>{one.wanted_photometric});
    CHECK(entries.contains(338) == !one.wanted_extra.empty());
    if (entries.contains(338))
      CHECK(numbers(entries.at(338)) ==
            std::vector<std::uint64_t>(one.wanted_extra.begin(), one.wanted_extra.end()));
  }
}

TEST_CASE("a colour table of fewer bits is filled up with black") {
  TiffOutputLayout layout = layout_of(16, 32);
  layout.info.photometric = 3;
  layout.info.tags = {tag_of<std::uint16_t>(320, TiffType::short16, {1, 2, 3, 4, 5, 6})};
  const auto entries = written_entries(layout);
  CHECK(numbers(entries.at(262)) == std::vector<std::uint64_t>{3});
  std::vector<std::uint64_t> wanted(768, 0);
  for (std::size_t i = 0; i < 6; ++i) wanted[i / 2 * 256 + i % 2] = i + 1;
  CHECK(numbers(entries.at(320)) == wanted);
}

TEST_CASE("grey with a colour table is written as the palette that it is shown as") {
  for (const std::uint16_t grey : std::initializer_list<std::uint16_t>{0, 1}) {
    TiffOutputLayout layout = layout_of(16, 32);
    layout.info.photometric = grey;
    layout.info.tags = {tag_of<std::uint16_t>(320, TiffType::short16, {1, 2, 3, 4, 5, 6})};
    CHECK(numbers(written_entries(layout).at(262)) == std::vector<std::uint64_t>{3});
    layout.info.type = SampleType::float32;  // cannot index it
    CHECK(numbers(written_entries(layout).at(262)) == std::vector<std::uint64_t>{grey});
    CHECK_FALSE(written_entries(layout).contains(320));
  }
}

TEST_CASE("georeferencing and nodata are written as GeoTIFF and GDAL tags") {
  const TemporaryFolder folder;
  TiffOutputLayout layout = layout_of(16, 32);
  layout.info.nodata = "-9999";
  layout.info.georeferencing.pixel_scale = {10, 10, 0};
  layout.info.georeferencing.tiepoints = {0, 0, 0, 500000, 4600000, 0};
  layout.info.georeferencing.key_directory = {1, 1, 1, 1, 1024, 0, 1, 1};
  layout.info.georeferencing.key_doubles = {6378137.0};
  layout.info.georeferencing.key_ascii = "WGS 84|";
  write_all(layout, folder / "a.tif", all_tiles(layout, made_pixels(layout.info)));
  const LibTiff tiff(folder / "a.tif");
  CHECK(tiff.values<double>(33550) == layout.info.georeferencing.pixel_scale);
  CHECK(tiff.values<double>(33922) == layout.info.georeferencing.tiepoints);
  CHECK(tiff.values<double>(34736) == layout.info.georeferencing.key_doubles);
  CHECK(tiff.values<std::uint16_t>(34735) == layout.info.georeferencing.key_directory);
  CHECK(std::string(tiff.values<char>(34737).data()) == "WGS 84|");
  CHECK(std::string(tiff.values<char>(42113).data()) == "-9999");
  CHECK_FALSE(tiff.has(34264));
}

TEST_CASE("layouts that TIFF or its readers cannot hold are refused before a file is touched") {
  const TemporaryFolder folder;
  const auto refused = [&](const TiffOutputLayout& layout) {
    const std::string reason =
        reason_of([&] { TiffWriter(layout, folder / "a.tif", false); }, ErrorKind::usage);
    CHECK(folder.names().empty());
    return reason;
  };
  const TiffOutputLayout good = layout_of(64, 64);
  TiffOutputLayout bad = good;
  bad.tile_width = 24;
  CHECK(contains(refused(bad), "multiples of 16"));
  bad = good;
  bad.tile_height = 0;
  CHECK(contains(refused(bad), "no pixels"));
  bad = layout_of(0, 64);
  CHECK(contains(refused(bad), "no pixels"));
  bad = layout_of(std::uint64_t{1} << 32, 64);
  CHECK(contains(refused(bad), "32-bit"));
  bad = layout_of(64, 64, 65536);
  CHECK(contains(refused(bad), "65535 samples"));
  bad = layout_of(0xFFFFFFFF, 0xFFFFFFFF, 65535);
  bad.planar_separate = true;
  CHECK(contains(refused(bad), "larger ones"));
  bad = good;
  bad.max_tile_bytes = std::uint64_t{1} << 32;
  CHECK(contains(refused(bad), "4 GiB"));
  bad = strips_of(good, 8);
  bad.tile_width = 32;
  CHECK(contains(refused(bad), "as wide as the raster"));
  bad = good;
  bad.predictor = Predictor::horizontal;
  CHECK(contains(refused(bad), "predictor 2"));
  bad.codec = CodecId::zstd;
  bad.predictor = Predictor::floating_point;
  CHECK(contains(refused(bad), "not uint8"));
  bad = good;
  bad.info.tags = {raw_tag(60000, TiffType::byte, 1, 1), raw_tag(60000, TiffType::byte, 1, 1)};
  CHECK(contains(refused(bad), "tag 60000: it is given twice"));
  bad.info.tags = {raw_tag(60000, TiffType::short16, 3, 1)};
  CHECK(contains(refused(bad), "3 bytes are there"));
  bad.info.tags = {raw_tag(60000, TiffType{15}, 3, 1)};
  CHECK(contains(refused(bad), "unknown field type 15"));
}

TEST_CASE("several directories, a gap before the first and patched arrays make one file") {
  const TemporaryFolder folder;
  const TiffOutputLayout full = layout_of(48, 96), half = layout_of(24, 48);
  for (const bool big : {false, true}) {
    TiffDirectoryBuilder first = describe(full, big), second = describe(half, big, FILETYPE_REDUCEDIMAGE);
    const std::string gap = "GHOST AREA\n ";
    const std::uint64_t header = TiffDirectoryBuilder::header_bytes(big);
    std::uint64_t end = first.place(header + gap.size());
    end = second.place((end + 15) / 16 * 16);
    end = first.place_arrays((end + 3) / 4 * 4);
    end = second.place_arrays((end + 3) / 4 * 4);
    Bytes file(end);
    const auto put = [&](std::uint64_t at, const Bytes& bytes) {
      if (file.size() < at + bytes.size()) file.resize(at + bytes.size());
      std::ranges::copy(bytes, file.begin() + static_cast<std::ptrdiff_t>(at));
    };
    put(0, TiffDirectoryBuilder::header(big, first.offset()));
    put(header, Bytes(reinterpret_cast<const std::byte*>(gap.data()),
                      reinterpret_cast<const std::byte*>(gap.data() + gap.size())));
    put(first.offset(), first.encode(second.offset()));
    put(second.offset(), second.encode(0));
    for (const auto& [layout, directory] :
         {std::pair{half, &second}, std::pair{full, &first}}) {  // smallest first
      const auto offsets = directory->array(324), counts = directory->array(325);
      std::uint64_t tile = 0;
      for (const Bytes& bytes : all_tiles(layout, made_pixels(layout.info))) {
        const std::uint64_t values[] = {file.size(), bytes.size()};
        put(file.size(), bytes);
        std::memcpy(file.data() + offsets.offset + tile * offsets.value_bytes, &values[0],
                    offsets.value_bytes);
        std::memcpy(file.data() + counts.offset + tile * counts.value_bytes, &values[1], counts.value_bytes);
        ++tile;
      }
    }
    std::ofstream(folder / "a.tif", std::ios::binary)
        .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
    const LibTiff tiff(folder / "a.tif");
    CHECK(tiff.pixels(full.info) == made_pixels(full.info));
    CHECK_FALSE(tiff.has(TIFFTAG_SUBFILETYPE));
    REQUIRE(TIFFReadDirectory(tiff.get()) == 1);
    CHECK(tiff.value<std::uint32_t>(TIFFTAG_SUBFILETYPE) == FILETYPE_REDUCEDIMAGE);
    CHECK(tiff.pixels(half.info) == made_pixels(half.info));
    CHECK(TIFFLastDirectory(tiff.get()) == 1);
  }
}

}  // namespace
}  // namespace weir
