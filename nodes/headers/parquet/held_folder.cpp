#include "nodes/headers/parquet/held_folder.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "framework/system_call.hpp"

namespace weir {
namespace {

bool means_no_locks(int error_number) {
  return error_number == ENOLCK || error_number == EOPNOTSUPP || error_number == ENOSYS ||
         error_number == EINVAL;
}

/// Whether a file of a catalog is one that the manifest names.
bool is_named(const std::string& name, const CatalogManifest& manifest) {
  if (name == manifest_name) return true;
  const bool is_listing = manifest.state == CatalogManifest::State::listing;
  const CatalogName parsed = catalog_name(name);
  if (!parsed.is_of_part) return !is_listing;  // errors.parquet, vanished.parquet
  if (parsed.part >= manifest.parts.size()) return false;
  const CatalogManifest::Part& part = manifest.parts[static_cast<std::size_t>(parsed.part)];
  if (name == part_name(parsed.part)) return true;
  return is_listing && (name == part_errors_name(parsed.part) ? part.errors : part.old) > 0;
}

}  // namespace

HeldFolder::HeldFolder(std::string folder, CatalogManifest fresh, bool overwrite, FileSystem& files)
    : manifest(std::move(fresh)), folder_(std::move(folder)), files_(files) {
  if (folder_.empty()) throw Error::usage("write", "a catalog", "its folder has no name");
  if (!folder_.ends_with('/')) folder_ += '/';
  make_folders(folder_, true, files_);
  lock();
  try {
    if (!overwrite && is_there(manifest_name)) {
      CatalogManifest there = read_manifest(path_of(manifest_name), files_);
      if (there.state == CatalogManifest::State::complete)
        throw Error::usage("write", folder_, "it has a finished catalog");
      if (there.identity != manifest.identity || there.schema != manifest.schema ||
          there.schema_version != manifest.schema_version)
        throw Error::usage("write", folder_, "it has an unfinished catalog of another configuration");
      manifest = std::move(there);
    } else {
      if (!overwrite && !names().empty())
        throw Error::usage("write", folder_,
                           "it has files of a catalog, and no " + std::string(manifest_name));
      write_manifest();  // first: files that no manifest names are nobody's
    }
    remove_stale_temporaries(folder_, "", files_);
    tidy();
  } catch (...) {
    close_quietly(files_, fd_);
    throw;
  }
}

HeldFolder::~HeldFolder() {
  close_quietly(files_, fd_);
}

void HeldFolder::lock() {
  fd_ = uninterrupted([&] { return files_.open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0); });
  if (fd_ < 0) throw Error("open", "the folder " + folder_, system_reason(errno));
  if (uninterrupted([&] { return files_.flock(fd_, LOCK_EX | LOCK_NB); }) == 0 || means_no_locks(errno))
    return;
  const int error_number = errno;
  close_quietly(files_, fd_);
  if (error_number == EWOULDBLOCK) throw Error::usage("write", folder_, "another process is writing to it");
  throw Error("lock", "the folder " + folder_, system_reason(error_number));
}

bool HeldFolder::is_there(const std::string& name) const {
  struct stat status = {};
  if (files_.stat(path_of(name).c_str(), &status) == 0) return true;
  if (errno == ENOENT) return false;
  throw Error("read", path_of(name), system_reason(errno));
}

std::vector<std::string> HeldFolder::names() const {
  std::vector<std::string> names;
  const auto add = [&](std::string_view name, unsigned char) {
    if (catalog_name(std::string(name)).is_ours) names.emplace_back(name);
  };
  if (files_.list_folder(folder_.c_str(), add) != 0)
    throw Error("read", "the folder " + folder_, system_reason(errno));
  std::ranges::sort(names);
  return names;
}

void HeldFolder::write_manifest() const {
  weir::write_manifest(path_of(manifest_name), manifest, files_);
}

void HeldFolder::tidy() const {
  for (const std::string& name : names()) {
    if (is_named(name, manifest)) continue;
    const std::string path = path_of(name);
    if (files_.unlink(path.c_str()) != 0 && errno != ENOENT)
      throw Error("remove", path, system_reason(errno));
  }
}

}  // namespace weir
