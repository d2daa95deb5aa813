#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// Whether a path names something behind http:// or https://.
bool is_url(std::string_view path);

/// What messages, reports and titles call a path: a URL without user, password and the values of its query (signed URLs
/// carry credentials there); other paths as they are.
std::string shown_path(std::string_view path);

/// What a Content-Range header says (RFC 9110, 14.4): bytes [first, last] of `size`.
struct ContentRange {
  std::optional<std::uint64_t> first, last;  ///< absent: "*", the range could not be given
  std::optional<std::uint64_t> size;         ///< absent: "*", not known
  bool operator==(const ContentRange&) const = default;
};
/// Nothing where the text is not a range of bytes, or says what cannot be (last before first, last beyond the size).
std::optional<ContentRange> parse_content_range(std::string_view text);

}  // namespace weir
