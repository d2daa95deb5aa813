#include "nodes/stores/open_file.hpp"

#include "nodes/stores/http_file.hpp"
#include "nodes/stores/url.hpp"

namespace weir {

std::shared_ptr<const ReadableFile> open_readable(const std::string& path, const HttpOptions& options,
                                                  FileSystem& files) {
  if (is_url(path)) return std::make_shared<const HttpFile>(path, options);
  return std::make_shared<const InputFile>(path, files);
}

}  // namespace weir
