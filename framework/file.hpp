#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/error.hpp"
#include "framework/traffic.hpp"

namespace weir {

/// The file layer: every system call that Weir makes on files, so that tests can make each of them fail, or
/// can kill the process there. Signatures, return values and errno are those of the calls of the same name.
/// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual int open(const char* path, int flags, mode_t mode);
  virtual int close(int fd);
  virtual ssize_t pread(int fd, void* data, std::size_t bytes, off_t offset);
  virtual ssize_t preadv(int fd, const struct ::iovec* parts, int count, off_t offset);
  virtual ssize_t pwrite(int fd, const void* data, std::size_t bytes, off_t offset);
  virtual int fsync(int fd);
  virtual int sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags);
  virtual int ftruncate(int fd, off_t bytes);
  virtual int fallocate(int fd, int mode, off_t offset, off_t bytes);
  virtual int fstat(int fd, struct ::stat* status);
  virtual int stat(const char* path, struct ::stat* status);
  virtual int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags);
  virtual int rename(const char* from, const char* to);
  virtual int unlink(const char* path);
  virtual int fchmod(int fd, mode_t mode);
  virtual int flock(int fd, int operation);
  /// fcntl with F_OFD_SETLK: bytes of an open file (not of a process, as F_SETLK has it) are kept from others (`type` F_WRLCK) or
  /// given back (F_UNLCK), without waiting: EAGAIN where others hold some of them.
  virtual int lock_range(int fd, short type, off_t offset, off_t bytes);
  virtual ssize_t readlink(const char* path, char* data, std::size_t bytes);
  virtual int access(const char* path, int mode);
  virtual int mkdir(const char* path, mode_t mode);
  virtual ssize_t copy_file_range(int from, off_t from_offset, int to, off_t to_offset, std::size_t bytes);
  /// openat2 with RESOLVE_BENEATH: what the path leads to lies in the folder, or EXDEV. Where the kernel has no such call
  /// (before 5.6, or kept from containers), a path with any symbolic link in it is EXDEV.
  virtual int open_beneath(int folder, const char* path, int flags, mode_t mode);
  /// Calls for each name in a folder, "." and ".." aside, in no order; `type` as readdir gives it (DT_REG, DT_UNKNOWN). 0,
  /// or -1 with errno.
  virtual int list_folder(const char* path, const std::function<void(std::string_view, unsigned char)>& each);
  /// Free bytes for this user on the file system of the open file, or -1 with errno. A file system that
  /// counts no blocks (tmpfs without a limit, some FUSE ones) gives the largest number.
  virtual std::int64_t free_bytes(int fd);

  /// Whether the open file lies in memory (tmpfs, ramfs): fstatfs. False where that cannot be told.
  virtual bool is_in_memory(int fd);

  /// The real one.
  static FileSystem& real();
};

/// A part of a file, and the caller's memory that it goes to.
struct FileRange {
  std::uint64_t offset = 0;
  std::span<std::byte> out;
};

/// Bytes that can be read at explicit positions: a local file, an object behind HTTP, a test's memory. Thread-safe:
/// many reads at once. Its size does not change while it is open.
class ReadableFile {
 public:
  ReadableFile() = default;
  virtual ~ReadableFile() = default;
  ReadableFile(const ReadableFile&) = delete;
  ReadableFile& operator=(const ReadableFile&) = delete;

  virtual const std::string& path() const = 0;  ///< or URL: what messages call it
  virtual std::uint64_t size() const = 0;
  /// Fills `out` from `offset` and returns the bytes read: fewer only at the end of the file. Throws Error. Waits, so
  /// it belongs on the I/O lane. A remote file reads ahead here: it is the call for headers and arrays.
  virtual std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const = 0;
  /// Fills all ranges, or throws Error. Exactly these bytes are read: the call for pixels. A remote file asks for all
  /// at once, and a stop ends its waiting with a cancelled Error.
  virtual void read_ranges(std::span<const FileRange> ranges, const std::stop_token& stop = {}) const;
  /// Whether a read costs a request over a network: then few large reads are better than many small ones, and many
  /// at once than one after the other.
  virtual bool is_remote() const { return false; }
  /// Counts the requests of a remote file, its opening included; nullptr where reading costs none. Lives as long as
  /// the file.
  virtual Traffic* traffic() const { return nullptr; }
  /// How many requests read_ranges sends for a range of at least one byte, where nothing fails; 0 where none are needed.
  virtual std::uint64_t requests_for(std::uint64_t offset, std::uint64_t bytes) const;
  /// Bytes that the open file keeps: what was read ahead, buffers of connections.
  virtual std::uint64_t standing_bytes() const { return 0; }
};

/// A local file being read.
class InputFile : public ReadableFile {
 public:
  explicit InputFile(std::string path, FileSystem& files = FileSystem::real());
  ~InputFile() override;

  const std::string& path() const override { return path_; }
  std::uint64_t size() const override { return size_; }
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const override;
  /// Device and inode, to recognise the same file under two names.
  bool is_same_file(const std::string& path) const;

 private:
  FileSystem& files_;
  std::string path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::uint64_t device_ = 0, inode_ = 0;
};

/// How an AtomicFile is written.
struct AtomicFileOptions {
  bool overwrite = false;
  bool syncs = true;  ///< false: whole or absent for readers and after a kill, not after a loss of power
  /// Looks through the folder for temporaries of dead writers, which reads all of its names. Who writes many files into
  /// one folder does it once: remove_stale_temporaries().
  bool removes_stale = true;
  bool follows_links = true;  ///< false: a symbolic link in the target's place is an Error
};

/// A file that appears whole or not at all. Bytes go to a temporary in the target's folder: without a name
/// (O_TMPFILE) where the file system can, else with one that the next AtomicFile for the same target removes
/// if its writer has died (the writer holds a flock). commit: data synced, then the name, then the folder
/// synced. Destroying it without commit leaves the target as it was and no temporary. Symbolic links are
/// followed: the file that the link points to is replaced. An existing target's permissions are kept; a new
/// one gets 0666 less the umask. One thread at a time.
class AtomicFile {
 public:
  /// Throws a usage Error where the target exists and `overwrite` is false, and an Error where the folder
  /// cannot be written.
  AtomicFile(std::string target, bool overwrite, FileSystem& files = FileSystem::real())
      : AtomicFile(std::move(target), AtomicFileOptions{.overwrite = overwrite}, files) {}
  AtomicFile(std::string target, const AtomicFileOptions& options, FileSystem& files = FileSystem::real());
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  const std::string& target() const { return target_; }
  /// Throws where the file system has fewer free bytes than `bytes`. Quotas are not seen here.
  void require_space(std::uint64_t bytes);
  /// All of `data`, or Error.
  void write_at(std::uint64_t offset, std::span<const std::byte> data);
  /// Bytes of another open file, inside the kernel where it can (shared blocks where the file system has them), else through
  /// a buffer of copy_bytes. False where the other file ends before.
  bool copy_from(int from, std::uint64_t from_offset, std::uint64_t to_offset, std::uint64_t bytes);
  static constexpr std::size_t copy_bytes = 256 << 10;
  /// Takes [offset, offset + bytes) out of the file, so that what lies behind moves up, without copying. False, and
  /// nothing done, where the file system cannot: it moves whole blocks only (ext4, xfs), or never (tmpfs).
  bool collapse(std::uint64_t offset, std::uint64_t bytes);
  /// Cuts the file off, or grows it by zeros.
  void resize(std::uint64_t bytes);
  /// Reads back what was written; fewer bytes only at the end.
  std::size_t read_at(std::uint64_t offset, std::span<std::byte> out) const;
  /// Gives the file its name. Once, as the last call. After an Error from here the target is the old one, or
  /// the whole new one, and the temporary is gone.
  void commit();
  int fd() const { return fd_; }  ///< of the file, until commit
  /// The sum of what write_at and copy_from wrote.
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  void find_target();
  void open_temporary();
  void open_named_temporary();
  std::string new_temporary_name() const;
  bool lock_temporary();
  void sync_data();
  void keep_permissions();
  void give_name();
  void drop_temporary() noexcept;
  void discard() noexcept;
  Error failure(int error_number) const;
  Error exists_already() const;

  FileSystem& files_;
  std::string target_;     ///< as given, for messages
  std::string path_;       ///< links followed
  std::string folder_;     ///< ends in a slash
  std::string name_;       ///< path_ is folder_ + name_
  std::string temporary_;  ///< empty while the temporary has no name
  AtomicFileOptions options_;
  std::optional<mode_t> mode_;  ///< permissions of the file to replace
  int fd_ = -1;
  int folder_fd_ =
      -1;  ///< where it syncs; opened first, so that a folder that cannot be synced is refused before the work
  std::uint64_t bytes_written_ = 0;
};

/// Whether a name is one that a temporary of an AtomicFile has: no file of anybody's yet.
bool is_temporary_name(std::string_view name);
/// Removes the temporaries in a folder (its name ends in a slash) whose writers have died: they held a lock. Of one target
/// where `target` is its name. Failures are nobody's: what stays is the next one's to remove.
void remove_stale_temporaries(const std::string& folder, std::string_view target, FileSystem& files);
/// Makes a folder and those above it that are missing; with `syncs`, each one's name is durable when it returns. Nothing
/// where it is there. Throws Error.
void make_folders(const std::string& path, bool syncs, FileSystem& files);

/// One name for each file or folder, whether it is there or not: absolute, without links, dots and slashes at the end. What cannot be looked
/// at stays as it is: opening it fails.
std::string canonical_path(const std::string& path);

}  // namespace weir
