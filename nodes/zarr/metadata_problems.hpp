#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/zarr/zarr_metadata.hpp"

namespace weir {

/// What is wrong with an array's document: of each member the first thing, as reading would say it, then on with what would do in its
/// place. A member that cannot be judged without a broken one is left alone.
struct ArrayProblems {
  std::vector<std::string> problems;       ///< "codecs[1].name: ..."
  std::optional<ZarrArrayMetadata> array;  ///< where there are none, and its elements are read
  /// Elements that the format has and Weir does not read, as the document calls them ("<M8[ns]"): no problem. The rest of the document is
  /// judged as if they were bytes.
  std::optional<std::string> unread = std::nullopt;
};
/// `json`: zarr.json or .zarray; `zattrs`: of format 2, empty where there are none.
ArrayProblems problems_of_array(std::string_view json, std::string_view zattrs, int format,
                                const ZarrLimits& limits);

/// Whether two documents say the same: members in any order, numbers by their text. Where they do not, the first member that
/// differs; "" where the whole does.
std::optional<std::string> difference(std::string_view one, std::string_view other, const ZarrLimits& limits);

}  // namespace weir
