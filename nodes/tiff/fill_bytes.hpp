#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir {

/// Repeats the sample over `bytes`, which are a multiple of its size.
inline void fill_bytes(std::byte* to, std::uint64_t bytes, const std::byte* sample,
                       std::size_t sample_bytes) {
  if (bytes == 0) return;
  std::memcpy(to, sample, sample_bytes);
  for (std::uint64_t done = sample_bytes; done < bytes;) {
    const std::uint64_t more = std::min(done, bytes - done);
    std::memcpy(to + done, to, more);
    done += more;
  }
}

}  // namespace weir
