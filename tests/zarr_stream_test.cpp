// Rasters into arrays: pipelines/write_zarr_raster.hpp.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "nodes/raster/geo_transform.hpp"
#include "nodes/raster/metadata.hpp"
#include "nodes/stores/counting_store.hpp"
#include "nodes/stores/folder_store.hpp"
#include "nodes/stores/memory_store.hpp"
#include "nodes/tiff/open_tiff.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "pipelines/write_cog.hpp"
#include "pipelines/write_zarr_raster.hpp"
#include "tests/zarr_raster_support.hpp"

namespace weir::pipeline_test {
namespace {

/// The elements of an array in the order of pixels: interleaved.
Bytes pixels_of(const ZarrArrayMetadata& array, const Bytes& elements, const RasterInfo& info) {
  if (array.rank() == 2 || array.shape.back() == info.samples) return elements;
  const std::size_t bytes = bytes_of(info.type);
  const std::uint64_t plane = info.height * info.width;
  Bytes pixels(elements.size());
  for (std::uint64_t i = 0; i < plane; ++i)
    for (std::uint32_t sample = 0; sample < info.samples; ++sample)
      std::memcpy(pixels.data() + (i * info.samples + sample) * bytes,
                  elements.data() + (sample * plane + i) * bytes, bytes);
  return pixels;
}

std::uint64_t smallest_memory(const std::shared_ptr<const ChunkSource>& source,
                              WriteZarrRasterOptions options) {
  options.graph.memory = 1;
  options.spool = "none";
  try {
    const ZarrRasterWrite write(source, std::make_shared<MemoryStore>(), "", options);
  } catch (const Error& error) {
    const std::string reason = error.reason();
    REQUIRE(contains(reason, "the smallest that works is"));
    return std::strtoull(reason.c_str() + reason.rfind('(') + 1, nullptr, 10);
  }
  FAIL("a budget of one byte was accepted");
  return 0;
}

TEST_CASE(
    "any raster comes back pixel for pixel, whatever chunks, shards, codecs, formats, threads and budgets") {
  std::mt19937 random(11);
  const auto up_to = [&](std::uint64_t most) { return 1 + random() % most; };
  for (int round = 0; round < 160; ++round) {
    CAPTURE(round);
    const SampleType type = arithmetic_sample_types[random() % std::size(arithmetic_sample_types)];
    Raster raster =
        made_raster(up_to(90), up_to(90), type, static_cast<std::uint32_t>(random() % 3 == 0 ? up_to(4) : 1));
    if (random() % 2 == 0) raster.info.nodata = "7";
    // Chunks of nothing but fill.
    const auto fill = fill_for(raster.info);
    for (std::uint64_t i = 0; i < raster.pixels.size() / 3; i += bytes_of(type))
      std::memcpy(raster.pixels.data() + i, fill.sample.data(), bytes_of(type));
    WriteZarrRasterOptions options;
    options.format = random() % 3 == 0 ? 2 : 3;
    options.chunk_height = up_to(40);
    options.chunk_width = up_to(40);
    if (options.format == 3 && random() % 2 == 0) {
      options.shard_height = *options.chunk_height * up_to(4);
      options.shard_width = *options.chunk_width * up_to(4);
    }
    options.interleaved = random() % 2 == 0;
    const char* compressors[] = {"none", "zstd", "gzip"};
    options.compressor = compressors[random() % 3];
    options.stores_empty_chunks = random() % 3 == 0;
    options.graph.threads = static_cast<unsigned>(up_to(4));
    options.graph.tokens = static_cast<unsigned>(random() % 4);
    const auto watched = std::make_shared<const WatchedSource>(source_of(raster, up_to(50), up_to(50)));
    const bool is_tight = random() % 2 == 0;
    if (is_tight) options.graph.memory = smallest_memory(watched, options);
    const auto store = std::make_shared<MemoryStore>();
    ZarrRasterWrite write(watched, store, "a/b", options);
    const RunReport report = write.run();
    REQUIRE(report.peak_payload <= report.memory_limit);
    if (!is_tight) REQUIRE(watched->total() == watched->grid().count());
    const auto array = open_zarr(std::shared_ptr<const Store>(store), "a/b");
    const bool is_right = pixels_of(array->metadata(), batched::read(*store, "a/b/", array->metadata()),
                                    raster.info) == raster.pixels;
    REQUIRE(is_right);
    const auto source = std::make_shared<const ZarrSource>(array);
    REQUIRE(source->info().nodata == raster.info.nodata);
    REQUIRE(read_back(source, options.graph.memory > 0 ? GraphOptions{} : options.graph) == raster.pixels);
  }
}

TEST_CASE("stored bytes are the same for any threads, tokens, budget and chunks of the source") {
  const Raster raster = made_raster(300, 500, SampleType::uint16, 2);
  for (const bool has_shards : {false, true}) {
    WriteZarrRasterOptions options;
    options.chunk_height = options.chunk_width = 16;
    if (has_shards) options.shard_height = options.shard_width = 128;
    Objects first;
    for (const unsigned threads : {1u, 2u, 8u})
      for (const bool is_tight : {false, true}) {
        const auto source = source_of(raster, is_tight ? 37 : 300, is_tight ? 53 : 500);
        options.graph.threads = threads;
        options.graph.memory = is_tight ? smallest_memory(source, options) : 0;
        const auto store = std::make_shared<MemoryStore>();
        ZarrRasterWrite(source, store, "", options).run();
        if (first.empty()) first = objects_of(*store);
        CHECK(objects_of(*store) == first);
      }
    CHECK(first.size() == (has_shards ? 1 + 2 * 3 * 4 : 1 + 2 * 19 * 32));
  }
}

TEST_CASE(
    "a shard is read with one request, parts of it with one for its index and one for each group of chunks") {
  const Raster raster = made_raster(512, 512);
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 32;
  options.shard_height = options.shard_width = 256;
  const auto store = std::make_shared<MemoryStore>();
  ZarrRasterWrite(source_of(raster, 100, 100), store, "", options).run();
  const auto counted = std::make_shared<const CountingStore>(store);
  const auto count = [&](const ZarrRasterOptions& how, const Window& window) {
    const auto source =
        std::make_shared<const ZarrSource>(open_zarr(std::shared_ptr<const Store>(counted), ""), how);
    counted->take();
    Bytes pixels(window.height * window.width * 2);
    read_region(source, window, {pixels.data(), interleaved_strides(window.width, 1, 2)});
    CHECK(pixels == slice(raster, window).pixels);
    return counted->take();
  };
  const StoreCount whole = count({}, {0, 0, 512, 512});
  CHECK(whole.get == 4);
  CHECK(whole.read_requests() == 4);
  ZarrRasterOptions rows;
  rows.chunk_height = 32;
  rows.chunk_width = 256;
  const StoreCount grouped = count(rows, {0, 0, 512, 512});
  CHECK(grouped.get_end == 4);
  CHECK(grouped.ranges == 4 * 8);
  CHECK(grouped.read_requests() == 4 + 4 * 8);
  // Groups do not grow beyond what a window touches.
  const Window small{40, 70, 20, 20};
  ZarrRasterOptions part;
  part.part = [small](const RasterInfo&) { return small; };
  const StoreCount few = count(part, small);
  CHECK(few.read_requests() == 2);
  CHECK(few.bytes_read < 64 * 16 + 4 + 32 * 32 * 2 + 100);
}

TEST_CASE("a shard may be larger than the memory, and a whole row of them is open at once") {
  const Raster raster = made_raster(2048, 2048, SampleType::uint16);
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 64;
  options.shard_height = options.shard_width = 1024;
  options.compressor = "none";
  options.graph.memory = 2 << 20;  // a shard's pixels alone; the array has four times as much
  const auto store = std::make_shared<MemoryStore>();
  const auto source = source_of(raster, 64, 64);
  const RunReport report = ZarrRasterWrite(source, store, "", options).run();
  CHECK(report.peak_payload <= options.graph.memory);
  CHECK(report.source_reads == source->grid().count());
  const auto array = open_zarr(std::shared_ptr<const Store>(store), "");
  const bool is_right = batched::read(*store, "", array->metadata()) == raster.pixels;
  CHECK(is_right);
}

TEST_CASE(
    "what an array says of a raster comes back: place, nodata, names, scales and tags, in both formats") {
  for (const char* name : {"geo-5b.tif", "geomatrix.tif", "L7_ETMs.tif", "int16_zstd.tif"})
    for (const int format : {2, 3}) {
      CAPTURE(name);
      CAPTURE(format);
      const auto source = open_tiff(fmt::format("{}/{}", WEIR_TEST_DATA, name));
      WriteZarrRasterOptions options;
      options.format = format;
      options.metadata = {{"DESCRIPTION", "near infrared", 0, "description"}, {"SCALE", "0.1", 0, "scale"}};
      const auto store = std::make_shared<MemoryStore>();
      ZarrRasterWrite(source, store, "", options).run();
      const ZarrSource back(open_zarr(std::shared_ptr<const Store>(store), ""));
      const RasterInfo &a = source->info(), &b = back.info();
      CHECK(a.nodata == b.nodata);
      CHECK(a.georeferencing.pixel_scale == b.georeferencing.pixel_scale);
      CHECK(a.georeferencing.tiepoints == b.georeferencing.tiepoints);
      CHECK(a.georeferencing.transformation == b.georeferencing.transformation);
      CHECK(a.georeferencing.key_directory == b.georeferencing.key_directory);
      CHECK(a.georeferencing.key_doubles == b.georeferencing.key_doubles);
      CHECK(a.georeferencing.key_ascii == b.georeferencing.key_ascii);
      CHECK(a.photometric == b.photometric);
      CHECK(a.extra_samples == b.extra_samples);
      CHECK(with_items(a.metadata, options.metadata) == b.metadata);
      CHECK(a.tags.size() == b.tags.size());
      CHECK(back.notes().empty());
    }
}

/// All levels, one after the other, in their pixels.
std::vector<Bytes> levels_of(std::size_t count,
                             const std::function<std::shared_ptr<const ChunkSource>(unsigned)>& open) {
  std::vector<Bytes> levels;
  for (unsigned level = 0; level < count; ++level) levels.push_back(read_back(open(level)));
  return levels;
}

TEST_CASE(
    "a pyramid has the levels that a COG of the raster has, in one pass, sharded or not, in little memory") {
  Raster raster = made_raster(300, 500, SampleType::int16, 3);
  raster.info.nodata = "7";
  for (std::uint64_t i = 0; i < 60'000; i += 6)
    raster.pixels[i] = std::byte{7}, raster.pixels[i + 1] = std::byte{0};
  const TemporaryFolder folder;
  for (const Resampling resampling : {Resampling::average, Resampling::cubic}) {
    WriteCogOptions cog;
    cog.tile_height = cog.tile_width = 64;
    cog.resampling = resampling;
    cog.resampling_is_given = cog.overwrite = true;
    write_cog(source_of(raster, 100, 90), folder / "a.tif", cog);
    const auto wanted = levels_of(4, [&](unsigned level) {
      TiffOpenOptions open;
      open.overview = level;
      return open_tiff(folder / "a.tif", open);
    });
    for (const bool has_shards : {false, true}) {
      WriteZarrRasterOptions options;
      options.chunk_height = options.chunk_width = 64;
      if (has_shards) options.shard_height = options.shard_width = 128;
      options.interleaved = options.overwrite = true;
      options.pyramid = OverviewOptions{resampling, true};
      const auto watched = std::make_shared<const WatchedSource>(source_of(raster, 100, 90));
      write_zarr_raster(watched, folder / "a.zarr", options);
      CHECK(watched->total() == watched->grid().count());
      ZarrRasterOpenOptions open;
      const auto seen = levels_of(4, [&](unsigned level) {
        open.overview = level;
        return open_zarr_raster(folder / "a.zarr", open);
      });
      const bool is_same = seen == wanted;
      CHECK(is_same);
      open.overview = 4;
      CHECK(contains(reason_of([&] { open_zarr_raster(folder / "a.zarr", open); }, ErrorKind::usage),
                     "it has 3 overviews, and number 4 is wanted"));
      const Objects first = objects_of(FolderStore(folder / "a.zarr"));
      options.graph.threads = 3;
      options.graph.memory = smallest_memory(source_of(raster, 20, 30), options);
      const auto store = std::make_shared<MemoryStore>();
      const RunReport report = ZarrRasterWrite(source_of(raster, 20, 30), store, "", options).run();
      CHECK(report.peak_payload <= options.graph.memory);
      const bool has_same_bytes = objects_of(*store) == first;
      CHECK(has_same_bytes);
    }
  }
}

TEST_CASE("a level of a pyramid lies where the full raster does, whatever place that was given") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(100, 200);
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 32;
  options.pyramid = OverviewOptions{};
  GeoTransform place;  // in pixels of the full raster: 0.1 x 0.2 each
  place.x_origin = 10, place.x_per_col = 0.1, place.y_origin = 40, place.y_per_row = -0.2;
  options.georeferencing.transform = place;
  options.metadata = {{"A", "b"}};
  write_zarr_raster(source_of(raster, 64, 64), folder / "a.zarr", options);
  for (unsigned level = 0; level < 3; ++level) {
    ZarrRasterOpenOptions open;
    open.overview = level;
    const RasterInfo info = open_zarr_raster(folder / "a.zarr", open)->info();
    const auto transform = geo_transform_of(info.georeferencing);
    REQUIRE(transform);
    const Bounds box = bounds_of(*transform, info.height, info.width);
    CHECK(box.min_x == doctest::Approx(10));
    CHECK(box.max_x == doctest::Approx(30));
    CHECK(box.min_y == doctest::Approx(20));
    CHECK(info.metadata.size() == (level == 0 ? 1 : 0));
  }
}

TEST_CASE("NaN stays NaN and -0.0 is no fill, unless another nodata value is asked for") {
  Raster raster = made_raster(8, 8, SampleType::float32);
  std::vector<float> values(64, -0.0f);
  values[40] = std::nanf("5");
  std::memcpy(raster.pixels.data(), values.data(), raster.pixels.size());
  const auto pixels = [&](const WriteZarrRasterOptions& options) {
    const auto store = std::make_shared<MemoryStore>();
    ZarrRasterWrite(source_of(raster, 8, 8), store, "", options).run();
    return batched::read(*store, "", open_zarr(std::shared_ptr<const Store>(store), "")->metadata());
  };
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 4;
  CHECK(pixels(options) == raster.pixels);
  raster.info.nodata = "-9999";
  CHECK(pixels(options) == raster.pixels);
  options.nodata = "-1";
  values[40] = -1;
  Bytes wanted(raster.pixels.size());
  std::memcpy(wanted.data(), values.data(), wanted.size());
  CHECK(pixels(options) == wanted);
}

TEST_CASE("the one raster of a group is found beside arrays that are not read") {
  const TemporaryFolder folder;
  const Raster raster = made_raster(10, 12);
  write_zarr_raster(source_of(raster, 64, 64), folder / "a.zarr/x/one");
  std::filesystem::create_directory(folder / "a.zarr/x/names");
  std::ofstream(folder / "a.zarr/x/names/zarr.json")
      << R"({"zarr_format": 3, "node_type": "array", "shape": [2], "data_type": "string", "fill_value": "",
             "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2]}},
             "chunk_key_encoding": {"name": "default"}, "codecs": [{"name": "vlen-utf8"}]})";
  CHECK(read_back(open_zarr_raster(folder / "a.zarr/x")) == raster.pixels);
  std::filesystem::remove_all(folder / "a.zarr/x/one");
  CHECK(contains(reason_of([&] { open_zarr_raster(folder / "a.zarr/x"); }, ErrorKind::failed), "string"));
}

TEST_CASE("an index whose checksum is wrong is read where checksums are not asked for") {
  const auto store = std::make_shared<MemoryStore>();
  const Raster raster = made_raster(32, 32);
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 16;
  options.shard_height = options.shard_width = 32;
  ZarrRasterWrite(source_of(raster, 64, 64), store, "", options).run();
  Bytes shard = batched::whole_object(*store, "c/0/0");
  shard.back() ^= std::byte{1};
  store->put("c/0/0", shard);
  for (const bool check_sums : {true, false}) {
    ZarrOpenOptions open;
    open.check_sums = check_sums;
    const auto source =
        std::make_shared<const ZarrSource>(open_zarr(store, "", open), ZarrRasterOpenOptions{});
    if (check_sums)
      CHECK(contains(reason_of([&] { read_back(source); }, ErrorKind::failed), "checksum"));
    else
      CHECK(read_back(source) == raster.pixels);
  }
}

TEST_CASE("what cannot be stored is refused before anything is read") {
  const auto reason = [](const Raster& raster, const WriteZarrRasterOptions& options) {
    return reason_of(
        [&] { ZarrRasterWrite(source_of(raster, 64, 64), std::make_shared<MemoryStore>(), "", options); },
        ErrorKind::usage);
  };
  Raster raster = made_raster(10, 12);
  WriteZarrRasterOptions options;
  options.chunk_height = options.chunk_width = 8;
  options.shard_height = 12;
  CHECK(contains(reason(raster, options), "12 x 8 pixels are no multiple of chunks of 8 x 8"));
  options.shard_height = 16;
  options.format = 2;
  CHECK(contains(reason(raster, options), "they are for format 3"));
  options = {};
  options.compressor = "lzw";
  CHECK(contains(reason(raster, options), "none, zstd, gzip, blosc or zlib"));
  options = {};
  options.level = 99;
  CHECK(contains(reason(raster, options), "level"));
  options = {};
  options.pyramid = OverviewOptions{};
  CHECK(contains(reason(made_raster(10, 12, SampleType::uint8, 2), options), "interleave them"));
  RasterInfo masked = raster.info;
  masked.has_mask = true;
  CHECK(contains(reason_of([&] { raster_array(masked, chunk_tiles(masked, {}), {}); }, ErrorKind::usage),
                 "arrays have no place for it"));
}

}  // namespace
}  // namespace weir::pipeline_test
