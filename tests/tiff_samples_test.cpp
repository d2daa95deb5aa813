#include "nodes/tiff/tiff_samples.hpp"

#include <doctest/doctest.h>
#include <tiffio.h>

#include "nodes/raster/half.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "tests/tiff_recipes.hpp"

// Samples that are not stored as memory has them: of any number of bits, of half precision, complex, with
// their bits the other way round. libtiff writes the files.

namespace weir {

using namespace test;

namespace {

SampleType type_for(std::uint32_t bits) {
  return bits < 8 ? SampleType::uint8 : bits < 16 ? SampleType::uint16 : SampleType::uint32;
}

Bytes widened(const Bytes& halves) {
  Bytes floats(2 * halves.size());
  for (std::size_t i = 0; i < halves.size(); i += 2) {
    std::uint16_t half = 0;
    std::memcpy(&half, &halves[i], 2);
    const float number = float_from_half(half);
    std::memcpy(&floats[2 * i], &number, 4);
  }
  return floats;
}

struct Shape {
  std::uint32_t tile_height, tile_width, samples, height, width;
  bool is_planar;
};
// Strips and tiles, interleaved and planar, with sides that fill no byte, tile or strip.
constexpr Shape shapes[] = {
    {0, 0, 1, 37, 45, false},   {0, 0, 3, 20, 43, false},   {0, 0, 3, 17, 43, true},
    {16, 16, 1, 37, 51, false}, {32, 16, 3, 37, 45, false}, {16, 48, 2, 17, 45, true},
    {64, 64, 1, 37, 45, false}, {0, 0, 1, 3, 1, false},
};

Recipe recipe_of(const Shape& shape) {
  Recipe recipe;
  recipe.tile_height = shape.tile_height;
  recipe.tile_width = shape.tile_width;
  recipe.samples = shape.samples;
  recipe.height = shape.height;
  recipe.width = shape.width;
  recipe.is_planar = shape.is_planar;
  return recipe;
}

constexpr TiffReadOptions small_chunks{.chunk_height = 1, .chunk_width = 1};

}  // namespace

TEST_CASE("unsigned samples of any number of bits come out as they are, in every layout and byte order") {
  int files = 0;
  for (std::uint32_t bits = 1; bits < 32; ++bits)
    for (const Shape& shape : shapes)
      for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZW})
        for (const char* mode : {"wl", "wb", "wb8"}) {
          if (bits == 8 || bits == 16 || (bits == 24 && mode[1] == 'b')) continue;
          Recipe recipe = recipe_of(shape);
          recipe.bits = bits;
          recipe.type = type_for(bits);
          recipe.compression = compression;
          recipe.mode = mode;
          CAPTURE(bits);
          CAPTURE(compression);
          CAPTURE(shape.tile_width);
          CAPTURE(shape.is_planar);
          CAPTURE(std::string(mode));
          const Bytes file = make_tiff(recipe), pixels = pixels_for(recipe);
          CHECK(read_all(file) == pixels);
          CHECK(read_all(file, small_chunks) == pixels);
          MemoryFiles files_of_it(file);
          const TiffSource source("a.tif", {}, files_of_it);
          CHECK(source.info().type == recipe.type);
          CHECK(source.layout().samples.bits == bits);
          ++files;
        }
  CHECK(files == (28 * 3 + 1) * 8 * 3);
}

TEST_CASE("stored bytes with their bits turned around are read, with any codec, packed or not") {
  for (const std::uint32_t bits : {0u, 1u, 12u})
    for (const Shape& shape : shapes)
      for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZW,
                                    COMPRESSION_PACKBITS, COMPRESSION_ZSTD})
        for (const char* mode : {"wl", "wb"}) {
          Recipe recipe = recipe_of(shape);
          recipe.bits = bits;
          recipe.type = bits == 1 ? SampleType::uint8 : SampleType::uint16;
          recipe.compression = compression;
          recipe.mode = mode;
          recipe.fill_order = FILLORDER_LSB2MSB;
          CAPTURE(bits);
          CAPTURE(compression);
          CAPTURE(shape.tile_width);
          const Bytes file = make_tiff(recipe);
          CHECK(read_all(file) == pixels_for(recipe));
          CHECK(read_all(file, small_chunks) == pixels_for(recipe));
          recipe.fill_order = FILLORDER_MSB2LSB;
          CHECK(make_tiff(recipe) != file);
        }
}

TEST_CASE("half-precision samples become float32, and stay what they are where that is wanted") {
  for (const Shape& shape : shapes)
    for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE})
      for (const int predictor : {1, 2, 3})
        for (const char* mode : {"wl", "wb"}) {
          if (predictor > 1 && compression == COMPRESSION_NONE) continue;
          Recipe recipe = recipe_of(shape);
          recipe.type = SampleType::float16;
          recipe.compression = compression;
          recipe.predictor = predictor;
          recipe.mode = mode;
          CAPTURE(shape.tile_width);
          CAPTURE(predictor);
          CAPTURE(std::string(mode));
          const Bytes halves = pixels_for(recipe);
          Bytes given = halves;
          if (predictor == 3 && mode[1] == 'b') swap_samples(given, 2);  // see tiff_source_test.cpp
          const Bytes file = make_tiff(recipe, given);
          CHECK(read_all(file) == widened(halves));
          CHECK(read_all(file, small_chunks) == widened(halves));
          TiffReadOptions keeping;
          keeping.keep_half = true;
          CHECK(read_all(file, keeping) == halves);
          MemoryFiles files(file);
          CHECK(TiffSource("a.tif", {}, files).info().type == SampleType::float32);
          CHECK(TiffSource("a.tif", keeping, files).info().type == SampleType::float16);
        }
}

TEST_CASE("complex samples are swapped number by number") {
  for (const SampleType type :
       {SampleType::complex_int16, SampleType::complex_int32, SampleType::complex64, SampleType::complex128})
    for (const Shape& shape : shapes)
      for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW})
        for (const int predictor : {1, 2})
          for (const char* mode : {"wl", "wb", "wb8"}) {
            if (predictor == 2 &&
                (compression == COMPRESSION_NONE || type == SampleType::complex128 || mode[1] == 'b'))
              continue;
            Recipe recipe = recipe_of(shape);
            recipe.type = type;
            recipe.compression = compression;
            recipe.predictor = predictor;
            recipe.mode = mode;
            CAPTURE(name_of(type));
            CAPTURE(shape.tile_width);
            CAPTURE(std::string(mode));
            const Bytes file = make_tiff(recipe);
            CHECK(read_all(file) == pixels_for(recipe));
            CHECK(read_all(file, small_chunks) == pixels_for(recipe));
            MemoryFiles files(file);
            CHECK(TiffSource("a.tif", {}, files).info().type == type);
          }
}

TEST_CASE(
    "sparse tiles hold nodata in the type that is read, also where samples are packed, half or complex") {
  struct Case {
    SampleType type;
    std::uint32_t bits;
    const char* nodata;
  };
  constexpr Case cases[] = {{SampleType::uint8, 4, "9"},       {SampleType::uint16, 12, "4000"},
                            {SampleType::uint32, 24, "77777"}, {SampleType::float16, 0, "-9999"},
                            {SampleType::complex64, 0, "-7"},  {SampleType::complex_int16, 0, "-7"}};
  for (const Case& one : cases)
    for (const std::uint32_t tile_width : {16u, 48u})  // a part of a chunk; whole chunks
      for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE})
        for (const char* mode : {"wl", "wb"}) {
          Recipe recipe;
          recipe.type = one.type;
          recipe.bits = one.bits;
          recipe.width = 48;
          recipe.height = 32;
          recipe.tile_height = 16;
          recipe.tile_width = tile_width;
          recipe.compression = compression;
          recipe.mode = mode;
          recipe.left_out = {0};
          static const char* nodata;
          nodata = one.nodata;
          recipe.more_tags = [](TIFF* tiff) {
            static const TIFFFieldInfo field = {42113,        -1, -1, TIFF_ASCII,
                                                FIELD_CUSTOM, 1,  0,  const_cast<char*>("nodata")};
            TIFFMergeFieldInfo(tiff, &field, 1);
            TIFFSetField(tiff, 42113, nodata);
          };
          if (one.bits == 24 && mode[1] == 'b') continue;
          CAPTURE(name_of(one.type));
          CAPTURE(tile_width);
          CAPTURE(compression);
          CAPTURE(std::string(mode));
          MemoryFiles files(make_tiff(recipe));
          const TiffSource source("a.tif", {}, files);
          const Bytes pixels = read_all(source);
          const std::size_t size = bytes_of(source.info().type);
          Bytes expected = one.type == SampleType::float16 ? widened(pixels_for(recipe)) : pixels_for(recipe);
          for (std::size_t r = 0; r < 16; ++r)
            for (std::size_t c = 0; c < tile_width; ++c) {
              std::byte* at = &expected[(r * 48 + c) * size];
              std::fill(at, at + size, std::byte{0});
              with_sample_type(component_of(source.info().type), [&](auto zero) {
                const auto value = static_cast<decltype(zero)>(std::stod(nodata));
                std::memcpy(at, &value, sizeof value);
              });
            }
          CHECK(pixels == expected);
        }
}

TEST_CASE("a tile that is shorter than its packed rows is an error that names it") {
  for (const std::uint32_t bits : {1u, 12u, 24u})
    for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE}) {
      Recipe recipe;
      recipe.bits = bits;
      recipe.type = type_for(bits);
      recipe.width = 48;
      recipe.tile_height = recipe.tile_width = 16;
      recipe.compression = compression;
      const Patch good{make_tiff(recipe)};
      const std::uint32_t bytes = good.get_element(325, 4);
      CAPTURE(bits);
      CAPTURE(compression);
      CHECK(error_of(good.bytes).empty());
      // A deflate stream without its checksum is whole all the same.
      const std::uint32_t cut = compression == COMPRESSION_NONE ? bytes - 1 : bytes / 2;
      const std::string said = error_of(Patch{good}.element(325, 4, cut).bytes, {.chunk_height = 16});
      CHECK(contains(said, " tile (row 1, col 1) of a.tif: "));
      if (compression == COMPRESSION_NONE) {
        CHECK(bytes == 16 * 16 * bits / 8);
        CHECK(contains(said, "it has " + std::to_string(bytes - 1) + " bytes, and its pixels take " +
                                 std::to_string(bytes)));
      }
    }
}

TEST_CASE("a file of packed samples cut at any length is an error, never zeros") {
  for (const std::uint32_t bits : {1u, 12u})
    for (const int fill_order : {FILLORDER_MSB2LSB, FILLORDER_LSB2MSB}) {
      Recipe recipe;
      recipe.bits = bits;
      recipe.type = type_for(bits);
      recipe.height = 20;
      recipe.width = 23;
      recipe.fill_order = fill_order;
      const Bytes whole = make_tiff(recipe);
      for (std::size_t length = 0; length < whole.size(); ++length) {
        CAPTURE(length);
        CHECK(!error_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))).empty());
      }
    }
}

TEST_CASE(
    "packed files keep to the memory that they declare, which counts pixels unpacked and tiles packed") {
  for (const std::uint32_t bits : {1u, 12u, 0u})  // 0: halves
    for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE})
      for (const std::uint32_t tile : {0u, 64u})
        for (const bool is_planar : {false, true}) {
          Recipe recipe;
          recipe.height = 300;
          recipe.width = 310;
          recipe.samples = 3;
          recipe.bits = bits;
          recipe.type = bits == 0 ? SampleType::float16 : type_for(bits);
          recipe.compression = compression;
          recipe.predictor = bits == 0 && compression != COMPRESSION_NONE ? 3 : 1;
          recipe.is_planar = is_planar;
          recipe.tile_height = recipe.tile_width = tile;
          CAPTURE(bits);
          CAPTURE(compression);
          CAPTURE(tile);
          MemoryFiles files(make_tiff(recipe));
          const TiffSource source("a.tif", {}, files);
          const auto pool = std::make_shared<BufferPool>(std::uint64_t{1} << 40);
          std::uint64_t largest_fetch = 0, largest_block = 0;
          {
            const auto local = source.make_local(Scratch(pool));
            for (std::uint64_t row = 0; row < source.grid().rows.count(); ++row)
              for (std::uint64_t col = 0; col < source.grid().cols.count(); ++col) {
                const auto budget = std::make_shared<Budget>(std::uint64_t{1} << 40);
                SharedLease lease(
                    *budget->try_take(source.fetch_bytes() + BufferPool::charge(source.block_bytes())));
                const Context context(pool, &lease, 0, 0, {});
                Buffer stored = source.fetch({row, col}, context);
                largest_fetch = std::max(largest_fetch, BufferPool::charge(stored.size()));
                const Block block = source.decode({row, col}, std::move(stored), local.get(), context);
                largest_block = std::max<std::uint64_t>(largest_block, block.data.size());
              }
            CHECK(pool->live_bytes() <= source.local_bytes());
            if (compression == COMPRESSION_NONE) CHECK(source.local_bytes() == 0);
          }
          CHECK(source.fetch_bytes() == largest_fetch);
          CHECK(source.block_bytes() == largest_block);
        }
  // A tile of 2048 x 2048 bits is 512 KiB in the file, and 4 MiB of pixels.
  Recipe recipe;
  recipe.bits = 1;
  recipe.height = recipe.width = recipe.tile_height = recipe.tile_width = 2048;
  MemoryFiles files(make_tiff(recipe));
  CHECK(TiffSource("a.tif", {}, files).block_bytes() == 4 << 20);
  CHECK(TiffSource("a.tif", {}, files).fetch_bytes() < 600 << 10);
  CHECK(
      error_of(make_tiff(recipe), {.max_chunk_bytes = 1 << 20}) ==
      "cannot read a.tif: each of its tiles takes 4194304 bytes, and the limit for a chunk is 1048576 bytes");
}

TEST_CASE("large strips of packed samples are read in parts") {
  Recipe recipe;
  recipe.bits = 12;
  recipe.type = SampleType::uint16;
  recipe.height = 701;
  recipe.width = 999;
  recipe.rows_per_strip = 701;
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {}, files);
  CHECK(source.block_bytes() <= 300000);
  CHECK(read_all(source) == pixels_for(recipe));
}

TEST_CASE("samples that are not read are refused, naming tag and value") {
  Recipe recipe;
  recipe.type = SampleType::float64;
  const Bytes good = make_tiff(recipe);
  const auto said = [&](std::uint16_t bits, std::uint16_t format) {
    return error_of(Patch{good}.value(258, bits).value(339, format).bytes);
  };
  CHECK(said(64, SAMPLEFORMAT_IEEEFP).empty());
  CHECK(contains(said(33, SAMPLEFORMAT_UINT), "BitsPerSample (tag 258) is 33; 1 to 32 and 64 are read"));
  CHECK(contains(said(63, SAMPLEFORMAT_VOID), "BitsPerSample (tag 258) is 63"));
  CHECK(contains(said(128, SAMPLEFORMAT_UINT), "BitsPerSample (tag 258) is 128"));
  CHECK(contains(said(12, SAMPLEFORMAT_INT),
                 "BitsPerSample (tag 258) is 12 with SampleFormat (tag 339) 2, signed"));
  CHECK(contains(said(24, SAMPLEFORMAT_INT),
                 "BitsPerSample (tag 258) is 24 with SampleFormat (tag 339) 2, signed"));
  CHECK(contains(said(24, SAMPLEFORMAT_IEEEFP), "SampleFormat (tag 339) is 3, floating point, with 24 bits"));
  CHECK(contains(said(8, SAMPLEFORMAT_IEEEFP), "SampleFormat (tag 339) is 3, floating point, with 8 bits"));
  CHECK(contains(said(16, SAMPLEFORMAT_COMPLEXINT),
                 "SampleFormat (tag 339) is 5, complex integers, with 16 bits"));
  CHECK(contains(said(32, SAMPLEFORMAT_COMPLEXIEEEFP),
                 "SampleFormat (tag 339) is 6, complex floating point, with 32 bits"));

  recipe.bits = 1;
  recipe.type = SampleType::uint8;
  for (const int fax : {COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4})
    CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(259, static_cast<std::uint32_t>(fax)).bytes),
                   "Compression (tag 259) is " + std::to_string(fax)));
  recipe.type = SampleType::uint32;
  recipe.bits = 24;
  recipe.mode = "wb";
  CHECK(contains(error_of(make_tiff(recipe)), "BitsPerSample (tag 258) is 24 in a big-endian file"));
  recipe.bits = 0;
  recipe.mode = "wl";

  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  recipe.predictor = 2;
  const auto predicted = [&](SampleType type, std::uint16_t bits, std::uint16_t format) {
    recipe.type = type;
    return error_of(Patch{make_tiff(recipe)}.value(258, bits).value(339, format).bytes);
  };
  CHECK(contains(predicted(SampleType::uint16, 12, SAMPLEFORMAT_UINT),
                 "Predictor (tag 317) is 2 with samples of 12 bits"));
  CHECK(contains(predicted(SampleType::float64, 128, SAMPLEFORMAT_COMPLEXIEEEFP),
                 "Predictor (tag 317) is 2 with complex samples of 128 bits"));
  recipe.type = SampleType::complex64;
  recipe.mode = "wb";
  CHECK(contains(error_of(make_tiff(recipe)),
                 "Predictor (tag 317) is 2 with complex samples in the other byte order"));
  recipe.mode = "wl";
  recipe.predictor = 3;
  recipe.type = SampleType::float64;
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(339, SAMPLEFORMAT_COMPLEXIEEEFP).bytes),
                 "Predictor (tag 317) is 3, floating point, and the samples are complex64"));
}

}  // namespace weir
