#include "nodes/tiff/tiff_images.hpp"

#include <doctest/doctest.h>

#include <cstring>

#include "tests/made_images.hpp"
#include "tests/tiff_helpers.hpp"
#include "tests/tiff_recipes.hpp"

namespace weir {

using namespace test;

namespace {

std::string pages_of(const std::vector<Picture>& chain, const std::string& mode = "wl") {
  MemoryFiles files(make_images(chain, mode));
  return summary(read_tiff_pages(in_memory(files)));
}

std::string error_of_pages(const Bytes& bytes) {
  MemoryFiles files(bytes);
  try {
    read_tiff_pages(in_memory(files));
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("overviews and masks of the chain belong to the image before them, by size") {
  const Picture full{60, 81}, mask{60, 81, 4}, half{30, 41, 1}, half_mask{30, 41, 5}, quarter{15, 20, 1},
      quarter_mask{15, 20, 5};
  for (const char* mode : {"wl", "wb", "wl8", "wb8"}) {
    CAPTURE(mode);
    CHECK(pages_of({full}, mode) == "0:81x60");
    CHECK(pages_of({full, mask, half, half_mask, quarter, quarter_mask}, mode) ==
          "0:81x60+1, 2:41x30+3, 4:20x15+5");
  }
  // In any order, as gdaladdo appends them.
  CHECK(pages_of({full, mask, quarter, half, half_mask, quarter_mask}) == "0:81x60+1, 3:41x30+4, 2:20x15+5");
  CHECK(pages_of({full, half, quarter, quarter_mask}) == "0:81x60, 1:41x30, 2:20x15+3");
}

TEST_CASE("every page has its own overviews; those behind the last of several pages are the first one's") {
  const Picture page{60, 80, 2}, half{30, 40, 1}, other{50, 50, 2}, other_half{25, 25, 1};
  CHECK(pages_of({page, other}) == "0:80x60 | 1:50x50");
  CHECK(pages_of({page, half, other, other_half}) == "0:80x60, 1:40x30 | 2:50x50, 3:25x25");
  CHECK(pages_of({page, page, half}) == "0:80x60, 2:40x30 | 1:80x60");
  // The first directory is an image whatever it says.
  CHECK(pages_of({half, page}) == "0:40x30 | 1:80x60");
}

TEST_CASE("SubIFDs are levels and masks of their image") {
  Picture full{60, 80}, second{60, 80};
  full.below = {{30, 40, 1}, {15, 20, 1}, {60, 80, 4}};
  CHECK(pages_of({full, second}) == "0:80x60+s, s:40x30, s:20x15 | 1:80x60");
  second.below = {{30, 40, 1}};
  CHECK(pages_of({full, second}) == "0:80x60+s, s:40x30, s:20x15 | 1:80x60, s:40x30");
}

TEST_CASE(
    "reduced pictures of another shape or other samples are thumbnails; masks need a level of their size") {
  const Picture full{60, 80, 0, 3};
  CHECK(pages_of({full, {30, 30, 1, 3}}) == "0:80x60, 1:a thumbnail");
  CHECK(pages_of({full, {30, 40, 1, 1}}) == "0:80x60, 1:a thumbnail");
  CHECK(pages_of({full, {120, 160, 1, 3}}) == "0:80x60, 1:a thumbnail");
  CHECK(pages_of({full, {59, 80, 4}}) == "0:80x60, 1:a mask of no image");
  Picture above = full;
  above.below = {{60, 80, 0, 3}};
  CHECK(pages_of({above}) == "0:80x60, s:a SubIFD");
  // Sides are rounded up or down; the last ones are a single pixel.
  const Picture odd{101, 333};
  CHECK(pages_of({odd, {51, 167, 1}, {50, 166, 1}, {26, 84, 1}, {1, 3, 1}, {1, 1, 1}}) ==
        "0:333x101, 1:167x51, 2:166x50, 3:84x26, 4:3x1, 5:1x1");
}

TEST_CASE("an old SubfileType of 2 says reduced, too") {
  Patch file{make_images({{60, 80}, {30, 40, 1}})};
  const std::size_t second = file.get(file.next_offset(), 4);
  REQUIRE(file.get(second + 2, 2) == 254);
  file.put(second + 2, 255, 2);
  file.put(second + 10, 2, 4);
  MemoryFiles files(file.bytes);
  CHECK(summary(read_tiff_pages(in_memory(files))) == "0:80x60, 1:40x30");
}

TEST_CASE("GDAL's files beside an image count for its first one") {
  TemporaryFolder folder;
  const std::string path = folder / "a.tif";
  const auto pages = [&] { return read_tiff_pages(std::make_shared<const InputFile>(path)); };
  const auto flags = [](const char* text) {
    return [text](TIFF* tiff) {
      static const TIFFFieldInfo info = {42112,        -1, -1, TIFF_ASCII,
                                         FIELD_CUSTOM, 1,  0,  const_cast<char*>("GDALMetadata")};
      TIFFMergeFieldInfo(tiff, &info, 1);
      TIFFSetField(tiff, 42112, text);
    };
  };
  write_file(path, make_images({{60, 80}, {60, 80}}));
  CHECK(summary(pages()) == "0:80x60 | 1:80x60");

  write_file(path + ".ovr", make_images({{30, 40, 1}, {15, 20, 1}, {30, 40, 5}}));
  TiffPages found = pages();
  CHECK(summary(found) == "0:80x60, 0:40x30+2, 1:20x15 | 1:80x60");
  CHECK(found[0].levels[1].place.file->path() == path + ".ovr");
  CHECK(find_level(found, 0) == &found[0].levels[0]);
  CHECK(find_level(found, 1) == &found[1].levels[0]);
  CHECK(find_level(found, 2) == nullptr);

  Picture mask{60, 80};
  write_file(path + ".msk", make_images({mask}));  // says nothing of masks
  CHECK(summary(pages()) == "0:80x60, 0:40x30+2, 1:20x15 | 1:80x60");
  mask.more_tags = flags("<GDALMetadata>\n<Item name=\"INTERNAL_MASK_FLAGS_1\">2</Item>\n</GDALMetadata>");
  write_file(path + ".msk", make_images({mask}));
  CHECK(summary(pages()) == "0:80x60+0, 0:40x30+2, 1:20x15 | 1:80x60");
  write_file(path + ".msk.ovr", make_images({{30, 40, 1}, {15, 20, 1}}));
  CHECK(summary(pages()) == "0:80x60+0, 0:40x30+2, 1:20x15+1, 0:a mask of no image | 1:80x60");

  mask.height = 59;
  write_file(path + ".msk", make_images({mask}));
  CHECK_THROWS_WITH_AS(pages(), doctest::Contains("a.tif.msk: it is 80 x 59 pixels, and the image that it"),
                       Error);
  mask.height = 60;
  mask.more_tags = flags("<GDALMetadata>\n<Item name=\"INTERNAL_MASK_FLAGS_1\">0</Item>\n</GDALMetadata>");
  write_file(path + ".msk", make_images({mask}));
  CHECK(
      summary(pages()) ==
      "0:80x60+0, 0:40x30+2, 1:20x15+1, 0:a mask of no image | 1:80x60");  // of a single band it is the same
  write_file(path, make_images({{60, 80, 0, 3}}));
  CHECK_THROWS_WITH_AS(pages(), doctest::Contains("it has a mask for each band"), Error);
  // The file's own come first.
  write_file(path, make_images({{60, 80, 0, 3}, {60, 80, 4}, {30, 40, 1, 3}}));
  CHECK(summary(pages()) == "0:80x60+1, 2:40x30");

  write_file(path + ".ovr", Bytes(20));
  write_file(path, make_images({{60, 80, 0, 3}, {60, 80, 4}}));
  CHECK_THROWS_WITH_AS(pages(), doctest::Contains("a.tif.ovr: it is not a TIFF file"), Error);
}

TEST_CASE("directories that are linked twice, overlap or lie outside are errors") {
  const Bytes good = make_images({{60, 80}, {30, 40, 1}});
  Patch first{good};
  Patch second = first;
  const std::size_t next = second.next_offset();
  second.put(next, static_cast<std::uint32_t>(first.directory()), 4);
  CHECK(contains(error_of_pages(second.bytes), "its directories form a loop: the one at byte"));
  second.put(next, 0xfffffff0u, 4);
  CHECK(contains(error_of_pages(second.bytes), "lies beyond the end of the file"));

  // A SubIFD that is its own image, and one that is another directory of the chain.
  Picture full{60, 80};
  full.below = {{30, 40, 1}, {15, 20, 1}};
  Patch sub{make_images({full})};
  CHECK(error_of_pages(sub.bytes).empty());
  sub.element(330, 1, static_cast<std::uint32_t>(sub.directory()));
  CHECK(contains(error_of_pages(sub.bytes), "linked twice"));
  sub.element(330, 1, sub.get_element(330, 0));
  CHECK(error_of_pages(sub.bytes).empty());  // tifffile names a SubIFD in the tag and in the one before it
  // As many SubIFDs as the file has bytes.
  sub.count(330, 0x7fffffff);
  CHECK(!error_of_pages(sub.bytes).empty());

  // 1000 directories of 256 tags, one every 8 bytes: 3 MB of directories in 11 KB.
  Patch dense{Bytes(8 + 8 * 1000 + 3080)};
  std::memcpy(dense.bytes.data(), "II\x2a\x00\x08\x00\x00\x00", 8);
  for (std::uint32_t at = 8; at < 8 + 8 * 1000; at += 8) {
    dense.put(at, 256, 2);
    dense.put(at + 2 + 256 * 12, at + 8, 4);  // the other bytes between counts
  }
  CHECK(contains(error_of_pages(dense.bytes), "its directories overlap"));
}

}  // namespace weir
