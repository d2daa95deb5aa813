#include <doctest/doctest.h>
#include <tiffio.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <string_view>

#include "nodes/raster/half.hpp"
#include "nodes/tiff/tiff_source.hpp"
#include "tests/tiff_recipes.hpp"

// Every stored file of other programs: what is read is what libtiff reads, and what is not is refused with a
// reason. tests/foreign/fixtures_agree.py asks GDAL about the same files.

namespace weir {

using namespace test;

namespace {

constexpr std::string_view readable[] = {
    "12bit.cropped.rgb.tiff",
    "12bit.cropped.tiff",
    "BigTIFF.tif",
    "BigTIFFLong.tif",
    "BigTIFFMotorola.tif",
    "L7_ETMs.tif",
    "cmyk-3c-16b.tiff",
    "cmyk-3c-32b-float.tiff",
    "cmyk-3c-8b.tiff",
    "geo-5b.tif",
    "geogtowgs_subset_USGS_13_s14w171.tif",
    "geomatrix.tif",
    "gradient-1c-32b-float.tiff",
    "gradient-1c-32b.tiff",
    "gradient-1c-64b-float.tiff",
    "gradient-1c-64b.tiff",
    "gradient-3c-32b-float.tiff",
    "gradient-3c-32b.tiff",
    "gradient-3c-64b.tiff",
    "int16.tif",
    "int16_rgb.tif",
    "int16_zstd.tif",
    "int8.tif",
    "int8_rgb.tif",
    "issue_69_lzw.tiff",
    "issue_69_packbits.tiff",
    "lc.tif",
    "minisblack-1c-16b.tiff",
    "minisblack-1c-8b.tiff",
    "minisblack-1c-i16b.tiff",
    "minisblack-1c-i8b.tiff",
    "minisblack-2c-8b-alpha.tiff",
    "miniswhite-1c-1b.tiff",
    "olinda_dem_utm25s.tif",
    "palette-1c-1b.tiff",
    "palette-1c-4b.tiff",
    "palette-1c-8b.tiff",
    "predictor-3-gray-f32.tif",
    "predictor-3-rgb-f32.tif",
    "quad-lzw-compat.tiff",
    "quad-tile.jpg.tiff",
    "random-fp16-pred2.tiff",
    "random-fp16-pred3.tiff",
    "random-fp16.tiff",
    "rgb-3c-16b.tiff",
    "rgb-3c-8b.tiff",
    "single-black-fp16.tiff",
    "tiled-gray-i1.tif",
    "tiled-jpeg-rgb-u8.tif",
    "tiled-jpeg-ycbcr.tif",
    "tiled-oversize-gray-i8.tif",
    "white-fp16-pred2.tiff",
    "white-fp16-pred3.tiff",
    "white-fp16.tiff",
};

struct Refused {
  std::string_view name, reason;
};
constexpr Refused refused[] = {
    {"logluv-3c-16b.tiff", "Compression (tag 259) is 34676"},
};

/// The same pixels as the TIFF beside it, in the formats of netpbm.
struct Picture {
  std::string_view name, tiff;
};
constexpr Picture pictures[] = {
    {"minisblack-1c-8b.pgm", "minisblack-1c-8b.tiff"},
    {"miniswhite-1c-1b.pbm", "miniswhite-1c-1b.tiff"},
    {"random-fp16.pgm", "random-fp16.tiff"},
    {"rgb-3c-8b.ppm", "rgb-3c-8b.tiff"},
};

/// What libtiff decodes, with its packed bits taken out one by one and its halves widened.
Bytes libtiff_samples(const Bytes& bytes, const TiffSource& source) {
  const RasterInfo& info = source.info();
  const TiffLayout& layout = source.layout();
  const std::uint32_t bits = layout.samples.bits;
  if (layout.samples.is_plain()) return libtiff_pixels(bytes, info, layout);
  REQUIRE(layout.planes == 1);
  MemoryTiff file(bytes);
  TIFF* tiff = file.open("rmc");
  const std::size_t size = bytes_of(info.type);
  const std::size_t row_bytes = (layout.strile_width * info.samples * bits + 7) / 8;
  Bytes pixels(info.height * info.width * info.pixel_bytes()), raw(layout.strile_height * row_bytes);
  std::uint32_t strile = 0;
  for (std::uint64_t row = 0; row < info.height; row += layout.strile_height)
    for (std::uint64_t col = 0; col < info.width; col += layout.strile_width, ++strile) {
      const auto want = static_cast<tmsize_t>(raw.size());
      REQUIRE((layout.is_tiled ? TIFFReadEncodedTile(tiff, strile, raw.data(), want)
                               : TIFFReadEncodedStrip(tiff, strile, raw.data(), want)) > 0);
      for (std::uint64_t r = 0; r < layout.strile_height && row + r < info.height; ++r)
        for (std::uint64_t c = 0; c < layout.strile_width && col + c < info.width; ++c)
          for (std::uint32_t s = 0; s < info.samples; ++s) {
            const std::size_t first = (c * info.samples + s) * bits;
            std::uint32_t value = 0;
            if (layout.samples.storage == SampleStorage::half) {
              std::uint16_t half = 0;
              std::memcpy(&half, &raw[r * row_bytes + first / 8], 2);
              const float number = float_from_half(half);
              std::memcpy(&value, &number, 4);
            } else {
              for (std::size_t at = first; at < first + bits; ++at)
                value = value << 1 | std::to_integer<std::uint32_t>(
                                         raw[r * row_bytes + at / 8] >> (7 - at % 8) & std::byte{1});
            }
            const std::uint64_t pixel = (row + r) * info.width + col + c;
            std::memcpy(&pixels[(pixel * info.samples + s) * size], &value, size);
          }
    }
  TIFFClose(tiff);
  return pixels;
}

/// The samples of a binary PBM, PGM or PPM file, and the largest that its header allows.
struct Netpbm {
  std::vector<std::uint32_t> samples;
  std::uint32_t largest = 1;
};
Netpbm netpbm(const Bytes& bytes) {
  std::size_t at = 2;
  const auto number = [&] {
    const auto character = [&] { return std::to_integer<char>(bytes.at(at)); };
    while (character() < '0' || character() > '9')
      if (character() == '#')
        while (character() != '\n') ++at;
      else
        ++at;
    std::uint32_t value = 0;
    for (; character() >= '0' && character() <= '9'; ++at)
      value = 10 * value + static_cast<std::uint32_t>(character() - '0');
    return value;
  };
  const char kind = std::to_integer<char>(bytes.at(1));
  const std::uint32_t width = number(), height = number();
  Netpbm picture;
  if (kind != '4') picture.largest = number();
  ++at;
  for (std::uint32_t row = 0; row < height; ++row) {
    for (std::uint32_t i = 0; i < width * (kind == '6' ? 3U : 1U); ++i) {
      if (kind == '4') {
        picture.samples.push_back(
            std::to_integer<std::uint32_t>(bytes.at(at + i / 8) >> (7 - i % 8) & std::byte{1}));
        continue;
      }
      std::uint32_t value = std::to_integer<std::uint32_t>(bytes.at(at++));
      if (picture.largest > 255) value = value << 8 | std::to_integer<std::uint32_t>(bytes.at(at++));
      picture.samples.push_back(value);
    }
    if (kind == '4') at += (width + 7) / 8;
  }
  CHECK(at == bytes.size());
  return picture;
}

}  // namespace

TEST_CASE("every stored file is in one list, and every list is of stored files") {
  std::multiset<std::string> listed = {"README.md", "lc.tif.aux.xml"}, stored;
  for (const std::string_view name : readable) listed.emplace(name);
  for (const Refused& file : refused) listed.emplace(file.name);
  for (const Picture& picture : pictures) listed.emplace(picture.name);
  for (const auto& entry : std::filesystem::directory_iterator(WEIR_TEST_DATA))
    if (!entry.is_directory()) stored.insert(entry.path().filename());
  CHECK(listed == stored);
}

TEST_CASE("stored files read as libtiff reads them") {
  for (const std::string_view name : readable) {
    CAPTURE(name);
    const Bytes bytes = stored_file(std::string(name));
    MemoryFiles files(bytes);
    const TiffSource source(std::string(name), {}, files);
    const Bytes expected = libtiff_samples(bytes, source);
    CHECK(read_all(source) == expected);
    CHECK(read_all(TiffSource(std::string(name), {.chunk_height = 1, .chunk_width = 1}, files)) == expected);
  }
}

TEST_CASE("stored files that are not read are refused with a reason that names the tag") {
  for (const Refused& file : refused) {
    CAPTURE(file.name);
    CHECK(contains(error_of(stored_file(std::string(file.name))), std::string(file.reason)));
  }
}

TEST_CASE("stored files have the pixels of the pictures beside them") {
  for (const Picture& picture : pictures) {
    CAPTURE(picture.name);
    const Netpbm expected = netpbm(stored_file(std::string(picture.name)));
    MemoryFiles files(stored_file(std::string(picture.tiff)));
    const TiffSource source(std::string(picture.tiff), {}, files);
    const Bytes pixels = read_all(source);
    const std::size_t size = bytes_of(source.info().type);
    REQUIRE(expected.samples.size() * size == pixels.size());
    std::size_t different = 0;
    for (std::size_t i = 0; i < expected.samples.size(); ++i) {
      std::uint32_t sample = std::to_integer<std::uint32_t>(pixels[i * size]);
      if (source.info().type == SampleType::float32) {  // GIMP's picture has 65535 for 1
        float number = 0;
        std::memcpy(&number, &pixels[i * size], size);
        sample = static_cast<std::uint32_t>(std::lround(number * 65535));
      }
      different += sample != expected.samples[i] ? 1U : 0U;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("colours and their meaning are kept beside the values") {
  const auto info_of = [](const char* name) {
    MemoryFiles files(stored_file(name));
    return TiffSource(name, {}, files).info();
  };
  const auto colors = [](const RasterInfo& info) -> std::uint64_t {
    const auto map = std::ranges::find(info.tags, TIFFTAG_COLORMAP, &RawTag::id);
    return map == info.tags.end() ? 0 : map->count;
  };
  CHECK(info_of("miniswhite-1c-1b.tiff").photometric == PHOTOMETRIC_MINISWHITE);
  CHECK(info_of("palette-1c-1b.tiff").photometric == PHOTOMETRIC_PALETTE);
  CHECK(colors(info_of("palette-1c-1b.tiff")) == 3 * 2);
  CHECK(colors(info_of("palette-1c-4b.tiff")) == 3 * 16);
  CHECK(colors(info_of("palette-1c-8b.tiff")) == 3 * 256);
  CHECK(colors(info_of("miniswhite-1c-1b.tiff")) == 3 * 2);  // shown as the file says, in 8 bits
  CHECK(colors(info_of("tiled-gray-i1.tif")) == 3 * 2);
  CHECK(colors(info_of("minisblack-1c-8b.tiff")) == 0);
  CHECK(colors(info_of("12bit.cropped.tiff")) == 0);
  CHECK(info_of("cmyk-3c-8b.tiff").photometric == PHOTOMETRIC_SEPARATED);
  CHECK(info_of("minisblack-2c-8b-alpha.tiff").extra_samples.size() == 1);
}

}  // namespace weir
