#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace weir {

/// crc32c (RFC 3720 appendix B.4), as Zarr's codec appends it: SSE 4.2 where the machine has it, else tables. `before`: of the
/// bytes in front of these.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0);
/// The same by tables alone.
std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes, std::uint32_t before = 0);

}  // namespace weir
