// Masks in the file: a second directory, the same tiles, one bit a pixel.

#include <algorithm>

#include "nodes/raster/chunk_grid.hpp"
#include "nodes/raster/window_source.hpp"
#include "tests/beside_tiles_support.hpp"

namespace weir::pipeline_test {
namespace {

/// The mask that libtiff reads from the second directory, a byte per pixel, 255 and 0.
Bytes mask_by_libtiff(const std::string& path, const RasterInfo& info) {
  const test::LibTiff tiff(path);
  REQUIRE(TIFFNumberOfDirectories(tiff.get()) == 2);
  REQUIRE(TIFFSetDirectory(tiff.get(), 1) == 1);
  CHECK(tiff.value<std::uint32_t>(TIFFTAG_SUBFILETYPE) == FILETYPE_MASK);
  CHECK(tiff.value<std::uint16_t>(TIFFTAG_PHOTOMETRIC) == PHOTOMETRIC_MASK);
  CHECK(tiff.value<std::uint16_t>(TIFFTAG_BITSPERSAMPLE) == 1);
  CHECK(tiff.value<std::uint16_t>(TIFFTAG_SAMPLESPERPIXEL) == 1);
  CHECK(tiff.value<std::uint16_t>(TIFFTAG_COMPRESSION) == COMPRESSION_ADOBE_DEFLATE);
  CHECK(tiff.value<std::uint32_t>(TIFFTAG_IMAGEWIDTH) == info.width);
  CHECK(tiff.value<std::uint32_t>(TIFFTAG_IMAGELENGTH) == info.height);
  const bool is_tiled = TIFFIsTiled(tiff.get()) != 0;
  const std::uint64_t width = is_tiled ? tiff.value<std::uint32_t>(TIFFTAG_TILEWIDTH) : info.width;
  const std::uint64_t height = is_tiled ? tiff.value<std::uint32_t>(TIFFTAG_TILELENGTH)
                                        : tiff.value<std::uint32_t>(TIFFTAG_ROWSPERSTRIP);
  const TileLayout grid{info.height, info.width, height, width, 1};
  Bytes mask(info.height * info.width), tile(height * ((width + 7) / 8));
  for (std::uint64_t row = 0; row < info.height; ++row)
    for (std::uint64_t col = 0; col < info.width; ++col) {
      const std::uint64_t tile_row = row / height, tile_col = col / width;
      if (col % width == 0) {  // one row of one tile at a time, read as often as that takes
        const auto index = static_cast<std::uint32_t>(tile_row * grid.tile_cols() + tile_col);
        const std::uint64_t rows = is_tiled ? height : std::min(height, info.height - tile_row * height);
        const auto wanted = static_cast<tmsize_t>(rows * ((width + 7) / 8));
        REQUIRE((is_tiled ? TIFFReadEncodedTile(tiff.get(), index, tile.data(), wanted)
                          : TIFFReadEncodedStrip(tiff.get(), index, tile.data(), wanted)) == wanted);
      }
      const std::uint64_t bit = col % width;
      const std::byte byte = tile[row % height * ((width + 7) / 8) + bit / 8];
      mask[row * info.width + col] =
          (byte >> (7 - bit % 8) & std::byte{1}) == std::byte{1} ? std::byte{255} : std::byte{0};
    }
  return mask;
}

TEST_CASE("a mask is the second directory, equal bit for bit, in the same bytes for any threads and budget") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  for (const CodecId codec : {CodecId::none, CodecId::zstd})
    for (const std::uint64_t strip_rows : {0U, 13U})
      for (const bool is_planar : {false, true})
        for (const auto big : {TiffOutputLayout::BigTiff::no, TiffOutputLayout::BigTiff::yes}) {
          CAPTURE(name_of(codec));
          CAPTURE(strip_rows);
          CAPTURE(is_planar);
          const Raster raster = made_raster(150, 311, SampleType::uint16, 3);
          const Bytes mask = made_mask(raster.info);
          WriteGeotiffOptions options;
          options.codec.id = codec;
          options.tile_height = 32;
          options.tile_width = 64;
          if (strip_rows > 0) options.strip_rows = strip_rows;
          options.planar_separate = is_planar;
          options.big = big;
          const auto source =
              std::make_shared<const MaskedSource>(raster, mask, even_chunks(raster.info, 40, 70));
          written_in_all_ways(source, options, path);
          CHECK(pixels_by_libtiff(path, raster.info) == raster.pixels);
          CHECK(mask_by_libtiff(path, raster.info) == mask);
        }
}

TEST_CASE("each mask tile lies right behind its image tile, of the last plane where there are several") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  const Raster raster = made_raster(100, 150, SampleType::uint8, 2);
  const Bytes mask = made_mask(raster.info);
  const auto source = std::make_shared<const MaskedSource>(raster, mask, even_chunks(raster.info, 100, 100));
  for (const bool is_planar : {false, true}) {
    WriteGeotiffOptions options;
    options.tile_height = options.tile_width = 64;
    options.planar_separate = is_planar;
    options.overwrite = true;
    write_geotiff(source, path, options);
    const test::LibTiff image(path), second(path);
    REQUIRE(TIFFSetDirectory(second.get(), 1) == 1);
    const std::uint32_t tiles = TIFFNumberOfTiles(second.get());
    REQUIRE(tiles == 6);
    for (std::uint32_t tile = 0; tile < tiles; ++tile) {
      const std::uint32_t of_image = tile + (is_planar ? tiles : 0);
      CHECK(TIFFGetStrileOffset(second.get(), tile) ==
            TIFFGetStrileOffset(image.get(), of_image) + TIFFGetStrileByteCount(image.get(), of_image));
    }
  }
}

TEST_CASE("a window of a masked raster has its part of the mask") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(200, 300);
  const Bytes mask = made_mask(raster.info);
  const Window window{33, 51, 140, 201};
  const auto source = std::make_shared<const WindowSource>(
      std::make_shared<const MaskedSource>(raster, mask, even_chunks(raster.info, 64, 64)), window);
  write_geotiff(source, folder / "out.tif", {});
  Bytes part;
  for (std::uint64_t row = 0; row < window.height; ++row) {
    const auto begin = mask.begin() + static_cast<std::ptrdiff_t>((window.row + row) * 300 + window.col);
    part.insert(part.end(), begin, begin + static_cast<std::ptrdiff_t>(window.width));
  }
  CHECK(mask_by_libtiff(folder / "out.tif", source->info()) == part);
}

TEST_CASE("tiles with masks where none are due, and without where they are, are refused") {
  const TemporaryFolder folder;
  TiffOutputLayout layout = test::layout_of(16, 64, 2);
  layout.planar_separate = true;
  layout.info.has_mask = true;
  layout.max_mask_bytes = 40;
  const auto run = [](std::uint64_t first, std::vector<Bytes> tiles, bool has_masks) {
    EncodedTiles made = test::tile_run(first, tiles);
    made.has_masks = has_masks;
    return made;
  };
  TiffWriter writer(layout, folder / "a.tif", false);
  const auto refused = [&](const EncodedTiles& tiles) {
    return reason_of([&] { writer.write(tiles); }, ErrorKind::failed);
  };
  const Bytes tile(512), mask(40);
  CHECK(contains(refused(run(0, {tile, mask}, true)), "come with masks"));
  writer.write(run(0, {tile, tile}, false));
  CHECK(contains(refused(run(2, {tile}, false)), "come without masks"));
  CHECK(contains(refused(run(2, {tile}, true)), "come with masks"));
  CHECK(contains(refused(run(2, {tile, Bytes(41)}, true)), "40 is the bound"));
  writer.write(run(2, {tile, mask}, true));
  CHECK(contains(reason_of([&] { writer.close(); }, ErrorKind::failed), "1 of 4 tiles are missing"));
}

}  // namespace
}  // namespace weir::pipeline_test
