#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "pipelines/write_cog.hpp"
#include "pipelines/write_geotiff.hpp"

namespace weir::command {

/// What convert asks beside a GeoTIFF's own options where it writes a COG.
struct CogFlags {
  std::string overviews, resampling, packing;  ///< empty: not given

  void add_to(CLI::App& app);
  /// Throws a usage Error where something is given that is not for a GeoTIFF.
  void require_none() const;
  /// The same storage as `write`, with overviews. Throws a usage Error.
  WriteCogOptions options(const WriteGeotiffOptions& write) const;
};

}  // namespace weir::command
