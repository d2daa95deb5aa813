#pragma once

#include <optional>
#include <string>
#include <vector>

#include "nodes/headers/header_row.hpp"
#include "nodes/headers/tiff_header.hpp"

namespace weir {

/// What one file adds to a catalog.
struct HeaderRows {
  std::optional<HeaderRow> row;  ///< where there is a directory that could be read
  std::vector<HeaderError>
      errors;  ///< of stage "parse": all damage, also where there is a row; the first of each code
};

/// Never throws anything but std::bad_alloc: what does not fit is a warning or an error. Transforms coordinates with PROJ where the
/// build has it (see lon_lat.hpp). Any thread.
HeaderRows header_rows(ListedObject object, const TiffHeader& header);

}  // namespace weir
