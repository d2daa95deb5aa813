#pragma once

#include <tiffio.h>

#include <cstdint>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "nodes/tiff/tiff_images.hpp"
#include "tests/memory_tiff.hpp"

// Files of several images, made by libtiff.

namespace weir::test {

/// One directory: tiles of 16 x 16, deflate, uint8 samples.
struct Picture {
  std::uint32_t height = 0, width = 0;
  std::uint32_t kind = 0;  ///< NewSubfileType: 1 reduced, 2 page, 4 mask
  std::uint16_t samples = 1;
  std::uint8_t seed = 0;            ///< another one, other pixels
  std::vector<Picture> below = {};  ///< its SubIFDs
  std::function<void(TIFF*)> more_tags = {};
};

inline std::uint8_t sample_of(const Picture& picture, std::uint32_t row, std::uint32_t col, std::uint32_t s) {
  if ((picture.kind & 4) != 0) return (row / 3 + col / 5 + picture.seed) % 3 == 0 ? 0 : 1;
  return static_cast<std::uint8_t>(row * 7 + col * 13 + s * 31 + picture.seed * 3);
}

inline Bytes pixels_of(const Picture& picture) {
  Bytes pixels;
  for (std::uint32_t row = 0; row < picture.height; ++row)
    for (std::uint32_t col = 0; col < picture.width; ++col)
      for (std::uint32_t s = 0; s < picture.samples; ++s)
        pixels.push_back(static_cast<std::byte>(sample_of(picture, row, col, s)));
  return pixels;
}
/// Of a mask: 255 where it is not 0.
inline Bytes mask_of(const Picture& picture) {
  Bytes pixels = pixels_of(picture);
  for (std::byte& pixel : pixels) pixel = pixel == std::byte{0} ? pixel : std::byte{255};
  return pixels;
}

inline void write_directory(TIFF* tiff, const Picture& picture) {
  constexpr std::uint32_t side = 16;
  const auto set = [&](std::uint32_t tag, auto value) {
    if (TIFFSetField(tiff, tag, value) != 1) throw std::runtime_error("libtiff cannot set a tag");
  };
  set(TIFFTAG_IMAGEWIDTH, picture.width);
  set(TIFFTAG_IMAGELENGTH, picture.height);
  set(TIFFTAG_BITSPERSAMPLE, 8);
  set(TIFFTAG_SAMPLESPERPIXEL, static_cast<int>(picture.samples));
  set(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  set(TIFFTAG_PHOTOMETRIC, (picture.kind & 4) != 0 ? PHOTOMETRIC_MASK
                           : picture.samples == 3  ? PHOTOMETRIC_RGB
                                                   : PHOTOMETRIC_MINISBLACK);
  set(TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  set(TIFFTAG_TILEWIDTH, side);
  set(TIFFTAG_TILELENGTH, side);
  if (picture.kind != 0) set(TIFFTAG_SUBFILETYPE, picture.kind);
  if (picture.more_tags) picture.more_tags(tiff);
  if (!picture.below.empty()) {
    const std::vector<std::uint64_t> none(picture.below.size());
    if (TIFFSetField(tiff, TIFFTAG_SUBIFD, static_cast<int>(none.size()), none.data()) != 1)
      throw std::runtime_error("libtiff cannot set SubIFDs");
  }
  std::uint32_t tile = 0;
  for (std::uint32_t row = 0; row < picture.height; row += side)
    for (std::uint32_t col = 0; col < picture.width; col += side) {
      Bytes raw(side * side * picture.samples, std::byte{0xee});
      for (std::uint32_t r = 0; r < side && row + r < picture.height; ++r)
        for (std::uint32_t c = 0; c < side && col + c < picture.width; ++c)
          for (std::uint32_t s = 0; s < picture.samples; ++s)
            raw[(r * side + c) * picture.samples + s] =
                static_cast<std::byte>(sample_of(picture, row + r, col + c, s));
      if (TIFFWriteEncodedTile(tiff, tile++, raw.data(), static_cast<tmsize_t>(raw.size())) < 0)
        throw std::runtime_error("libtiff cannot write");
    }
  if (TIFFWriteDirectory(tiff) != 1) throw std::runtime_error("libtiff cannot write a directory");
}

inline Bytes make_images(const std::vector<Picture>& chain, const std::string& mode = "wl") {
  MemoryTiff file;
  TIFF* tiff = file.open(mode.c_str());
  for (const Picture& picture : chain) {
    write_directory(tiff, picture);
    for (const Picture& below : picture.below) write_directory(tiff, below);  // libtiff links them
  }
  TIFFClose(tiff);
  return file.bytes();
}

inline void write_file(const std::string& path, const Bytes& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file) throw std::runtime_error("cannot write " + path);
}

inline std::shared_ptr<const ReadableFile> in_memory(MemoryFiles& files) {
  return std::make_shared<const InputFile>("a.tif", files);
}

/// "0: 40x30 m; 1: 20x15": levels of each page by directory numbers (s: SubIFD), m: with a mask, then others.
inline std::string summary(const TiffPages& pages) {
  std::string text;
  const auto number = [](const TiffPlace& place) {
    return place.number ? std::to_string(*place.number) : std::string("s");
  };
  for (const TiffPage& page : pages) {
    if (!text.empty()) text += " | ";
    bool is_first = true;
    for (const TiffLevel& level : page.levels) {
      text += (is_first ? "" : ", ") + number(level.place) + ":" + std::to_string(level.width) + "x" +
              std::to_string(level.height);
      if (level.mask) text += "+" + number(*level.mask);
      is_first = false;
    }
    for (const TiffOther& other : page.others) text += ", " + number(other.place) + ":" + other.what;
  }
  return text;
}

}  // namespace weir::test
