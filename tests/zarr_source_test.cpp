#include "nodes/zarr/zarr_source.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "nodes/stores/memory_store.hpp"
#include "nodes/zarr/open_zarr_raster.hpp"
#include "pipelines/read_geotiff.hpp"
#include "pipelines/write_zarr.hpp"
#include "tests/tiff_helpers.hpp"
#include "zarr_support.hpp"

namespace weir {
namespace {

using Id = ZarrCodecSpec::Id;
using Sizes = std::vector<std::uint64_t>;
using test::contains;
using test::reason_of;

/// An array of uint16 in memory, and its elements.
struct Made {
  std::shared_ptr<const ZarrArray> array;
  Sizes shape;
  std::vector<std::uint16_t> elements;
  std::uint16_t at(const Sizes& index) const {
    std::uint64_t number = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) number = number * shape[axis] + index[axis];
    return elements[number];
  }
};

/// No two elements near each other are alike, but for a fill of 7 in the first third of them.
Made made(ZarrArrayMetadata metadata) {
  Made result;
  const std::uint16_t fill = 7;
  metadata.fill.resize(2);
  std::memcpy(metadata.fill.data(), &fill, 2);
  result.shape = metadata.shape;
  std::uint64_t count = 1;
  for (const std::uint64_t extent : metadata.shape) count *= extent;
  for (std::uint64_t i = 0; i < count; ++i)
    result.elements.push_back(i < count / 3 ? fill : static_cast<std::uint16_t>(i * 31 + i / 97));
  result.array = std::make_shared<const ZarrArray>(std::make_shared<MemoryStore>(), "a", metadata);
  ZarrSelection all;
  for (const std::uint64_t extent : metadata.shape) all.push_back({0, extent, 1});
  std::vector<std::ptrdiff_t> strides(all.size());
  std::ptrdiff_t stride = 2;
  for (std::size_t axis = all.size(); axis-- > 0; stride *= static_cast<std::ptrdiff_t>(all[axis].count))
    strides[axis] = stride;
  write_zarr(result.array, all, {reinterpret_cast<const std::byte*>(result.elements.data()), strides});
  return result;
}

/// Reads a window of some bands and compares every sample.
void check_window(const Made& made, const ZarrRasterOptions& options, const Window& window,
                  const std::vector<std::uint32_t>& samples, const GraphOptions& graph) {
  const auto source = std::make_shared<const ZarrSource>(made.array, options);
  const RasterAxes axes = source->axes();
  const std::uint32_t count =
      samples.empty() ? source->info().samples : static_cast<std::uint32_t>(samples.size());
  std::vector<std::uint16_t> out(window.height * window.width * count, 0xEEEE);
  ReadOptions read;
  read.samples = samples;
  read.graph = graph;
  read_region(source, window,
              {reinterpret_cast<std::byte*>(out.data()), interleaved_strides(window.width, count, 2)}, read);
  bool is_right = true;
  for (std::uint64_t row = 0; row < window.height; ++row)
    for (std::uint64_t col = 0; col < window.width; ++col)
      for (std::uint32_t sample = 0; sample < count; ++sample) {
        Sizes index(made.shape.size());
        index[axes.row] = window.row + row;
        index[axes.col] = window.col + col;
        if (axes.band) index[*axes.band] = samples.empty() ? sample : samples[sample];
        is_right = is_right && out[(row * window.width + col) * count + sample] == made.at(index);
      }
  REQUIRE(is_right);
}

TEST_CASE("any window of any bands has its pixels, whatever axes, chunks, shards, groups and codecs") {
  std::mt19937 random(7);
  const auto up_to = [&](std::uint64_t most) { return 1 + random() % most; };
  ZarrCodecSpec bytes, big, zstd = codec_of(Id::zstd), transpose = codec_of(Id::transpose);
  big.big_endian = true;
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    const std::size_t rank = 2 + random() % 2;
    Sizes shape, chunks, inner;
    const bool has_shards = random() % 2 == 0;
    transpose.order.clear();
    for (std::size_t axis = 0; axis < rank; ++axis) {
      shape.push_back(up_to(axis + 3 == rank ? 5 : 40));
      inner.push_back(up_to(12));
      chunks.push_back(has_shards ? inner.back() * up_to(5) : inner.back());
      transpose.order.push_back(static_cast<std::uint32_t>(rank - 1 - axis));
    }
    const std::vector<std::vector<ZarrCodecSpec>> codecs = {
        {bytes}, {big}, {bytes, zstd}, {bytes, codec_of(Id::crc32c)}, {transpose, bytes, zstd}};
    const Made array = made(zarr_array(shape, chunks, has_shards ? inner : Sizes{}, uint16_type,
                                       codecs[random() % codecs.size()], random() % 2 == 0));
    ZarrRasterOptions options;
    const char* orders[] = {"band,y,x", "y,x,band", "y,band,x", "x,band,y"};
    options.axes = rank == 2 ? (random() % 4 == 0 ? "x,y" : "auto") : orders[random() % std::size(orders)];
    if (random() % 2 == 0) options.chunk_height = up_to(50);
    if (random() % 2 == 0) options.chunk_width = up_to(50);
    const ZarrSource source(array.array, options);
    const RasterInfo& info = source.info();
    Window window{random() % info.height, random() % info.width, 0, 0};
    window.height = up_to(info.height - window.row);
    window.width = up_to(info.width - window.col);
    std::vector<std::uint32_t> samples;
    if (random() % 2 == 0)
      for (std::uint64_t i = up_to(4); i > 0; --i)
        samples.push_back(static_cast<std::uint32_t>(random() % info.samples));
    GraphOptions graph;
    graph.threads = static_cast<unsigned>(up_to(3));
    check_window(array, options, {0, 0, info.height, info.width}, {}, graph);
    check_window(array, options, window, samples, graph);
  }
}

TEST_CASE("small chunks are read in groups that stay inside their shard, large ones alone") {
  const auto grid = [](const Sizes& shape, const Sizes& chunks, const Sizes& inner) {
    const ZarrSource source(std::make_shared<const ZarrArray>(std::make_shared<MemoryStore>(), "",
                                                              zarr_array(shape, chunks, inner, uint16_type)));
    return std::pair(source.grid().rows.largest(), source.grid().cols.largest());
  };
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  CHECK(grid({4096, 4096}, {512, 512}, {}) == Pair{512, 512});
  CHECK(grid({4096, 4096}, {1024, 1024}, {32, 32}) == Pair{128, 1024});  // 256 KiB
  CHECK(grid({4096, 4096}, {96, 96}, {32, 32}) == Pair{96, 96});         // a shard
  CHECK(grid({4096, 4096}, {160, 160}, {1, 1}) == Pair{5, 160});         // 1024 chunks at most; 5 divides 160
  CHECK(grid({50, 60}, {64, 64}, {16, 16}) == Pair{50, 60});
}

TEST_CASE("axes are told by names, by spatial:dimensions, or by hand; else the first of three is the bands") {
  ZarrArrayMetadata array = zarr_array({4, 5, 6}, {4, 5, 6}, {}, uint16_type);
  const auto axes = [&](const std::string& text = "auto") { return raster_axes(array, text, "it"); };
  CHECK(axes() == RasterAxes{1, 2, 0});
  array.dimension_names = {"lat", "Longitude", "wavelength"};
  CHECK(axes() == RasterAxes{0, 1, 2});
  array.dimension_names = {"time", "X", "Y"};
  CHECK(axes() == RasterAxes{2, 1, 0});
  array.dimension_names = {"y", "rows", "x"};  // two that could be rows
  CHECK(axes() == RasterAxes{1, 2, 0});
  array.dimension_names = {"a", "b", std::nullopt};
  array.attributes = R"({"spatial:dimensions": ["b", "a"]})";
  CHECK(axes() == RasterAxes{1, 0, 2});
  array.dimension_names.clear();
  array.attributes = R"({"_ARRAY_DIMENSIONS": ["y", "x", "band"]})";
  CHECK(axes() == RasterAxes{0, 1, 2});
  CHECK(axes("band,y,x") == RasterAxes{1, 2, 0});
  CHECK(contains(reason_of([&] { axes("y,x"); }, ErrorKind::usage),
                 "'y,x' are not its 3 axes: band,y,x or y,x,band"));
  CHECK(contains(reason_of([&] { axes("band,y,y"); }, ErrorKind::usage), "are not its 3 axes"));
  array = zarr_array({4}, {4}, {}, uint16_type);
  CHECK(contains(reason_of([&] { axes(); }, ErrorKind::failed),
                 "it has 1 axes, and a raster has rows, columns and perhaps bands"));
}

TEST_CASE("a v2 array's fill value is its nodata value, a v3 array's is not; attributes go before") {
  const auto nodata = [](int format, const std::string& attributes, double fill) {
    ZarrArrayMetadata metadata = zarr_array({4, 5}, {4, 5}, {}, {ZarrType::Kind::floating, 8});
    metadata.format = format;
    metadata.keys = format == 2 ? ZarrKeys{false, '.'} : ZarrKeys{};
    std::memcpy(metadata.fill.data(), &fill, sizeof fill);
    metadata.attributes = attributes;
    return ZarrSource(std::make_shared<const ZarrArray>(std::make_shared<MemoryStore>(), "", metadata))
        .info()
        .nodata;
  };
  CHECK(nodata(2, "{}", -9999) == "-9999");
  CHECK(nodata(2, "{}", std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(nodata(2, R"({"_FillValue": -1})", -9999) == "-1");
  CHECK(nodata(3, "{}", -9999) == std::nullopt);
  CHECK(nodata(3, R"({"_FillValue": -1})", -9999) == "-1");
}

TEST_CASE("what is no raster is refused by what is wrong with it") {
  const auto reason = [](const ZarrArrayMetadata& metadata, const ZarrRasterOptions& options = {}) {
    return reason_of(
        [&] {
          ZarrSource(std::make_shared<const ZarrArray>(std::make_shared<MemoryStore>(), "", metadata),
                     options);
        },
        ErrorKind::failed);
  };
  CHECK(contains(reason(zarr_array({4, 0}, {4, 4}, {}, uint16_type)), "it has no pixels"));
  CHECK(contains(reason(zarr_array({4, 4}, {4, 4}, {}, {ZarrType::Kind::boolean, 1})),
                 "pixels of rasters are numbers"));
  CHECK(contains(reason(zarr_array({70000, 4, 4}, {1, 4, 4}, {}, uint16_type)), "it has 70000 bands"));
  ZarrRasterOptions small;
  small.max_chunk_bytes = 100;
  CHECK(contains(reason(zarr_array({8, 8}, {8, 8}, {}, uint16_type), small),
                 "its chunks have 128 bytes of pixels"));
}

TEST_CASE("a path is cut behind the store") {
  CHECK(zarr_place("a/b.zarr") == ZarrPlace{"a/b.zarr", ""});
  CHECK(zarr_place("a/b.zarr/") == ZarrPlace{"a/b.zarr", ""});
  CHECK(zarr_place("a/b.zarr/c/d/") == ZarrPlace{"a/b.zarr", "c/d"});
  CHECK(zarr_place("a/b.zarr.zip/c") == ZarrPlace{"a/b.zarr.zip", "c"});
  CHECK(zarr_place("a/b") == ZarrPlace{"a/b", ""});
  CHECK(zarr_place("https://h/b.zarr/c?x=y.zarr/d") == ZarrPlace{"https://h/b.zarr?x=y.zarr/d", "c"});
  CHECK(zarr_place("https://h/b?x=y.zarr") == ZarrPlace{"https://h/b?x=y.zarr", ""});
  CHECK(is_zarr_path("https://h/b.zarr/c?x=y"));
  CHECK_FALSE(is_zarr_path("https://h/b.tif?x=y.zarr"));
}

}  // namespace
}  // namespace weir
