#include "nodes/raster/convert_source.hpp"

#include <fmt/format.h>

#include <cmath>

#include "nodes/raster/function_source.hpp"
#include "nodes/raster/half.hpp"
#include "nodes/raster/source_view.hpp"
#include "pipelines/read_geotiff.hpp"
#include "pipelines/write_rows.hpp"
#include "tests/dotted_mask_source.hpp"
#include "tests/pipeline_support.hpp"

// Values cast, scaled and offset on their way, into the caller's memory and into files.

namespace weir::pipeline_test {
namespace {

template <class Sample>
Sample sample_at(const Bytes& pixels, std::size_t index) {
  Sample sample;
  std::memcpy(&sample, pixels.data() + index * sizeof(Sample), sizeof(Sample));
  return sample;
}

Bytes read_as(const std::shared_ptr<const ChunkSource>& source, const ReadOptions& options,
              RunReport* report = nullptr) {
  const RasterInfo info = view_of(source, {{}, {}, options.samples, options.convert})->info();
  Bytes pixels(info.height * info.width * info.pixel_bytes(), std::byte{0xEE});
  const RunReport done = read_region(
      source, {0, 0, info.height, info.width},
      {pixels.data(), interleaved_strides(info.width, info.samples, bytes_of(info.type))}, options);
  if (report != nullptr) *report = done;
  return pixels;
}

std::shared_ptr<const ChunkSource> floats(std::uint64_t height, std::uint64_t width,
                                          std::optional<std::string> nodata, float special) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.type = SampleType::float32;
  info.nodata = std::move(nodata);
  return std::make_shared<const FunctionSource>(
      info, 16, 16, each_sample(info, [=](std::uint64_t row, std::uint64_t col, std::uint32_t) {
        return row == 20 && col == 30 ? special : static_cast<float>(row) + static_cast<float>(col) / 4;
      }));
}

TEST_CASE(
    "every type is read as every other, from arrays and planes, in the smallest memory, into any strides") {
  const TemporaryFolder folder;
  for (const SampleType from : arithmetic_sample_types) {
    const Raster raster = made_raster(50, 70, from, 2);
    WriteGeotiffOptions write;
    write.planar_separate = true;
    write.overwrite = true;
    write.tile_height = write.tile_width = 16;
    write_geotiff(source_of(raster, 32, 32), folder / "planar.tif", write);
    for (const auto& source :
         {source_of(raster, 32, 20),
          std::shared_ptr<const ChunkSource>(std::make_shared<const TiffSource>(folder / "planar.tif"))})
      for (const SampleType to : arithmetic_sample_types) {
        CAPTURE(name_of(from));
        CAPTURE(name_of(to));
        ReadOptions options;
        options.convert.type = to;
        options.convert.scale = from == to ? 0.5 : 1;
        options.samples = {1, 0};
        options.graph = {.memory = 1, .threads = 1, .engine = Engine::serial};
        options.graph.memory = smallest_named(reason_of([&] { read_as(source, options); }, ErrorKind::usage));
        RunReport report;
        const Bytes found = read_as(source, options, &report);
        CHECK(report.peak_payload <= options.graph.memory);
        std::size_t wrong = 0;
        with_sample_type(from, [&](auto from_zero) {
          using In = decltype(from_zero);
          with_sample_type(to, [&](auto to_zero) {
            using Out = decltype(to_zero);
            for (std::size_t i = 0; i < 50 * 70 * 2; ++i) {
              const auto value = static_cast<long double>(sample_at<In>(raster.pixels, i ^ 1)) *
                                 static_cast<long double>(options.convert.scale);
              long double right = value;
              if constexpr (!std::is_floating_point_v<Out>)
                right = std::clamp(std::nearbyint(value),
                                   static_cast<long double>(std::numeric_limits<Out>::min()),
                                   static_cast<long double>(std::numeric_limits<Out>::max()));
              wrong += sample_at<Out>(found, i) != static_cast<Out>(right);
            }
          });
        });
        CHECK(wrong == 0);
        // Two planes with a gap behind each row, and nothing beside the pixels touched.
        const std::size_t size = bytes_of(to), row = 70 * size + 5, plane = 50 * row;
        Bytes planes(2 * plane, std::byte{0xEE});
        read_region(source, {0, 0, 50, 70}, {planes.data(), {row, size, plane}}, options);
        Bytes expected(2 * plane, std::byte{0xEE});
        for (std::size_t i = 0; i < 50 * 70 * 2; ++i)
          std::memcpy(&expected[i % 2 * plane + i / 140 * row + i % 140 / 2 * size], &found[i * size], size);
        CHECK(planes == expected);
      }
  }
}

TEST_CASE("types of one size are cast in place, others into a block of their own; masks come along") {
  const Raster raster = made_raster(40, 30, SampleType::int32, 3);
  const auto whole = std::make_shared<const DottedMaskSource>(source_of(raster, 16, 16));
  for (const SampleType to : {SampleType::float32, SampleType::uint8, SampleType::float64,
                              SampleType::complex_int16, SampleType::complex64}) {
    ConvertOptions options;
    options.type = to;
    const ConvertSource source(whole, options);
    CHECK(source.excess_bytes() ==
          whole->excess_bytes() + (bytes_of(to) == 4 ? 0 : BufferPool::charge(16 * 16 * 13)));
    const Block block = source.decode({2, 1}, {}, nullptr, {});
    CHECK(block.type == to);
    CHECK(block.data.size() == 8 * 14 * (3 * bytes_of(to) + 1));
    REQUIRE(block.has_mask());
    std::size_t wrong = 0;
    for (std::uint64_t row = 0; row < 8; ++row)
      for (std::uint64_t col = 0; col < 14; ++col) {
        wrong += *block.mask_at(row, col) != DottedMaskSource::mask(32 + row, 16 + col);
        const auto value = sample_at<std::int32_t>(raster.pixels, ((32 + row) * 30 + 16 + col) * 3 + 2);
        float as_float = 0;
        if (to == SampleType::float32 || to == SampleType::complex64) {
          std::memcpy(&as_float, block.at(row, col, 2), 4);
          wrong += as_float != static_cast<float>(value);
        }
      }
    CHECK(wrong == 0);
  }
}

TEST_CASE(
    "a file of converted values has the type, the nodata value and the pixels, in the smallest memory") {
  const TemporaryFolder folder;
  const auto source = floats(60, 80, "-9999", -9999);
  ConvertOptions options;
  options.type = SampleType::int16;
  options.scale = 10;
  options.offset = -3;
  options.nodata = "-32768";
  const auto scaled = std::make_shared<const ConvertSource>(source, options);
  WriteGeotiffOptions write;
  write.overwrite = true;
  write.tile_height = write.tile_width = 32;
  Bytes first;
  for (const auto& [engine, threads] : {std::pair(Engine::serial, 1U), std::pair(Engine::onetbb, 2U)}) {
    write.graph = {.threads = threads, .engine = engine};
    write.graph.memory = smallest_budget(scaled, write);
    const RunReport report = write_geotiff(scaled, folder / "out.tif", write);
    CHECK(report.peak_payload <= write.graph.memory);
    const Bytes file = file_bytes(folder / "out.tif");
    if (first.empty()) first = file;
    CHECK(file == first);
  }
  const TiffSource out(folder / "out.tif");
  CHECK(out.info().type == SampleType::int16);
  CHECK(out.info().nodata == "-32768");
  const Bytes pixels = pixels_read_back(folder / "out.tif");
  std::size_t wrong = 0;
  for (std::size_t row = 0; row < 60; ++row)
    for (std::size_t col = 0; col < 80; ++col) {
      const double value = (static_cast<double>(row) + static_cast<double>(col) / 4) * 10 - 3;
      const auto right = static_cast<std::int16_t>(row == 20 && col == 30 ? -32768 : std::nearbyint(value));
      wrong += sample_at<std::int16_t>(pixels, row * 80 + col) != right;
    }
  CHECK(wrong == 0);
}

TEST_CASE("NaN that an integer type has no nodata value for fails the run, and the chunk is named") {
  const auto source = floats(60, 80, {}, std::numeric_limits<float>::quiet_NaN());
  ReadOptions options;
  options.convert.type = SampleType::uint16;
  const std::string reason = reason_of([&] { read_as(source, options); }, ErrorKind::failed);
  CHECK(contains(reason, "chunk (1, 1)"));
  CHECK(contains(reason, "NaN in row 20 to uint16"));
  options.convert.nodata = "65535";
  CHECK(sample_at<std::uint16_t>(read_as(source, options), 20 * 80 + 30) == 65535);
  options.convert.type = SampleType::float64;
  options.convert.nodata.reset();
  CHECK(std::isnan(sample_at<double>(read_as(source, options), 20 * 80 + 30)));
}

TEST_CASE("a nodata value that the type has not is refused, or replaced by the one that is given") {
  ReadOptions options;
  const auto source = floats(30, 40, "-9999", -9999);
  options.convert.type = SampleType::uint8;
  CHECK(contains(reason_of([&] { read_as(source, options); }, ErrorKind::usage),
                 "uint8 has no such value; give another"));
  options.convert.nodata = "300";
  CHECK(contains(reason_of([&] { read_as(source, options); }, ErrorKind::usage), "uint8 has no such value"));
  options.convert.nodata = "255";
  CHECK(sample_at<std::uint8_t>(read_as(source, options), 20 * 40 + 30) == 255);
  // A half has no 9999: the text would name a value that no pixel has.
  options.convert.type = SampleType::float16;
  options.convert.nodata.reset();
  CHECK(view_of(source, {{}, {}, {}, options.convert})->info().nodata == "nan");
  CHECK((sample_at<std::uint16_t>(read_as(source, options), 20 * 40 + 30) & 0x7fff) > half_infinity);
  // The same type with another nodata value: pixels without data get it.
  options.convert.type.reset();
  options.convert.nodata = "-1";
  CHECK(sample_at<float>(read_as(source, options), 20 * 40 + 30) == -1);
  CHECK(sample_at<float>(read_as(source, options), 0) == 0);
}

TEST_CASE("unscale applies what the metadata says of each sample, and drops it") {
  Raster raster = made_raster(40, 50, SampleType::uint8, 3);
  raster.info.metadata = {{"OFFSET", "-10", 0, "offset", ""},  {"SCALE", "0.5", 0, "scale", ""},
                          {"SCALE", "2", 2, "scale", ""},      {"UNITTYPE", "m", 0, "unittype", ""},
                          {"STATISTICS_MEAN", "7", 0, "", ""}, {"AREA", "here", {}, "", ""}};
  const auto source = source_of(raster, 16, 16);
  ReadOptions options;
  options.convert.unscale = true;
  const RasterInfo info = view_of(source, {{}, {}, {}, options.convert})->info();
  CHECK(info.type == SampleType::float32);
  REQUIRE(info.metadata.size() == 2);
  CHECK(info.metadata[0].name == "UNITTYPE");
  CHECK(info.metadata[1].name == "AREA");
  const Bytes found = read_as(source, options);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < 40 * 50 * 3; ++i) {
    const auto value = static_cast<float>(sample_at<std::uint8_t>(raster.pixels, i));
    wrong += sample_at<float>(found, i) != (i % 3 == 0 ? value / 2 - 10 : i % 3 == 2 ? value * 2 : value);
  }
  CHECK(wrong == 0);
  // Of chosen samples, with the type that was asked for.
  options.samples = {2};
  options.convert.type = SampleType::uint16;
  CHECK(sample_at<std::uint16_t>(read_as(source, options), 7) ==
        2 * sample_at<std::uint8_t>(raster.pixels, 7 * 3 + 2));
  options.convert.scale = 3;
  CHECK(contains(reason_of([&] { read_as(source, options); }, ErrorKind::usage), "numbers of its own"));
  options.convert = {};
  options.convert.scale = 3;
  const auto scaled = view_of(source, {{}, {}, {}, options.convert});
  CHECK(scaled->info().type == SampleType::uint8);
  CHECK(scaled->info().metadata.size() == 1);  // scale, offset and unit were of the old values
  raster.info.metadata[1].text = "half";
  options.samples.clear();
  options.convert = {};
  options.convert.unscale = true;
  CHECK(contains(reason_of([&] { read_as(source_of(raster, 16, 16), options); }, ErrorKind::usage),
                 "'half' is not a finite number"));
}

TEST_CASE("where there is nothing to convert blocks pass as they are") {
  const Raster raster = made_raster(40, 50, SampleType::int16);
  const auto source = source_of(raster, 16, 16);
  ConvertOptions options;
  CHECK(view_of(source, {{}, {}, {}, options}) == source);
  options.type = SampleType::int16;
  options.unscale = true;
  const ConvertSource same(source, options);
  CHECK(same.excess_bytes() == 0);
  CHECK(same.block_bytes() == source->block_bytes());
  CHECK(same.info().type == SampleType::int16);
}

TEST_CASE("scales that are not finite, and scales of complex numbers, are refused") {
  const Raster raster = made_raster(10, 10);
  const auto source = source_of(raster, 16, 16);
  ReadOptions options;
  options.convert.scale = std::numeric_limits<double>::infinity();
  CHECK(contains(reason_of([&] { read_as(source, options); }, ErrorKind::usage), "not finite"));
  ConvertOptions to_complex;
  to_complex.type = SampleType::complex64;
  const auto complex = std::make_shared<const ConvertSource>(source, to_complex);
  options.convert.scale = 2;
  CHECK(contains(reason_of([&] { read_as(complex, options); }, ErrorKind::usage), "for real numbers"));
  options.convert = {};
  options.convert.type = SampleType::float32;
  CHECK(contains(reason_of([&] { read_as(complex, options); }, ErrorKind::usage), "no one real value"));
}

TEST_CASE("a colour table stays with the values it is of") {
  RasterInfo info;
  info.height = info.width = 8;
  info.photometric = 3;
  info.tags = {test::tag_of(320, TiffType::short16, std::vector<std::uint16_t>(768, 5))};
  const auto source = std::make_shared<const FunctionSource>(info, 8, 8, [](const Window&, std::byte*) {});
  ConvertOptions options;
  options.type = SampleType::uint16;
  CHECK(ConvertSource(source, options).info().photometric == 3);
  CHECK(ConvertSource(source, options).info().tags.size() == 1);
  options.scale = 2;
  CHECK(ConvertSource(source, options).info().photometric == 1);
  CHECK(ConvertSource(source, options).info().tags.empty());
}

TEST_CASE("halves of a file stay bit for bit where float16 is asked for") {
  const std::string path = WEIR_TEST_DATA "/random-fp16.tiff";
  TiffReadOptions keep;
  keep.keep_half = true;
  const auto halves = std::make_shared<const TiffSource>(path, keep);
  const RasterInfo& info = halves->info();
  REQUIRE(info.type == SampleType::float16);
  const Bytes right = read_as(halves, {});
  ReadOptions options;
  options.convert.type = SampleType::float16;
  Bytes found(right.size());
  read_geotiff(path, {0, 0, info.height, info.width},
               {found.data(), interleaved_strides(info.width, info.samples, 2)}, options);
  CHECK(found == right);
  options.convert.type = SampleType::float64;
  Bytes doubles(4 * right.size());
  read_geotiff(path, {0, 0, info.height, info.width},
               {doubles.data(), interleaved_strides(info.width, info.samples, 8)}, options);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < right.size() / 2; ++i)
    wrong += sample_at<double>(doubles, i) !=
             static_cast<double>(float_from_half(sample_at<std::uint16_t>(right, i)));
  CHECK(wrong == 0);
}

}  // namespace
}  // namespace weir::pipeline_test
