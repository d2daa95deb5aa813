#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nodes/stores/store.hpp"
#include "tests/pipeline_support.hpp"
#include "tests/zarr_batched.hpp"

// Arrays that rasters become: what lies in the store, and what is read back.

namespace weir::pipeline_test {

using Objects = std::map<std::string, std::vector<std::byte>>;

using batched::objects_of;

inline Bytes read_back(std::shared_ptr<const ChunkSource> source, const GraphOptions& graph = {}) {
  const RasterInfo& info = source->info();
  Bytes pixels(info.height * info.width * info.pixel_bytes());
  ReadOptions options;
  options.graph = graph;
  read_region(source, {0, 0, info.height, info.width},
              {pixels.data(), interleaved_strides(info.width, info.samples, bytes_of(info.type))}, options);
  return pixels;
}

}  // namespace weir::pipeline_test
