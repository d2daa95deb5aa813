#pragma once

#include <map>
#include <memory>
#include <string>

#include "framework/file.hpp"
#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"

namespace weir {

enum class RowsFormat {
  raw,  ///< rows one after the other, samples of a pixel together, machine byte order
  npy,  ///< the same behind NumPy's header, format 1.0: shape (height, width) or (height, width, samples)
};

struct WriteRowsOptions {
  RowsFormat format = RowsFormat::raw;
  bool overwrite = false;
  GraphOptions graph;
  std::map<std::string, unsigned> concurrency;  ///< by node: plan, fetch, decode, assemble, cut, copy, file
  FileSystem* files = &FileSystem::real();
};

/// Streams a raster to a plain file of its pixels, in bounded memory. Errors as write_geotiff's.
RunReport write_rows(std::shared_ptr<const ChunkSource> source, const std::string& path,
                     const WriteRowsOptions& options = {}, const RunOptions& run = {});

}  // namespace weir
