#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "framework/file.hpp"

namespace weir::test {

/// The real file system, with every call counted and logged in order, and with faults on demand: the call
/// with a number fails or kills the process, all calls of a name fail, the disk is full after some bytes,
/// reads and writes are short, calls are interrupted. Set the faults up before the calls. Calls from many
/// threads are safe; their order is then the order in which they came here.
class FaultyFileSystem : public FileSystem {
 public:
  struct Call {
    std::string name;  ///< of the system call
    std::string
        object;  ///< the path, for open files the path they were opened with, "unnamed" with O_TMPFILE
    friend bool operator==(const Call&, const Call&) = default;
  };

  static constexpr std::size_t never = std::numeric_limits<std::size_t>::max();

  std::size_t fail_at = never;  ///< number of the call that fails with fail_errno; the first call is 1
  std::size_t kill_at =
      never;  ///< number of the call at which SIGKILL comes; of a write, the first half is done
  int fail_errno = EIO;
  std::map<std::string, int, std::less<>> always_fail;      ///< name of a call -> errno of all such calls
  int unnamed_errno = 0;                                    ///< of open with O_TMPFILE; 0: it works
  std::uint64_t disk_bytes = never;                         ///< written bytes after which the disk is full
  int disk_errno = ENOSPC;                                  ///< ... and what it says then
  std::size_t longest_read = never, longest_write = never;  ///< bytes per call
  std::size_t interrupt_every = never;  ///< each n-th call that can be interrupted fails with EINTR
  bool skip_sync = false;        ///< fsync is logged and nothing else, for tests with thousands of them
  std::int64_t free_space = -1;  ///< what free_bytes says; -1: the truth

  std::size_t calls() const {
    const std::lock_guard lock(mutex_);
    return log_.size();
  }
  std::vector<Call> log() const {
    const std::lock_guard lock(mutex_);
    return log_;
  }
  /// One call per line, for messages.
  std::string log_text() const {
    std::string text;
    for (const Call& call : log()) text += fmt::format("{} {}\n", call.name, call.object);
    return text;
  }

  int open(const char* path, int flags, mode_t mode) override {
    const bool unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    if (refused("open", unnamed ? "unnamed" : path, interruptible)) return -1;
    if (unnamed && unnamed_errno != 0) return fail(unnamed_errno);
    const int fd = FileSystem::open(path, flags, mode);
    const std::lock_guard lock(mutex_);
    if (fd >= 0) opened_[fd] = unnamed ? "unnamed" : path;
    return fd;
  }

  /// As on Linux, the file is closed also where close fails.
  int close(int fd) override {
    const bool failing = refused("close", object(fd));
    const int error_number = errno;
    {
      const std::lock_guard lock(mutex_);
      opened_.erase(fd);
    }
    const int result = FileSystem::close(fd);
    return failing ? fail(error_number) : result;
  }

  ssize_t pread(int fd, void* data, std::size_t bytes, off_t offset) override {
    if (refused("pread", object(fd), interruptible)) return -1;
    return FileSystem::pread(fd, data, std::min(bytes, longest_read), offset);
  }

  ssize_t preadv(int fd, const struct ::iovec* parts, int count, off_t offset) override {
    if (refused("preadv", object(fd), interruptible)) return -1;
    if (longest_read != never) {
      struct ::iovec part = parts[0];
      part.iov_len = std::min(part.iov_len, longest_read);
      return FileSystem::preadv(fd, &part, 1, offset);
    }
    return FileSystem::preadv(fd, parts, count, offset);
  }

  ssize_t pwrite(int fd, const void* data, std::size_t bytes, off_t offset) override {
    if (refused(
            "pwrite", object(fd), [&] { static_cast<void>(FileSystem::pwrite(fd, data, bytes / 2, offset)); },
            interruptible))
      return -1;
    bytes = std::min(bytes, longest_write);
    {
      const std::lock_guard lock(mutex_);
      if (bytes > 0 && disk_bytes == 0) return fail(disk_errno);
      bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, disk_bytes));
      if (disk_bytes != never) disk_bytes -= bytes;
    }
    return FileSystem::pwrite(fd, data, bytes, offset);
  }

  int fsync(int fd) override {
    if (refused("fsync", object(fd), interruptible)) return -1;
    return skip_sync ? 0 : FileSystem::fsync(fd);
  }
  int fallocate(int fd, int mode, off_t offset, off_t bytes) override {
    return refused("fallocate", object(fd), interruptible) ? -1
                                                           : FileSystem::fallocate(fd, mode, offset, bytes);
  }
  int ftruncate(int fd, off_t bytes) override {
    return refused("ftruncate", object(fd)) ? -1 : FileSystem::ftruncate(fd, bytes);
  }
  int fstat(int fd, struct ::stat* status) override {
    return refused("fstat", object(fd)) ? -1 : FileSystem::fstat(fd, status);
  }
  int stat(const char* path, struct ::stat* status) override {
    return refused("stat", path) ? -1 : FileSystem::stat(path, status);
  }
  int linkat(int from_fd, const char* from, int to_fd, const char* to, int flags) override {
    return refused("linkat", to) ? -1 : FileSystem::linkat(from_fd, from, to_fd, to, flags);
  }
  int rename(const char* from, const char* to) override {
    return refused("rename", to) ? -1 : FileSystem::rename(from, to);
  }
  int unlink(const char* path) override { return refused("unlink", path) ? -1 : FileSystem::unlink(path); }
  int fchmod(int fd, mode_t mode) override {
    return refused("fchmod", object(fd)) ? -1 : FileSystem::fchmod(fd, mode);
  }
  int flock(int fd, int operation) override {
    return refused("flock", object(fd), interruptible) ? -1 : FileSystem::flock(fd, operation);
  }
  int lock_range(int fd, short type, off_t offset, off_t bytes) override {
    return refused("lock_range", object(fd)) ? -1 : FileSystem::lock_range(fd, type, offset, bytes);
  }
  ssize_t readlink(const char* path, char* data, std::size_t bytes) override {
    return refused("readlink", path) ? -1 : FileSystem::readlink(path, data, bytes);
  }
  int access(const char* path, int mode) override {
    return refused("access", path) ? -1 : FileSystem::access(path, mode);
  }
  int mkdir(const char* path, mode_t mode) override {
    return refused("mkdir", path) ? -1 : FileSystem::mkdir(path, mode);
  }
  ssize_t copy_file_range(int from, off_t from_offset, int to, off_t to_offset, std::size_t bytes) override {
    if (refused(
            "copy_file_range", object(to),
            [&] {
              static_cast<void>(FileSystem::copy_file_range(from, from_offset, to, to_offset, bytes / 2));
            },
            interruptible))
      return -1;
    return FileSystem::copy_file_range(from, from_offset, to, to_offset, std::min(bytes, longest_write));
  }
  int open_beneath(int folder, const char* path, int flags, mode_t mode) override {
    if (refused("open_beneath", path, interruptible)) return -1;
    const int fd = FileSystem::open_beneath(folder, path, flags, mode);
    const std::lock_guard lock(mutex_);
    if (fd >= 0) opened_[fd] = path;
    return fd;
  }
  int list_folder(const char* path,
                  const std::function<void(std::string_view, unsigned char)>& each) override {
    return refused("list_folder", path) ? -1 : FileSystem::list_folder(path, each);
  }
  std::int64_t free_bytes(int fd) override {
    if (refused("free_bytes", object(fd))) return -1;
    return free_space >= 0 ? free_space : FileSystem::free_bytes(fd);
  }

 private:
  enum Interruption { uninterruptible, interruptible };

  static int fail(int error_number) {
    errno = error_number;
    return -1;
  }

  std::string object(int fd) const {
    const std::lock_guard lock(mutex_);
    const auto found = opened_.find(fd);
    return found == opened_.end() ? fmt::format("fd {}", fd) : found->second;
  }

  bool refused(std::string_view name, std::string object, Interruption interruption = uninterruptible) {
    return refused(
        name, std::move(object), [] {}, interruption);
  }

  /// Counts and logs the call, then says whether it fails, with errno set.
  template <class LastDeed>
  bool refused(std::string_view name, std::string object, LastDeed last_deed,
               Interruption interruption = uninterruptible) {
    const std::lock_guard lock(mutex_);
    log_.push_back({std::string(name), std::move(object)});
    if (log_.size() == kill_at) {
      last_deed();
      ::kill(::getpid(), SIGKILL);
      for (;;) ::pause();
    }
    if (log_.size() == fail_at) {
      errno = fail_errno;
      return true;
    }
    if (const auto found = always_fail.find(name); found != always_fail.end()) {
      errno = found->second;
      return true;
    }
    if (interruption == interruptible && ++interruptible_calls_ % interrupt_every == 0) {
      errno = EINTR;
      return true;
    }
    return false;
  }

  mutable std::mutex mutex_;
  std::vector<Call> log_;
  std::map<int, std::string> opened_;  ///< open file -> what the log calls it
  std::size_t interruptible_calls_ = 0;
};

}  // namespace weir::test
