#pragma once

// The folder that a catalog is written to.

#include <string>

#include "nodes/headers/catalog_manifest.hpp"

namespace weir {

/// Holds the folder for one writer, and knows what in it is for good. One thread at a time.
class HeldFolder {
 public:
  /// As CatalogWriter's constructor says. `fresh`: the manifest of a catalog that is begun.
  HeldFolder(std::string folder, CatalogManifest fresh, bool overwrite, FileSystem& files);
  ~HeldFolder();
  HeldFolder(const HeldFolder&) = delete;
  HeldFolder& operator=(const HeldFolder&) = delete;

  std::string path_of(const std::string& name) const { return folder_ + name; }
  FileSystem& files() const { return files_; }
  CatalogManifest manifest;
  /// What of it has happened is durable when this returns.
  void write_manifest() const;
  /// Removes what the manifest does not name.
  void tidy() const;

 private:
  void lock();
  bool is_there(const std::string& name) const;
  std::vector<std::string> names() const;  ///< of files that are a catalog's

  std::string folder_;  ///< ends in a slash
  FileSystem& files_;
  int fd_ = -1;  ///< of the folder: its lock keeps other writers out
};

}  // namespace weir
