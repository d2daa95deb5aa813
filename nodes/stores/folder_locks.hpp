#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "framework/file.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

/// Locks of names in the folders below a folder. In each folder where one is held lies a file, lock_name; who holds a name holds a
/// byte of it (fcntl's locks of open files), which the name's hash says: some microseconds less than a file for every name, which
/// is made, locked and removed. The file is there as long as anybody holds a byte, in whatever process; a process that dies leaves it
/// behind, holding nothing, for the next owner to use and remove. Thread-safe.
class FolderLocks {
 public:
  static constexpr std::string_view lock_name = ".weir-lock";

  /// `folder`: its path, `folder_fd`: open; both are the owner's, as is `files`.
  FolderLocks(FileSystem& files, const std::string& folder, const int& folder_fd)
      : files_(files), folder_(folder), folder_fd_(folder_fd) {}

  /// Takes `name` in the folder `parent` (parts joined by '/', "" for the folder itself). Returns 0, or errno: EAGAIN where somebody
  /// else holds it. Locks end before this.
  int try_lock(std::string_view parent, std::string_view name, std::unique_ptr<ObjectLock>& lock);

 private:
  class LockFile;
  class Lock;

  FileSystem& files_;
  const std::string& folder_;
  const int& folder_fd_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<LockFile>> held_;  // by key: the files of which this holds bytes
};

}  // namespace weir
