#pragma once

#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_set>

#include "framework/file.hpp"
#include "nodes/stores/folder_locks.hpp"
#include "nodes/stores/store.hpp"

namespace weir {

struct FolderStoreOptions {
  bool create = false;  ///< makes the folder, and those above it, where they are missing
  /// false: no fsync anywhere. Objects are whole or absent for readers and after a kill, but not after a loss of power. For
  /// comparisons with programs that do not sync either.
  bool durable = true;
};

/// Objects as files in a local folder; "a/b" is the file b in its folder a. Folders are made when an object needs them, and stay.
/// A folder that was replaced or removed while it was open is an Error where an object is not found in it, and not an absent object.
/// Symbolic links inside are followed as long as they stay inside; one that leads out is an Error. Objects are written as
/// AtomicFile does. Beside them lie, for as long as they are needed, names that list() does not show:
///
///   .NAME.weir-0123456789abcdef.tmp   an object being written where the file system has no O_TMPFILE, or replaced just now
///   .weir-lock                        owners of an ObjectLock in the folder hold one byte each: the object's name says which
///
/// A process that dies leaves them behind, holding nothing. The next writer, the next owner of a lock in that folder removes them.
/// Folders on file systems without locks of bytes can be written, but give no locks. Every system call goes through `files`,
/// which outlives the store.
class FolderStore : public Store {
 public:
  /// An Error where the folder is not there, or cannot be made.
  explicit FolderStore(std::string folder, const FolderStoreOptions& options = {},
                       FileSystem& files = FileSystem::real());
  ~FolderStore() override;

  const std::string& name() const override { return folder_; }
  StoreAbilities abilities() const override;
  std::optional<std::uint64_t> size(std::string_view key, const std::stop_token& stop = {}) const override;
  std::optional<std::uint64_t> get(std::string_view key, std::span<std::byte> out,
                                   const std::stop_token& stop = {},
                                   ObjectVersion* version = nullptr) const override;
  std::optional<std::uint64_t> get_end(std::string_view key, std::span<std::byte> out,
                                       const std::stop_token& stop = {},
                                       ObjectVersion* version = nullptr) const override;
  bool get_ranges(std::string_view key, std::span<const ObjectRange> ranges, const std::stop_token& stop = {},
                  ObjectVersion* version = nullptr) const override;
  void put(std::string_view key, std::span<const std::byte> bytes) const override;
  std::unique_ptr<ObjectWriter> writer(std::string_view key) const override;
  void put_range(std::string_view key, std::uint64_t offset, std::span<const std::byte> bytes) const override;
  ObjectVersion sync(std::string_view key) const override;
  void erase(std::string_view key) const override;
  std::unique_ptr<ObjectLock> lock(std::string_view key, const std::stop_token& stop = {}) const override;
  /// Holds 64 Ki names of each folder on the way at a time, and reads a folder of more names again for the next ones. Of
  /// symbolic links it shows those that lead to files inside.
  void list_objects(const ListRequest& request, const std::function<bool(const StoredObject&)>& each,
                    const std::stop_token& stop = {}) const override;
  bool is_in_memory() const override { return is_in_memory_; }
  std::uint64_t standing_bytes() const override;
  std::uint64_t writer_bytes() const override { return AtomicFile::copy_bytes; }

 private:
  class Open;
  class Writer;
  class Lock;

  std::string path(std::string_view key) const;
  int try_open(std::string_view key, int flags, mode_t mode = 0) const;
  Open open(std::string_view action, std::string_view key, int flags) const;
  void require_folder(std::string_view action, std::string_view key) const;
  Open open_object(std::string_view action, std::string_view key, int flags) const;
  void read(std::string_view key, const Open& file, std::uint64_t offset, std::span<std::byte> out) const;
  void prepare_folder(const std::string& folder, std::string_view key) const;
  bool is_prepared(const std::string& folder) const;
  std::unique_ptr<AtomicFile> new_file(std::string_view key, bool exists) const;
  bool list_below(const std::string& start, const ListRequest& request,
                  const std::function<bool(const StoredObject&)>& each, const std::stop_token& stop) const;
  unsigned char type_of(const std::string& key) const;
  std::optional<StoredObject> look_at_listed(const std::string& key, unsigned char type) const;
  Error system_failure(std::string_view action, std::string_view key, int error_number) const;

  FileSystem& files_;
  const std::string folder_;
  const FolderStoreOptions options_;
  int fd_ = -1;  ///< of the folder
  bool is_in_memory_ = false;
  /// Held by who makes folders, and shared by who looks whether one is there: a name that another thread has given, but not yet
  /// synced, is not taken for durable.
  mutable std::shared_mutex folders_mutex_;
  /// Hashes of the folders that were there, durable, and looked through for temporaries of dead writers.
  mutable std::mutex prepared_mutex_;
  mutable std::unordered_set<std::size_t> prepared_;
  mutable FolderLocks locks_{files_, folder_, fd_};
};

}  // namespace weir
