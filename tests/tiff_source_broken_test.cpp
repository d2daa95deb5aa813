#include <doctest/doctest.h>
#include <tiffio.h>

#include "nodes/tiff/tiff_source.hpp"
#include "tests/tiff_recipes.hpp"

// Broken, hostile and unsupported files: always an Error that names the place.

namespace weir {

using namespace test;

TEST_CASE("a file cut at any length is an error, never zeros") {
  for (const int compression :
       {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZW, COMPRESSION_PACKBITS, COMPRESSION_ZSTD})
    for (const char* mode : {"wl", "wb8"})
      for (const std::uint32_t tile : {0u, 16u}) {
        Recipe recipe;
        recipe.height = 20;
        recipe.width = 24;
        recipe.tile_height = recipe.tile_width = tile;
        recipe.compression = compression;
        recipe.mode = mode;
        const Bytes whole = make_tiff(recipe);
        for (std::size_t length = 0; length < whole.size(); ++length) {
          CAPTURE(length);
          const std::string said =
              error_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
          CHECK(said.starts_with("cannot "));
        }
      }
  // The directory of this one comes before its data.
  const Bytes whole = stored_file("BigTIFF.tif");
  for (std::size_t length = 0; length < whole.size(); length += 37)
    CHECK(!error_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length))).empty());
}

TEST_CASE("a tile whose stored data is cut short is named") {
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZW,
                                COMPRESSION_PACKBITS, COMPRESSION_ZSTD}) {
    Recipe recipe;
    recipe.width = 48;
    recipe.tile_height = recipe.tile_width = 16;
    recipe.compression = compression;
    Patch tiff{make_tiff(recipe)};
    tiff.element(325, 4, 20);
    CAPTURE(compression);
    CHECK(contains(error_of(tiff.bytes, {.chunk_height = 16}), " tile (row 1, col 1) of a.tif: "));
    recipe.tile_height = recipe.tile_width = 0;
    tiff.bytes = make_tiff(recipe);
    tiff.element(279, 3, 20);
    CHECK(contains(error_of(tiff.bytes), " strip 3 of a.tif: "));
  }
}

TEST_CASE("any single failing read is an error") {
  Recipe recipe;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  const Bytes whole = make_tiff(recipe);
  MemoryFiles counting(whole);
  read_all(TiffSource("a.tif", {.chunk_height = 16, .chunk_width = 16}, counting));
  CHECK(counting.reads > 10);
  for (std::int64_t i = 0; i < counting.reads; ++i) {
    MemoryFiles files(whole);
    files.failing_read = i;
    CAPTURE(i);
    CHECK_THROWS_WITH_AS(read_all(TiffSource("a.tif", {.chunk_height = 16, .chunk_width = 16}, files)),
                         doctest::Contains("Input/output error"), Error);
  }
}

TEST_CASE("what is not read is refused, naming tag and value") {
  Recipe recipe;
  recipe.type = SampleType::uint16;
  const Bytes good = make_tiff(recipe);
  CHECK(error_of(good).empty());
  const auto said = [&](std::uint16_t tag, std::uint32_t value) {
    return error_of(Patch{good}.value(tag, value).bytes);
  };
  CHECK(contains(said(258, 33), "BitsPerSample (tag 258) is 33"));
  CHECK(contains(said(259, COMPRESSION_JPEG), "Compression (tag 259) is 7"));
  CHECK(contains(said(259, COMPRESSION_OJPEG), "Compression (tag 259) is 6, the JPEG of TIFF 6.0"));
  CHECK(contains(said(259, COMPRESSION_WEBP), "Compression (tag 259) is 50001, WebP, of 1 uint16 samples"));
  CHECK(contains(said(259, 1234), "Compression (tag 259) is 1234"));
  CHECK(contains(said(339, SAMPLEFORMAT_COMPLEXINT), "SampleFormat (tag 339) is 5"));

  recipe.samples = 3;
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(262, PHOTOMETRIC_YCBCR).bytes),
                 "PhotometricInterpretation (tag 262) is 6"));
  recipe.samples = 1;
  recipe.compression = COMPRESSION_LZW;
  recipe.predictor = 2;
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(317, 3).bytes), "Predictor (tag 317) is 3"));
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(317, 9).bytes), "Predictor (tag 317) is 9"));
}

TEST_CASE("a predictor beside a codec that takes none has no effect, as in libtiff") {
  Recipe recipe;
  recipe.more_tags = [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_MINSAMPLEVALUE, 2); };
  CHECK(read_all(Patch{make_tiff(recipe)}.id(280, 317).bytes) == pixels_for(recipe));
}

TEST_CASE("hostile directories are errors") {
  Recipe recipe;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  recipe.more_tags = [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_SOFTWARE, "someone else's program"); };
  const Patch good{make_tiff(recipe)};
  const auto patched = [&] { return Patch{good}; };

  CHECK(contains(error_of({}), "not a TIFF file"));
  CHECK(contains(error_of(Bytes(100, std::byte{'x'})), "not a TIFF file"));
  for (const int tag : {256, 257})
    CHECK_MESSAGE(!error_of(patched().value(static_cast<std::uint16_t>(tag), 0).bytes).empty(), tag);
  CHECK(!error_of(patched().value(278, 0).bytes).empty());
  CHECK(contains(error_of(patched().id(305, 278).bytes), "tag 278 more than once"));
  CHECK(contains(error_of(patched().count(305, 0xffffffffu).bytes),
                 "tag 305 has 4294967295 values that end beyond"));
  CHECK(contains(error_of(patched().value(305, 0xfffffff0u).bytes), "tag 305 has 23 values that end beyond"));
  CHECK(contains(error_of(patched().count(273, 0xffffffffu).bytes),
                 "tag 273 has 4294967295 values that end beyond"));
  CHECK(!error_of(patched().count(273, 5).bytes).empty());
  CHECK(!error_of(patched().count(273, 0).bytes).empty());
  CHECK(!error_of(patched().type(273, TIFF_DOUBLE).bytes).empty());
  // Far more strips than the arrays have.
  CHECK(error_of(patched().long_value(257, 0xffffffffu).bytes) ==
        "cannot read a.tif: Cannot handle zero number of strips");  // libtiff's count overflows
  CHECK(contains(error_of(patched().long_value(257, 50).bytes),
                 "tag 273 has 6 values, and its 8 tiles or strips need one each"));
  // One strip of 4 Gi x 4 Gi pixels.
  CHECK(!error_of(patched()
                      .long_value(257, 0xffffffffu)
                      .long_value(278, 0xffffffffu)
                      .long_value(256, 0xffffffffu)
                      .bytes)
             .empty());
  CHECK(contains(error_of(patched().long_value(257, 0x7fffffffu).long_value(278, 0xffffffffu).bytes),
                 "the limit for a chunk"));

  // Places of strips.
  CHECK(contains(error_of(patched().element(273, 2, 0xffffff00u).bytes), "strip 2 of a.tif: its"));
  CHECK(contains(error_of(patched().element(273, 2, 4).bytes),
                 "strip 2 of a.tif: its offset 4 lies in the header"));
  CHECK(contains(error_of(patched().element(279, 2, 0).bytes),
                 "strip 2 of a.tif: it has an offset but no bytes"));
  CHECK(contains(error_of(patched().element(279, 2, 0xffffu).bytes),
                 "strip 2 of a.tif: its 65535 bytes from byte"));

  // Loops.
  Patch loop = good;
  loop.put(loop.next_offset(), static_cast<std::uint32_t>(loop.directory()), 4);
  CHECK(error_of(loop.bytes).empty());  // the first directory is whole
  CHECK(contains(error_of(loop.bytes, {.directory = 1}), "loop"));
  CHECK(contains(error_of(loop.bytes, {.directory = 4000000000u}), "loop"));
  CHECK(contains(error_of(good.bytes, {.directory = 1}), "no directory 1"));
  loop.put(loop.next_offset(), 0xfffffffeu, 4);
  CHECK(contains(error_of(loop.bytes, {.directory = 1}), "beyond the end of the file"));
}

TEST_CASE("a byte count beyond all reason is an error of its tile, and asks for no memory") {
  Recipe recipe;
  recipe.height = recipe.width = 64;
  recipe.tile_height = recipe.tile_width = 16;
  recipe.compression = COMPRESSION_ADOBE_DEFLATE;
  Patch tiff{make_tiff(recipe)};
  MemoryFiles small(tiff.bytes);
  const std::uint64_t honest =
      TiffSource("a.tif", {.chunk_height = 16, .chunk_width = 16}, small).fetch_bytes();
  tiff.bytes.resize(1 << 20);
  tiff.type(325, TIFF_SHORT);  // was it, or not: written as LONG below
  const std::size_t array = tiff.bytes.size();
  tiff.bytes.resize(array + 64);
  for (std::size_t i = 0; i < 16; ++i) tiff.put(array + 4 * i, i == 5 ? 500000 : 40, 4);
  tiff.type(325, TIFF_LONG).value(325, static_cast<std::uint32_t>(array));
  MemoryFiles files(tiff.bytes);
  const TiffSource source("a.tif", {.chunk_height = 16, .chunk_width = 16}, files);
  CHECK(source.fetch_bytes() == honest);
  CHECK_THROWS_WITH_AS(
      source.fetch({1, 1}, {}),
      "cannot read tile (row 1, col 1) of a.tif: its 500000 bytes are more than its pixels can take "
      "in any encoding",
      Error);
}

}  // namespace weir
