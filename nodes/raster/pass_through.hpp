#pragma once

#include <cstdint>

namespace weir {

/// Whether the stored tiles or chunks of a source go into what is written as they are, where they fit: neither decoded nor encoded.
enum class PassThrough : std::uint8_t {
  automatic,  ///< where they fit
  never,
  required,  ///< a usage Error with the reason where they do not
};

}  // namespace weir
