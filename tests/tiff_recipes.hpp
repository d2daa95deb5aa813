#pragma once

#include <doctest/doctest.h>
#include <tiffio.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "framework/error.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "tests/memory_tiff.hpp"
#include "tests/tiff_helpers.hpp"

// What the tests of TiffSource share: files that libtiff makes in memory, whole rasters out of chunks, and
// ways to break a file.

namespace weir::test {

// Making files

struct Recipe {
  SampleType type = SampleType::uint8;
  std::uint32_t bits = 0;  // stored of each sample, where they are not all of the type's
  std::uint32_t height = 37, width = 45;
  std::uint32_t samples = 1;
  int compression = COMPRESSION_NONE;
  int predictor = 1;
  std::uint32_t tile_height = 0, tile_width = 0;  // 0: strips
  std::uint32_t rows_per_strip = 7;
  bool is_planar = false;
  std::string mode = "wl";  // b: big-endian; 8: BigTIFF
  int fill_order = FILLORDER_MSB2LSB;
  std::vector<std::uint32_t> left_out;  // striles that are not written
  void (*more_tags)(TIFF*) = nullptr;
};

/// Interleaved samples that repeat now and then and use all bits.
inline Bytes pixels_for(const Recipe& recipe) {
  const std::size_t size = bytes_of(component_of(recipe.type));
  Bytes pixels(std::size_t{recipe.height} * recipe.width * recipe.samples * bytes_of(recipe.type));
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
    if (recipe.bits > 0) value &= (std::uint64_t{1} << recipe.bits) - 1;
    std::memcpy(&pixels[i], &value, size);
  }
  return pixels;
}

inline std::uint16_t format_of(SampleType type) {
  if (is_complex(type))
    return is_floating(component_of(type)) ? SAMPLEFORMAT_COMPLEXIEEEFP : SAMPLEFORMAT_COMPLEXINT;
  return is_floating(type)         ? SAMPLEFORMAT_IEEEFP
         : is_signed_integer(type) ? SAMPLEFORMAT_INT
                                   : SAMPLEFORMAT_UINT;
}

/// Rows of `count` samples of `size` bytes, with `bits` bits of each one behind the other, the highest first; a row
/// ends at a whole byte.
inline Bytes packed_rows(const Bytes& rows, std::size_t count, std::size_t size, std::uint32_t bits) {
  const std::size_t row_bytes = (count * bits + 7) / 8, height = rows.size() / (count * size);
  Bytes packed(height * row_bytes);
  for (std::size_t row = 0; row < height; ++row)
    for (std::size_t i = 0; i < count; ++i) {
      std::uint32_t value = 0;
      std::memcpy(&value, &rows[(row * count + i) * size], size);
      for (std::uint32_t bit = 0; bit < bits; ++bit) {
        const std::size_t at = i * bits + bit;
        if ((value >> (bits - 1 - bit) & 1) != 0)
          packed[row * row_bytes + at / 8] |= static_cast<std::byte>(0x80 >> at % 8);
      }
    }
  return packed;
}

inline Bytes make_tiff(const Recipe& recipe, const Bytes& pixels) {
  MemoryTiff file;
  TIFF* tiff = file.open(recipe.mode.c_str());
  const std::size_t size = bytes_of(recipe.type);
  const bool is_tiled = recipe.tile_width > 0;
  const std::uint32_t tile_width = is_tiled ? recipe.tile_width : recipe.width;
  const std::uint32_t tile_height = is_tiled ? recipe.tile_height : recipe.rows_per_strip;
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, recipe.width);
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, recipe.height);
  const std::uint32_t bits = recipe.bits > 0 ? recipe.bits : static_cast<std::uint32_t>(8 * size);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, bits);
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
  if (recipe.fill_order != FILLORDER_MSB2LSB) TIFFSetField(tiff, TIFFTAG_FILLORDER, recipe.fill_order);
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
        if (recipe.bits > 0) raw = packed_rows(raw, tile_width * stored / size, size, bits);
        const auto bytes = static_cast<tmsize_t>(raw.size());
        const tmsize_t written = is_tiled ? TIFFWriteEncodedTile(tiff, strile, raw.data(), bytes)
                                          : TIFFWriteEncodedStrip(tiff, strile, raw.data(), bytes);
        if (written != bytes) throw std::runtime_error("libtiff cannot write");
      }
  TIFFClose(tiff);
  return file.bytes();
}

inline Bytes make_tiff(const Recipe& recipe) {
  return make_tiff(recipe, pixels_for(recipe));
}

inline Bytes stored_file(const std::string& name) {
  std::ifstream file(std::string(WEIR_TEST_DATA "/") + name, std::ios::binary);
  REQUIRE_MESSAGE(file, name);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  Bytes bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// Reading them

inline Block read_chunk(const TiffSource& source, ChunkIndex chunk, ChunkSource::Local* local,
                        const Context& context = {}) {
  return source.decode(chunk, source.fetch(chunk, context), local, context);
}

inline void scatter(const Block& block, const RasterInfo& info, Bytes& pixels) {
  const std::size_t size = bytes_of(info.type);
  for (std::uint64_t r = 0; r < block.window.height; ++r)
    for (std::uint64_t c = 0; c < block.window.width; ++c)
      for (std::uint32_t s = 0; s < info.samples; ++s) {
        const std::uint64_t pixel = (block.window.row + r) * info.width + block.window.col + c;
        std::memcpy(&pixels[(pixel * info.samples + s) * size], block.at(r, c, s), size);
      }
}

/// All pixels, interleaved; what no chunk gives stays 0xdd.
inline Bytes read_all(const TiffSource& source, const Context& context = {}) {
  const auto local = source.make_local({});
  Bytes pixels(source.info().height * source.info().width * source.info().pixel_bytes(), std::byte{0xdd});
  for (std::uint64_t row = 0; row < source.grid().rows.count(); ++row)
    for (std::uint64_t col = 0; col < source.grid().cols.count(); ++col)
      scatter(read_chunk(source, {row, col}, local.get(), context), source.info(), pixels);
  return pixels;
}

inline Bytes read_all(const Bytes& file, const TiffReadOptions& options = {}) {
  MemoryFiles files(file);
  return read_all(TiffSource("a.tif", options, files));
}

/// What it says when the file is opened and read, or nothing.
inline std::string error_of(const Bytes& file, const TiffReadOptions& options = {}) {
  try {
    read_all(file, options);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

/// All pixels as libtiff reads them, interleaved.
inline Bytes libtiff_pixels(const Bytes& bytes, const RasterInfo& info, const TiffLayout& layout) {
  MemoryTiff file(bytes);
  TIFF* tiff = file.open("rmc");  // c: strips as they are stored
  if (layout.codec == CodecId::jpeg) TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
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
  std::uint32_t get_element(std::uint16_t tag, std::uint32_t index) const {
    const std::size_t size = get(entry(tag) + 2, 2) == TIFF_SHORT ? 2 : 4;
    return get(get(entry(tag) + 8, 4) + index * size, size);
  }
  /// Value `index` of an array of LONGs or SHORTs outside of the entry.
  Patch& element(std::uint16_t tag, std::uint32_t index, std::uint32_t value) {
    const std::size_t size = get(entry(tag) + 2, 2) == TIFF_SHORT ? 2 : 4;
    put(get(entry(tag) + 8, 4) + index * size, value, size);
    return *this;
  }
};

}  // namespace weir::test
