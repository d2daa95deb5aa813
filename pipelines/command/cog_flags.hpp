#pragma once

#include <CLI/CLI.hpp>
#include <optional>
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
  /// Of an array: a pyramid of them, where overviews are wanted. Throws a usage Error.
  std::optional<OverviewOptions> pyramid() const;
  /// The same storage as `write`, with overviews. Throws a usage Error.
  WriteCogOptions options(const WriteGeotiffOptions& write) const;

 private:
  OverviewOptions overview_options() const;
};

}  // namespace weir::command
