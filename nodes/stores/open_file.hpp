#pragma once

#include <memory>
#include <string>

#include "framework/file.hpp"
#include "nodes/stores/http_options.hpp"

namespace weir {

/// Opens a local file, or one behind http:// or https://. Throws Error; a usage Error for a URL where this build has no
/// libcurl.
std::shared_ptr<const ReadableFile> open_readable(const std::string& path, const HttpOptions& options = {},
                                                  FileSystem& files = FileSystem::real());

}  // namespace weir
