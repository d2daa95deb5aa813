#include "nodes/raster/chunk_grid.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>

#include "framework/error.hpp"

namespace weir {
namespace {

std::string raster_of(const RasterInfo& info) {
  return fmt::format("a raster of {} x {} pixels", info.height, info.width);
}

}  // namespace

ChunkGrid even_chunks(const RasterInfo& info, std::uint64_t chunk_height, std::uint64_t chunk_width) {
  if (chunk_height == 0 || chunk_width == 0)
    throw Error::usage("cut", raster_of(info),
                       fmt::format("chunks of {} x {} pixels are empty", chunk_height, chunk_width));
  // At least 1: an empty raster is check_grid's to refuse.
  const auto step = [](std::uint64_t extent, std::uint64_t chunk) {
    return std::max<std::uint64_t>(std::min(extent, chunk), 1);
  };
  ChunkGrid grid{Partition(info.height, step(info.height, chunk_height)),
                 Partition(info.width, step(info.width, chunk_width))};
  check_grid(info, grid);
  return grid;
}

void check_grid(const RasterInfo& info, const ChunkGrid& grid) {
  if (info.height == 0 || info.width == 0 || info.samples == 0)
    throw Error::usage("cut", raster_of(info),
                       fmt::format("it has no pixels ({} samples each)", info.samples));
  if (grid.rows.extent() != info.height || grid.cols.extent() != info.width)
    throw Error::usage("cut", raster_of(info),
                       fmt::format("its chunk grid is for {} x {}", grid.rows.extent(), grid.cols.extent()));
  std::uint64_t room = std::numeric_limits<std::int64_t>::max() / info.block_pixel_bytes();
  room /= grid.rows.largest();
  if (room < grid.cols.largest())
    throw Error::usage("cut", raster_of(info),
                       fmt::format("chunks of {} x {} pixels are larger than any memory", grid.rows.largest(),
                                   grid.cols.largest()));
}

}  // namespace weir
