#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

/// Reads a size: a number, then K, M, G or T (powers of 1024, upper or lower case) or nothing, then "B", "iB"
/// or nothing; one space between is allowed: "65536", "64M", "1.5GiB", "64.0 MiB". A fraction needs a unit,
/// and is rounded down to whole bytes. Throws a usage Error.
std::uint64_t parse_bytes(std::string_view text);

/// For people: "512 B", "64.0 MiB". parse_bytes reads it, to the one digit shown.
std::string format_bytes(std::uint64_t bytes);

}  // namespace weir
