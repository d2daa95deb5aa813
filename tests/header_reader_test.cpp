#include <doctest/doctest.h>

#include <chrono>

#include "tests/header_support.hpp"
#include "tests/tiff_recipes.hpp"

namespace weir {

using namespace test;

namespace {

std::vector<std::string> stored_tiffs() {
  std::vector<std::string> names;
  for (const auto& file : std::filesystem::directory_iterator(WEIR_TEST_DATA))
    if (file.path().extension() == ".tif" || file.path().extension() == ".tiff")
      names.push_back(file.path().filename());
  std::ranges::sort(names);
  REQUIRE(names.size() > 50);
  return names;
}

std::uint64_t sum(const std::vector<ByteRange>& ranges) {
  std::uint64_t bytes = 0;
  for (const ByteRange& range : ranges) bytes += range.bytes;
  return bytes;
}

/// What holds of every file, whatever is in it; what does not, in words. One check for all of it, as there are tens of
/// thousands of headers.
std::string broken_bound(const ReadHeader& read, std::uint64_t file_bytes, const HeaderLimits& limits = {}) {
  const TiffHeader& header = read.header;
  if (header.directories.size() > limits.directories) return "directories";
  if (read.calls > 3 * (header.directories.size() + 1) + 2) return "calls";
  if (header.values.size() > limits.header_bytes + 48 * limits.directories) return "bytes of values";
  if (header.directories.empty() && header.notes.problems.empty()) return "no reason";
  if (header.header_end > file_bytes) return "the end of the header";
  for (const ByteRange& range : read.asked)
    if (range.bytes == 0 || range.offset >= file_bytes || range.bytes > file_bytes - range.offset)
      return "a range";
  return "";
}

/// Pixels, then a header.
Bytes with_header_at_end(std::uint64_t pixels, bool values_first, const std::vector<MadeEntry>& more,
                         bool is_big = false) {
  HeaderMaker maker(true, is_big);
  maker.fill(pixels);
  maker.add(maker.picture(more), values_first);
  return maker.bytes();
}

}  // namespace

TEST_CASE("a header of any byte order and kind is read") {
  for (const bool is_little : {true, false})
    for (const bool is_big : {false, true}) {
      HeaderMaker maker(is_little, is_big);
      maker.add(maker.picture({HeaderMaker::text(270, "a picture"), maker.doubles(33550, {2, 3, 0})}));
      const HeaderRows rows = rows_of(maker.bytes());
      REQUIRE(rows.row);
      CHECK(rows.errors.empty());
      CHECK(rows.row->warnings.empty());
      CHECK(rows.row->is_little_endian == is_little);
      CHECK(rows.row->is_bigtiff == is_big);
      CHECK(rows.row->image_width == 40);
      CHECK(rows.row->image_height == 30);
      CHECK(rows.row->image_description == "a picture");
      CHECK(rows.row->model_pixel_scale == std::vector<double>{2, 3, 0});
      CHECK(rows.row->header_end == maker.bytes().size());
    }
}

TEST_CASE("every value type comes in the order of the machine") {
  for (const bool is_little : {true, false})
    for (const bool is_big : {false, true}) {
      HeaderMaker maker(is_little, is_big);
      maker.add(
          {maker.numbers<std::uint8_t>(65001, 1, {1, 255}), HeaderMaker::text(65002, "abcdefghij"),
           maker.shorts(65003, {1, 65535}), maker.longs(65004, {1, 4294967295}),
           maker.numbers<std::uint32_t>(65005, 5, {1, 3, 7, 0}),
           maker.numbers<std::int8_t>(65006, 6, {-1, 127}),
           maker.numbers<std::uint8_t>(65007, 7, {0x0a, 0xff, 0x10}),
           maker.numbers<std::int16_t>(65008, 8, {-1, 2}), maker.numbers<std::int32_t>(65009, 9, {-1, 2}),
           maker.numbers<std::int32_t>(65010, 10, {-1, 3}), maker.numbers<float>(65011, 11, {0.1F, -1.5F}),
           maker.doubles(65012, {0.1, 1e300, 3}), maker.numbers<std::uint32_t>(65013, 13, {8}),
           maker.numbers<std::uint64_t>(65016, 16, {1, 18446744073709551615U}),
           maker.numbers<std::int64_t>(65017, 17, {-1}), maker.numbers<std::uint64_t>(65018, 18, {9})});
      const HeaderRows rows = rows_of(maker.bytes());
      REQUIRE(rows.row);
      const std::map<std::uint16_t, std::string> wanted = {
          {65001, "1, 255"},    {65002, "abcdefghij"},
          {65003, "1, 65535"},  {65004, "1, 4294967295"},
          {65005, "1/3, 7/0"},  {65006, "-1, 127"},
          {65007, "0aff10"},    {65008, "-1, 2"},
          {65009, "-1, 2"},     {65010, "-1/3"},
          {65011, "0.1, -1.5"}, {65012, "0.1, 1e+300, 3"},
          {65013, "8"},         {65016, "1, 18446744073709551615"},
          {65017, "-1"},        {65018, "9"}};
      CHECK(rows.row->other_tags == wanted);
    }
}

TEST_CASE("of every stored file the first directory says what libtiff says") {
  for (const std::string& name : stored_tiffs()) {
    CAPTURE(name);
    const Bytes file = stored_file(name);
    const HeaderRows rows = rows_of(file);
    REQUIRE(rows.row);
    CHECK(rows.errors.empty());
    const HeaderRow& row = *rows.row;
    MemoryTiff memory(file);
    TIFF* tiff = memory.open("rm");
    const auto number = [&](std::uint32_t tag, auto zero) -> std::int64_t {
      decltype(zero) value = zero;
      REQUIRE(TIFFGetFieldDefaulted(tiff, tag, &value) == 1);
      return value;
    };
    const auto text = [&](std::uint32_t tag) -> std::optional<std::string> {
      const char* chars = nullptr;
      return TIFFGetField(tiff, tag, &chars) == 1 ? std::optional(to_utf8(chars)) : std::nullopt;
    };
    using Short = std::uint16_t;
    CHECK(row.image_width == number(TIFFTAG_IMAGEWIDTH, std::uint32_t{}));
    CHECK(row.image_height == number(TIFFTAG_IMAGELENGTH, std::uint32_t{}));
    CHECK(row.compression == number(TIFFTAG_COMPRESSION, Short{}));
    CHECK(row.photometric_interpretation == number(TIFFTAG_PHOTOMETRIC, Short{}));
    CHECK(row.samples_per_pixel == number(TIFFTAG_SAMPLESPERPIXEL, Short{}));
    CHECK(row.planar_configuration == number(TIFFTAG_PLANARCONFIG, Short{}));
    CHECK(row.bits_per_sample.value().front() == number(TIFFTAG_BITSPERSAMPLE, Short{}));
    CHECK(row.sample_format.value().front() == number(TIFFTAG_SAMPLEFORMAT, Short{}));
    CHECK(row.tile_width.has_value() == (TIFFIsTiled(tiff) != 0));
    CHECK(row.artist == text(TIFFTAG_ARTIST));
    CHECK(row.copyright == text(TIFFTAG_COPYRIGHT));
    CHECK(row.date_time == text(TIFFTAG_DATETIME));
    CHECK(row.document_name == text(TIFFTAG_DOCUMENTNAME));
    CHECK(row.host_computer == text(TIFFTAG_HOSTCOMPUTER));
    CHECK(row.image_description == text(TIFFTAG_IMAGEDESCRIPTION));
    CHECK(row.software == text(TIFFTAG_SOFTWARE));
    float resolution = 0;
    CHECK(row.x_resolution.has_value() == (TIFFGetField(tiff, TIFFTAG_XRESOLUTION, &resolution) == 1));
    if (row.x_resolution) CHECK(static_cast<float>(*row.x_resolution) == resolution);
    CHECK(row.directories >= TIFFNumberOfDirectories(tiff));
    TIFFClose(tiff);
  }
}

TEST_CASE("the header is the same whatever the pieces in which it comes") {
  std::size_t seen = 0;
  for (const std::string& name : stored_tiffs()) {
    CAPTURE(name);
    const Bytes file = stored_file(name);
    const std::string whole = in_words(read_header(file, {.prefix = file.size()}).header);
    for (const std::uint64_t prefix : {0U, 1U, 4U, 8U, 9U, 15U, 100U, 1000U, 16384U})
      for (const std::uint64_t piece : {1ULL, 7ULL, 4096ULL, ~0ULL}) {
        if (piece < 100 && whole.size() > 2000) continue;  // thousands of pieces
        const ReadHeader read = read_header(file, {.prefix = prefix, .piece = piece});
        CHECK(in_words(read.header) == whole);
        CHECK(broken_bound(read, file.size()) == "");
      }
    if (whole.size() > 2000) continue;
    ++seen;
    CHECK(in_words(read_header(file, {.prefix = 0, .piece = 5, .one_at_a_time = true}).header) == whole);
  }
  CHECK(seen > 20);
}

TEST_CASE("what was taken away between calls is asked for again") {
  for (const std::string& name : stored_tiffs()) {
    CAPTURE(name);
    const Bytes file = stored_file(name);
    HeaderReader reader(file.size());
    HeaderBytes bytes;
    std::size_t calls = 0;
    for (std::vector<ByteRange> wanted = reader.read(bytes); !wanted.empty(); wanted = reader.read(bytes)) {
      bytes.clear();
      for (const ByteRange& range : wanted)
        bytes.add(range.offset, std::span(file).subspan(range.offset, range.bytes));
      REQUIRE(++calls < 100);
    }
    CHECK(in_words(reader.take()) == in_words(read_header(file).header));
  }
}

TEST_CASE(
    "a stored file that is cut anywhere in its header gives a reason, and never less than the cut allows") {
  for (const std::string& name : stored_tiffs()) {
    CAPTURE(name);
    const Bytes file = stored_file(name);
    const TiffHeader whole = read_header(file).header;
    std::vector<std::uint64_t> lengths;
    for (std::uint64_t i = 0; i < 32; ++i) lengths.push_back(i);
    for (const HeaderDirectory& directory : whole.directories)
      for (std::uint64_t i = 0; i < 600; ++i) lengths.push_back(directory.offset + i);
    for (std::uint64_t i = 0; i < 300; ++i)
      lengths.push_back(whole.header_end - std::min(whole.header_end, i));
    for (const std::uint64_t length : lengths) {
      if (length > file.size()) continue;
      const auto cut = std::span(file).first(length);
      const ReadHeader read = read_header(cut);
      CHECK(broken_bound(read, length) == "");
      const HeaderRows rows = header_rows({"a.tif", length}, read.header);
      REQUIRE((rows.row || !rows.errors.empty()));
      REQUIRE(rows.row.has_value() == !read.header.directories.empty());
      if (length < whole.directories.front().offset + 2) CHECK_FALSE(rows.row);
    }
  }
}

TEST_CASE("a header of which any byte is wrong is read within its bounds") {
  for (const std::string& name : stored_tiffs()) {
    CAPTURE(name);
    Bytes file = stored_file(name);
    const TiffHeader whole = read_header(file).header;
    std::vector<std::uint64_t> places;
    for (std::uint64_t i = 0; i < 16; ++i) places.push_back(i);
    for (std::uint64_t i = 0; i < 300; ++i) places.push_back(whole.directories.front().offset + i);
    for (const std::uint64_t place : places) {
      if (place >= file.size()) continue;
      const std::byte right = file[place];
      for (const std::byte wrong : {std::byte{0xff}, right ^ std::byte{0x80}, right ^ std::byte{1}}) {
        file[place] = wrong;
        const ReadHeader read = read_header(file);
        CHECK(broken_bound(read, file.size()) == "");
        const HeaderRows rows = header_rows({"a.tif", file.size()}, read.header);
        REQUIRE((rows.row || !rows.errors.empty()));
      }
      file[place] = right;
    }
  }
}

TEST_CASE("a directory at the end of a file costs its prefix and one request") {
  std::vector<MadeEntry> more;
  {
    const HeaderMaker maker;
    more = {HeaderMaker::text(270, std::string(300, 'd')), HeaderMaker::text(305, "software"),
            maker.doubles(33550, {1, 1, 0}), maker.doubles(33922, {0, 0, 0, 1, 2, 3}),
            maker.longs(273, std::vector<std::uint32_t>(1500, 8))};  // an array between values
  }
  for (const bool is_big : {false, true})
    for (const bool values_first : {false, true}) {
      CAPTURE(is_big);
      CAPTURE(values_first);
      if (values_first) more.pop_back();  // in front of the directory, 4 KiB are guessed
      const Bytes file = with_header_at_end(3'000'001, values_first, more, is_big);
      const ReadHeader read = read_header(file);
      CHECK(read.asked.size() == 1);
      CHECK(sum(read.asked) <= 32 << 10);
      CHECK(read.header.notes.problems.empty());
      CHECK(read.header.directories.front().find(270)->was_read);
      CHECK(read.header.directories.front().find(33922)->was_read);
      if (values_first) more.push_back(HeaderMaker().longs(273, std::vector<std::uint32_t>(1500, 8)));
    }
  // As libtiff writes them.
  Recipe recipe;
  recipe.height = 3000;
  recipe.width = 1000;
  recipe.rows_per_strip = 1;
  recipe.more_tags = [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_SOFTWARE, "a program that writes"); };
  for (const std::string mode : {"wl", "wb", "wl8", "wb8"}) {
    recipe.mode = mode;
    const Bytes file = make_tiff(recipe);
    const ReadHeader read = read_header(file);
    CAPTURE(mode);
    CHECK(read.asked.size() <= (mode.size() == 3 ? 2 : 1));  // arrays of 3,000 LONG8 and LONG are 36 KB
    CHECK(sum(read.asked) < 40'000);
    CHECK(header_rows({}, read.header).row->software == "a program that writes");
  }
}

TEST_CASE("values far from their directory are asked for exactly, neighbours together") {
  HeaderMaker maker;
  maker.fill(200'000);
  std::vector<MadeEntry> entries = maker.picture({HeaderMaker::text(270, std::string(100, 'a')),
                                                  HeaderMaker::text(305, std::string(50, 'b')),
                                                  HeaderMaker::text(315, std::string(80, 'c'))});
  const auto place = [&](std::uint16_t tag, std::uint64_t at) {
    for (MadeEntry& entry : entries)
      if (entry.tag == tag) entry.offset = at;
  };
  place(270, 100'000), place(305, 103'000), place(315, 150'000);
  maker.add(entries);
  maker.fill(100'000);
  const std::uint64_t at = read_header(maker.bytes()).header.directories.front().offset;
  const ReadHeader read = read_header(maker.bytes());
  REQUIRE(read.asked.size() == 3);
  CHECK(read.asked[0].offset == at);
  CHECK(read.asked[0].bytes == 4096);
  CHECK(read.asked[1].offset == 100'000);
  CHECK(read.asked[1].end() == 103'051);  // the gap was nearer than another request
  CHECK(read.asked[2].offset == 150'000);
  CHECK(read.asked[2].bytes == 81);
}

TEST_CASE("arrays of offsets are neither fetched nor kept unless they are asked for") {
  HeaderMaker maker(true, true);
  constexpr std::uint32_t tiles = 256 * 256;
  maker.add(maker.picture(
      {maker.longs(256, {256 * 256}), maker.longs(257, {256 * 256}), maker.shorts(322, {256}),
       maker.shorts(323, {256}), maker.numbers<std::uint64_t>(324, 16, std::vector<std::uint64_t>(tiles, 7)),
       maker.longs(325, std::vector<std::uint32_t>(tiles, 5)), HeaderMaker::text(34737, "a CRS|")}));
  const ReadHeader read = read_header(maker.bytes(), {.prefix = 1024});
  CHECK(sum(read.asked) < 1000);
  CHECK_FALSE(read.header.directories.front().find(324)->was_read);
  CHECK(read.header.notes.problems.empty());
  CHECK(read.header.notes.warnings.empty());
  const HeaderRows rows = header_rows({}, read.header);
  CHECK_FALSE(rows.row->other_tags.contains(324));
  CHECK_FALSE(rows.row->other_tags.contains(273));  // it is in its entry, and still none of the other tags

  HeaderLimits limits;
  limits.arrays = true;
  limits.value_bytes = limits.header_bytes = 1 << 20;
  const ReadHeader with_arrays = read_header(maker.bytes(), {.prefix = 1024}, limits);
  CHECK(with_arrays.header.directories.front().find(324)->was_read);
  CHECK(header_rows({}, with_arrays.header).row->other_tags.at(325).starts_with("5, 5, "));
}

TEST_CASE("directories come in the order of the chain, each with its SubIFDs behind it") {
  for (const bool is_big : {false, true}) {
    HeaderMaker maker(true, is_big);
    const auto sub_directories = [&](std::vector<std::uint32_t> places) { return maker.longs(330, places); };
    const std::uint64_t first = maker.add(maker.picture({sub_directories({0, 0, 0})}));
    const std::uint64_t second = maker.add(maker.picture());
    std::vector<std::uint64_t> subs;
    for (int i = 0; i < 3; ++i) {
      maker.fill(10'000);
      Bytes elsewhere(8);
      const std::uint64_t scratch = maker.bytes().size();
      maker.bytes().insert(maker.bytes().end(), elsewhere.begin(), elsewhere.end());
      subs.push_back(maker.add(maker.picture({maker.longs(254, {1})}), false, scratch));
    }
    // Their places, into the value of the first directory.
    const TiffHeader plain = read_header(maker.bytes()).header;
    const HeaderEntry* entry = plain.directories.front().find(330);
    for (std::size_t i = 0; i < 3; ++i) {
      Bytes raw;
      maker.put<std::uint32_t>(raw, static_cast<std::uint32_t>(subs[i]));
      std::ranges::copy(raw, maker.bytes().begin() + static_cast<std::ptrdiff_t>(entry->offset + 4 * i));
    }
    const std::string whole = in_words(read_header(maker.bytes(), {.prefix = maker.bytes().size()}).header);
    for (const std::uint64_t prefix : {8U, 16U, 100U, 300U, 20'000U}) {
      const ReadHeader read = read_header(maker.bytes(), {.prefix = prefix});
      CHECK(in_words(read.header) == whole);
      CHECK(broken_bound(read, maker.bytes().size()) == "");
      REQUIRE(read.header.directories.size() == 5);
      CHECK(read.header.directories[0].offset == first);
      for (std::size_t i = 0; i < 3; ++i) {
        CHECK(read.header.directories[1 + i].offset == subs[i]);
        CHECK(read.header.directories[1 + i].parent == std::size_t{0});
      }
      CHECK(read.header.directories[4].offset == second);
      CHECK_FALSE(read.header.directories[4].parent);
      const HeaderRows rows = header_rows({}, read.header);
      CHECK(rows.row->overviews == 3);
      CHECK(rows.row->directories == 5);
    }
  }
}

TEST_CASE("damage of each kind has its code, and what can be read is still a row") {
  struct Case {
    std::string_view code;
    bool has_row;
    std::function<void(HeaderMaker&)> make;
  };
  const auto entry = [](HeaderMaker& maker, MadeEntry changed) {
    maker.add(maker.picture({std::move(changed)}));
  };
  const std::vector<Case> cases = {
      {"empty_object", false, [](HeaderMaker& maker) { maker.bytes().clear(); }},
      {"truncated", false, [](HeaderMaker& maker) { maker.bytes().resize(5); }},
      {"not_a_tiff", false,
       [](HeaderMaker& maker) {
         maker.bytes().clear();
         for (const char c : std::string_view("<!DOCTYPE html><html>"))
           maker.bytes().push_back(static_cast<std::byte>(c));
       }},
      {"not_a_tiff", false, [](HeaderMaker& maker) { maker.bytes()[2] = std::byte{44}; }},
      {"no_directory", false, [](HeaderMaker& maker) { maker.fill(100); }},
      {"directory_outside", false,
       [](HeaderMaker& maker) {
         maker.fill(100);
         maker.set_word(maker.link(), 1'000'000);
       }},
      {"empty_directory", false, [](HeaderMaker& maker) { maker.add({}); }},
      {"too_many_tags", false,
       [](HeaderMaker& maker) {
         std::vector<MadeEntry> many;
         for (std::uint16_t i = 0; i < 5000; ++i) many.push_back(maker.shorts(i, {1}));
         maker.add(many);
       }},
      {"truncated", true,
       [](HeaderMaker& maker) {
         maker.add(maker.picture());
         maker.bytes().resize(maker.bytes().size() - 20);
       }},
      {"directory_outside", true,
       [](HeaderMaker& maker) {
         maker.add(maker.picture());
         maker.set_word(maker.link(), 1'000'000);
       }},
      {"directory_cycle", true,
       [](HeaderMaker& maker) {
         const std::uint64_t first = maker.add(maker.picture());
         maker.add(maker.picture());
         maker.set_word(maker.link(), first);
       }},
      {"directory_cycle", true,
       [&](HeaderMaker& maker) {
         const std::uint64_t at = maker.bytes().size();  // its own place
         entry(maker, maker.longs(330, {static_cast<std::uint32_t>(at)}));
       }},
      {"too_many_directories", true,
       [](HeaderMaker& maker) {
         for (int i = 0; i < 1100; ++i) maker.add(maker.picture());
       }},
      {"unknown_type", true,
       [&](HeaderMaker& maker) {
         entry(maker, {65000, 99, Bytes(2)});
       }},
      {"count_overflow", true,
       [&](HeaderMaker& maker) {
         entry(maker, {65000, 12, Bytes(8), std::uint64_t{1} << 62, 8});
       }},
      {"value_outside", true,
       [&](HeaderMaker& maker) {
         entry(maker, {270, 2, Bytes(8), 100, 1'000'000});
       }},
      {"value_outside", true,
       [&](HeaderMaker& maker) {
         entry(maker, {273, 4, Bytes(8), 0xffffffff, 8});
       }},  // 2^32 strips
      {"duplicate_tag", true,
       [](HeaderMaker& maker) {
         auto entries = maker.picture();
         entries.push_back(maker.shorts(256, {99}));
         maker.add(entries);
       }},
      {"wrong_type", true, [&](HeaderMaker& maker) { entry(maker, HeaderMaker::text(256, "40")); }},
      {"wrong_type", true,
       [&](HeaderMaker& maker) {
         entry(maker, maker.shorts(270, {40, 50, 60}));
       }},
      {"wrong_type", true,
       [&](HeaderMaker& maker) { entry(maker, HeaderMaker::text(34735, "no numbers at all")); }},
      {"wrong_type", true, [&](HeaderMaker& maker) { entry(maker, HeaderMaker::text(330, "a")); }},
      {"no_size", true, [&](HeaderMaker& maker) { entry(maker, maker.shorts(257, {0})); }},
      {"too_few_offsets", true,
       [&](HeaderMaker& maker) {
         maker.add(maker.picture({maker.longs(257, {0xffffffff}), maker.shorts(278, {1})}));  // 2^32 strips
       }},
      {"broken_geokeys", true,
       [&](HeaderMaker& maker) {
         maker.add(maker.picture(
             {maker.shorts(34735, {1, 1, 0, 1, 1026, 34737, 50, 7}), HeaderMaker::text(34737, "short|")}));
       }},
      {"broken_geokeys", true,
       [&](HeaderMaker& maker) {
         entry(maker, maker.shorts(34735, {7, 7, 7, 7}));
       }},
  };
  for (const bool is_little : {true, false})
    for (const bool is_big : {false, true})
      for (const Case& made : cases) {
        CAPTURE(made.code);
        CAPTURE(is_big);
        if (made.code == "count_overflow" && !is_big) continue;  // 32 bits cannot say it
        HeaderMaker maker(is_little, is_big);
        made.make(maker);
        if (made.code == "too_few_offsets") maker.fill(2000);
        const ReadHeader read = read_header(maker.bytes());
        CHECK(broken_bound(read, maker.bytes().size()) == "");
        const HeaderRows rows = header_rows({"a.tif", maker.bytes().size()}, read.header);
        if (is_big && made.code == "truncated" && !made.has_row) continue;  // 5 bytes tell no BigTIFF
        CHECK_MESSAGE(has_error(rows, made.code), in_words(read.header));
        CHECK(rows.row.has_value() == made.has_row);
        for (const HeaderError& error : rows.errors) {
          CHECK(error.path == "a.tif");
          CHECK(error.stage == "parse");
          CHECK(error.offset.has_value());
          CHECK(error.reason.size() > 10);
        }
        if (rows.row) CHECK(rows.row->warnings.size() >= rows.errors.size());
        if (made.code == "duplicate_tag") CHECK(rows.row->image_width == 40);
      }
}

TEST_CASE("values beyond the limits are left out with a warning") {
  HeaderMaker maker;
  maker.add(
      maker.picture({HeaderMaker::text(270, std::string(70'000, 'x')), HeaderMaker::text(305, "kept")}));
  const HeaderRows rows = rows_of(maker.bytes());
  CHECK(rows.errors.empty());
  CHECK_FALSE(rows.row->image_description);
  CHECK(rows.row->software == "kept");
  REQUIRE(rows.row->warnings.size() == 1);
  CHECK(rows.row->warnings.front() == "tag 270 was left out: 70001 bytes, and at most 65536 are read");

  std::vector<MadeEntry> many;
  for (std::uint16_t i = 0; i < 20; ++i)
    many.push_back(HeaderMaker::text(static_cast<std::uint16_t>(60000 + i), std::string(60'000, 'y')));
  HeaderMaker large;
  large.add(large.picture(many));
  const ReadHeader read = read_header(large.bytes());
  CHECK(broken_bound(read, large.bytes().size()) == "");
  CHECK(sum(read.asked) <= (512 << 10) + 8192);
  const HeaderRows large_rows = header_rows({}, read.header);
  CHECK(large_rows.row->other_tags.size() == 8);
  CHECK(large_rows.row->bytes() < 4 << 20);
}

TEST_CASE("directories of thousands of tags that lie over each other cost bounded time and memory") {
  // 1,024 directories of 4,096 tags in 16 KB: each begins 14 bytes behind the one before.
  HeaderMaker maker;
  Bytes& bytes = maker.bytes();
  bytes.resize(200'000);
  for (std::size_t i = 8; i + 1 < bytes.size(); i += 2)
    bytes[i] = std::byte{0}, bytes[i + 1] = std::byte{0x10};  // 4096, everywhere
  maker.set_word(4, 10);
  const auto begin = std::chrono::steady_clock::now();
  const ReadHeader read = read_header(bytes);
  CHECK(broken_bound(read, bytes.size()) == "");
  std::vector<std::uint32_t> places;
  HeaderMaker subs;
  for (std::uint32_t i = 0; i < 1500; ++i) places.push_back(20'000 + 2 * i);
  subs.add(subs.picture({subs.longs(330, places)}));
  subs.bytes().resize(20'000);
  for (int i = 0; i < 60'000; ++i)
    subs.bytes().push_back(std::byte{0}), subs.bytes().push_back(std::byte{0x10});
  const ReadHeader overlapping = read_header(subs.bytes());
  CHECK(broken_bound(overlapping, subs.bytes().size()) == "");
  CHECK(overlapping.header.directories.size() > 10);
  CHECK(has_error(header_rows({}, overlapping.header), "too_many_tags"));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  CHECK(took.count() < 5);
}

TEST_CASE("a picture of a thousand pages is asked for page by page, within the bound of calls") {
  HeaderMaker maker;
  for (int i = 0; i < 1000; ++i) {
    maker.fill(9000);
    maker.add(maker.picture());
  }
  const ReadHeader read = read_header(maker.bytes());
  CHECK(broken_bound(read, maker.bytes().size()) == "");
  CHECK(read.header.directories.size() == 1000);
  CHECK(read.header.notes.problems.empty());
  CHECK(sum(read.asked) < 1000 * 4200 + (64 << 10));
}

TEST_CASE("HeaderBytes finds bytes across pieces and says which are missing") {
  Bytes file(100);
  for (std::size_t i = 0; i < file.size(); ++i) file[i] = static_cast<std::byte>(i);
  HeaderBytes bytes;
  bytes.add(40, std::span(file).subspan(40, 10));
  bytes.add(0, std::span(file).first(20));
  bytes.add(15, std::span(file).subspan(15, 10));
  bytes.add(50, std::span(file).subspan(50, 0));
  Bytes out(20);
  CHECK(bytes.read(5, out) == 20);
  CHECK(std::ranges::equal(out, std::span(file).subspan(5, 20)));
  CHECK(bytes.read(6, out) == 19);
  CHECK(bytes.view(0, 20).size() == 20);
  CHECK(bytes.view(5, 20).empty());
  CHECK(bytes.view(16, 9).size() == 9);
  const auto hole = bytes.missing(10, 60);
  REQUIRE(hole);
  CHECK(hole->offset == 25);
  CHECK(hole->bytes == 15);
  CHECK_FALSE(bytes.missing(0, 25));
  CHECK_FALSE(bytes.missing(30, 0));
  CHECK(bytes.missing(45, 30)->offset == 50);
  CHECK(bytes.missing(45, 30)->bytes == 25);
}

}  // namespace weir
