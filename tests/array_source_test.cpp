#include "nodes/raster/array_source.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "framework/error.hpp"
#include "nodes/raster/copy_pixels.hpp"

using namespace weir;

namespace {

RasterInfo info_for(std::uint64_t height, std::uint64_t width, std::uint32_t samples, SampleType type) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.samples = samples;
  info.type = type;
  return info;
}

/// Different for every sample of every pixel, and fits where there are at most 256 of them.
template <class Sample>
Sample value_at(const RasterInfo& info, std::uint64_t row, std::uint64_t col, std::uint32_t sample) {
  return static_cast<Sample>((row * info.width + col) * info.samples + sample);
}

/// Memory laid out as the view says; bytes that belong to no sample are 0xEE.
template <class Sample>
std::vector<std::byte> laid_out(const ArrayView& view, std::size_t bytes) {
  std::vector<std::byte> memory(bytes, std::byte{0xEE});
  for (std::uint64_t row = 0; row < view.info.height; ++row)
    for (std::uint64_t col = 0; col < view.info.width; ++col)
      for (std::uint32_t sample = 0; sample < view.info.samples; ++sample) {
        const auto value = value_at<Sample>(view.info, row, col, sample);
        std::memcpy(&memory.at(row * view.row_stride + col * view.pixel_stride + sample * view.sample_stride),
                    &value, sizeof value);
      }
  return memory;
}

/// Every chunk of the source is interleaved and has the values of value_at.
template <class Sample>
void check_chunks(const ChunkSource& source) {
  std::uint64_t pixels = 0;
  for (std::uint64_t row = 0; row < source.grid().rows.count(); ++row)
    for (std::uint64_t col = 0; col < source.grid().cols.count(); ++col) {
      const Block block = source.decode({row, col}, {}, nullptr, {});
      REQUIRE(block.window == source.grid().window({row, col}));
      REQUIRE(block.type == source.info().type);
      REQUIRE(block.samples == source.info().samples);
      REQUIRE(block.sample_stride == sizeof(Sample));
      REQUIRE(block.data.size() <= source.block_bytes());
      pixels += block.window.height * block.window.width;
      for (std::uint64_t r = 0; r < block.window.height; ++r)
        for (std::uint64_t c = 0; c < block.window.width; ++c)
          for (std::uint32_t s = 0; s < block.samples; ++s) {
            Sample value;
            std::memcpy(&value, block.at(r, c, s), sizeof value);
            REQUIRE(value == value_at<Sample>(source.info(), block.window.row + r, block.window.col + c, s));
          }
    }
  CHECK(pixels == source.info().height * source.info().width);
}

}  // namespace

TEST_CASE("an array comes out chunk by chunk, for every type, layout and odd size") {
  const std::uint64_t sizes[][2] = {{1, 1}, {1, 9}, {7, 1}, {5, 13}};
  const std::uint64_t chunks[][2] = {{1, 1}, {2, 5}, {4, 4}, {100, 100}};
  for (SampleType type : arithmetic_sample_types)
    for (const auto& size : sizes)
      for (std::uint32_t samples : {1U, 3U})
        for (const auto& chunk : chunks)
          with_sample_type(type, [&](auto sample_type) {
            using Sample = decltype(sample_type);
            const RasterInfo info = info_for(size[0], size[1], samples, type);
            const std::size_t bytes = size[0] * size[1] * info.pixel_bytes();
            ArrayView interleaved = interleaved_view(nullptr, info), planar = planar_view(nullptr, info);
            const auto pixels = laid_out<Sample>(interleaved, bytes),
                       planes = laid_out<Sample>(planar, bytes);
            interleaved.data = pixels.data();
            planar.data = planes.data();
            check_chunks<Sample>(ArraySource(interleaved, chunk[0], chunk[1]));
            check_chunks<Sample>(ArraySource(planar, chunk[0], chunk[1]));
          });
}

TEST_CASE("an array may have padded rows and pixels, swapped axes and any alignment") {
  const RasterInfo info = info_for(6, 7, 2, SampleType::uint32);
  const ArrayView views[] = {
      {nullptr, info, 7 * 8 + 5, 8, 4},      // rows padded to an odd number of bytes
      {nullptr, info, 7 * 11 + 1, 11, 4},    // pixels padded
      {nullptr, info, 8, 6 * 8, 4},          // column after column
      {nullptr, info, 4, 6 * 4, 6 * 7 * 4},  // column after column, plane after plane
      {nullptr, info, 2 * 7 * 4, 4, 7 * 4},  // line-interleaved
  };
  for (ArrayView view : views) {
    CAPTURE(view.row_stride);
    CAPTURE(view.pixel_stride);
    const auto memory = laid_out<std::uint32_t>(view, 1000);
    view.data = memory.data();
    check_chunks<std::uint32_t>(ArraySource(view, 4, 3));
  }
}

TEST_CASE("an array can be cut raggedly") {
  const RasterInfo info = info_for(6, 7, 1, SampleType::uint8);
  ArrayView view = interleaved_view(nullptr, info);
  const auto memory = laid_out<std::uint8_t>(view, 42);
  view.data = memory.data();
  check_chunks<std::uint8_t>(ArraySource(view, ChunkGrid{Partition({1, 5, 6}), Partition({3, 4, 7})}));
}

TEST_CASE("an array without data, and a grid of another size, are refused") {
  const std::byte data[6] = {};
  const RasterInfo info = info_for(2, 3, 1, SampleType::uint8);
  CHECK_THROWS_AS(ArraySource(interleaved_view(nullptr, info), 1, 1), Error);
  CHECK_THROWS_AS(ArraySource(interleaved_view(data, info), 0, 1), Error);
  CHECK_THROWS_AS(ArraySource(interleaved_view(data, info), ChunkGrid{Partition(2, 1), Partition(4, 1)}),
                  Error);
  CHECK_THROWS_AS(ArraySource(interleaved_view(data, info_for(0, 3, 1, SampleType::uint8)), 1, 1), Error);
}

TEST_CASE("copying pixels leaves the bytes between them alone") {
  for (std::size_t sample_bytes : {1U, 2U, 4U, 8U}) {
    const std::size_t from_pixel = 3 * sample_bytes, to_pixel = 2 * sample_bytes + 1;
    std::vector<std::byte> from(4 * 5 * from_pixel), to(4 * 5 * to_pixel, std::byte{0xEE}), expected(to);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i % 200);
    for (std::size_t pixel = 0; pixel < 4 * 5; ++pixel)
      for (std::size_t i = 0; i < 2 * sample_bytes; ++i)
        expected[pixel * to_pixel + i] = from[pixel * from_pixel + i];
    copy_pixels(from.data(), {5 * from_pixel, from_pixel, sample_bytes}, to.data(),
                {5 * to_pixel, to_pixel, sample_bytes}, 4, 5, 2, sample_bytes);
    CHECK(to == expected);
  }
}
