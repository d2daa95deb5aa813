#include "nodes/tiff/tiff_source.hpp"

#include <doctest/doctest.h>
#include <tiffio.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "nodes/codecs/predictor.hpp"
#include "nodes/tiff/tiff_directory.hpp"
#include "tests/tiff_recipes.hpp"

namespace weir {

using namespace test;

TEST_CASE("every type, codec, predictor, layout and byte order reads back bit for bit") {
  struct Shape {
    std::uint32_t tile_height, tile_width;
    std::uint32_t samples;
    bool is_planar;
  };
  const Shape shapes[] = {
      {0, 0, 1, false}, {0, 0, 3, true}, {16, 32, 3, false}, {32, 16, 2, true}, {64, 64, 1, false}};
  int files = 0;
  for (const SampleType type : arithmetic_sample_types)
    for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                  COMPRESSION_DEFLATE, COMPRESSION_PACKBITS, COMPRESSION_ZSTD})
      for (const int predictor : {1, 2, 3})
        for (const Shape& shape : shapes)
          for (const char* mode : {"wl", "wb", "wl8", "wb8"}) {
            const bool has_predictor = compression != COMPRESSION_NONE && compression != COMPRESSION_PACKBITS;
            if (predictor != 1 && !has_predictor) continue;
            if (predictor == 3 && !is_floating(type)) continue;
            Recipe recipe;
            recipe.type = type;
            recipe.compression = compression;
            recipe.predictor = predictor;
            recipe.tile_height = shape.tile_height;
            recipe.tile_width = shape.tile_width;
            recipe.samples = shape.samples;
            recipe.is_planar = shape.is_planar;
            recipe.mode = mode;
            const Bytes pixels = pixels_for(recipe);
            CAPTURE(name_of(type));
            CAPTURE(compression);
            CAPTURE(predictor);
            CAPTURE(shape.tile_width);
            CAPTURE(std::string(mode));
            // libtiff 4.5 writes predictor 3 into big-endian files with the planes in the wrong order (it
            // swaps the samples first; its reader does not): swapped samples make the right file.
            Bytes given = pixels;
            if (predictor == 3 && mode[1] == 'b')
              swap_samples(given, static_cast<std::uint32_t>(bytes_of(type)));
            const Bytes file = make_tiff(recipe, given);
            CHECK(read_all(file) == pixels);
            CHECK(read_all(file, {.chunk_height = 1, .chunk_width = 1}) == pixels);
            ++files;
          }
  CHECK(files > 1000);
}

TEST_CASE("one pixel is a raster") {
  Recipe recipe;
  recipe.height = recipe.width = 1;
  recipe.type = SampleType::float64;
  CHECK(read_all(make_tiff(recipe)) == pixels_for(recipe));
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ZSTD;
  CHECK(read_all(make_tiff(recipe)) == pixels_for(recipe));
}

TEST_CASE("a chunk is rounded up to whole tiles and clipped to the raster") {
  Recipe recipe;
  recipe.height = 100;
  recipe.width = 150;
  recipe.tile_height = 16;
  recipe.tile_width = 32;
  recipe.samples = 3;
  recipe.type = SampleType::uint16;
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE})
    for (const bool is_planar : {false, true})
      for (const std::uint64_t height : {1u, 16u, 17u, 33u, 1000u})
        for (const std::uint64_t width : {1u, 32u, 33u, 65u, 1000u}) {
          recipe.compression = compression;
          recipe.is_planar = is_planar;
          MemoryFiles files(make_tiff(recipe));
          const TiffSource source("a.tif", {.chunk_height = height, .chunk_width = width}, files);
          CHECK(source.grid().rows.largest() == std::min<std::uint64_t>((height + 15) / 16 * 16, 100));
          CHECK(source.grid().cols.largest() == std::min<std::uint64_t>((width + 31) / 32 * 32, 150));
          CHECK(read_all(source) == pixels_for(recipe));
        }
}

TEST_CASE("strips of one row are grouped until a chunk has 128 KiB") {
  Recipe recipe;
  recipe.height = 1000;
  recipe.width = 500;
  recipe.type = SampleType::uint16;
  recipe.rows_per_strip = 1;
  recipe.compression = COMPRESSION_PACKBITS;
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {}, files);
  CHECK(source.grid().rows.largest() == 132);  // 131072 / 1000 rounded up
  CHECK(read_all(source) == pixels_for(recipe));
}

TEST_CASE("small tiles are grouped along the row first") {
  Recipe recipe;
  recipe.height = recipe.width = 1024;
  recipe.tile_height = recipe.tile_width = 256;
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {}, files);
  CHECK(source.grid().rows.largest() == 256);
  CHECK(source.grid().cols.largest() == 512);
}

TEST_CASE("what is fetched lies in buffers of one size, which pools use again") {
  Recipe recipe;
  recipe.height = recipe.width = 512;
  recipe.tile_height = recipe.tile_width = 128;
  recipe.compression = COMPRESSION_ZSTD;
  Bytes pixels = pixels_for(recipe);
  std::fill(pixels.begin(), pixels.begin() + static_cast<std::ptrdiff_t>(pixels.size() / 2), std::byte{7});
  MemoryFiles files(make_tiff(recipe, pixels));
  const TiffSource source("a.tif", {.chunk_height = 128, .chunk_width = 128}, files);
  std::set<std::size_t> sizes;
  for (std::uint64_t row = 0; row < 4; ++row) {
    const Buffer stored = source.fetch({row, 0}, Context());
    sizes.insert(BufferPool::charge(stored.size()));
    CHECK(stored.capacity() == source.fetch_bytes());
  }
  CHECK(sizes.size() > 1);
}

TEST_CASE("large uncompressed strips are read in parts") {
  Recipe recipe;
  recipe.height = 700;
  recipe.width = 1000;
  recipe.type = SampleType::uint16;
  for (const std::uint32_t rows_per_strip : {700u, 350u, 331u})  // the last is a prime
    for (const char* mode : {"wl", "wb"})
      for (const std::uint32_t samples : {1u, 2u}) {
        recipe.rows_per_strip = rows_per_strip;
        recipe.mode = mode;
        recipe.samples = samples;
        recipe.is_planar = samples == 2;
        MemoryFiles files(make_tiff(recipe));
        const TiffSource source("a.tif", {}, files);
        CHECK(source.block_bytes() <= 600000);
        CHECK(read_all(source) == pixels_for(recipe));
        const TiffSource small("a.tif", {.chunk_height = 3}, files);
        CHECK(small.grid().rows.largest() == (rows_per_strip == 350 ? 4 : 3));  // 350 is cut into twos
        CHECK(read_all(small) == pixels_for(recipe));
      }
}

TEST_CASE(
    "chunks keep to the caller's bound, and a file whose strips go over it is refused with the number") {
  Recipe recipe;
  recipe.height = recipe.width = 256;
  recipe.tile_height = recipe.tile_width = 64;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  MemoryFiles files(make_tiff(recipe));
  CHECK(TiffSource("a.tif", {.max_chunk_bytes = 8192}, files).block_bytes() == 8192);
  CHECK(TiffSource("a.tif", {.chunk_height = 256, .max_chunk_bytes = 20000}, files).block_bytes() == 16384);
  CHECK(error_of(make_tiff(recipe), {.max_chunk_bytes = 4095}) ==
        "cannot read a.tif: each of its tiles takes 4096 bytes, and the limit for a chunk is 4095 bytes");
  CHECK_THROWS_AS(TiffSource("a.tif", {.chunk_height = 0}, files), Error);
}

TEST_CASE("sparse tiles hold nodata, or 0 where there is none") {
  Recipe recipe;
  recipe.type = SampleType::int16;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.samples = 2;
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_ZSTD})
    for (const bool is_planar : {false, true})
      for (const bool has_nodata : {false, true})
        for (const std::uint32_t tile_width : {0u, 16u, 48u})  // strips; groups; whole blocks
          for (const char* mode : {"wl", "wb"}) {
            recipe.compression = compression;
            recipe.is_planar = is_planar;
            recipe.mode = mode;
            recipe.tile_width = tile_width;
            recipe.width = 48;
            recipe.rows_per_strip = 16;
            recipe.left_out = {1};
            recipe.more_tags = [](TIFF*) {};
            if (has_nodata)
              recipe.more_tags = [](TIFF* tiff) {
                static const TIFFFieldInfo field = {42113,        -1, -1, TIFF_ASCII,
                                                    FIELD_CUSTOM, 1,  0,  const_cast<char*>("nodata")};
                TIFFMergeFieldInfo(tiff, &field, 1);
                TIFFSetField(tiff, 42113, "-9999 ");
              };
            const Bytes pixels = read_all(make_tiff(recipe));
            // The second tile or strip begins at row 0, col 16 or at row 16, col 0.
            const std::size_t row = tile_width == 16 ? 0 : 16, col = tile_width == 16 ? 16 : 0;
            Bytes expected = pixels_for(recipe);
            for (std::size_t r = row; r < row + 16; ++r)
              for (std::size_t c = col; c < col + (tile_width == 16 ? 16 : 48); ++c)
                for (std::size_t s = 0; s < (is_planar ? 1u : 2u); ++s) {
                  const std::int16_t value = has_nodata ? -9999 : 0;
                  std::memcpy(&expected[((r * 48 + c) * 2 + s) * 2], &value, 2);
                }
            CAPTURE(compression);
            CAPTURE(is_planar);
            CAPTURE(tile_width);
            CHECK(pixels == expected);
          }
}

TEST_CASE("the memory that is declared is enough, and fetch_bytes is the largest charge") {
  Recipe recipe;
  recipe.height = 300;
  recipe.width = 310;
  recipe.samples = 3;
  recipe.type = SampleType::float32;
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ZSTD})
    for (const bool is_planar : {false, true})
      for (const std::uint32_t tile : {0u, 64u}) {
        recipe.compression = compression;
        recipe.predictor = compression == COMPRESSION_NONE ? 1 : 3;
        recipe.is_planar = is_planar;
        recipe.tile_height = recipe.tile_width = tile;
        MemoryFiles files(make_tiff(recipe));
        const TiffSource source("a.tif", {}, files);

        const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
        std::uint64_t largest = 0;
        {
          const auto local = source.make_local(Scratch(pool));
          for (std::uint64_t row = 0; row < source.grid().rows.count(); ++row)
            for (std::uint64_t col = 0; col < source.grid().cols.count(); ++col) {
              const auto budget = std::make_shared<Budget>(std::uint64_t{1} << 40);
              SharedLease lease(
                  *budget->try_take(source.fetch_bytes() + BufferPool::charge(source.block_bytes())));
              const Context context(pool, &lease, 0, 0, {});
              Buffer stored = source.fetch({row, col}, context);
              largest = std::max(largest, BufferPool::charge(stored.size()));
              source.decode({row, col}, std::move(stored), local.get(), context);
            }
          CHECK(pool->live_bytes() <= source.local_bytes());
        }
        CHECK(pool->live_bytes() == 0);
        CHECK(source.fetch_bytes() == largest);
        CHECK(source.standing_bytes() < 4096);
      }
}

TEST_CASE("neighbours in the file are read together") {
  Recipe recipe;
  recipe.height = 512;
  recipe.width = 512;
  recipe.rows_per_strip = 1;
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_PACKBITS}) {
    recipe.compression = compression;
    MemoryFiles files(make_tiff(recipe));
    const TiffSource source("a.tif", {.chunk_height = 256}, files);
    files.reads = 0;
    source.fetch({1, 0}, {});
    // One for the data; 256 offsets and as many byte counts fit one window each.
    CHECK(files.reads <= 3);
  }
}

TEST_CASE("small gaps between neighbours are read over, large ones are not") {
  Recipe recipe;
  recipe.height = 16;
  recipe.width = 64;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  const Patch good{make_tiff(recipe)};
  for (const std::size_t gap : {8u, 4096u, 4097u}) {  // 8 is what COGs have
    Patch tiff = good;
    std::uint64_t tile_bytes = 0;
    for (std::uint32_t tile = 0; tile < 4; ++tile) {
      const std::uint32_t offset = tiff.get_element(324, tile), bytes = tiff.get_element(325, tile);
      const auto from = good.bytes.begin() + static_cast<std::ptrdiff_t>(offset);
      tiff.element(324, tile, static_cast<std::uint32_t>(tiff.bytes.size()));
      tiff.bytes.insert(tiff.bytes.end(), from, from + static_cast<std::ptrdiff_t>(bytes));
      tiff.bytes.resize(tiff.bytes.size() + gap);
      tile_bytes += bytes;
    }
    MemoryFiles files(tiff.bytes);
    const TiffSource source("a.tif", {}, files);
    files.bytes_read = 0;
    files.reads = 0;
    const Buffer stored = source.fetch({0, 0}, {});
    const std::uint64_t table = 4 * 16;
    CAPTURE(gap);
    CHECK(files.reads == (gap <= 4096 ? 3 : 6));  // with one each for offsets and byte counts
    CHECK(stored.size() == table + tile_bytes + (gap <= 4096 ? 3 * gap : 0));
    CHECK(source.fetch_bytes() == BufferPool::charge(stored.size()));
    CHECK(read_all(source) == pixels_for(recipe));
  }
}

TEST_CASE("a direct chunk is not copied") {
  Recipe recipe;
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {}, files);
  Buffer stored = source.fetch({0, 0}, {});
  const std::byte* data = stored.data();
  const auto local = source.make_local({});
  CHECK(source.decode({0, 0}, std::move(stored), local.get(), {}).data.data() == data);
}

TEST_CASE("many threads read one source at once") {
  Recipe recipe;
  recipe.height = recipe.width = 256;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_LZW;
  const Bytes pixels = pixels_for(recipe);
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {.chunk_height = 16, .chunk_width = 16}, files);
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { right += read_all(source) == pixels; });
  }
  CHECK(right == 4);
}

TEST_CASE("missing byte counts are worked out for a single strip") {
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE}) {
    Recipe recipe;
    recipe.rows_per_strip = 1000;
    recipe.compression = compression;
    CHECK(read_all(Patch{make_tiff(recipe)}.id(279, 65000).bytes) == pixels_for(recipe));
    recipe.rows_per_strip = 7;
    CHECK(!error_of(Patch{make_tiff(recipe)}.id(279, 65000).bytes).empty());
  }
}

TEST_CASE("any directory of the file is read") {
  MemoryTiff file;
  TIFF* tiff = file.open("wl");
  for (std::uint32_t page = 0; page < 3; ++page) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, 4 + page);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    Bytes row(4 + page, static_cast<std::byte>(page));
    REQUIRE(TIFFWriteEncodedStrip(tiff, 0, row.data(), static_cast<tmsize_t>(row.size())) > 0);
    REQUIRE(TIFFWriteDirectory(tiff) == 1);
  }
  TIFFClose(tiff);
  for (unsigned page = 0; page < 3; ++page)
    CHECK(read_all(file.bytes(), {.directory = page}) == Bytes(4 + page, static_cast<std::byte>(page)));
  MemoryFiles files(file.bytes());
  CHECK(TiffSource("a.tif", {}, files).info().photometric == 0);
}

TEST_CASE("grey of less than 8 bits has a colour table of its shades, from black to white or back") {
  for (const std::uint32_t bits : {1u, 2u, 4u, 7u})
    for (const bool is_white : {false, true}) {
      Recipe recipe;
      recipe.bits = bits;
      if (is_white)
        recipe.more_tags = [](TIFF* tiff) {
          TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
          TIFFSetField(tiff, TIFFTAG_SOFTWARE, "someone");
          TIFFSetField(tiff, TIFFTAG_TARGETPRINTER, "nobody");  // 337, behind the colour table
        };
      MemoryFiles files(make_tiff(recipe));
      const RasterInfo info = TiffSource("a.tif", {}, files).info();
      CHECK(info.photometric == (is_white ? 0 : 1));
      CHECK(std::ranges::is_sorted(info.tags, {}, &RawTag::id));
      const auto tag = std::ranges::find(info.tags, TIFFTAG_COLORMAP, &RawTag::id);
      REQUIRE(tag != info.tags.end());
      std::vector<std::uint16_t> table(3u << bits), wanted(table.size());
      REQUIRE(tag->bytes.size() == 2 * table.size());
      std::memcpy(table.data(), tag->bytes.data(), tag->bytes.size());
      const std::uint32_t white = (1u << bits) - 1;
      for (std::uint32_t i = 0; i < wanted.size(); ++i) {
        const std::uint32_t shade = i % (white + 1);
        wanted[i] = static_cast<std::uint16_t>((is_white ? white - shade : shade) * 65535 / white);
      }
      CHECK(table == wanted);
    }
}

TEST_CASE("tags are carried with their true type and count, in the byte order of the machine") {
  for (const char* mode : {"wl", "wb", "wb8"}) {
    Recipe recipe;
    recipe.mode = mode;
    recipe.samples = 4;
    recipe.more_tags = [](TIFF* tiff) {
      static const TIFFFieldInfo fields[] = {
          {65001, 3, 3, TIFF_SHORT, FIELD_CUSTOM, 1, 0, const_cast<char*>("shorts")},
          {65002, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("doubles")},
          {42112, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("metadata")},
          {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("nodata")},
          {33550, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("scale")},
          {34735, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, const_cast<char*>("keys")},
          {34737, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("ascii")},
      };
      TIFFMergeFieldInfo(tiff, fields, std::size(fields));
      const std::uint16_t shorts[] = {1, 2, 3}, keys[] = {1, 1, 0, 0};
      const double doubles[] = {0.5, -2}, scale[] = {30, 30, 0};
      const std::uint16_t extra[] = {EXTRASAMPLE_UNSPECIFIED, EXTRASAMPLE_UNASSALPHA, 0};
      TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, 3, extra);
      TIFFSetField(tiff, 65001, shorts);
      TIFFSetField(tiff, 65002, 2, doubles);
      TIFFSetField(tiff, 42112, "<GDALMetadata><Item name=\"a\" sample=\"3\">b</Item></GDALMetadata>");
      TIFFSetField(tiff, 42113, " nan ");
      TIFFSetField(tiff, 33550, 3, scale);
      TIFFSetField(tiff, 34735, 4, keys);
      TIFFSetField(tiff, 34737, "WGS 84|");
      TIFFSetField(tiff, TIFFTAG_XRESOLUTION, 72.5);
      TIFFSetField(tiff, TIFFTAG_SOFTWARE, "abc");
      TIFFSetField(tiff, TIFFTAG_EXIFIFD, std::uint64_t{8});
      TIFFSetField(tiff, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    };
    MemoryFiles files(make_tiff(recipe));
    const TiffSource source("a.tif", {}, files);
    const RasterInfo& info = source.info();
    CHECK(info.nodata == "nan");
    CHECK(info.georeferencing.pixel_scale == std::vector<double>{30, 30, 0});
    CHECK(info.georeferencing.key_directory == std::vector<std::uint16_t>{1, 1, 0, 0});
    CHECK(info.georeferencing.key_ascii == "WGS 84|");
    CHECK(info.extra_samples == std::vector<std::uint16_t>{0, 2, 0});
    CHECK(source.dropped_tags() == std::vector<std::uint16_t>{34665});

    CHECK(info.metadata == std::vector<MetadataItem>{{"a", "b", 3, "", ""}});

    REQUIRE(info.tags.size() == 5);
    const auto is_tag = [&](std::size_t i, std::uint16_t id, std::uint16_t type, std::uint64_t count,
                            const void* data) {
      const RawTag& tag = info.tags[i];
      CHECK(tag.id == id);
      CHECK(tag.type == type);
      CHECK(tag.count == count);
      REQUIRE(tag.bytes.size() == count * tiff_type_bytes(type));
      CHECK(std::memcmp(tag.bytes.data(), data, tag.bytes.size()) == 0);
    };
    CHECK(info.tags[0].id == TIFFTAG_XRESOLUTION);
    CHECK(info.tags[0].type == TIFF_RATIONAL);
    std::uint32_t ratio[2];
    REQUIRE(info.tags[0].bytes.size() == sizeof ratio);
    std::memcpy(ratio, info.tags[0].bytes.data(), sizeof ratio);
    CHECK(2 * ratio[0] == 145 * ratio[1]);
    CHECK(info.tags[1].id == TIFFTAG_YRESOLUTION);  // libtiff's own
    is_tag(2, TIFFTAG_SOFTWARE, TIFF_ASCII, 4, "abc");
    const std::uint16_t shorts[] = {1, 2, 3};
    const double doubles[] = {0.5, -2};
    is_tag(3, 65001, TIFF_SHORT, 3, shorts);
    is_tag(4, 65002, TIFF_DOUBLE, 2, doubles);
  }
}

TEST_CASE("a palette is carried as its tag") {
  MemoryFiles files(stored_file("lc.tif"));
  const TiffSource source("lc.tif", {}, files);
  CHECK(source.info().photometric == PHOTOMETRIC_PALETTE);
  const auto map = std::ranges::find(source.info().tags, TIFFTAG_COLORMAP, &RawTag::id);
  REQUIRE(map != source.info().tags.end());
  CHECK(map->type == TIFF_SHORT);
  CHECK(map->count == 768);
}

TEST_CASE("a Landsat scene has its bands, its place and its nodata") {
  MemoryFiles landsat(stored_file("L7_ETMs.tif"));
  const TiffSource source("L7_ETMs.tif", {}, landsat);
  CHECK(source.info().height == 352);
  CHECK(source.info().width == 349);
  CHECK(source.info().samples == 6);
  CHECK(source.info().type == SampleType::uint8);
  CHECK(source.info().georeferencing.pixel_scale.size() == 3);
  CHECK(source.info().georeferencing.tiepoints.size() == 6);
  CHECK(!source.info().georeferencing.key_directory.empty());
  CHECK(TiffSource("L7_ETMs.tif", {.directory = 1}, landsat).info().width == 175);
  MemoryFiles dem(stored_file("olinda_dem_utm25s.tif"));
  CHECK(TiffSource("olinda_dem_utm25s.tif", {}, dem).info().type == SampleType::float32);
}

}  // namespace weir
