#pragma once

namespace weir::testing {

/// What limits on time in tests are multiplied by: sanitizers cost five to fifteen times.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int slower = 10;
#else
constexpr int slower = 1;
#endif

}  // namespace weir::testing
