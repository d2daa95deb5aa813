#pragma once

#include <string_view>

#include "framework/error.hpp"
#include "framework/file.hpp"

namespace weir {

/// What is wrong with a file that is read as TIFF: throws `read, PATH: REASON`.
[[noreturn]] inline void fail_read(const ReadableFile& file, std::string_view reason) {
  throw Error("read", file.path(), reason);
}

}  // namespace weir
