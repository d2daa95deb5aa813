#include "nodes/tiff/tiff_writer.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "framework/error.hpp"
#include "tests/tiff_helpers.hpp"

namespace weir {
namespace {

using namespace test;

// A file system with one fault.
class FaultyFiles : public FileSystem {
 public:
  std::string cannot_unlink;
  std::int64_t free = -1;
  int unlink(const char* path) override {
    if (cannot_unlink != path) return FileSystem::unlink(path);
    errno = EACCES;
    return -1;
  }
  std::int64_t free_bytes(int fd) override { return free < 0 ? FileSystem::free_bytes(fd) : free; }
};

void touch(const std::string& path) {
  std::ofstream(path) << "old";
}

TEST_CASE("libtiff reads back every sample type, codec, layout and container") {
  const TemporaryFolder folder;
  for (const SampleType type : arithmetic_sample_types)
    for (const CodecId codec : {CodecId::none, CodecId::deflate, CodecId::zstd})
      for (const bool tiled : {true, false})
        for (const bool separate : {true, false})
          for (const auto big : {TiffOutputLayout::BigTiff::yes, TiffOutputLayout::BigTiff::no}) {
            CAPTURE(name_of(type));
            CAPTURE(static_cast<int>(codec));
            CAPTURE(tiled);
            CAPTURE(separate);
            TiffOutputLayout layout = layout_of(37, 45, 3, type);
            if (!tiled) layout = strips_of(layout, 10);
            layout.info.photometric = 2;
            layout.planar_separate = separate;
            layout.codec = codec;
            layout.big = big;
            const Bytes pixels = made_pixels(layout.info);
            write_all(layout, folder / "a.tif", all_tiles(layout, pixels));
            const LibTiff tiff(folder / "a.tif");
            CHECK((TIFFIsBigTIFF(tiff.get()) != 0) == (big == TiffOutputLayout::BigTiff::yes));
            CHECK(tiff.value<std::uint32_t>(TIFFTAG_IMAGEWIDTH) == 45);
            CHECK(tiff.value<std::uint32_t>(TIFFTAG_IMAGELENGTH) == 37);
            CHECK(tiff.value<std::uint16_t>(TIFFTAG_BITSPERSAMPLE) == 8 * bytes_of(type));
            CHECK(tiff.value<std::uint16_t>(TIFFTAG_COMPRESSION) == static_cast<std::uint16_t>(codec));
            CHECK(tiff.value<std::uint16_t>(TIFFTAG_SAMPLEFORMAT) == (is_floating(type)         ? 3
                                                                      : is_signed_integer(type) ? 2
                                                                                                : 1));
            CHECK(tiff.value<std::uint16_t>(TIFFTAG_PHOTOMETRIC) == 2);
            CHECK(tiff.pixels(layout.info) == pixels);
          }
}

TEST_CASE("rasters of one pixel, one row, one column and one exact tile are written") {
  const TemporaryFolder folder;
  for (const auto& [height, width] :
       std::vector<std::pair<std::uint64_t, std::uint64_t>>{{1, 1}, {1, 99}, {99, 1}, {16, 32}, {17, 33}})
    for (const bool tiled : {true, false})
      for (const auto big : {TiffOutputLayout::BigTiff::yes, TiffOutputLayout::BigTiff::no}) {
        TiffOutputLayout layout = layout_of(height, width, 2, SampleType::uint16);
        if (!tiled) layout = strips_of(layout, 40);  // higher than some of the rasters
        layout.big = big;
        layout.planar_separate = true;
        const Bytes pixels = made_pixels(layout.info);
        write_all(layout, folder / "a.tif", all_tiles(layout, pixels));
        CHECK(LibTiff(folder / "a.tif").pixels(layout.info) == pixels);
      }
}

TEST_CASE("tiles lie back to back in file order, from a multiple of 16 directly behind the arrays") {
  const TemporaryFolder folder;
  for (const bool big : {false, true}) {
    TiffOutputLayout layout = layout_of(40, 100, 3, SampleType::uint8);
    layout.planar_separate = true;
    layout.codec = CodecId::zstd;
    layout.big = big ? TiffOutputLayout::BigTiff::yes : TiffOutputLayout::BigTiff::no;
    const auto tiles = all_tiles(layout, made_pixels(layout.info));
    write_all(layout, folder / "a.tif", tiles);
    const Bytes file = file_bytes(folder / "a.tif");
    auto entries = entries_of(file);
    const auto offsets = numbers(entries.at(324)), counts = numbers(entries.at(325));
    const std::uint64_t rows = 3, planes = 3, cols = 4;
    REQUIRE(offsets.size() == rows * planes * cols);
    std::uint64_t end = entries.at(325).at + entries.at(325).bytes.size(), tile = 0;
    CHECK(end % 16 == 0);
    CHECK(entries.at(324).at + entries.at(324).bytes.size() == entries.at(325).at);
    for (std::uint64_t row = 0; row < rows; ++row)
      for (std::uint64_t plane = 0; plane < planes; ++plane)
        for (std::uint64_t col = 0; col < cols; ++col, ++tile) {
          const std::uint64_t index = plane * rows * cols + row * cols + col;
          CHECK(offsets[index] == end);
          CHECK(counts[index] == tiles[tile].size());
          end += counts[index];
        }
    CHECK(end == file.size());
  }
}

TEST_CASE("the arrays of a hundred thousand tiles are right across their windows") {
  const TemporaryFolder folder;
  for (const std::uint32_t planes : {1u, 5u, 3000u}) {
    const std::uint64_t cols = planes == 3000 ? 3 : 250, rows = 100000 / cols / planes;
    TiffOutputLayout layout = layout_of(rows * 16, cols * 32, planes);
    layout.planar_separate = true;
    layout.max_tile_bytes = 512;
    const std::uint64_t count = tile_count(layout);
    // Only the arrays are looked at: sizes from 0 (sparse) to 6 bytes.
    const auto size_of = [](std::uint64_t tile) {
      return static_cast<std::uint32_t>(tile * 2654435761u % 7);
    };
    TiffWriter writer(layout, folder / "a.tif", true);
    for (std::uint64_t first = 0; first < count; first += 977) {
      EncodedTiles run;
      run.first_tile = first;
      std::uint64_t bytes = 0;
      for (std::uint64_t tile = first; tile < std::min(first + 977, count); ++tile) {
        run.sizes.push_back(size_of(tile));
        bytes += size_of(tile);
      }
      run.bytes = Context().buffer(bytes);
      std::ranges::fill(run.bytes.span(), std::byte{1});
      writer.write(run);
    }
    writer.close();

    const LibTiff tiff(folder / "a.tif");
    REQUIRE(TIFFNumberOfTiles(tiff.get()) == count);
    std::uint64_t end = 0, tile = 0, wrong = 0;
    for (std::uint64_t row = 0; row < rows; ++row)
      for (std::uint64_t plane = 0; plane < planes; ++plane)
        for (std::uint64_t col = 0; col < cols; ++col, ++tile) {
          const auto index = static_cast<std::uint32_t>((plane * rows + row) * cols + col);
          const std::uint64_t offset = TIFFGetStrileOffset(tiff.get(), index);
          const std::uint64_t bytes = TIFFGetStrileByteCount(tiff.get(), index);
          if (end == 0) end = offset;  // of the first that is stored
          wrong += bytes != size_of(tile) || offset != (bytes == 0 ? 0 : end);
          end += bytes;
        }
    CHECK(wrong == 0);
    CHECK(end == writer.bytes_written());
  }
}

TEST_CASE("what a writer keeps does not grow with the number of tiles") {
  const auto standing = [](std::uint64_t side, std::uint32_t samples) {
    TiffOutputLayout layout = layout_of(side, side, samples);
    layout.planar_separate = true;
    return TiffWriter::standing_bytes(layout);
  };
  CHECK(standing(16, 1) < 1024);
  CHECK(standing(1 << 18, 1) == standing(1 << 20, 1));
  CHECK(standing(1 << 20, 1) < 128 << 10);
  CHECK(standing(1 << 15, 100) < 512 << 10);
  CHECK(standing(1 << 10, 65535) < 2 << 20);
}

TEST_CASE("the bytes of a file do not depend on how its tiles arrive") {
  const TemporaryFolder folder;
  TiffOutputLayout layout = layout_of(100, 100, 3, SampleType::uint16);
  layout.planar_separate = true;
  layout.info.nodata = "7";
  const auto tiles = all_tiles(layout, made_pixels(layout.info));
  write_all(layout, folder / "a.tif", tiles, 1);
  write_all(layout, folder / "b.tif", tiles, 1000);
  CHECK(file_bytes(folder / "a.tif") == file_bytes(folder / "b.tif"));
}

TEST_CASE("sparse tiles take no bytes, and have 0 as offset and as byte count") {
  const TemporaryFolder folder;
  for (const std::uint64_t width : {32u, 96u}) {
    const TiffOutputLayout layout = layout_of(16, width);
    write_all(layout, folder / "a.tif", std::vector<Bytes>(width / 32));
    const Bytes file = file_bytes(folder / "a.tif");
    const auto entries = entries_of(file);
    CHECK(numbers(entries.at(324)) == std::vector<std::uint64_t>(width / 32, 0));
    CHECK(numbers(entries.at(325)) == std::vector<std::uint64_t>(width / 32, 0));
  }
}

TEST_CASE("BigTIFF is chosen exactly where the largest possible file needs it") {
  TiffOutputLayout layout = layout_of(16, 32);
  layout.max_tile_bytes = 1;
  const std::uint64_t front = TiffWriter::largest_file_bytes(layout) - 1;
  const TemporaryFolder folder;
  layout.max_tile_bytes = 0xFFFFFFFF - front;
  CHECK(TiffWriter::largest_file_bytes(layout) == 0xFFFFFFFF);
  CHECK_FALSE(TiffWriter(layout, folder / "a.tif", false).is_big());
  ++layout.max_tile_bytes;
  CHECK(TiffWriter(layout, folder / "a.tif", false).is_big());
  CHECK(folder.names().empty());

  layout.big = TiffOutputLayout::BigTiff::no;
  const std::string reason =
      reason_of([&] { TiffWriter(layout, folder / "a.tif", false); }, ErrorKind::usage);
  CHECK(contains(reason, "4294967296 bytes"));
  CHECK(folder.names().empty());
}

TEST_CASE("missing tiles are counted by close, and the file does not appear") {
  const TemporaryFolder folder;
  touch(folder / "a.tif");
  const TiffOutputLayout layout = layout_of(40, 100);
  const auto tiles = all_tiles(layout, made_pixels(layout.info));
  {
    TiffWriter writer(layout, folder / "a.tif", true);
    writer.write(tile_run(0, {tiles.begin(), tiles.end() - 5}));
    CHECK(contains(reason_of([&] { writer.close(); }, ErrorKind::failed), "5 of 12 tiles are missing"));
  }
  CHECK(folder.names() == std::vector<std::string>{"a.tif"});
  CHECK(file_bytes(folder / "a.tif").size() == 3);
}

TEST_CASE("tiles that are not due, too many, too large or of other sizes than they say are refused") {
  const TemporaryFolder folder;
  TiffOutputLayout layout = layout_of(16, 64);
  layout.max_tile_bytes = 512;
  TiffWriter writer(layout, folder / "a.tif", false);
  const Bytes tile(512), large(513);
  const auto refused = [&](const EncodedTiles& run) {
    return reason_of([&] { writer.write(run); }, ErrorKind::failed);
  };
  CHECK(contains(refused(tile_run(1, {tile})), "tile 1 came where tile 0 was due"));
  CHECK(contains(refused(tile_run(0, {tile, tile, tile})), "3 tiles"));
  CHECK(contains(refused(tile_run(0, {large})), "512 is the bound"));
  EncodedTiles lying = tile_run(0, {tile});
  lying.sizes[0] = 511;
  CHECK(contains(refused(lying), "their sizes say 511"));
  writer.write(tile_run(0, {tile, tile}));
  CHECK(contains(refused(tile_run(0, {tile})), "tile 2 was due"));
  writer.close();
}

TEST_CASE("space for directory and arrays is asked for before anything is written") {
  const TemporaryFolder folder;
  FaultyFiles files;
  files.free = 1 << 20;
  TiffOutputLayout layout = layout_of(16 * 1000, 32 * 1000);  // arrays of 8 MB
  layout.codec = CodecId::zstd;
  CHECK_THROWS_AS(TiffWriter(layout, folder / "a.tif", false, files), Error);
  CHECK(folder.names().empty());
  files.free = 1 << 24;
  CHECK_NOTHROW(TiffWriter(layout, folder / "a.tif", false, files));
}

TEST_CASE("without a codec space for all pixels is asked for before anything is written") {
  const TemporaryFolder folder;
  FaultyFiles files;
  const TiffOutputLayout layout = layout_of(1600, 3200);
  REQUIRE(layout.codec == CodecId::none);
  const auto pixels = static_cast<std::int64_t>(1600 * 3200 * layout.info.pixel_bytes());
  files.free = pixels;
  CHECK_THROWS_AS(TiffWriter(layout, folder / "a.tif", false, files), Error);
  CHECK(folder.names().empty());
  files.free = pixels + (1 << 20);
  CHECK_NOTHROW(TiffWriter(layout, folder / "a.tif", false, files));
}

TEST_CASE("sidecars of an overwritten file go, those beside a new one stay") {
  const TemporaryFolder folder;
  const TiffOutputLayout layout = layout_of(16, 32);
  const auto tiles = all_tiles(layout, made_pixels(layout.info));
  for (const char* name : {"a.tif.ovr", "a.tif.aux.xml", "a.tif.msk", "b.tif.ovr"}) touch(folder / name);
  write_all(layout, folder / "a.tif", tiles);
  CHECK(folder.names().size() == 5);
  write_all(layout, folder / "a.tif", tiles);
  CHECK(folder.names() == std::vector<std::string>{"a.tif", "b.tif.ovr"});

  std::filesystem::create_symlink("a.tif", folder / "link.tif");
  for (const char* name : {"a.tif.ovr", "link.tif.msk"}) touch(folder / name);
  write_all(layout, folder / "link.tif", tiles);
  CHECK(folder.names() == std::vector<std::string>{"a.tif", "b.tif.ovr", "link.tif"});
}

TEST_CASE("a sidecar that cannot be removed is named, and the others still go") {
  const TemporaryFolder folder;
  const TiffOutputLayout layout = layout_of(16, 32);
  const auto tiles = all_tiles(layout, made_pixels(layout.info));
  for (const char* name : {"a.tif", "a.tif.ovr", "a.tif.msk"}) touch(folder / name);
  FaultyFiles files;
  files.cannot_unlink = folder / "a.tif.ovr";
  TiffWriter writer(layout, folder / "a.tif", true, files);
  writer.write(tile_run(0, tiles));
  CHECK(contains(reason_of([&] { writer.close(); }, ErrorKind::failed),
                 "cannot remove " + files.cannot_unlink));
  CHECK(folder.names() == std::vector<std::string>{"a.tif", "a.tif.ovr"});
}

}  // namespace
}  // namespace weir
