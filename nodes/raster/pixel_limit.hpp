#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "framework/error.hpp"
#include "nodes/raster/raster_info.hpp"

namespace weir {

/// Throws a usage Error where the raster that is to be read (a window of a larger one, perhaps) has more pixels.
inline void require_pixels(const RasterInfo& info, std::uint64_t most, const std::string& name) {
  if (info.width <= most / info.height) return;
  throw Error::usage("read", name,
                     fmt::format("{} x {} pixels (width x height) are more than the limit, {} pixels",
                                 info.width, info.height, most));
}

}  // namespace weir
