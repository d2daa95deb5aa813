#include "nodes/tiff/sidecars.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "framework/error.hpp"

namespace weir {
namespace {

// The sidecars of `path`; those of the file itself too, where `path` is a link to it.
std::vector<std::string> sidecars(const std::string& path) {
  std::vector<std::string> rasters{path};
  std::error_code ignored;
  if (const auto real = std::filesystem::canonical(path, ignored);
      !ignored && real != std::filesystem::absolute(path))
    rasters.push_back(real);
  std::vector<std::string> names;
  for (const std::string& raster : rasters)
    for (const char* suffix : {".ovr", ".aux.xml", ".msk", ".msk.ovr"}) names.push_back(raster + suffix);
  return names;
}

void remove_sidecars(const std::string& path, FileSystem& files) {
  std::optional<Error> first;
  for (const std::string& name : sidecars(path)) {
    if (files.unlink(name.c_str()) == 0 || errno == ENOENT) continue;
    const std::string reason = system_reason(errno);
    if (!first)
      first = Error("remove", name, fmt::format("{}; it is stale, for {} is new and whole", reason, path));
  }
  if (first) throw *first;
}

}  // namespace

void commit_with_sidecars(AtomicFile& file, FileSystem& files) {
  struct ::stat status;
  const bool existed = files.stat(file.target().c_str(), &status) == 0;
  // Not knowing would leave the old file's sidecars beside the new one.
  if (!existed && errno != ENOENT) throw Error("look at", file.target(), system_reason(errno));
  file.commit();
  if (existed) remove_sidecars(file.target(), files);
}

}  // namespace weir
