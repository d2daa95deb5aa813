#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>

#include "framework/graph.hpp"
#include "nodes/raster/chunk_source.hpp"
#include "nodes/raster/pyramid_levels.hpp"
#include "pipelines/command/options.hpp"
#include "pipelines/write_geotiff.hpp"

namespace weir::command {

/// The options of convert that only Zarr has.
struct ZarrFlags {
  std::optional<int> format;
  std::string shard;
  std::optional<std::string> dataset;

  void add_to(CLI::App& app);
  /// Throws a usage Error where one is given, for other formats.
  void require_none() const;
};

/// What of convert's other options an array has as well; those that it has not are refused before.
struct ZarrConversion {
  std::string path, compress, tile;  ///< "auto": the default
  bool interleaved = false;
  WriteGeotiffOptions
      common;  ///< nodata, metadata, georeferencing, level, spool, pass_through, overwrite, graph, concurrency
  ZarrFlags flags;
  std::optional<OverviewOptions> pyramid;
  std::string overviews, resampling;  ///< of the pyramid, as given
  bool explain = false, dot = false;
};
/// Pixels of a chunk of the array that a raster becomes.
Size chunk_of(const RasterInfo& info, const ZarrConversion& conversion);
struct ZarrConverted {
  std::optional<RunReport> report;             ///< none: only explained
  std::optional<std::uint64_t> passed_chunks;  ///< as they are stored; none: encoded
};
/// Plans, and either prints the plan or runs. Throws a usage Error where this build has no Zarr.
ZarrConverted convert_to_zarr(std::shared_ptr<const ChunkSource> source, const ZarrConversion& conversion,
                              const RunOptions& run);

}  // namespace weir::command
