// Files of codecs that look at pixels: written, read back, read by libtiff; and what cannot be written.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>

#include "framework/error.hpp"
#include "tests/pipeline_support.hpp"

namespace weir {
namespace {

using namespace pipeline_test;
using test::entries_of;
using test::LibTiff;

/// A raster that changes slowly, with as many samples.
Raster smooth_raster(std::uint64_t height, std::uint64_t width, SampleType type, std::uint32_t samples,
                     std::uint16_t photometric = 1) {
  Raster raster = made_raster(height, width, type, samples);
  raster.info.photometric = photometric;
  std::size_t at = 0;
  for (std::uint64_t row = 0; row < height; ++row)
    for (std::uint64_t col = 0; col < width; ++col)
      for (std::uint32_t sample = 0; sample < samples; ++sample) {
        const std::uint64_t value = 40 + (row + 2 * col) / 5 % 150 + 20 * sample;
        with_sample_type(type, [&](auto like) {
          const auto typed =
              static_cast<decltype(like)>(value / (bytes_of(type) == 1 && is_signed_integer(type) ? 2 : 1));
          std::memcpy(raster.pixels.data() + at, &typed, sizeof typed);
          at += sizeof typed;
        });
      }
  return raster;
}

WriteGeotiffOptions options_of(const std::string& codec) {
  WriteGeotiffOptions options;
  options.codec = codec_spec_named(codec).value();
  options.overwrite = true;
  options.tile_height = options.tile_width = 64;
  return options;
}

unsigned largest_change(const Bytes& a, const Bytes& b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    largest = std::max(largest, std::abs(std::to_integer<int>(a[i]) - std::to_integer<int>(b[i])));
  return static_cast<unsigned>(largest);
}

std::string refusal(const Raster& raster, const WriteGeotiffOptions& options) {
  const TemporaryFolder folder;
  try {
    write_geotiff(source_of(raster, 64, 64), folder / "out.tif", options);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(folder.names().empty());
    return error.what();
  }
  return {};
}

TEST_CASE(
    "exact codecs give files whose pixels are the raster's, in tiles, strips and planes, at odd sizes") {
  const TemporaryFolder folder;
  for (const char* codec : {"lzma", "lerc", "lerc_deflate", "lerc_zstd", "webp"})
    for (const SampleType type : {SampleType::uint8, SampleType::int8, SampleType::uint16, SampleType::int32,
                                  SampleType::float32, SampleType::float64})
      for (const std::uint32_t samples : {1u, 3u, 4u})
        for (const char* layout : {"tiles", "strips", "planes"}) {
          WriteGeotiffOptions options = options_of(codec);
          if (!missing_reason(options.codec.id).empty()) continue;
          const bool is_webp = options.codec.id == CodecId::webp;
          if (is_webp && (type != SampleType::uint8 || samples < 3 || layout == std::string("planes")))
            continue;
          options.codec.lossless = is_webp;
          if (layout == std::string("strips")) options.strip_rows = 50;
          options.planar_separate = layout == std::string("planes");
          CAPTURE(codec);
          CAPTURE(name_of(type));
          CAPTURE(samples);
          CAPTURE(layout);
          const Raster raster = smooth_raster(135, 101, type, samples);
          write_geotiff(source_of(raster, 40, 70), folder / "out.tif", options);
          REQUIRE(pixels_read_back(folder / "out.tif") == raster.pixels);
          if (!options.planar_separate)
            REQUIRE(pixels_by_libtiff(folder / "out.tif", raster.info) == raster.pixels);
        }
}

TEST_CASE("jpeg and webp give files that are near the raster, and libtiff sees the same pixels as we") {
  const TemporaryFolder folder;
  for (const char* codec : {"jpeg", "webp"})
    for (const std::uint32_t samples : {1u, 2u, 3u, 4u})
      for (const std::uint16_t photometric : std::initializer_list<std::uint16_t>{1, 2})
        for (const char* layout : {"tiles", "strips", "planes"}) {
          if (samples < 3 && (photometric == 2 || codec == std::string("webp"))) continue;
          if (codec == std::string("webp") && layout == std::string("planes")) continue;
          WriteGeotiffOptions options = options_of(codec);
          options.codec.quality = 95;
          if (layout == std::string("strips")) options.strip_rows = 32;
          options.planar_separate = layout == std::string("planes");
          CAPTURE(codec);
          CAPTURE(samples);
          CAPTURE(photometric);
          CAPTURE(layout);
          const Raster raster = smooth_raster(135, 101, SampleType::uint8, samples, photometric);
          write_geotiff(source_of(raster, 40, 70), folder / "out.tif", options);
          const Bytes back = pixels_read_back(folder / "out.tif");
          CHECK(largest_change(back, raster.pixels) <= 12);
          CHECK(TiffSource(folder / "out.tif").info().photometric == photometric);
          const bool is_ycbcr = codec == std::string("jpeg") && samples == 3 && photometric == 2 &&
                                layout != std::string("planes");
          CHECK(LibTiff(folder / "out.tif").value<std::uint16_t>(TIFFTAG_PHOTOMETRIC) ==
                (is_ycbcr ? PHOTOMETRIC_YCBCR : photometric));
          if (!is_ycbcr && !options.planar_separate)  // LibTiff gives YCbCr as it is stored
            CHECK(pixels_by_libtiff(folder / "out.tif", raster.info) == back);
        }
}

TEST_CASE("the bytes of a file of a lossy codec do not depend on chunks and threads") {
  const TemporaryFolder folder;
  const Raster raster = smooth_raster(200, 170, SampleType::uint8, 3, 2);
  for (const char* codec : {"jpeg", "webp", "lerc_zstd"}) {
    WriteGeotiffOptions options = options_of(codec);
    if (options.codec.id == CodecId::lerc) options.codec.max_error = 3;
    write_geotiff(source_of(raster, 200, 170), folder / "one.tif", options);
    options.graph.threads = 1;
    options.graph.engine = Engine::serial;
    write_geotiff(source_of(raster, 33, 50), folder / "other.tif", options);
    CHECK(file_bytes(folder / "one.tif") == file_bytes(folder / "other.tif"));
  }
}

TEST_CASE("lossy codecs get the raster's edge repeated beyond it, and exact ones the fill") {
  // A bright raster of one tile, most of which lies outside: filled with 0 the edge would ring.
  const TemporaryFolder folder;
  Raster raster = made_raster(9, 10, SampleType::uint8, 1);
  std::ranges::fill(raster.pixels, std::byte{200});
  for (const char* codec : {"jpeg", "lerc"}) {
    WriteGeotiffOptions options = options_of(codec);
    if (codec == std::string("jpeg")) options.codec.quality = 50;
    write_geotiff(source_of(raster, 64, 64), folder / "out.tif", options);
    CHECK(pixels_read_back(folder / "out.tif") == raster.pixels);
    Bytes tile(64 * 64);
    const LibTiff tiff(folder / "out.tif");
    REQUIRE(TIFFReadEncodedTile(tiff.get(), 0, tile.data(), static_cast<tmsize_t>(tile.size())) == 64 * 64);
    CHECK(std::to_integer<int>(tile.back()) == (codec == std::string("jpeg") ? 200 : 0));
  }
}

TEST_CASE("combinations that do not fit are refused before there is a file") {
  const Raster rgb = smooth_raster(100, 100, SampleType::uint8, 3, 2),
               floats = smooth_raster(100, 100, SampleType::float32, 1);
  WriteGeotiffOptions options = options_of("jpeg");
  CHECK(refusal(rgb, options) == "");
  CHECK(contains(refusal(floats, options), "jpeg for float32 samples: it is for uint8"));
  options.predictor = Predictor::horizontal;
  CHECK(contains(refusal(rgb, options), "predictors go with deflate, zstd, lzw and lzma"));
  options.predictor.reset();
  options.strip_rows = 24;
  CHECK(contains(refusal(rgb, options), "strips of jpeg have a multiple of 16 rows"));
  options.strip_rows = 100;
  CHECK(refusal(rgb, options) == "");
  CHECK(contains(refusal(smooth_raster(100, 100, SampleType::uint8, 5), options), "5 samples per pixel"));
  CHECK(contains(refusal(smooth_raster(100, 100, SampleType::uint8, 1, 3), options),
                 "indices of a colour table"));
  options = options_of("webp");
  options.planar_separate = true;
  CHECK(contains(refusal(rgb, options), "webp for 1 interleaved sample per pixel"));
  options = options_of("lerc");
  CHECK(
      contains(refusal(smooth_raster(100, 100, SampleType::uint64, 1), options), "lerc for uint64 samples"));
  options.codec.max_error = 1;
  CHECK(contains(refusal(smooth_raster(100, 100, SampleType::uint8, 1, 3), options),
                 "indices of a colour table"));
  CHECK(refusal(floats, options) == "");
}

TEST_CASE("a copy of a jpeg file as deflate says nothing of YCbCr and JPEG") {
  const TemporaryFolder folder;
  const Raster rgb = smooth_raster(100, 100, SampleType::uint8, 3, 2);
  write_geotiff(source_of(rgb, 64, 64), folder / "jpeg.tif", options_of("jpeg"));
  write_geotiff(std::make_shared<const TiffSource>(folder / "jpeg.tif"), folder / "copy.tif",
                options_of("deflate"));
  const auto entries = entries_of(file_bytes(folder / "copy.tif"));
  for (const std::uint16_t tag : std::initializer_list<std::uint16_t>{347, 529, 530, 531, 532})
    CHECK_FALSE(entries.contains(tag));
  CHECK(pixels_read_back(folder / "copy.tif") == pixels_read_back(folder / "jpeg.tif"));
  // And again as jpeg, with the tags of its own.
  write_geotiff(std::make_shared<const TiffSource>(folder / "copy.tif"), folder / "again.tif",
                options_of("jpeg"));
  CHECK(entries_of(file_bytes(folder / "again.tif")).contains(532));
}

}  // namespace
}  // namespace weir
