#include <tiffio.h>

#include <array>
#include <cstring>

#include "nodes/raster/cut_tile.hpp"
#include "nodes/raster/half.hpp"
#include "tests/pipeline_support.hpp"

// Half-precision and complex samples through a whole write: no kernel computes with them, so they are only carried.

namespace weir::pipeline_test {
namespace {

constexpr SampleType carried[] = {SampleType::float16, SampleType::complex_int16, SampleType::complex_int32,
                                  SampleType::complex64, SampleType::complex128};

/// Complex ones are made of twice as many real ones.
Raster made_carried(std::uint64_t height, std::uint64_t width, SampleType type, std::uint32_t samples) {
  if (is_complex(type)) {
    Raster raster = made_raster(height, width, component_of(type), 2 * samples);
    raster.info.type = type;
    raster.info.samples = samples;
    return raster;
  }
  const Raster floats = made_raster(height, width, SampleType::float32, samples);
  Raster raster = floats;
  raster.info.type = type;
  raster.pixels.resize(floats.pixels.size() / 2);
  for (std::size_t i = 0; i < raster.pixels.size() / 2; ++i) {
    float number = 0;
    std::memcpy(&number, &floats.pixels[4 * i], 4);
    const std::uint16_t half = half_from_float(number);
    std::memcpy(&raster.pixels[2 * i], &half, 2);
  }
  return raster;
}

Bytes read_as_stored(const std::string& path) {
  TiffReadOptions keeping;
  keeping.keep_half = true;
  const auto source = std::make_shared<const TiffSource>(path, keeping);
  const RasterInfo& info = source->info();
  Bytes pixels(info.height * info.width * info.pixel_bytes());
  read_region(source, {0, 0, info.height, info.width},
              {pixels.data(), interleaved_strides(info.width, info.samples, bytes_of(info.type))});
  return pixels;
}

/// The first value of a nodata text in the raster's type, as fill_for is documented: no imaginary part.
Bytes fill_of(SampleType type, double value) {
  Bytes fill(bytes_of(type));
  if (type == SampleType::float16) {
    const std::uint16_t half = half_from_float(static_cast<float>(value));
    std::memcpy(fill.data(), &half, 2);
  } else {
    with_sample_type(component_of(type), [&](auto zero) {
      const auto number = static_cast<decltype(zero)>(value);
      std::memcpy(fill.data(), &number, sizeof number);
    });
  }
  return fill;
}

}  // namespace

TEST_CASE("half and complex samples are written and read back bit for bit, in every layout and codec") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  int files = 0;
  for (const SampleType type : carried)
    for (const CodecId codec :
         {CodecId::none, CodecId::deflate, CodecId::zstd, CodecId::lzw, CodecId::packbits})
      for (const bool is_tiled : {true, false})
        for (const std::uint32_t samples : {1U, 3U})
          for (const bool is_planar : {false, true}) {
            if (is_planar && samples == 1) continue;
            const Raster raster = made_carried(130, 107, type, samples);
            WriteGeotiffOptions options;
            options.codec.id = codec;
            options.tile_height = 32;
            options.tile_width = 48;
            if (!is_tiled) options.strip_rows = 19;
            options.planar_separate = is_planar;
            options.overwrite = true;
            CAPTURE(name_of(type));
            CAPTURE(name_of(codec));
            CAPTURE(is_tiled);
            CAPTURE(is_planar);
            write_geotiff(source_of(raster, 50, 60), path, options);
            CHECK(read_as_stored(path) == raster.pixels);
            CHECK(pixels_by_libtiff(path, raster.info) == raster.pixels);
            const TiffSource source(path, {.keep_half = true});
            CHECK(source.info().type == type);
            const bool gains = codec != CodecId::none && codec != CodecId::packbits && !is_complex(type);
            CHECK(source.layout().predictor == (gains ? Predictor::floating_point : Predictor::none));
            ++files;
          }
  CHECK(files == 5 * 5 * 2 * 3);
}

TEST_CASE("half samples take predictor 2 as well, and complex ones none") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  WriteGeotiffOptions options;
  options.predictor = Predictor::horizontal;
  const Raster halves = made_carried(70, 50, SampleType::float16, 2);
  write_geotiff(source_of(halves, 50, 60), path, options);
  CHECK(read_as_stored(path) == halves.pixels);
  CHECK(pixels_by_libtiff(path, halves.info) == halves.pixels);
  const Raster complex = made_carried(70, 50, SampleType::complex64, 1);
  CHECK(contains(reason_of([&] { write_geotiff(source_of(complex, 50, 60), folder / "no.tif", options); },
                           ErrorKind::usage),
                 "predictors are for real numbers"));
}

TEST_CASE(
    "what lies outside of the raster is nodata in half and complex samples, and NaN becomes it in halves") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  for (const SampleType type : carried) {
    Raster raster = made_carried(20, 21, type, 1);
    if (type == SampleType::float16) {
      constexpr std::uint16_t nan = 0x7e01;
      std::memcpy(&raster.pixels[2 * 33], &nan, 2);
    }
    WriteGeotiffOptions options;
    options.codec.id = CodecId::none;
    options.tile_height = options.tile_width = 32;
    options.nodata = "-99";
    options.overwrite = true;
    CAPTURE(name_of(type));
    write_geotiff(source_of(raster, 50, 60), path, options);
    const std::size_t size = bytes_of(type);
    const Bytes fill = fill_of(type, -99);
    Bytes expected(32 * 32 * size);
    for (std::size_t r = 0; r < 32; ++r)
      for (std::size_t c = 0; c < 32; ++c)
        std::memcpy(&expected[(r * 32 + c) * size],
                    r < 20 && c < 21 ? &raster.pixels[(r * 21 + c) * size] : fill.data(), size);
    if (type == SampleType::float16) std::memcpy(&expected[(32 + 12) * 2], fill.data(), 2);
    const test::LibTiff tiff(path);
    Bytes tile(expected.size());
    CHECK(TIFFReadEncodedTile(tiff.get(), 0, tile.data(), static_cast<tmsize_t>(tile.size())) ==
          static_cast<tmsize_t>(tile.size()));
    CHECK(tile == expected);
  }
}

TEST_CASE("a palette of four bits is written with as many colours as eight bits have") {
  const TemporaryFolder folder;
  const std::string path = folder / "out.tif";
  const std::string in = std::string(WEIR_TEST_DATA "/") + "palette-1c-4b.tiff";
  const auto source = std::make_shared<const TiffSource>(in);
  write_geotiff(source, path);
  const TiffSource copy(path);
  CHECK(copy.info().photometric == PHOTOMETRIC_PALETTE);
  CHECK(pixels_read_back(path) == pixels_read_back(in));
  const auto map_of = [](const TiffSource& of) {
    const auto map = std::ranges::find(of.info().tags, TIFFTAG_COLORMAP, &RawTag::id);
    REQUIRE(map != of.info().tags.end());
    std::vector<std::uint16_t> values(map->count);
    std::memcpy(values.data(), map->bytes.data(), map->bytes.size());
    return values;
  };
  const std::vector<std::uint16_t> before = map_of(*source), after = map_of(copy);
  REQUIRE(before.size() == 3 * 16);
  REQUIRE(after.size() == 3 * 256);
  for (std::size_t channel = 0; channel < 3; ++channel)
    for (std::size_t color = 0; color < 16; ++color)
      CHECK(after[channel * 256 + color] == before[channel * 16 + color]);
}

}  // namespace weir::pipeline_test
