#include "nodes/tiff/tiff_source.hpp"

#include <doctest/doctest.h>
#include <tiffio.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "framework/error.hpp"
#include "nodes/codecs/predictor.hpp"
#include "nodes/tiff/tiff_directory.hpp"
#include "tests/memory_tiff.hpp"

namespace weir {
namespace {

using test::Bytes;
using test::MemoryFiles;
using test::MemoryTiff;

// Making files

struct Recipe {
  SampleType type = SampleType::uint8;
  std::uint32_t height = 37, width = 45;
  std::uint32_t samples = 1;
  int compression = COMPRESSION_NONE;
  int predictor = 1;
  std::uint32_t tile_height = 0, tile_width = 0;  // 0: strips
  std::uint32_t rows_per_strip = 7;
  bool is_planar = false;
  std::string mode = "wl";              // b: big-endian; 8: BigTIFF
  std::vector<std::uint32_t> left_out;  // striles that are not written
  void (*more_tags)(TIFF*) = nullptr;
};

/// Interleaved samples that repeat now and then and use all bits.
Bytes pixels_for(const Recipe& recipe) {
  const std::size_t size = bytes_of(recipe.type);
  Bytes pixels(std::size_t{recipe.height} * recipe.width * recipe.samples * size);
  std::uint64_t state = 1;
  for (std::size_t i = 0; i < pixels.size(); i += size) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::uint64_t value = (state >> 61) != 0 ? i / 64 : state >> 3;
    if (recipe.type == SampleType::float32) {
      const float number = static_cast<float>(value % 4096) / 7;
      std::memcpy(&value, &number, sizeof number);
    } else if (recipe.type == SampleType::float64) {
      const double number = static_cast<double>(value % 4096) / 7;
      std::memcpy(&value, &number, sizeof number);
    }
    std::memcpy(&pixels[i], &value, size);
  }
  return pixels;
}

std::uint16_t format_of(SampleType type) {
  return is_floating(type)         ? SAMPLEFORMAT_IEEEFP
         : is_signed_integer(type) ? SAMPLEFORMAT_INT
                                   : SAMPLEFORMAT_UINT;
}

Bytes make_tiff(const Recipe& recipe, const Bytes& pixels) {
  MemoryTiff file;
  TIFF* tiff = file.open(recipe.mode.c_str());
  const std::size_t size = bytes_of(recipe.type);
  const bool is_tiled = recipe.tile_width > 0;
  const std::uint32_t tile_width = is_tiled ? recipe.tile_width : recipe.width;
  const std::uint32_t tile_height = is_tiled ? recipe.tile_height : recipe.rows_per_strip;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, recipe.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, recipe.height);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * size));
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, format_of(recipe.type));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, recipe.samples);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, recipe.samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, recipe.is_planar ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, recipe.compression);
  if (recipe.predictor != 1) TIFFSetField(tiff, TIFFTAG_PREDICTOR, recipe.predictor);
  if (is_tiled) {
    TIFFSetField(tiff, TIFFTAG_TILEWIDTH, tile_width);
    TIFFSetField(tiff, TIFFTAG_TILELENGTH, tile_height);
  } else {
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, tile_height);
  }
  if (recipe.more_tags != nullptr) recipe.more_tags(tiff);

  const std::uint32_t planes = recipe.is_planar ? recipe.samples : 1u;
  const std::size_t stored = recipe.samples / planes * size;  // bytes of a pixel in a strile
  std::uint32_t strile = 0;
  for (std::uint32_t plane = 0; plane < planes; ++plane)
    for (std::uint32_t row = 0; row < recipe.height; row += tile_height)
      for (std::uint32_t col = 0; col < recipe.width; col += tile_width, ++strile) {
        if (std::ranges::find(recipe.left_out, strile) != recipe.left_out.end()) continue;
        const std::uint32_t rows = is_tiled ? tile_height : std::min(tile_height, recipe.height - row);
        Bytes raw(std::size_t{rows} * tile_width * stored, std::byte{0xee});
        for (std::uint32_t r = 0; r < rows && row + r < recipe.height; ++r)
          for (std::uint32_t c = 0; c < tile_width && col + c < recipe.width; ++c) {
            const std::size_t pixel = (std::size_t{row + r} * recipe.width + col + c) * recipe.samples * size;
            std::memcpy(&raw[(std::size_t{r} * tile_width + c) * stored], &pixels[pixel + plane * stored],
                        stored);
          }
        const auto bytes = static_cast<tmsize_t>(raw.size());
        const tmsize_t written = is_tiled ? TIFFWriteEncodedTile(tiff, strile, raw.data(), bytes)
                                          : TIFFWriteEncodedStrip(tiff, strile, raw.data(), bytes);
        if (written != bytes) throw std::runtime_error("libtiff cannot write");
      }
  TIFFClose(tiff);
  return file.bytes();
}

Bytes make_tiff(const Recipe& recipe) {
  return make_tiff(recipe, pixels_for(recipe));
}

Bytes stored_file(const std::string& name) {
  std::ifstream file(std::string(WEIR_TEST_DATA "/") + name, std::ios::binary);
  REQUIRE_MESSAGE(file, name);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// Reading them

Block read_chunk(const TiffSource& source, ChunkIndex chunk, ChunkSource::Local* local,
                 const Context& context = {}) {
  return source.decode(chunk, source.fetch(chunk, context), local, context);
}

void scatter(const Block& block, const RasterInfo& info, Bytes& pixels) {
  const std::size_t size = bytes_of(info.type);
  for (std::uint64_t r = 0; r < block.window.height; ++r)
    for (std::uint64_t c = 0; c < block.window.width; ++c)
      for (std::uint32_t s = 0; s < info.samples; ++s) {
        const std::uint64_t pixel = (block.window.row + r) * info.width + block.window.col + c;
        std::memcpy(&pixels[(pixel * info.samples + s) * size], block.at(r, c, s), size);
      }
}

/// All pixels, interleaved; what no chunk gives stays 0xdd.
Bytes read_all(const TiffSource& source, const Context& context = {}) {
  const auto local = source.make_local({});
  Bytes pixels(source.info().height * source.info().width * source.info().pixel_bytes(), std::byte{0xdd});
  for (std::uint64_t row = 0; row < source.grid().rows.count(); ++row)
    for (std::uint64_t col = 0; col < source.grid().cols.count(); ++col)
      scatter(read_chunk(source, {row, col}, local.get(), context), source.info(), pixels);
  return pixels;
}

Bytes read_all(const Bytes& file, const TiffReadOptions& options = {}) {
  MemoryFiles files(file);
  return read_all(TiffSource("a.tif", options, files));
}

/// What it says when the file is opened and read, or nothing.
std::string error_of(const Bytes& file, const TiffReadOptions& options = {}) {
  try {
    read_all(file, options);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// All pixels as libtiff reads them, interleaved.
Bytes libtiff_pixels(const Bytes& bytes, const RasterInfo& info, const TiffLayout& layout) {
  MemoryTiff file(bytes);
  TIFF* tiff = file.open("rmc");  // c: strips as they are stored
  const std::size_t size = bytes_of(info.type);
  const std::size_t stored = info.samples / layout.planes * size;
  Bytes pixels(info.height * info.width * info.pixel_bytes());
  Bytes raw(layout.strile_height * layout.strile_width * stored);
  std::uint32_t strile = 0;
  for (std::uint32_t plane = 0; plane < layout.planes; ++plane)
    for (std::uint64_t row = 0; row < info.height; row += layout.strile_height)
      for (std::uint64_t col = 0; col < info.width; col += layout.strile_width, ++strile) {
        const auto want = static_cast<tmsize_t>(raw.size());
        REQUIRE((layout.is_tiled ? TIFFReadEncodedTile(tiff, strile, raw.data(), want)
                                 : TIFFReadEncodedStrip(tiff, strile, raw.data(), want)) > 0);
        for (std::uint64_t r = 0; r < layout.strile_height && row + r < info.height; ++r)
          for (std::uint64_t c = 0; c < layout.strile_width && col + c < info.width; ++c)
            std::memcpy(&pixels[((row + r) * info.width + col + c) * info.pixel_bytes() + plane * stored],
                        &raw[(r * layout.strile_width + c) * stored], stored);
      }
  TIFFClose(tiff);
  return pixels;
}

// Breaking them

/// Changes values of a little-endian classic file's first directory.
struct Patch {
  Bytes bytes;

  std::uint32_t get(std::size_t at, std::size_t size) const {
    std::uint32_t value = 0;
    std::memcpy(&value, &bytes[at], size);
    return value;
  }
  void put(std::size_t at, std::uint32_t value, std::size_t size) { std::memcpy(&bytes[at], &value, size); }
  std::size_t directory() const { return get(4, 4); }
  std::size_t next_offset() const { return directory() + 2 + 12 * get(directory(), 2); }
  std::size_t entry(std::uint16_t tag) const {
    for (std::size_t at = directory() + 2; at < next_offset(); at += 12)
      if (get(at, 2) == tag) return at;
    throw std::runtime_error("no such tag");
  }
  Patch& value(std::uint16_t tag, std::uint32_t value) {
    put(entry(tag) + 8, value, get(entry(tag) + 2, 2) == TIFF_SHORT ? 2 : 4);
    return *this;
  }
  Patch& long_value(std::uint16_t tag, std::uint32_t number) {
    return type(tag, TIFF_LONG).value(tag, number);
  }
  Patch& count(std::uint16_t tag, std::uint32_t count) {
    put(entry(tag) + 4, count, 4);
    return *this;
  }
  Patch& type(std::uint16_t tag, std::uint16_t type) {
    put(entry(tag) + 2, type, 2);
    return *this;
  }
  Patch& id(std::uint16_t tag, std::uint16_t id) {
    put(entry(tag), id, 2);
    return *this;
  }
  /// Value `index` of an array of LONGs or SHORTs outside of the entry.
  Patch& element(std::uint16_t tag, std::uint32_t index, std::uint32_t value) {
    const std::size_t size = get(entry(tag) + 2, 2) == TIFF_SHORT ? 2 : 4;
    put(get(entry(tag) + 8, 4) + index * size, value, size);
    return *this;
  }
};

}  // namespace

TEST_CASE("every type, codec, predictor, layout and byte order reads back bit for bit") {
  struct Shape {
    std::uint32_t tile_height, tile_width;
    std::uint32_t samples;
    bool is_planar;
  };
  const Shape shapes[] = {
      {0, 0, 1, false}, {0, 0, 3, true}, {16, 32, 3, false}, {32, 16, 2, true}, {64, 64, 1, false}};
  int files = 0;
  for (const SampleType type : all_sample_types)
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

TEST_CASE("files of other programs read as libtiff reads them") {
  for (const char* name :
       {"L7_ETMs.tif", "olinda_dem_utm25s.tif", "BigTIFF.tif", "BigTIFFLong.tif", "BigTIFFMotorola.tif",
        "int16_zstd.tif", "predictor-3-gray-f32.tif", "predictor-3-rgb-f32.tif",
        "minisblack-2c-8b-alpha.tiff", "issue_69_lzw.tiff", "issue_69_packbits.tiff",
        "tiled-oversize-gray-i8.tif", "quad-lzw-compat.tiff", "lc.tif"}) {
    CAPTURE(std::string(name));
    const Bytes bytes = stored_file(name);
    MemoryFiles files(bytes);
    const TiffSource source(name, {}, files);
    const Bytes ours = read_all(source), theirs = libtiff_pixels(bytes, source.info(), source.layout());
    CHECK(ours == theirs);
  }
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

TEST_CASE("strips of one row are grouped until a chunk has 256 KiB") {
  Recipe recipe;
  recipe.height = 1000;
  recipe.width = 500;
  recipe.type = SampleType::uint16;
  recipe.rows_per_strip = 1;
  recipe.compression = COMPRESSION_PACKBITS;
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {}, files);
  CHECK(source.grid().rows.largest() == 263);  // 262144 / 1000 rounded up
  CHECK(read_all(source) == pixels_for(recipe));
}

TEST_CASE("small tiles are grouped along the row first") {
  Recipe recipe;
  recipe.height = recipe.width = 1024;
  recipe.tile_height = recipe.tile_width = 256;
  MemoryFiles files(make_tiff(recipe));
  const TiffSource source("a.tif", {}, files);
  CHECK(source.grid().rows.largest() == 256);
  CHECK(source.grid().cols.largest() == 1024);
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
  CHECK(contains(said(258, 12), "BitsPerSample (tag 258) is 12"));
  CHECK(contains(said(258, 1), "BitsPerSample (tag 258) is 1"));
  CHECK(contains(said(259, COMPRESSION_JPEG), "Compression (tag 259) is 7"));
  CHECK(contains(said(259, COMPRESSION_LERC), "Compression (tag 259) is 34887"));
  CHECK(contains(said(259, 1234), "Compression (tag 259) is 1234"));
  CHECK(
      contains(said(339, SAMPLEFORMAT_IEEEFP), "SampleFormat (tag 339) is 3, floating point, with 16 bits"));
  CHECK(contains(said(339, SAMPLEFORMAT_COMPLEXINT), "SampleFormat (tag 339) is 5"));

  recipe.samples = 3;
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(262, PHOTOMETRIC_YCBCR).bytes),
                 "PhotometricInterpretation (tag 262) is 6"));
  recipe.samples = 1;
  recipe.compression = COMPRESSION_LZW;
  recipe.predictor = 2;
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(317, 3).bytes), "Predictor (tag 317) is 3"));
  CHECK(contains(error_of(Patch{make_tiff(recipe)}.value(317, 9).bytes), "Predictor (tag 317) is 9"));
  recipe.more_tags = [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_FILLORDER, FILLORDER_LSB2MSB); };
  CHECK(contains(error_of(make_tiff(recipe)), "FillOrder (tag 266) is 2"));
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
  CHECK(!error_of(patched().element(279, 2, 0xffffu).bytes).empty());

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
      TIFFSetField(tiff, 42112, "<GDALMetadata/>");
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

    REQUIRE(info.tags.size() == 6);
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
    is_tag(3, 42112, TIFF_ASCII, 16, "<GDALMetadata/>");
    const std::uint16_t shorts[] = {1, 2, 3};
    const double doubles[] = {0.5, -2};
    is_tag(4, 65001, TIFF_SHORT, 3, shorts);
    is_tag(5, 65002, TIFF_DOUBLE, 2, doubles);
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
