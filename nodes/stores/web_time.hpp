#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir {

/// Milliseconds since 1970, UTC, of a time as HTTP's headers have it, "Wed, 12 Oct 2009 17:50:00 GMT" (RFC 9110, 5.6.7).
std::optional<std::int64_t> parse_http_time(const std::string& text);
/// The same of "2009-10-12T17:50:30.000Z" (RFC 3339), also without fraction, with "+02:00" for "Z", or the date alone.
std::optional<std::int64_t> parse_iso_time(const std::string& text);

}  // namespace weir
