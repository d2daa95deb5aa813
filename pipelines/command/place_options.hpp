#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "nodes/raster/georeferencing_edit.hpp"

namespace weir::command {

/// Options that say where the output lies, in place of what the input says.
struct PlaceOptions {
  std::optional<std::string> crs, vertical_crs, pixel_is, geotransform, bounds;
  std::vector<std::string> gcps;

  void add_to(CLI::App& app);
  /// Throws a usage Error for what does not read.
  GeoreferencingEdit edit() const;
};

}  // namespace weir::command
