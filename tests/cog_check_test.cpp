#include "nodes/tiff/cog_check.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "tests/cog_support.hpp"
#include "tests/dotted_mask_source.hpp"
#include "tests/made_images.hpp"

// Good COGs, and the same with one thing wrong: each is named, and nothing else is.

using namespace weir;
using namespace weir::pipeline_test;
using test::in_memory;
using test::make_images;
using test::MemoryFiles;
using test::Picture;

namespace {

FileCheck checked(const Bytes& bytes, const CogCheckOptions& options = {}) {
  MemoryFiles files(bytes);
  return check_cog(in_memory(files), options, files);
}

/// Names of all problems, each once, warnings in brackets.
std::string names_of(const FileCheck& check) {
  std::set<std::string> names;
  for (const FileProblem& problem : check.problems())
    names.insert(problem.severity == FileProblem::Severity::error ? problem.name : "(" + problem.name + ")");
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

/// A COG whose bytes can be changed.
struct Cog {
  Bytes bytes;
  std::vector<TiffDirectory> directories;
  std::vector<TiffLayout> layouts;

  explicit Cog(Bytes given) : bytes(std::move(given)) {
    MemoryFiles files(bytes);
    const auto file = in_memory(files);
    for (std::uint64_t at = first_tiff_directory(*file); at != 0; at = directories.back().next) {
      directories.push_back(read_tiff_directory_at(*file, at));
      layouts.push_back(read_tiff_image_at(*file, at).layout);
    }
  }

  std::uint64_t get(std::uint64_t at, std::size_t size) const {
    std::uint64_t value = 0;
    std::memcpy(&value, &bytes[at], size);
    return value;
  }
  void put(std::uint64_t at, std::size_t size, std::uint64_t value) { std::memcpy(&bytes[at], &value, size); }
  std::byte& at(std::uint64_t position) { return bytes[position]; }

  static std::uint64_t place(const StrileArray& array, std::uint64_t tile) {
    return array.position + tile * array.value_bytes;
  }
  std::uint64_t offset(std::size_t directory, std::uint64_t tile) const {
    const StrileArray& array = layouts[directory].offsets;
    return get(place(array, tile), array.value_bytes);
  }
  std::uint64_t count(std::size_t directory, std::uint64_t tile) const {
    const StrileArray& array = *layouts[directory].byte_counts;
    return get(place(array, tile), array.value_bytes);
  }
  void set_offset(std::size_t directory, std::uint64_t tile, std::uint64_t value) {
    const StrileArray& array = layouts[directory].offsets;
    put(place(array, tile), array.value_bytes, value);
  }
  void set_count(std::size_t directory, std::uint64_t tile, std::uint64_t value) {
    const StrileArray& array = *layouts[directory].byte_counts;
    put(place(array, tile), array.value_bytes, value);
  }
  void swap_tiles(std::size_t directory, std::uint64_t a, std::uint64_t b) {
    const std::uint64_t offset_a = offset(directory, a), count_a = count(directory, a);
    set_offset(directory, a, offset(directory, b));
    set_count(directory, a, count(directory, b));
    set_offset(directory, b, offset_a);
    set_count(directory, b, count_a);
  }
  void set_tag(std::size_t directory, std::uint16_t id, std::uint64_t value) {
    const TiffEntry* entry = directories[directory].find(id);
    REQUIRE(entry != nullptr);
    put(entry->position, tiff_type_bytes(entry->type), value);
  }
  /// Where the place of that directory is written, in a classic TIFF.
  std::uint64_t link_to(std::size_t directory) const {
    if (directory == 0) return 4;
    const TiffDirectory& before = directories[directory - 1];
    return before.position + bytes_of(before) - 4;
  }
  void move_directory_to_end(std::size_t directory) {
    const TiffDirectory& moved = directories[directory];
    put(link_to(directory), 4, bytes.size());
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(moved.position);
    const Bytes copy(from, from + static_cast<std::ptrdiff_t>(bytes_of(moved)));
    bytes.insert(bytes.end(), copy.begin(), copy.end());
  }
  void move_tile_to_end(std::size_t directory, std::uint64_t tile) {
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(offset(directory, tile)) - 4;
    const Bytes copy(from, from + static_cast<std::ptrdiff_t>(count(directory, tile)) + 8);
    set_offset(directory, tile, bytes.size() + 4);
    bytes.insert(bytes.end(), copy.begin(), copy.end());
  }
  void replace(std::string_view old_text, std::string_view new_text) {
    REQUIRE(old_text.size() == new_text.size());
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t at = text.find(old_text);
    REQUIRE(at != std::string::npos);
    std::memcpy(&bytes[at], new_text.data(), new_text.size());
  }
  void promise_nothing() {
    replace("BLOCK_ORDER", "BLOXX_ORDER");
    replace("BLOCK_LEADER", "BLOXX_LEADER");
    replace("BLOCK_TRAILER", "BLOXX_TRAILER");
  }
};

struct Form {
  std::uint64_t height = 100, width = 90, tile = 32;
  bool has_mask = false;
  CodecId codec = CodecId::deflate;
  TiffOutputLayout::BigTiff big = TiffOutputLayout::BigTiff::no;
  std::uint32_t samples = 1;
};

Bytes cog_bytes(const Form& form) {
  const Raster raster = made_raster(form.height, form.width, SampleType::uint16, form.samples);
  const TemporaryFolder folder;
  WriteCogOptions options;
  options.codec.id = form.codec;
  options.tile_height = options.tile_width = form.tile;
  options.big = form.big;
  std::shared_ptr<const ChunkSource> source = source_of(raster, 64, 64);
  if (form.has_mask) source = std::make_shared<const DottedMaskSource>(source);
  write_cog(source, folder / "a.tif", options);
  return file_bytes(folder / "a.tif");
}

/// Directories: the image, overviews 1 and 2. With a mask: the image, its mask, overview 1, its mask, ...
const Bytes& plain() {
  static const Bytes bytes = cog_bytes({});
  return bytes;
}
const Bytes& masked() {
  static const Bytes bytes = cog_bytes({.has_mask = true});
  return bytes;
}

struct Damage {
  std::string names;  ///< what is found then, as names_of()
  std::function<void(Cog&)> damage;
};

void check_each(const Bytes& good, const std::vector<Damage>& damages, const CogCheckOptions& options = {}) {
  REQUIRE(names_of(checked(good, options)) == "");
  for (const Damage& each : damages) {
    Cog cog(good);
    each.damage(cog);
    CHECK(names_of(checked(cog.bytes, options)) == each.names);
  }
}

}  // namespace

TEST_CASE("nothing is wrong with the COGs that Weir writes, decoded or not") {
  for (const CodecId codec : {CodecId::none, CodecId::deflate, CodecId::zstd})
    for (const bool has_mask : {false, true})
      for (const auto& size : {std::pair(1, 1), {100, 90}, {700, 33}, {600, 700}})
        for (const auto big : {TiffOutputLayout::BigTiff::no, TiffOutputLayout::BigTiff::yes}) {
          CAPTURE(name_of(codec));
          CAPTURE(has_mask);
          CAPTURE(size.first);
          const Bytes bytes =
              cog_bytes({static_cast<std::uint64_t>(size.first), static_cast<std::uint64_t>(size.second), 48,
                         has_mask, codec, big, 3});
          CHECK(names_of(checked(bytes)) == "");
          CHECK(names_of(checked(bytes, {.decode = true})) == "");
        }
}

TEST_CASE("what is wrong with a tile of a COG has its name") {
  check_each(
      plain(),
      {{"tile-leader", [](Cog& cog) { cog.at(cog.offset(0, 3) - 4) ^= std::byte{1}; }},
       {"tile-leader", [](Cog& cog) { cog.at(cog.offset(2, 0) - 1) ^= std::byte{1}; }},
       {"tile-trailer", [](Cog& cog) { cog.at(cog.offset(1, 1) + cog.count(1, 1)) ^= std::byte{1}; }},
       {"tile-outside-file", [](Cog& cog) { cog.bytes.pop_back(); }},
       {"tile-order tile-outside-file", [](Cog& cog) { cog.swap_tiles(0, 2, 5), cog.bytes.pop_back(); }},
       {"tile-order", [](Cog& cog) { cog.swap_tiles(0, 2, 5); }},
       // GDAL's validator forgets the tile before a sparse one.
       {"tile-order",
        [](Cog& cog) {
          cog.swap_tiles(0, 2, 4);
          cog.set_offset(0, 3, 0);
          cog.set_count(0, 3, 0);
        }},
       {"", [](Cog& cog) { cog.set_offset(0, 3, 0), cog.set_count(0, 3, 0); }},  // sparse
       {"tile-outside-file", [](Cog& cog) { cog.set_offset(0, 11, cog.bytes.size() - 4); }},
       {"tile-order tile-outside-file", [](Cog& cog) { cog.set_offset(0, 3, cog.bytes.size() + 1); }},
       {"tile-byte-count", [](Cog& cog) { cog.set_count(0, 3, 0); }},
       {"tile-byte-count", [](Cog& cog) { cog.set_offset(0, 0, 0); }},
       {"tile-leader tile-trailer tiles-overlap", [](Cog& cog) { cog.set_count(0, 3, cog.count(0, 3) + 9); }},
       {"tiles-overlap", [](Cog& cog) { cog.promise_nothing(), cog.set_count(0, 3, cog.count(0, 3) + 9); }},
       {"(tags-after-data) tile-over-directory",
        [](Cog& cog) {
          cog.promise_nothing();
          cog.set_offset(0, 3, cog.directories[1].position + 20);
          cog.set_count(0, 3, 2);
        }},
       {"(tags-after-data) tile-over-directory",
        [](Cog& cog) {
          cog.promise_nothing(), cog.set_count(0, 3, 2);
          cog.set_offset(0, 3, cog.layouts[0].offsets.position + 4);
        }},
       // All the bytes of another tile may be shared.
       {"", [](Cog& cog) {
          cog.promise_nothing(), cog.set_offset(0, 3, cog.offset(0, 2)), cog.set_count(0, 3, cog.count(0, 2));
        }}});
}

TEST_CASE("what is wrong with the layout of a COG has its name") {
  check_each(plain(),
             {{"known-incompatible-edition", [](Cog& cog) { cog.replace("EDITION=NO\n ", "EDITION=YES\n"); }},
              {"ghost-area", [](Cog& cog) { cog.replace("_SIZE=000", "_SIZE=0x0"); }},
              {"ghost-area", [](Cog& cog) { cog.replace("_SIZE=000", "_SIZE=990"); }},
              {"first-directory-offset", [](Cog& cog) { cog.replace("_SIZE=000", "_SIZE=001"); }},
              {"first-directory-offset", [](Cog& cog) { cog.replace("GDAL_STRUCTURAL", "GDAL_STRUCTURED"); }},
              {"directory-order first-directory-offset", [](Cog& cog) { cog.move_directory_to_end(0); }},
              {"directory-order", [](Cog& cog) { cog.move_directory_to_end(1); }},
              {"data-before-directories", [](Cog& cog) { cog.move_directory_to_end(2); }},
              {"data-order", [](Cog& cog) { cog.move_tile_to_end(2, 0); }},
              {"data-order directory-order overview-larger",
               [](Cog& cog) {
                 const std::uint64_t second = cog.directories[2].position;
                 cog.put(cog.link_to(2), 4, 0);
                 cog.put(cog.link_to(1), 4, second);
                 cog.put(second + bytes_of(cog.directories[2]) - 4, 4, cog.directories[1].position);
               }},
              {"unreadable-directory", [](Cog& cog) { cog.set_tag(1, 259, 4); }},
              {"unreadable-directory", [](Cog& cog) { cog.set_tag(0, 322, 0); }},
              {"unreadable-file", [](Cog& cog) { cog.put(cog.link_to(2), 4, cog.directories[1].position); }},
              {"unreadable-file", [](Cog& cog) { cog.put(cog.link_to(1), 4, cog.bytes.size()); }},
              {"unreadable-file", [](Cog& cog) { cog.bytes.clear(); }}});
}

TEST_CASE("what is wrong with a mask of a COG has its name") {
  check_each(masked(), {{"mask-place tile-order", [](Cog& cog) { cog.swap_tiles(1, 0, 1); }},
                        {"mask-place tile-order", [](Cog& cog) { cog.move_tile_to_end(3, 1); }},
                        {"mask-place", [](Cog& cog) { cog.move_tile_to_end(1, 11); }},
                        {"tile-leader", [](Cog& cog) { cog.at(cog.offset(1, 0) - 4) ^= std::byte{1}; }},
                        {"mask-tile-size", [](Cog& cog) { cog.set_tag(1, 322, 48); }},
                        {"(mask-directory-after-data)", [](Cog& cog) { cog.move_directory_to_end(5); }},
                        {"(overview-without-mask)", [](Cog& cog) { cog.put(cog.link_to(5), 4, 0); }}});
}

TEST_CASE("sizes and tilings that readers of COGs do not want have their names") {
  const auto of_images = [](const std::vector<Picture>& pictures) {
    const FileCheck check = checked(make_images(pictures));
    // libtiff writes directories behind the tiles.
    std::string names;
    for (const FileProblem& problem : check.problems())
      if (problem.name.find("directory-offset") == std::string::npos &&
          problem.name.find("data") == std::string::npos && !test::contains(names, problem.name))
        names += (names.empty() ? "" : " ") + problem.name;
    return names;
  };
  CHECK(of_images({{100, 80}, {50, 40, 1}}) == "");
  CHECK(of_images({{100, 80}, {100, 80, 1}}) == "overview-decimation");
  CHECK(of_images({{100, 80}, {80, 64, 1}}) == "overview-decimation");
  CHECK(of_images({{1, 80}, {1, 40, 1}}) == "");  // rio-cogeo looks at one axis
  CHECK(of_images({{80, 1}, {40, 1, 1}}) == "");
  CHECK(of_images({{100, 80}, {25, 20, 1}, {50, 40, 1}}) == "overview-larger");
  CHECK(of_images({{100, 80}, {120, 96, 1}}) == "overview-shape overview-larger overview-decimation");
  CHECK(of_images({{100, 80}, {50, 20, 1}}) == "overview-shape");
  CHECK(of_images({{100, 80}, {50, 40, 1, 3}}) == "stray-directory");  // other samples
  CHECK(of_images({{100, 80}, {30, 30, 4}}) == "stray-directory");     // a mask of no image
  CHECK(of_images({{100, 80}, {100, 80, 4}, {50, 40, 1}}) == "overview-without-mask");
  CHECK(of_images({{100, 80}, {100, 80, 4}, {50, 40, 1}, {50, 40, 5}}) == "");
  CHECK(of_images({{100, 80}, {70, 80}}) == "several-images");
  CHECK(of_images({{100, 80, 0, 1, 0, {{50, 40, 1}}}}) == "overview-in-subifd");
  CHECK(of_images({{513, 20}}) == "no-overviews");
  CHECK(of_images({{512, 512}}) == "");
  CHECK(of_images(std::vector<Picture>(257, Picture{16, 16})) == "several-images too-many-directories");
}

TEST_CASE("large pictures in strips, or in tiles as wide as they are, are not tiled") {
  const auto names = [](std::uint64_t height, std::uint64_t width, std::uint64_t tile) {
    TiffOutputLayout layout;
    layout.info.height = height;
    layout.info.width = width;
    layout.tiled = tile > 0;
    layout.tile_height = tile > 0 ? 16 : height;
    layout.tile_width = tile > 0 ? tile : width;
    layout.max_tile_bytes = layout.tile_height * layout.tile_width;
    const TemporaryFolder folder;
    TiffWriter writer(layout, folder / "a.tif", false);
    const Bytes pixels = test::made_pixels(layout.info);
    writer.write(test::tile_run(0, test::all_tiles(layout, pixels)));
    writer.close();
    return names_of(checked(file_bytes(folder / "a.tif")));
  };
  CHECK(names(600, 600, 0) == "(no-overviews) not-tiled");
  CHECK(names(513, 1024, 0) == "(no-overviews) not-tiled");
  CHECK(names(600, 512, 0) == "(no-overviews)");
  CHECK(names(512, 1024, 0) == "(no-overviews)");
  CHECK(names(20, 1025, 0) == "(no-overviews) not-tiled");
  CHECK(names(400, 400, 0) == "");
  CHECK(names(600, 592, 592) == "(no-overviews) (one-tile-wide)");
  CHECK(names(600, 592, 608) == "(no-overviews)");
  CHECK(names(20, 1040, 1040) == "(no-overviews) not-tiled");
}

TEST_CASE("overviews and masks in other files are named") {
  const TemporaryFolder folder;
  const auto names = [&] { return names_of(check_cog(std::make_shared<const InputFile>(folder / "a.tif"))); };
  test::write_file(folder / "a.tif", cog_bytes({.tile = 128}));
  REQUIRE(names() == "");
  test::write_file(folder / "a.tif.ovr", make_images({{50, 45, 1}}));
  CHECK(names() == "external-overviews");
  test::write_file(folder / "a.tif.ovr", Bytes(10));
  CHECK(names() == "unreadable-file");
  std::filesystem::remove(folder / "a.tif.ovr");
  Picture mask{100, 90, 4};
  mask.more_tags = [](TIFF* tiff) {
    const char text[] = "<GDALMetadata><Item name=\"INTERNAL_MASK_FLAGS_1\">2</Item></GDALMetadata>\n";
    static const TIFFFieldInfo field = {42112,        -1, -1, TIFF_ASCII,
                                        FIELD_CUSTOM, 1,  0,  const_cast<char*>("GDALMetadata")};
    TIFFMergeFieldInfo(tiff, &field, 1);
    TIFFSetField(tiff, 42112, text);
  };
  test::write_file(folder / "a.tif.msk", make_images({mask}));
  CHECK(names() == "(external-mask)");
}

TEST_CASE("tags that stand behind the tiles are a warning of each directory") {
  // libtiff puts tags behind tiles; here the directories are where they should be.
  Cog cog(plain());
  const TiffEntry* offsets = cog.directories[0].find(324);
  const auto from = cog.bytes.begin() + static_cast<std::ptrdiff_t>(offsets->position);
  const Bytes copy(from, from + static_cast<std::ptrdiff_t>(offsets->count * 4));
  std::uint64_t entry = cog.directories[0].position + 2;
  while (cog.get(entry, 2) != 324) entry += 12;
  cog.put(entry + 8, 4, cog.bytes.size());
  cog.bytes.insert(cog.bytes.end(), copy.begin(), copy.end());
  CHECK(names_of(checked(cog.bytes)) == "(tags-after-data)");
  // There each directory has two arrays behind its tiles.
  const FileCheck check = checked(make_images({{100, 80}, {50, 40, 1}}));
  CHECK(std::ranges::count(check.problems(), "tags-after-data", &FileProblem::name) == 2);
}

TEST_CASE("decoding names each tile of each level that cannot be decoded") {
  const CogCheckOptions decoding{.decode = true};
  check_each(plain(),
             {{"tile-decode", [](Cog& cog) { cog.at(cog.offset(0, 5) + 1) ^= std::byte{0xff}; }},
              {"tile-decode", [](Cog& cog) { cog.at(cog.offset(2, 0) + 1) ^= std::byte{0xff}; }}},
             decoding);
  check_each(masked(), {{"tile-decode", [](Cog& cog) { cog.at(cog.offset(3, 0) + 1) ^= std::byte{0xff}; }}},
             decoding);
  Cog cog(plain());
  cog.at(cog.offset(1, 2) + 1) ^= std::byte{0xff};
  CHECK(names_of(checked(cog.bytes)) == "");
  const FileCheck check = checked(cog.bytes, decoding);
  REQUIRE(check.problems().size() == 1);
  CHECK(check.problems()[0].where == "overview 1 (directory 1)");
  CHECK(check.problems()[0].item == "tile (row 1, col 0)");
}

TEST_CASE(
    "decoding sees damage in rows of a tile that lie below the image, and in the checksum behind them") {
  // Of the last row of tiles 4 of 32 rows are pixels.
  const CogCheckOptions decoding{.decode = true};
  const auto last_tile_end = [](const Cog& cog) { return cog.offset(0, 11) + cog.count(0, 11); };
  check_each(plain(),
             {{"tile-decode",
               [&](Cog& cog) {
                 const std::uint64_t end = last_tile_end(cog);
                 cog.at(end - 1) ^= std::byte{1};  // of Adler-32; and what the trailer repeats
                 cog.at(end + 3) ^= std::byte{1};
               }},
              {"tile-decode", [&](Cog& cog) { cog.at(last_tile_end(cog) - 8) ^= std::byte{0xff}; }}},
             decoding);
  for (const CodecId codec : {CodecId::zstd, CodecId::lzw, CodecId::lzma}) {
    if (!missing_reason(codec).empty()) continue;
    CAPTURE(name_of(codec));
    check_each(cog_bytes({.codec = codec}),
               {{"tile-decode",
                 [&](Cog& cog) {
                   cog.promise_nothing();
                   cog.set_count(0, 11, cog.count(0, 11) - 2);
                 }}},
               decoding);
  }
}

TEST_CASE("of many problems of one name a few are listed, and the others counted") {
  Cog cog(plain());
  for (std::uint64_t tile = 0; tile < 12; ++tile) cog.at(cog.offset(0, tile) - 4) ^= std::byte{1};
  for (std::uint64_t tile = 0; tile < 4; ++tile) cog.at(cog.offset(1, tile) - 4) ^= std::byte{1};
  const FileCheck check = checked(cog.bytes, {.listed = 5});
  CHECK(check.errors() == 16);
  REQUIRE(check.problems().size() == 9);
  CHECK(check.problems()[3].more == 0);
  CHECK(check.problems()[8].more == 7);
  CHECK(check.problems()[8].item == "tile (row 1, col 1)");
  CHECK_FALSE(check.is_valid(false));
}

TEST_CASE("warnings make a file invalid only where they are taken for errors") {
  const FileCheck check = checked(Cog(masked()).bytes);
  CHECK(check.is_valid(true));
  Cog cog(masked());
  cog.put(cog.link_to(5), 4, 0);
  CHECK(checked(cog.bytes).is_valid(false));
  CHECK_FALSE(checked(cog.bytes).is_valid(true));
}

TEST_CASE("tiles that stand in any order are sorted in several passes, and an overlap is found in the last") {
  // 600000 deflated tiles of 4 bytes, the last one first. They are not decoded.
  constexpr std::uint32_t side = 16, across = 1000, down = 600, count = across * down;
  test::MemoryTiff made;
  TIFF* tiff = made.open("wl");
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, side * across);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, side * down);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  TIFFSetField(tiff, TIFFTAG_TILEWIDTH, side);
  TIFFSetField(tiff, TIFFTAG_TILELENGTH, side);
  std::array<std::byte, 4> raw{};
  REQUIRE(TIFFWriteRawTile(tiff, count - 1, raw.data(), 4) == 4);
  REQUIRE(TIFFWriteDirectory(tiff) == 1);
  TIFFClose(tiff);
  Cog cog(made.bytes());
  const std::uint64_t data = cog.bytes.size();
  cog.bytes.resize(data + count * 8);
  for (std::uint64_t tile = 0; tile < count; ++tile) {
    cog.set_offset(0, tile, data + (count - 1 - tile) * 8);
    cog.set_count(0, tile, 4);
  }
  CHECK_FALSE(checked(cog.bytes).has("tiles-overlap"));
  for (const std::uint64_t tile : {std::uint64_t{0}, std::uint64_t{count / 2}, std::uint64_t{count - 2}}) {
    Cog overlapping = cog;
    overlapping.set_count(0, tile + 1, 9);
    const FileCheck check = checked(overlapping.bytes);
    REQUIRE(check.has("tiles-overlap"));
    const auto& problem = *std::ranges::find(check.problems(), "tiles-overlap", &FileProblem::name);
    CHECK(problem.more == 0);
    CHECK(problem.item ==
          "tile (row " + std::to_string(tile / across) + ", col " + std::to_string(tile % across) + ")");
  }
}

TEST_CASE("little of a file is read, and each tile's frame at most once") {
  const Bytes bytes = cog_bytes({.height = 2048, .width = 2048, .tile = 256, .codec = CodecId::none});
  MemoryFiles files(bytes);
  const FileCheck check = check_cog(in_memory(files), {}, files);
  CHECK(names_of(check) == "");
  CHECK(files.bytes_read < 85 * 2 * 4096 + 200'000);  // tiles of all levels, and directories
  CHECK(static_cast<std::size_t>(files.bytes_read.load()) < bytes.size() / 10);
}

TEST_CASE("a COG that is cut off anywhere is not valid, and nothing is thrown") {
  const Bytes bytes = cog_bytes({.height = 40, .width = 50, .tile = 16, .has_mask = true});
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const FileCheck check = checked(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)),
                                    {.decode = size % 16 == 0});
    REQUIRE_FALSE(check.is_valid(false));
  }
}

TEST_CASE("whatever byte of a COG's front is changed, nothing is thrown") {
  const Bytes good = cog_bytes({.height = 40, .width = 50, .tile = 16, .has_mask = true});
  const Cog cog(good);
  for (std::uint64_t at = 0; at < std::min<std::uint64_t>(cog.offset(4, 0), 4000); ++at)
    for (const unsigned flip : {0x01u, 0x80u, 0xffu}) {
      CAPTURE(at);
      Bytes bytes = good;
      bytes[at] ^= static_cast<std::byte>(flip);
      const FileCheck check = checked(bytes);
      for (const FileProblem& problem : check.problems()) REQUIRE_FALSE(problem.text.empty());
    }
}

TEST_CASE("a read that fails is an error of the list, whichever it is") {
  MemoryFiles counting(masked());
  check_cog(in_memory(counting), {.decode = true}, counting);
  const std::int64_t reads = counting.reads;
  REQUIRE(reads > 20);
  for (std::int64_t read = 0; read < reads; ++read) {
    CAPTURE(read);
    MemoryFiles files(masked());
    files.failing_read = read;
    const auto file = in_memory(files);
    CHECK_FALSE(check_cog(file, {.decode = true}, files).is_valid(false));
  }
}

TEST_CASE("a check that is stopped ends with a cancelled Error") {
  std::stop_source stop;
  stop.request_stop();
  MemoryFiles files(plain());
  try {
    check_cog(in_memory(files), {}, files, stop.get_token());
    FAIL("it did not end");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::cancelled);
  }
}
