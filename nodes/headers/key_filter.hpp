#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/headers/header_row.hpp"

namespace weir {

/// A size that a list of keys does not say; what is fetched tells it.
constexpr std::uint64_t unknown_size = ~std::uint64_t{0};

/// Which objects of a listing are wanted.
struct KeyFilter {
  /// Patterns, one of which must fit; none: .tif, .tiff, .btf, .gtif in upper or lower case. A pattern with a slash is for the whole
  /// key, one without for its last part. '*' and '?' stand for letters but slashes, "**" for any, "[a-z]" for one of them.
  std::vector<std::string> include;
  std::vector<std::string> exclude;  ///< none of which may fit
  /// What is not known passes these.
  std::optional<std::uint64_t> min_size, max_size;              ///< inclusive
  std::optional<std::int64_t> modified_after, modified_before;  ///< milliseconds since 1970, UTC; exclusive

  bool takes(const ListedObject& object) const;
  /// Why no size passes it; empty where one does.
  std::string what_is_wrong() const;
};

/// See KeyFilter::include.
bool fits_glob(std::string_view pattern, std::string_view key);
/// Why a text is no pattern; empty where it is one.
std::string_view what_is_wrong_with_glob(std::string_view pattern);

}  // namespace weir
