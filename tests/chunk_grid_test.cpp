#include "nodes/raster/chunk_grid.hpp"

#include <doctest/doctest.h>

#include <limits>

#include "framework/error.hpp"

using namespace weir;

namespace {

RasterInfo info_for(std::uint64_t height, std::uint64_t width, SampleType type = SampleType::uint8) {
  RasterInfo info;
  info.height = height;
  info.width = width;
  info.type = type;
  return info;
}

constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("even chunks cover the raster, the last ones shorter") {
  const ChunkGrid grid = even_chunks(info_for(10, 7), 4, 7);
  CHECK(grid.rows.count() == 3);
  CHECK(grid.cols.count() == 1);
  CHECK(grid.window({2, 0}) == Window{8, 0, 2, 7});
}

TEST_CASE("a chunk larger than the raster is the raster") {
  const ChunkGrid grid = even_chunks(info_for(10, 7), huge, huge);
  CHECK(grid.count() == 1);
  CHECK(grid.window({0, 0}) == Window{0, 0, 10, 7});
}

TEST_CASE("impossible chunks are refused with the reason") {
  CHECK_THROWS_WITH_AS(even_chunks(info_for(10, 7), 0, 4),
                       "cannot cut a raster of 10 x 7 pixels: chunks of 0 x 4 pixels are empty", Error);
  CHECK_THROWS_WITH_AS(even_chunks(info_for(0, 7), 1, 4),
                       "cannot cut a raster of 0 x 7 pixels: it has no pixels (1 samples each)", Error);
  CHECK_THROWS_WITH_AS(check_grid(info_for(10, 7), {Partition(10, 5), Partition(8, 8)}),
                       "cannot cut a raster of 10 x 7 pixels: its chunk grid is for 10 x 8", Error);
  CHECK_THROWS_AS(check_grid(info_for(10, 7), {Partition(9, 5), Partition(7, 7)}), Error);
  CHECK_THROWS_AS(check_grid(info_for(10, 7), {}), Error);
}

TEST_CASE("a chunk of 2^63 bytes is refused, one of half that is not") {
  const std::uint64_t side = std::uint64_t{1} << 30;
  CHECK_THROWS_AS(even_chunks(info_for(side, side, SampleType::float64), side, side), Error);
  CHECK_NOTHROW(even_chunks(info_for(side, side, SampleType::float64), side, side / 2));
  CHECK_THROWS_AS(even_chunks(info_for(huge, huge), huge, huge), Error);
}
