// Tiles that are left out.

#include <cmath>

#include "nodes/raster/chunk_grid.hpp"
#include "tests/beside_tiles_support.hpp"

namespace weir::pipeline_test {
namespace {

/// `raster` with samples of `value` in all pixels of a window.
template <class Sample>
void fill(Raster& raster, const Window& window, Sample value) {
  REQUIRE(sizeof value == bytes_of(raster.info.type));
  for (std::uint64_t row = window.row; row < window.row_end(); ++row)
    for (std::uint64_t i = window.col * raster.info.samples; i < window.col_end() * raster.info.samples; ++i)
      std::memcpy(raster.pixels.data() + (row * raster.info.width * raster.info.samples + i) * sizeof value,
                  &value, sizeof value);
}

/// Which tiles of a file's first image are stored: '#', else '.'; in the order of its arrays.
std::string stored_tiles(const std::string& path) {
  const test::LibTiff tiff(path);
  std::string stored;
  const std::uint32_t count =
      TIFFIsTiled(tiff.get()) != 0 ? TIFFNumberOfTiles(tiff.get()) : TIFFNumberOfStrips(tiff.get());
  for (std::uint32_t tile = 0; tile < count; ++tile) {
    const std::uint64_t bytes = TIFFGetStrileByteCount(tiff.get(), tile);
    CHECK((TIFFGetStrileOffset(tiff.get(), tile) == 0) == (bytes == 0));
    stored += bytes > 0 ? '#' : '.';
  }
  return stored;
}

WriteGeotiffOptions sparse_options(CodecId codec) {
  WriteGeotiffOptions options;
  options.codec.id = codec;
  options.tile_height = options.tile_width = 32;
  options.sparse = true;
  return options;
}

TEST_CASE(
    "tiles of nothing but nodata are left out and read back, in the same bytes for any threads and budget") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(90, 160, SampleType::int16, 2);
  raster.info.nodata = "-9999";
  fill(raster, {0, 32, 64, 96}, std::int16_t{-9999});
  fill(raster, {64, 128, 26, 32}, std::int16_t{-9999});  // the last tile: half of it lies outside
  for (const CodecId codec : {CodecId::none, CodecId::deflate})
    for (const bool is_planar : {false, true}) {
      WriteGeotiffOptions options = sparse_options(codec);
      options.planar_separate = is_planar;
      written_in_all_ways(source_of(raster, 40, 50), options, path);
      const std::string plane = "#...##...#####.";
      CHECK(stored_tiles(path) == (is_planar ? plane + plane : plane));
      CHECK(pixels_read_back(path) == raster.pixels);
    }
}

TEST_CASE("strips are left out as tiles are, and nothing is where it was not asked for") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(50, 33, SampleType::uint8);
  fill(raster, {10, 0, 15, 33}, std::uint8_t{0});
  fill(raster, {48, 0, 2, 33}, std::uint8_t{0});
  WriteGeotiffOptions options = sparse_options(CodecId::zstd);
  options.strip_rows = 8;
  options.overwrite = true;
  write_geotiff(source_of(raster, 20, 20), path, options);
  CHECK(stored_tiles(path) == "##.###.");
  CHECK(pixels_read_back(path) == raster.pixels);
  options.sparse = false;
  write_geotiff(source_of(raster, 20, 20), path, options);
  CHECK(stored_tiles(path) == "#######");
}

TEST_CASE("a single other sample, or another zero, keeps a tile; NaN that becomes nodata does not") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(32, 32 * 6, SampleType::float32);
  fill(raster, {0, 0, 32, 192}, 0.0F);
  fill(raster, {31, 31, 1, 1}, 1.0F);   // the last sample of the first tile
  fill(raster, {0, 32, 1, 1}, 1.0F);    // the first one of the second
  fill(raster, {16, 80, 1, 1}, -0.0F);  // in the midst of the third
  fill(raster, {0, 128, 32, 32}, NAN);
  WriteGeotiffOptions options = sparse_options(CodecId::deflate);
  options.overwrite = true;
  write_geotiff(source_of(raster, 32, 64), path, options);
  CHECK(stored_tiles(path) == "###.#.");
  CHECK(pixels_read_back(path) == raster.pixels);
  options.nodata = "0";
  write_geotiff(source_of(raster, 32, 64), path, options);
  CHECK(stored_tiles(path) == "###...");
}

TEST_CASE("nothing is left out where readers would put another value: nodata that the samples cannot hold") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(64, 64, SampleType::uint8);
  fill(raster, {0, 0, 64, 64}, std::uint8_t{0});
  WriteGeotiffOptions options = sparse_options(CodecId::deflate);
  options.overwrite = true;
  for (const char* nodata : {"300", "-1", "0.5", "nan"}) {
    options.nodata = nodata;
    write_geotiff(source_of(raster, 64, 64), path, options);
    CHECK(stored_tiles(path) == "####");
  }
  options.nodata = "0";
  write_geotiff(source_of(raster, 64, 64), path, options);
  CHECK(stored_tiles(path) == "....");
  CHECK(pixels_read_back(path) == raster.pixels);
}

TEST_CASE("mask tiles without a valid pixel are left out with the others") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  Raster raster = made_raster(64, 64, SampleType::uint8);
  fill(raster, {0, 0, 32, 32}, std::uint8_t{0});
  Bytes mask(64 * 64, std::byte{255});
  for (std::uint64_t row = 0; row < 32; ++row)
    for (std::uint64_t col = 32; col < 64; ++col) mask[row * 64 + col] = std::byte{0};
  const auto source = std::make_shared<const MaskedSource>(raster, mask, even_chunks(raster.info, 64, 64));
  write_geotiff(source, path, sparse_options(CodecId::zstd));
  CHECK(stored_tiles(path) == ".###");
  const test::LibTiff tiff(path);
  REQUIRE(TIFFSetDirectory(tiff.get(), 1) == 1);
  for (const std::uint32_t tile : {0U, 1U, 2U, 3U})
    CHECK((TIFFGetStrileByteCount(tiff.get(), tile) == 0) == (tile == 1));
}

TEST_CASE("space for all pixels is not asked for where tiles may be left out") {
  const TemporaryFolder folder;
  class LittleSpace : public FileSystem {
    std::int64_t free_bytes(int) override { return 1 << 20; }
  } files;
  Raster raster = made_raster(2000, 1000, SampleType::uint8);
  fill(raster, {0, 0, 2000, 1000}, std::uint8_t{0});
  WriteGeotiffOptions options = sparse_options(CodecId::none);
  options.files = &files;
  write_geotiff(source_of(raster, 500, 500), folder / "out.tif", options);
  options.overwrite = true;
  options.sparse = false;
  CHECK_THROWS_AS(write_geotiff(source_of(raster, 500, 500), folder / "out.tif", options), Error);
}

}  // namespace
}  // namespace weir::pipeline_test
