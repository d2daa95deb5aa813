#include "nodes/stores/open_store.hpp"

#include <sys/stat.h>

#include "nodes/stores/memory_store.hpp"
#include "nodes/stores/open_file.hpp"
#include "nodes/stores/s3_store.hpp"
#include "nodes/stores/url.hpp"
#include "nodes/stores/zip_store.hpp"

namespace weir {

std::shared_ptr<const Store> open_store(const std::string& path, const StoreOptions& options,
                                        FileSystem& files) {
  const auto zip = [&] {
    return std::make_shared<const ZipStore>(open_readable(path, options.http.http, files),
                                            options.zip_prefix);
  };
  if (path.starts_with("s3://") || path.starts_with("gs://"))
    return std::make_shared<const S3Store>(path, options.s3);
  if (path.starts_with("memory:")) return std::make_shared<const MemoryStore>(path);
  if (is_url(path)) {
    if (path.substr(0, path.find_first_of("?#")).ends_with(".zip")) return zip();
    return std::make_shared<const HttpStore>(path, options.http);
  }
  struct stat status = {};
  if (files.stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode)) return zip();
  return std::make_shared<const FolderStore>(path, options.folder, files);
}

}  // namespace weir
